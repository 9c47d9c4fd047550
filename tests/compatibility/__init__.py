"""Databases of older versions: what was stored then must go on and be told as it was."""
