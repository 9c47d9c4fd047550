"""The verdict's JSON form: documents of older versions read and print as before."""

from __future__ import annotations

import json

from hpo.evidence.document import VerdictClaim, VerdictDocument

STORED = (
    '{"claim": "no difference", "difference": -0.002, "low": -0.02, "high": 0.02, "seeds": 3, "winner": 7, '
    '"metric": "mAP50-95", "baseline": 0.5, "images": {"low": -0.03, "high": 0.03}, '
    '"gain": {"training": -0.001, "operating_point": -0.001}, "sd": 0.01, "detectable": 0.03, "needed": null, '
    '"candidates": [{"trial": 7, "mean_on_val": 0.51}, {"trial": 2, "mean_on_val": 0.5}], '
    '"left_out": {"4": "1 of 3 runs came to nothing (run 5: crash)"}, "split": "val", "look": 2, "within_noise": 0, '
    '"sentence": "no difference found: keep the defaults"}'
)
"""Document as version 0.1.0 wrote it into the database."""


def test_a_stored_verdict_is_written_again_byte_for_byte() -> None:
    document = VerdictDocument.from_dict(json.loads(STORED))
    assert json.dumps(document.to_dict()) == STORED
    assert (document.claim, document.needed, document.images.low) == (VerdictClaim.NONE, None, -0.03)


def test_keys_of_a_later_version_are_left_alone() -> None:
    later = {**json.loads(STORED), "news": 1}
    assert VerdictDocument.from_dict(later) == VerdictDocument.from_dict(json.loads(STORED))
