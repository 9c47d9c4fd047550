"""Datasets that Ultralytics knows by name: a program of its own, so that it uses the user's settings."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout


def main() -> None:
    """Fetch the dataset that the first argument names, if it is missing, and print the paths of its splits."""
    from ultralytics.data.utils import check_det_dataset

    with redirect_stdout(sys.stderr):
        found = check_det_dataset(sys.argv[1])
    splits = {split: found[split] for split in ("train", "val", "test") if found.get(split)}
    sys.stdout.write(json.dumps({"path": str(found["path"]), **splits, "names": list(found["names"].values())}) + "\n")


if __name__ == "__main__":
    main()
