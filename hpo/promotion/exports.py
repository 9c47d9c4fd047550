"""Which export formats this installation can make; asked before anything is trained."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from hpo.errors import UsageError

MOST_MISSING = 0.01
"""Share of the detections that may differ between an export and its .pt."""
_NEEDS = {"onnx": ("onnx", "onnxruntime"), "openvino": ("openvino",), "engine": ("onnx", "tensorrt")}
_WAYS_OUT = {
    "onnx": "install it: pip install 'hpo[export]' (in a clone: make dev)",
    "openvino": "install it: pip install openvino",
    "engine": "install it on a machine with an NVIDIA GPU: pip install tensorrt onnx",
}


def refuse_what_is_missing(formats: Sequence[str]) -> None:
    """Ultralytics would install packages by itself, in the middle of the work; here nothing is installed unasked."""
    for form in formats:
        missing = [name for name in _NEEDS[form] if importlib.util.find_spec(name) is None]
        if missing:
            raise UsageError(f"--export {form}: {' and '.join(missing)} not installed; {_WAYS_OUT[form]}")
