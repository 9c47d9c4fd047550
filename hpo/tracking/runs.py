"""Runs of one experiment: found by key, created once, updated to a content."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from hpo.tracking.content import CURVE_TAG, KEY_TAG, Point, RunContent
from hpo.trial.vocabulary import RunStatus

_METRICS_A_BATCH = 1000
_PARAMS_A_BATCH = 100
"""MLflow's limits per request; params and tags count towards the 1000."""


@dataclass
class Run:
    """A run as this process knows it: the content that it read from MLflow or sent to it."""

    run_id: str
    artifact_uri: str
    started_ms: int
    status: str
    ended_ms: int | None
    params: dict[str, str]
    tags: dict[str, str]
    sent: set[Point] = field(default_factory=set)
    """Points that this process wrote; MLflow drops those that it had already."""

    def holds_other_than(self, content: RunContent) -> bool:
        """Return whether the run has epochs that no longer belong to the curve.

        This happens when an attempt could not use its checkpoint and went on from an earlier epoch. MLflow has no call
        that removes a point.
        """
        mark = self.tags.get(CURVE_TAG)
        return mark is not None and not content.goes_on_from(mark)

    @staticmethod
    def of(run: Any) -> Run:
        info, data = run.info, run.data
        return Run(
            info.run_id,
            info.artifact_uri,
            info.start_time,
            info.status,
            info.end_time,
            dict(data.params),
            dict(data.tags),
        )


class Runs:
    """Runs of one experiment. An instance is for one thread."""

    def __init__(self, client: Any, experiment_id: str) -> None:
        self._client = client
        self.experiment_id = experiment_id

    def all(self) -> dict[str, list[Run]]:
        """Return every active run that carries a key, the oldest first within a key."""
        found: dict[str, list[Run]] = defaultdict(list)
        token: str | None = None
        while True:
            page = self._client.search_runs([self.experiment_id], max_results=1000, page_token=token)
            for run in map(Run.of, page):
                if KEY_TAG in run.tags:
                    found[run.tags[KEY_TAG]].append(run)
            token = page.token
            if not token:
                return {key: sorted(runs, key=_age) for key, runs in found.items()}

    def find(self, key: str) -> list[Run]:
        """Return the active runs of ``key``, the oldest first."""
        found = self._client.search_runs([self.experiment_id], f"tags.`{KEY_TAG}` = '{key}'")
        return sorted(map(Run.of, found), key=_age)

    def find_or_create(self, content: RunContent) -> Run:
        """Return the only run of ``content.key``.

        Searches again after creating it: a request that was sent twice, or another process at the same moment, makes a
        second run. All processes keep the same one of them.
        """
        found = self.find(content.key)
        if not found:
            tags = {KEY_TAG: content.key}
            self._client.create_run(self.experiment_id, start_time=content.started_ms, tags=tags, run_name=content.name)
            found = self.find(content.key)
        return self.keep_oldest(found)

    def delete(self, run: Run) -> None:
        self._client.delete_run(run.run_id)

    def keep_oldest(self, found: list[Run]) -> Run:
        """Delete all but the first of ``found`` and return the first."""
        for surplus in found[1:]:
            self.delete(surplus)
        return found[0]

    def write(self, run: Run, content: RunContent, always: dict[str, str]) -> None:
        """Add the missing params, tags and points to ``run``, in one call for most trials.

        The tags ``always`` are added if anything is written.
        """
        from mlflow.entities import Metric, Param, RunTag

        params = [Param(name, value) for name, value in content.params.items() if run.params.get(name) != value]
        tags = {name: value for name, value in content.tags.items() if run.tags.get(name) != value}
        points = [point for point in content.points if point not in run.sent]
        metrics = [Metric(*point) for point in points]
        tags |= always if params or tags or metrics else {}
        while params or tags or metrics:
            some_params, params = params[:_PARAMS_A_BATCH], params[_PARAMS_A_BATCH:]
            free = _METRICS_A_BATCH - len(some_params) - len(tags)
            some_metrics, metrics = metrics[:free], metrics[free:]
            self._client.log_batch(run.run_id, some_metrics, some_params, [RunTag(*tag) for tag in tags.items()])
            run.tags |= tags
            tags = {}
        run.params |= content.params
        run.sent |= set(points)

    @staticmethod
    def has_status(run: Run, content: RunContent) -> bool:
        """Return whether status and end time are right; MLflow never removes an end time."""
        same_end = content.ended_ms is None or run.ended_ms == content.ended_ms
        return run.status == content.status.value and same_end

    def set_status(self, run: Run, content: RunContent) -> None:
        """Set status and end time if they differ."""
        if self.has_status(run, content):
            return
        if content.status is RunStatus.RUNNING:
            self._client.update_run(run.run_id, status=content.status.value)
        else:
            self._client.set_terminated(run.run_id, status=content.status.value, end_time=content.ended_ms)
        run.status, run.ended_ms = content.status.value, content.ended_ms

    def set_tags(self, run: Run, tags: dict[str, str]) -> None:
        """Set tags. They confirm that the rest is complete, so this is the last call."""
        if tags.items() <= run.tags.items():
            return
        from mlflow.entities import RunTag

        self._client.log_batch(run.run_id, tags=[RunTag(*tag) for tag in tags.items()])
        run.tags |= tags


def _age(run: Run) -> tuple[int, str]:
    return run.started_ms, run.run_id
