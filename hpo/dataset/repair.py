"""Repair of JPEGs by the rule of Ultralytics 8.4.190 (data/utils.py, ``check_image``), without a change to their files.

Ultralytics saves a JPEG that does not end with its end mark anew, in place, and trains on the new file's pixels.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

_START, _END = b"\xff\xd8\xff", b"\xff\xd9"


def may_need_repair(file: Path) -> bool:
    """Return whether the file begins as a JPEG and does not end as one; only its first and last bytes are read."""
    with file.open("rb") as opened:
        if opened.read(len(_START)) != _START:
            return False
        opened.seek(-len(_END), os.SEEK_END)
        return opened.read() != _END


def repaired(content: bytes) -> bytes | None:
    """Return what Ultralytics would save in place of a JPEG's ``content``; None where it leaves the file as it is.

    Raises what Pillow raises where it can't decode the image: Ultralytics then leaves the image out.
    """
    if not content.startswith(_START) or content.endswith(_END):
        return None
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(content)) as opened:
        if opened.format != "JPEG":  # a file of several pictures (MPO) is left as it is
            return None
        upright = ImageOps.exif_transpose(opened)
    written = io.BytesIO()
    upright.save(written, "JPEG", subsampling=0, quality=100)
    return written.getvalue()
