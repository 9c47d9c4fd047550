"""Differences between a dataset as it was stored and as it is, for a person who looks for the cause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.dataset.summary import DatasetSummary


def differences(stored: Mapping[str, Any], now: DatasetSummary) -> list[str]:
    """Return a line for each difference. ``stored`` is a ``DatasetSummary`` as a dict. Equal summaries give only the
    fingerprints' line.
    """
    found = [
        f"data (content of {now.yaml}): sha256 {now.fingerprint[:12]}, not {str(stored.get('fingerprint', ''))[:12]}"
    ]
    if list(stored.get("names", ())) != list(now.names):
        found.append(f"names: {', '.join(now.names)}, not {', '.join(stored.get('names', ()))}")
    before: Mapping[str, Mapping[str, int]] = stored.get("splits", {})
    found += [f"split {split}: is gone" for split in before if split not in now.splits]
    for split, summary in now.splits.items():
        if split not in before:
            found.append(f"split {split}: is new ({summary.images} images)")
            continue
        found += [
            f"split {split}: {value} {count}, not {before[split][count]}"
            for count, value in vars(summary).items()
            if before[split].get(count, value) != value
        ]
    if len(found) == 1:
        found.append("all counts are the same: some image or label has another content, or another name")
    return found
