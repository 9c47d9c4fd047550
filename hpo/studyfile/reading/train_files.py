"""Training arguments that may name a file of weights: ``pretrained`` and ``distill_model``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

from hpo.studyfile.text.fields import Field
from hpo.studyfile.text.places import Folders, home_expanded, look_for
from hpo.yamlfile.document import OVERRIDE

FileArgument = Literal["pretrained", "distill_model"]
NAMES: tuple[FileArgument, ...] = ("pretrained", "distill_model")
_OF_ULTRALYTICS = re.compile(r"(yolo(v?\d{1,2}|e-|_nas_)|rtdetr-)[\w.-]*\.pt")
"""Pattern of the weights that Ultralytics 8.4.190 fetches by name (utils/downloads.py GITHUB_ASSETS_NAMES)."""


def found(place: Field, name: str, folders: Folders) -> str | None:
    """Return the absolute path of the file that ``name`` means, or a name or an address that Ultralytics fetches.

    Where there is no readable file of that name, the problem is reported at ``place``.
    """
    order = folders.order(working_first=place.node.file == OVERRIDE)
    file, tried = look_for(home_expanded(name), order)
    if file is not None and os.access(file, os.R_OK):
        return str(file)
    if file is not None:
        return place.fail(f"{file} can't be read: give this user the right to read it (chmod u+r)")
    if _OF_ULTRALYTICS.fullmatch(name) or "://" in name:
        return name
    listed = ", ".join(dict.fromkeys(map(str, tried)))
    way_out = "name the .pt file of a detector, relative to the study file or absolute"
    return place.fail(f"no such file (tried {listed}): {way_out}")


def same_file(stored: str, asked: str) -> bool:
    """Return whether ``asked``, an absolute path, is what a study of before, which kept names as written, calls so."""
    path = home_expanded(stored)
    parts = tuple(part for part in path.parts if part != "..")
    return not path.is_absolute() and Path(asked).is_absolute() and Path(asked).parts[-len(parts) :] == parts
