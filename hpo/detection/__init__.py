"""Post-processing and metrics of detections, as functions of arrays: suppression, matching, curves, sweeps.

Boxes are float32 arrays of shape (n, 4) in pixels, scores float32 in [0, 1], classes int32. It may import numpy, numba
(here alone), ``hpo.errors`` and ``hpo.trial``; no torch. Public: ``predictions`` (what goes in), ``sweep``, ``rating``,
``metrics``, ``apply`` and ``repeated``. The other modules are their parts.
"""
