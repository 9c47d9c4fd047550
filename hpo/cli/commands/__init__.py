"""Commands of ``hpo``: one module per command or family of commands; ``hpo.cli.main`` loads it when it is called.

A command reads its options, calls the packages below and prints their results. It may import everything except the
modules of other commands; ``stages``, which several commands share, is allowed. Public: the click commands.
"""
