"""Trials and proposals that a new study takes from the earlier ones that its file names under ``warm_start``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from hpo.errors import UsageError

if TYPE_CHECKING:
    from hpo.promotion.choice import PromotionChoice
    from hpo.study.database.storage import Storage
    from hpo.study.records import Identity, StudyRow, WarmStart
    from hpo.studyfile.schema import StudySpec
    from hpo.trial.vocabulary import Scalar

_AGREE = ("train", "space", "objective", "postprocess")
"""Keys of a study file that must be equal for a trial's values to have the same meaning."""


def warm_start(storage: Storage, spec: StudySpec, identity: Identity) -> WarmStart:
    """Return what a new study takes from the earlier ones that it names.

    Each earlier study gives its confirmed best as a proposal, brought into the space of ``spec``. If it measures the
    same on the same data and model, it also gives its finished trials.

    Raises ``UsageError`` for a study that is not in this database or has no complete trial.
    """
    from hpo.promotion.choice import choose
    from hpo.study.records import WarmStart
    from hpo.study.search import warm
    from hpo.study.studies import lifecycle

    taken = WarmStart()
    for name in spec.warm_start:
        try:
            earlier = lifecycle.load(storage, name)
            best = choose(storage, earlier, None)
        except UsageError as error:
            raise UsageError(f"warm_start: {error}") from error
        taken.told.append(_enqueue(taken.proposals, spec, best, name))
        different = list(_differences(earlier, spec, identity))
        if different:
            taken.told.append(f"{name}: its trials are no history of this study: {'; '.join(different)}")
            continue
        numbers = warm.finished(storage, earlier)
        taken.history[earlier.uuid] = numbers
        taken.told.append(f"{name}: {len(numbers)} finished trials taken as history, uncounted")
    return taken


def _enqueue(proposals: list[dict[str, Scalar]], spec: StudySpec, best: PromotionChoice, name: str) -> str:
    from hpo.studyfile.planning.clipping import clipped

    if best.row.baseline and spec.baseline:
        return f"{name}: nothing to enqueue: {best.why}"
    values = _values(best)
    proposal = clipped(spec.searched, values)
    moved = [f"{key} {values[key]} to {value}" for key, value in proposal.items() if value != values[key]]
    known = [*map(dict, spec.search.enqueue), *proposals]
    if not proposal or proposal in known:
        why = "it is enqueued already" if proposal else "it has no value of this space"
        return f"{name}: trial {best.row.number} is not enqueued: {why}"
    proposals.append(proposal)
    clip = f"; brought into the space: {', '.join(moved)}" if moved else ""
    return f"{name}: trial {best.row.number} enqueued ({best.why}){clip}"


def _values(best: PromotionChoice) -> dict[str, Scalar]:
    """Return all values of the trial's training and use, whether its study sampled, fixed or left them."""
    from hpo.studyfile.arguments import arguments
    from hpo.studyfile.schema import POSTPROCESSING_NAMES

    point = {name: getattr(best.row.recommended_point, name, None) for name in POSTPROCESSING_NAMES}
    known = {**arguments.defaults(), **point, **best.row.train, **best.row.params}
    return {name: value for name, value in known.items() if not isinstance(value, list)}


def _differences(earlier: StudyRow, spec: StudySpec, identity: Identity) -> Iterator[str]:
    from hpo.studyfile import serialize

    if earlier.identity.data_fingerprint != identity.data_fingerprint:
        yield "its data has other content"
    if earlier.identity.model_sha256 != identity.model_sha256:
        yield "its model has other content"
    # paths of data and model may differ: their content was compared
    alike = replace(earlier.spec, data=spec.data, model=spec.model)
    for difference in serialize.differences(alike, spec):
        if difference.partition(":")[0].partition(".")[0] in _AGREE:
            yield difference
