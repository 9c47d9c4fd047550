"""The composition root: it connects the packages. Heavy libraries load here, late.

Public: the functions and classes of its modules without an underscore.
"""
