"""Hyperparameter optimization for YOLO detectors: ``hpo.run``, ``hpo.load``, ``hpo.sweep``, ``hpo.tune``.

``import hpo`` loads none of it: a public name is imported when it is used for the first time.
"""

TYPE_CHECKING = False  # type checkers take it for true; importing typing would double the time of this file
if TYPE_CHECKING:
    from hpo.api.data import demo_data
    from hpo.api.running import run
    from hpo.api.study import Study, load
    from hpo.api.sweeping import Sweep, sweep
    from hpo.api.tuning import tune
    from hpo.api.values import Best, Status, Trial
    from hpo.errors import (
        ClaimLost,
        ExperimentMoved,
        HeadBusy,
        HpoError,
        OutsideStore,
        Problem,
        SpecError,
        StorageUnavailable,
        StudyBusy,
        StudyConflict,
        StudyStopped,
        UsageError,
    )
    from hpo.version import __version__

__all__ = [
    "Best",
    "ClaimLost",
    "ExperimentMoved",
    "HeadBusy",
    "HpoError",
    "OutsideStore",
    "Problem",
    "SpecError",
    "Status",
    "StorageUnavailable",
    "Study",
    "StudyBusy",
    "StudyConflict",
    "StudyStopped",
    "Sweep",
    "Trial",
    "UsageError",
    "__version__",
    "demo_data",
    "load",
    "run",
    "sweep",
    "tune",
]

_PLACES = {
    "Best": "hpo.api.values",
    "Status": "hpo.api.values",
    "Study": "hpo.api.study",
    "Sweep": "hpo.api.sweeping",
    "Trial": "hpo.api.values",
    "demo_data": "hpo.api.data",
    "load": "hpo.api.study",
    "run": "hpo.api.running",
    "sweep": "hpo.api.sweeping",
    "tune": "hpo.api.tuning",
    "__version__": "hpo.version",
}
"""The module of each public name that is not an error."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'hpo' has no attribute {name!r}")
    import importlib

    value: object = getattr(importlib.import_module(_PLACES.get(name, "hpo.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
