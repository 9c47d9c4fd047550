"""A study as one file to send to a colleague: HTML that needs no other file, or Markdown.

All facts are first gathered as plain values and then rendered. It may import ``hpo.study`` and the packages below it;
it imports no MLflow and loads nothing from the network at run time. Public: ``gather``, ``html`` and ``markdown``.
"""
