"""One module a command, or a family of commands, each of which ``hpo.cli.main`` loads when it is called.

A command reads its options, calls the packages below and prints what they return. It may import everything but the
other commands' modules, except ``stages``, which several of them share. Public: the click commands.
"""
