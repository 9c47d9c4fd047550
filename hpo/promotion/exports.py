"""Check that this installation can make the requested export formats, before anything is trained."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from hpo.errors import UsageError

MOST_MISSING = 0.01
"""Highest share of detections that may differ between an export and its .pt, in [0, 1]."""
_NEEDS = {"onnx": ("onnx", "onnxruntime"), "openvino": ("openvino",), "engine": ("onnx", "tensorrt")}
_WAYS_OUT = {
    "onnx": "install it: pip install 'hpo[export]' (in a clone: make dev)",
    "openvino": "install it: pip install openvino",
    "engine": "install it on a machine with an NVIDIA GPU: pip install tensorrt onnx",
}


def refuse_what_is_missing(formats: Sequence[str]) -> None:
    """Raise ``UsageError`` for missing packages.

    Ultralytics would install them by itself, in the middle of the work; here nothing is installed without a request.
    """
    for form in formats:
        missing = [name for name in _NEEDS[form] if importlib.util.find_spec(name) is None]
        if missing:
            raise UsageError(f"--export {form}: {' and '.join(missing)} not installed; {_WAYS_OUT[form]}")
