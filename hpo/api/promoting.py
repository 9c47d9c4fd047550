"""Promote a study's winner: its final training, its evidence, its folder, its version in MLflow's registry."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.errors import ExperimentMoved, StorageUnavailable

if TYPE_CHECKING:
    from hpo.api.searching import Obey
    from hpo.orchestration.stop import StopRequest
    from hpo.promotion.card import Promoted
    from hpo.promotion.promote import PromotionRequest
    from hpo.promotion.registering import Registered
    from hpo.promotion.training import Trained
    from hpo.settings import Settings
    from hpo.study.database.storage import Storage
    from hpo.study.records import StudyRow
    from hpo.wiring.promoting import Promotion

ShowEpochs = Callable[[str, int, float], None]
"""Told the stage, the epoch (from 1) and how much of it is done (0 to 1), or its value."""
ShowImages = Callable[[str, int, int], None]
"""Told what is done, images done, and images in all."""


@dataclass(frozen=True)
class PromotePlan:
    """What is promoted, and where to."""

    output: Path
    """A new folder; it appears when it is complete."""
    trial: int | None = None
    """This trial instead of the winner."""
    with_val: bool = False
    """Train on train and val; the last epoch counts."""
    exports: tuple[str, ...] = ()
    """Further formats: ``onnx``, ``openvino``, ``engine``."""
    register: str | None = None
    """The model's name in MLflow's registry; None leaves the registry alone."""
    data: Path | None = None
    """The study's data.yaml, where it lies elsewhere."""
    device: str = "auto"
    """``auto``, ``cpu``, or the index of a GPU."""


class PromotionView:
    """Is told how a promotion goes, and shows nothing; a subclass overrides what it shows."""

    def planned(self, promotion: Promotion) -> None:
        """Hear what will be trained; everything that can be wrong was looked at.

        Args:
            promotion: What will be trained and written.
        """

    def epochs(self, epochs: int) -> AbstractContextManager[ShowEpochs]:
        """Choose what is told of the final training.

        Args:
            epochs: Epochs that it takes.

        Returns:
            A context manager, entered while it trains.
        """
        del epochs
        return nullcontext(lambda _stage, _epoch, _value: None)

    def images(self) -> AbstractContextManager[ShowImages]:
        """Choose what is told of a look at images.

        Returns:
            A context manager, entered while images are predicted.
        """
        return nullcontext(lambda _doing, _done, _images: None)


@dataclass(frozen=True)
class PromotionResult:
    """What has come out."""

    asked: PromotionRequest
    made: Promoted
    registered: Registered | None
    outage: StorageUnavailable | ExperimentMoved | None
    """Why nothing could be registered; a sync does it later."""

    def to_dict(self) -> dict[str, Any]:
        """Give the documented JSON form.

        Returns:
            What ``hpo promote --json`` prints.
        """
        made, registered = self.made, self.registered
        return {
            "folder": str(self.asked.output),
            "trial": made.choice.row.number,
            "why": made.choice.why,
            "confirmed": made.choice.verdict is not None,
            "epochs": made.trained.epochs,
            "with_val": made.trained.with_val,
            "operating_point": made.found.point.to_dict(),
            "metrics": made.found.splits,
            "looks": made.looks,
            "exports": made.checked["exports"],
            "registered": None if registered is None else asdict(registered),
        }


@dataclass(frozen=True)
class Promoting:
    """A study, and what a promotion of it needs."""

    settings: Settings
    storage: Storage
    study: StudyRow
    stop: StopRequest
    view: PromotionView
    obey: Obey

    def run(self, plan: PromotePlan) -> PromotionResult:
        """Train, write the folder, check it, and register it.

        Args:
            plan: What is promoted, and where to.

        Returns:
            What has come out.

        Raises:
            UsageError: No trial can be promoted, the folder is occupied, or an export needs a package that is missing.
            StudyConflict: The data or the model is another one.
            hpo.promotion.training.Stopped: The training was stopped; the same call goes on.
        """
        from hpo.api.finding import who
        from hpo.promotion.promote import PromotionRequest, chosen_exports
        from hpo.wiring.promoting import promotion

        output = plan.output.expanduser().absolute()
        asked = PromotionRequest(output, plan.trial, plan.with_val, chosen_exports(plan.exports), plan.register)
        ready = promotion(self.storage, self.study, asked, self.settings, (plan.data, plan.device, who()))
        self.view.planned(ready)
        trained = self._train(ready)
        with self.view.images() as show:
            made, pending = ready.make(trained, show)
        if pending is None:
            return PromotionResult(asked, made, None, None)
        try:
            with self.view.images() as show:
                return PromotionResult(asked, made, ready.register(pending, show), None)
        except (StorageUnavailable, ExperimentMoved) as error:
            return PromotionResult(asked, made, None, error)

    def _train(self, promotion: Promotion) -> Trained:
        with self.obey(self.stop, lambda _signum: None), self.view.epochs(promotion.training.epochs) as show:
            return promotion.train(self.stop, show)
