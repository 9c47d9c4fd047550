"""Creation of the stage after the search: the best trials and the baseline, with fresh seeds, as a separate study."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from hpo.errors import StudyConflict, UsageError
from hpo.evidence.document import VerdictDocument
from hpo.study.database.storage import Storage
from hpo.study.records import StudyRow, TrialRow
from hpo.study.studies import baselines, lifecycle, snapshot, verdicts
from hpo.studyfile.schema import LONGEST_NAME, STAGE_SUFFIX, Budget, Confirm, Keep, Method, Search, StudySpec
from hpo.studyfile.stage import PlannedRun, StagePlan

log = logging.getLogger(__name__)


def begin(storage: Storage, search: StudyRow, wanted: Confirm | None = None) -> StudyRow:
    """Return the stored stage of ``search``; if there is none, make it from the search's best trials.

    ``wanted`` holds the options of the command line; with None the stored ones apply, otherwise those of the study
    file. Raises ``UsageError`` if the search is a stage itself or has no complete trial besides its baseline, and
    ``StudyConflict`` if another stage is stored.
    """
    if search.plan:
        raise UsageError(f"study {search.name!r} is a confirmation stage itself: hpo confirm {search.searched_name}")
    stored = lifecycle.confirmation(storage, search.name)
    if stored is not None:
        _refuse_another(stored, wanted)
        return stored
    if len(search.name) + len(STAGE_SUFFIX) > LONGEST_NAME:
        raise UsageError(
            f"study {search.name!r}: its stage would be called {search.name}{STAGE_SUFFIX}, and a name has up to "
            f"{LONGEST_NAME} characters; give the study a shorter `name:`"
        )
    chosen = wanted or search.spec.confirm or Confirm()
    best = candidates(snapshot.trials(storage, search), chosen.top)
    if not best:
        raise UsageError(
            f"study {search.name!r} has no complete trial beside its baseline: there is nothing to confirm; "
            f"see: hpo status {search.name}"
        )
    if len(best) < chosen.top:
        log.warning("study %s has %d complete trials to confirm, not %d", search.name, len(best), chosen.top)
    spec, runs = staged(search, best, chosen)
    facts = replace(search.facts, said=None)  # the whole stage is compared: no file has written it
    return lifecycle.create_or_join(storage, spec, search.identity, facts, runs)


def known_verdict(storage: Storage, search: StudyRow, wanted: Confirm | None = None) -> VerdictDocument | None:
    """Return the stored verdict on ``search``; None before it is reached. Neither the data nor a GPU is needed.

    Raises ``StudyConflict`` as ``begin`` does.
    """
    stored = None if search.plan else lifecycle.confirmation(storage, search.name)
    if stored is None:
        return None
    _refuse_another(stored, wanted)
    return verdicts.stored(storage, stored)


def candidates(trials: list[TrialRow], top: int) -> list[TrialRow]:
    """Return the ``top`` best complete trials, the best first, without the baseline, which they are compared with."""
    return [row for row in snapshot.best_first(trials) if not row.baseline][:top]


def staged(search: StudyRow, best: list[TrialRow], chosen: Confirm) -> tuple[StudySpec, StagePlan]:
    """Return the stage as a study, and its plan, seed by seed. Nothing is pruned, and all weights are kept."""
    baseline = baselines.of(search)
    once = [
        PlannedRun(None, _pairs(baseline.params), _pairs(baseline.train), baseline.operating_point),
        *(PlannedRun(row.number, _pairs(row.params), _pairs(row.train), _point(row)) for row in best),
    ]
    first = 1 + int(search.spec.train_args.get("seed", 0))
    planned = tuple(_seeded(run, first + ordinal) for ordinal, run in enumerate(once * chosen.seeds))
    spec = replace(
        search.spec,
        name=f"{search.name}{STAGE_SUFFIX}",
        search=Search(Method("random"), Method("none"), search.spec.search.seed),
        budget=Budget(trials=len(planned)),
        baseline=False,  # this rule of the search is for ordinal 0; here the baseline is planned
        keep=Keep(weights=len(planned), caches=max(search.spec.keep.caches, len(planned))),
        confirm=chosen,
        warm_start=(),
        plots="all" if search.spec.plots == "all" else "none",  # no run is the best one of anything
    )
    return spec, planned


def _point(row: TrialRow) -> Any:
    """Return the operating point that would be promoted: a swept one only if its gain is proven."""
    return row.operating_point if row.sweep is None else row.sweep.recommended_point


def _seeded(run: PlannedRun, seed: int) -> PlannedRun:
    return replace(run, train=_pairs({**dict(run.train), "seed": seed % 2**31}))


def _pairs(values: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(values.items()))


def _refuse_another(stored: StudyRow, wanted: Confirm | None) -> None:
    is_one = stored.spec.confirm
    if wanted is None or wanted == is_one or is_one is None:
        return
    pairs = {"top": (is_one.top, wanted.top), "seeds": (is_one.seeds, wanted.seeds)}
    different = [f"{name}: stored {old}, asked {new}" for name, (old, new) in pairs.items() if old != new]
    raise StudyConflict(stored.name, different, f"way out: leave them out, or `hpo delete {stored.name}` to begin anew")
