"""The one reader of YAML that people write: study files, data.yaml, files of models, overrides.

It reads regular files within limits of size and depth, gives every value its line, and builds nothing but plain values.
It may import ``hpo.errors``, ``hpo.trial.vocabulary`` and ruamel.yaml. Public: every module.
"""
