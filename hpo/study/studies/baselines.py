"""The baseline of a stored study."""

from __future__ import annotations

from hpo.study.records import StudyRow
from hpo.studyfile.planning import plan
from hpo.studyfile.planning.baseline import former_trial_0
from hpo.studyfile.planning.plan import BaselinePlan


def of(study: StudyRow) -> BaselinePlan:
    """Return trial 0 with the arguments that were stored when the study was made.

    A study of an older version has none; its baseline follows the rule of that version.
    """
    dataset, spec = study.facts.dataset, study.spec
    nc, images = len(dataset["names"]), int(dataset["splits"]["train"]["images"])
    train = study.facts.baseline
    if train is None:
        train = former_trial_0(spec, nc=nc, train_images=images)
    return plan.planned(spec, train, nc=nc, train_images=images, most_labels=study.facts.most_labels)
