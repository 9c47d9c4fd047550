"""A study as one file to send to a colleague: HTML that needs nothing else, or Markdown.

First all facts are gathered as plain values, then they are written in a form. It may import ``hpo.study`` and what lies
below; no MLflow, nothing from outside at run time. Public: ``gather``, ``html`` and ``markdown``.
"""
