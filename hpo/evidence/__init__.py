"""Statistics of a confirmation: from repeated trainings to a verdict with its uncertainty.

Plain numbers in, plain values out. It may import numpy, scipy, ``hpo.errors`` and ``hpo.trial``; it knows neither
database nor images. Public: ``verdict``, ``planning``, ``images`` and ``dunnett``.
"""
