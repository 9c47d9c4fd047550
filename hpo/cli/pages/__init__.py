"""Output of commands for people: tables, progress lines and closing words.

A page takes plain values and writes to a rich console; it changes nothing. It may import the packages below the CLI,
but no command. Public: every function without an underscore.
"""
