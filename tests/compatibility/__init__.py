"""Databases of older versions: their studies continue, and commands report them as before."""
