"""A worker's way through a study's stages: the search, then the confirmation where one is asked for or begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo.api.finding import who

if TYPE_CHECKING:
    from hpo.api.view import View
    from hpo.evidence.document import VerdictDocument
    from hpo.orchestration.stop import StopRequest
    from hpo.wiring.opening import LocalStudy


def work(study: LocalStudy, stop: StopRequest, view: View) -> None:
    """Work on one stage until it is finished or a stop is asked for.

    Args:
        study: The search or the confirmation, open on this machine.
        stop: Ends the work early.
        view: Is told what happens.
    """
    with view.watcher(study.study, study.status) as watcher:
        study.work(watcher, stop)


def go_on(search: LocalStudy, stop: StopRequest, view: View) -> LocalStudy | None:
    """Work on the confirmation of a finished search until it is finished.

    Args:
        search: The search, open on this machine.
        stop: Ends the work early.
        view: Is told what happens.

    Returns:
        The stage; None where there is none to do, as for a worker that has joined the stage itself.
    """
    from hpo.confirmation.stage import candidates
    from hpo.study.studies import lifecycle

    if stop.soon or search.study.plan or search.status().finished is None:
        return None
    begun = lifecycle.confirmation(search.storage, search.study.name) is not None
    if not begun and search.study.spec.confirm is None:
        return None
    if not begun and not candidates(search.known_trials(), 1):
        view.nothing_to_confirm()
        return None
    return confirm(search.confirmation(), stop, view)


def confirm(stage: LocalStudy, stop: StopRequest, view: View) -> LocalStudy:
    """Work on a confirmation until it is finished or a stop is asked for.

    Args:
        stage: The confirmation, open on this machine.
        stop: Ends the work early.
        view: Is told what happens.

    Returns:
        The same stage.
    """
    done = sum(row.counts for row in stage.known_trials())
    if done < len(stage.study.plan):
        view.confirming(stage, done)
    work(stage, stop, view)
    return stage


def verdict(stage: LocalStudy, view: View) -> VerdictDocument | None:
    """Find the verdict of a confirmation; it is computed and stored where it is not yet.

    Args:
        stage: The confirmation, open on this machine.
        view: Is told how the predicting goes.

    Returns:
        The verdict; None before the last run has ended.
    """
    if stage.status().finished is None:
        return None
    return stage.verdict(who(), view.predicting)
