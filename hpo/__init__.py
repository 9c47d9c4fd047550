"""Hyperparameter optimization for YOLO detectors."""

__version__ = "0.2.0"
