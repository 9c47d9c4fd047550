"""Data sets that Ultralytics knows by name: a program of its own, so that its settings are the user's."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout


def main() -> None:
    """Fetch the data set that the first argument names, where it is not there yet, and print where its splits lie."""
    from ultralytics.data.utils import check_det_dataset

    with redirect_stdout(sys.stderr):
        found = check_det_dataset(sys.argv[1])
    splits = {split: found[split] for split in ("train", "val", "test") if found.get(split)}
    sys.stdout.write(json.dumps({"path": str(found["path"]), **splits, "names": list(found["names"].values())}) + "\n")


if __name__ == "__main__":
    main()
