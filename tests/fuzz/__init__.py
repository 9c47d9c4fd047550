"""Inputs that nobody would write, for everything that reads what people write. `make fuzz` runs it for long."""
