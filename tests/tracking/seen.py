"""What MLflow holds, read back through its own client."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


class Seen:
    """What MLflow holds of a study, all of it."""

    def __init__(self, uri: str, study: str = "s") -> None:
        from mlflow import MlflowClient

        self.client = MlflowClient(uri)
        found = self.client.get_experiment_by_name(study)
        self.all = list(self.client.search_runs([found.experiment_id])) if found else []
        self.runs = {run.info.run_name: run for run in self.all}

    def points(self) -> Counter[tuple[Any, ...]]:
        return Counter(
            (name, key, point.step, point.timestamp, point.value)
            for name, run in self.runs.items()
            for key in run.data.metrics
            for point in self.client.get_metric_history(run.info.run_id, key)
        )

    def steps(self, run: str, key: str) -> list[int]:
        return [point.step for point in self.client.get_metric_history(self.runs[run].info.run_id, key)]

    def whole(self) -> Seen:
        """Itself; no run appears twice."""
        assert len(self.runs) == len(self.all)
        return self

    def ids(self) -> dict[str, str]:
        return {name: run.info.run_id for name, run in self.runs.items()}

    def artifacts(self, run: str) -> set[str]:
        def below(path: str | None) -> Iterator[str]:
            for item in self.client.list_artifacts(self.runs[run].info.run_id, path):
                yield from below(item.path) if item.is_dir else [item.path]

        return set(below(None))

    def status(self, run: str) -> str:
        return str(self.runs[run].info.status)

    def tag(self, run: str, key: str) -> str:
        return str(self.runs[run].data.tags[key])

    def parent(self, run: str) -> str:
        wanted = self.runs[run].data.tags["mlflow.parentRunId"]
        return {run_id: name for name, run_id in self.ids().items()}[wanted]


def uri_of(root: Path) -> str:
    return f"sqlite:///{root}/mlflow.db"


def wait_for(condition: Callable[[], bool], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.1)
