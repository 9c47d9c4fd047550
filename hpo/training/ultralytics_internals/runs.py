"""The training of each family of detectors: one row for each, over Ultralytics' own trainer of that family."""

from __future__ import annotations

from ultralytics.models.rtdetr.train import RTDETRTrainer
from ultralytics.models.rtdetr.val import RTDETRValidator

from hpo.errors import UsageError
from hpo.training.ultralytics_internals.candidates import KeepsQueries
from hpo.training.ultralytics_internals.facts import of_file
from hpo.training.ultralytics_internals.yolo import SweptValidator, TrialRun, TrialValidator
from hpo.trial.families import Family


class QueriesValidator(TrialValidator, RTDETRValidator):
    """RT-DETR's validator that keeps what the objective needs."""


class SweptQueriesValidator(SweptValidator, KeepsQueries):
    """The same in a trial under ``postprocess: swept``."""


class QueriesRun(TrialRun, RTDETRTrainer):
    """A training of RT-DETR by its own trainer. As in ``TrialRun``, the name has no "Trainer"."""

    plain_validator = QueriesValidator
    swept_validator = SweptQueriesValidator


RUNS: dict[Family, type[TrialRun]] = {
    Family.ONE_BRANCH: TrialRun,
    Family.TWO_BRANCHES: TrialRun,
    Family.QUERIES: QueriesRun,
}


def family_to_train(model: str) -> Family:
    """Return the family of the file or the name ``model``. Raises UsageError for a network that hpo does not train."""
    family = of_file(model).family
    if family is None:
        raise UsageError(f"{model}: is no detector that hpo trains; see `hpo validate`")
    return family
