"""YAML as text: fields of a document, overrides, Ultralytics' own YAML.

The package does not know what keys mean. It may import ``hpo.errors``, ``hpo.trial``, ``hpo.yamlfile`` and ruamel.yaml.
Public: every module.
"""
