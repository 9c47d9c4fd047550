"""Hyperparameter optimization for YOLO detectors."""

__version__ = "0.1.0"
