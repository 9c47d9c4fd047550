"""YAML as text: documents with line numbers, overrides, reports of problems, Ultralytics' own YAML.

The package does not know what keys mean. It may import ``hpo.errors``, ``hpo.trial`` and ruamel.yaml. Public: every
module.
"""
