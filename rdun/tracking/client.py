"""The MLflow side: one experiment of a tracking server or database, with whole batches only."""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rdun.tracking.database import SQLITE, check_database, create_database, sqlite_file
from rdun.tracking.view import Identity, Point

BATCH = 1000
"""Metric values per request, MLflow's limit."""
LONGEST = {"param": 6000, "tag": 5000, "name": 250}
"""Characters of a value, and of the name of a run; longer ones are cut."""
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
"""Makes a link to the experiment open its runs, not the GenAI overview."""
NAME = "rdun.experiment"
"""Tag of an experiment: the name that it was made with, by which it is found when it was renamed."""
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    # MLflow repeats no request: one whose answer was lost would be carried out twice. The next pass repeats it safely.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "PGCONNECT_TIMEOUT": "5",
    "GIT_PYTHON_REFRESH": "quiet",
}


class TrackerError(RuntimeError):
    """The tracker could not be reached, or refused what was sent; one line, with the remedy."""


@dataclass
class Run:
    """An MLflow run and what it is known to hold.

    Attributes:
        tags, params, metrics: as last seen or sent; the latest value of each metric.
        logged: timestamp of the latest of these metrics.
        epochs, samples: (step, timestamp) of the epochs, and timestamps of the load samples, that it holds; None: not asked yet.
    """

    run_id: str
    status: str
    started: int
    ended: int | None
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    logged: int = 0
    epochs: set[tuple[int, int]] | None = None
    samples: set[int] | None = None


def tracking_uri(root: Path) -> str:
    """MLFLOW_TRACKING_URI if it is set, else the database `mlflow.db` in `root`, where a plain `mlflow ui` looks for it."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{root.resolve() / 'mlflow.db'}"


class Tracker:
    """One experiment. Every method is one or a few requests and raises what MLflow raises.

    Artifacts of a SQLite database lie beside it, in `mlruns/<experiment>`; a server chooses its own place.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        client = _client_class()
        database = sqlite_file(uri)
        if database:
            create_database(client, database)
        check_database(uri)
        self._mlflow = client(tracking_uri=uri)
        found = self._mlflow.get_experiment_by_name(experiment) or self._renamed(experiment)
        if found is None:
            location = (database.parent / "mlruns" / experiment).as_uri() if database else None
            self.experiment = self._create_experiment(experiment, location)
        else:
            self.experiment = str(found.experiment_id)
            if found.lifecycle_stage == "deleted":
                self._mlflow.restore_experiment(self.experiment)

    def _renamed(self, name: str) -> Any:
        """The experiment that was made with a name and has another one now; None if there is none."""
        found = self._mlflow.search_experiments(filter_string=f"tags.`{NAME}` = '{name}'", max_results=1)
        return found[0] if found else None

    def _create_experiment(self, name: str, location: str | None) -> str:
        """Its id; the one that somebody else has made meanwhile will do."""
        try:
            return str(self._mlflow.create_experiment(name, location, EXPERIMENT_TAGS | {NAME: name}))
        except Exception:
            found = self._mlflow.get_experiment_by_name(name)
            if found is None:
                raise
            return str(found.experiment_id)

    def runs(self, store: str) -> dict[Identity, Run]:
        """The runs of a runs folder by identity; those of others are left alone.

        Where one exists twice (two drivers at once, an answer that was lost), the oldest is kept.
        """
        found: dict[Identity, Run] = {}
        ours = {
            run.run_id: run for run in self._search(f"tags.`rdun.store` = '{store}'")
        }  # pages overlap as runs are made
        for run in sorted(ours.values(), key=lambda run: (run.started, run.run_id)):
            identity = Identity.of(run.tags)
            if identity is None:
                continue
            if identity in found:
                self.delete(run)
            else:
                found[identity] = run
        return found

    def shared(self, root: Identity) -> bool:
        """Whether other runs folders have runs of the same study or search."""
        return any(
            run.tags.get("rdun.store") != root.store for run in self._search(f"tags.`rdun.level` = '{root.level}'")
        )

    def _search(self, wanted: str) -> Iterable[Run]:
        page, token = None, None
        while page is None or token:
            page = self._mlflow.search_runs([self.experiment], wanted, max_results=BATCH, page_token=token)
            token = page.token
            for run in page:
                info, data = run.info, run.data
                known = {**data.tags}, {**data.params}, {**data.metrics}
                logged = max((metric.timestamp for metric in data._metric_objs), default=0)
                yield Run(info.run_id, info.status, info.start_time, info.end_time, *known, logged)

    def create(self, name: str, identity: Identity, started: int, further: Mapping[str, str] | None = None) -> Run:
        """A new run, RUNNING, with further tags."""
        tags = {**(further or {}), **identity.tags(), "rdun.plan": "current"}
        run = self._mlflow.create_run(
            self.experiment, start_time=started, tags=_cut(tags, "tag"), run_name=_short(name, "name")
        )
        return Run(run.info.run_id, run.info.status, started, None, {**run.data.tags}, epochs=set(), samples=set())

    def rename(self, run: Run, name: str) -> None:
        short = _short(name, "name")
        if run.tags.get("mlflow.runName") != short:
            self._mlflow.update_run(run.run_id, name=short)
            run.tags["mlflow.runName"] = short

    def delete(self, run: Run) -> None:
        self._mlflow.delete_run(run.run_id)

    def describe(self, run: Run, params: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Sends parameters that are new (MLflow never changes one) and tags that differ."""
        from mlflow.entities import Param, RunTag

        new = {key: value for key, value in _cut(params, "param").items() if key not in run.params}
        changed = {key: value for key, value in _cut(tags, "tag").items() if run.tags.get(key) != value}
        if new or changed:
            entities = [Param(*item) for item in new.items()], [RunTag(*item) for item in changed.items()]
            self._mlflow.log_batch(run.run_id, params=entities[0], tags=entities[1])
            run.params |= new
            run.tags |= changed

    def log(self, run: Run, rows: Iterable[Sequence[Point]]) -> None:
        """Sends metric values, up to `BATCH` per request; a row is never split over two, so that its mark speaks for all of it.

        Values that the tracker already has change nothing there.
        """
        from mlflow.entities import Metric

        for batch in _batches(rows):
            self._mlflow.log_batch(run.run_id, metrics=[Metric(*point) for point in batch])
            run.metrics |= {point.key: point.value for point in batch}
            run.logged = max(run.logged, *(point.timestamp for point in batch))

    def history(self, run: Run, key: str) -> set[tuple[int, int]]:
        """(step, timestamp) of every value of a metric."""
        return {(metric.step, metric.timestamp) for metric in self._mlflow.get_metric_history(run.run_id, key)}

    def set_status(self, run: Run, status: str, ended: int) -> None:
        if status == run.status and (status == "RUNNING" or ended == run.ended):
            return
        if status == "RUNNING":
            self._mlflow.update_run(run.run_id, status=status)
        else:
            self._mlflow.set_terminated(run.run_id, status=status, end_time=ended)
        run.status, run.ended = status, ended

    def upload(self, run: Run, files: Mapping[str, bytes]) -> None:
        """Writes artifacts; those of the same name are replaced."""
        with tempfile.TemporaryDirectory(prefix="rdun-") as folder:
            for name, content in files.items():
                target = Path(folder, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            self._mlflow.log_artifacts(run.run_id, folder)


def _batches(rows: Iterable[Sequence[Point]]) -> Iterator[list[Point]]:
    batch: list[Point] = []
    for row in rows:
        assert len(row) <= BATCH
        if len(batch) + len(row) > BATCH:
            yield batch
            batch = []
        batch = [*batch, *row]
    if batch:
        yield batch


def _client_class() -> Any:
    """MlflowClient, imported with telemetry, logs and retries switched off; what the environment already says is kept."""
    for key, value in ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(os.environ["MLFLOW_LOGGING_LEVEL"])
    return MlflowClient


def _cut(values: Mapping[str, str], kind: str) -> dict[str, str]:
    return {key: _short(value, kind) for key, value in values.items()}


def _short(text: str, kind: str) -> str:
    return text.replace("\0", "")[: LONGEST[kind]]


LOCKED = "not let in: set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
GISTS = {
    "Connection refused": "connection refused",
    "timed out": "no answer in time",
    "timeout expired": "no answer in time",
    "Name or service not known": "unknown host name",
    "name resolution": "unknown host name",
    **{f"error code {code}": LOCKED for code in (401, 403)},
    **{f"{code} Client Error": LOCKED for code in (401, 403)},
}
"""What an error says -> its gist."""


def is_refusal(error: Exception) -> bool:
    """Whether the tracker answered and would not take this; the rest may go through."""
    return getattr(error, "error_code", "") in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST")


def cause(error: BaseException) -> str:
    """The gist of an error in a few words, without passwords."""
    text = " ".join(str(error).split()).partition(" [SQL: ")[0] or type(error).__name__
    for sign, gist in GISTS.items():
        if sign in text:
            return gist
    return without_password(text)[:500]  # room for three paths


def without_password(uri: str) -> str:
    """A URI, or a text that holds one, with its user and password hidden."""
    return re.sub(r"://[^/@\s]*@", "://***@", uri)
