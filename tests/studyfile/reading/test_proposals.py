"""Proposals of a study that come before the sampler's."""

from __future__ import annotations

import pytest

from tests.studyfile.conftest import Studio


def test_enqueued_proposals_are_read_as_the_sampler_would_give_them(studio: Studio) -> None:
    spec = studio.load("space.batch={choices: [4, 8]}", "search.enqueue=[{lr0: '1e-2', batch: 8.0}, {lr0: 1e-3}]")
    assert spec.search.enqueue == ((("batch", 8), ("lr0", 0.01)), (("lr0", 0.001),))


@pytest.mark.parametrize(
    ("proposal", "message"),
    [
        ("{lr0: 0.5}", "outside the space"),
        ("{lr1: 0.01}", "not sampled"),
        ("{mosaic: 0.5}", "fixed at 0.25"),
        ("{lr0: high}", "finite number"),
        ("{momentum: 0.9}", "name optimizer here too"),
        ("{momentum: 0.9, optimizer: AdamW}", "only where optimizer is SGD"),
        ("7", "mapping"),
    ],
)
def test_a_proposal_that_the_sampler_could_not_make_is_refused(studio: Studio, proposal: str, message: str) -> None:
    text = """\
name: demo
data: data.yaml
model: yolov8n.yaml
space:
  optimizer: {choices: [SGD, AdamW]}
  lr0: {low: 1e-4, high: 1e-1, log: true}
  momentum: {low: 0.8, high: 0.99, when: {optimizer: SGD}}
  mosaic: 0.25
search:
  enqueue:
"""
    assert message in studio.problem(text=f"{text}    - {proposal}\n").message
    assert studio.load(text=f"{text}    - {{momentum: 0.9, optimizer: sgd, lr0: 0.1}}\n")
