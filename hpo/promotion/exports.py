"""Check that this installation can make the requested export formats, before anything is trained."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from hpo.errors import UsageError

MOST_MISSING = 0.01
"""Highest share of detections that may differ between an export and its .pt, in [0, 1]."""
_NEEDS = {
    "onnx": (("onnx", "onnxruntime"), "it: pip install 'hpo[export]' (in a clone: make dev)"),
    "openvino": (("openvino",), "it: pip install openvino"),
    "engine": (("onnx", "tensorrt"), "it on a machine with an NVIDIA GPU: pip install tensorrt onnx"),
}
"""Packages of each format, and how to install them."""


def refuse_what_is_missing(formats: Sequence[str]) -> None:
    """Raise ``UsageError`` for missing packages.

    Ultralytics would install them by itself, in the middle of the work; here nothing is installed without a request.
    """
    for form in formats:
        packages, way_out = _NEEDS[form]
        missing = [name for name in packages if importlib.util.find_spec(name) is None]
        if missing:
            raise UsageError(f"--export {form}: {' and '.join(missing)} not installed; install {way_out}")
