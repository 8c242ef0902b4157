"""What the tracker costs a study, and what arrives there, when it is up, killed in the middle, down, or never answers.

    python benchmarks/tracking.py tracking.csv

The same small study on noise runs in several ways, one after another and `--repeats` times, on one cluster that stands and is
warm before the clock starts; it is mirrored as `studies/run_ablation.py` does it:

- no tracker: nothing is mirrored;
- server: a real `mlflow server` over SQLite, on this machine;
- killed: the same server, ended with kill -9 when half of the trials are over;
- down: nobody listens at its address;
- hanging: connections are accepted and never answered.

Then the server is started again where it is not up, and what is missing is copied as `--sync` does it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from benchmarks.noise import noise_study
from benchmarks.record import write_rows
from rdun.plan import make_plan
from rdun.results import Folder, Store
from rdun.study import Study
from rdun.tracking import Mirror, sync
from rdun.tuning import Capacity, Silent, cluster, run_trials

WAYS = ("no tracker", "server", "killed", "down", "hanging")


@dataclass(frozen=True)
class Row:
    """One run of the study.

    Attributes:
        train_seconds: wall clock from the first trial's start to the last one's end.
        step_seconds: in training steps, summed over the trials.
        driver_seconds: processor time of the driver meanwhile, Ray's and the mirror's.
        leave_seconds: that the driver then waited for the tracker.
        epochs: trained in all.
        arrived, arrived_after_sync: of them, in MLflow when the driver left, and in the end; empty without a tracker.
        doubled: epochs that are there twice.
        ghosts: runs that should not be there.
    """

    way: str
    repeat: int
    train_seconds: float
    step_seconds: float
    driver_seconds: float
    leave_seconds: float
    epochs: int
    arrived: int | None = None
    arrived_after_sync: int | None = None
    doubled: int | None = None
    ghosts: int | None = None


@click.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--trials", default=8, show_default=True, type=click.IntRange(min=2))
@click.option("--epochs", default=10, show_default=True, type=click.IntRange(min=1))
@click.option("--steps", default=20, show_default=True, type=click.IntRange(min=1), help="Per epoch, of 16 blocks.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--cpus", default=2, show_default=True, type=click.IntRange(min=1), help="Trials at once.")
def main(out: Path, trials: int, epochs: int, steps: int, repeats: int, cpus: int) -> None:
    """Writes one row per run to OUT."""
    rows = []
    with tempfile.TemporaryDirectory() as name, cluster(cpus=cpus) as capacity:
        place = Path(name)
        study = noise_study("tracking", place, trials=trials, epochs=epochs, steps=steps, side=48)
        server = _Server(place)
        with contextlib.closing(server):
            _run(replace(study, name="warm"), place, server, capacity, "no tracker", 0)
            for repeat in range(repeats):
                for way in WAYS:
                    named = replace(study, name=f"{way.replace(' ', '-')}-{repeat}")
                    rows.append(_run(named, place, server, capacity, way, repeat))
                    click.echo(" ".join(f"{key} {value}" for key, value in asdict(rows[-1]).items()))
    write_rows(out, [asdict(row) for row in rows])


def _run(study: Study, place: Path, server: _Server, capacity: Capacity, way: str, repeat: int) -> Row:
    home, store = place / study.name, Store(place / f"trials-{study.name}")
    plan = make_plan(study, store, "fp32")
    plan.record.save(Folder(home))
    if way in ("server", "killed"):
        server.start()
    watcher = _Watcher(server if way == "killed" else None, len(study.seeds) // 2)
    with _address(way, server) as uri:
        mirror = Mirror(home, store, uri)
        with mirror if way != "no tracker" else contextlib.nullcontext():
            begin, busy = time.perf_counter(), time.process_time()
            run_trials(plan, store, watcher, capacity)
            trained, busy = time.perf_counter(), time.process_time() - busy
        if way != "no tracker":
            mirror.publish()
        left = time.perf_counter()
    assert not plan.refreshed(store).missing()
    folders = [store.trial(trial.fingerprint) for trial in plan.trials]
    epochs = sum(len(folder.epochs()) for folder in folders)
    seconds = sum(folder.epochs()[-1].seconds for folder in folders)
    times = [round(value, 2) for value in (trained - begin, seconds, busy, left - trained)]
    row = Row(way, repeat, times[0], times[1], times[2], times[3], epochs)
    if way == "no tracker":
        return row
    server.start()
    arrived, _, _ = _held(server.uri, study.name)
    sync(home, store, server.uri)
    after, doubled, runs = _held(server.uri, study.name)
    ghosts = runs - len(study.arms) - len(plan.trials) - 1
    return replace(row, arrived=arrived, arrived_after_sync=after, doubled=doubled, ghosts=ghosts)


def _held(uri: str, study: str) -> tuple[int, int, int]:
    """Epochs that MLflow holds, those of them that it holds twice, and its runs."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(study)
    if experiment is None:
        return 0, 0, 0
    runs = client.search_runs([experiment.experiment_id])
    histories = [client.get_metric_history(run.info.run_id, "progress/steps") for run in runs]
    steps = [(number, point.step) for number, history in enumerate(histories) for point in history]
    return len(set(steps)), len(steps) - len(set(steps)), len(runs)


@contextlib.contextmanager
def _address(way: str, server: _Server) -> Iterator[str]:
    """The tracker's address in this way; nobody answers at it where the socket is held here, or was."""
    if way in ("server", "killed"):
        yield server.uri
        return
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        if way == "hanging":
            held.listen(128)
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


class _Server:
    """`mlflow server` with one worker, as `make ui` starts it."""

    def __init__(self, place: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.uri, self.place = f"http://127.0.0.1:{self.port}", place
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers; at once if it is up."""
        if self.process is not None:
            return
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self.place}/mlflow.db"]
        command += ["--artifacts-destination", str(self.place / "artifacts")]
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.place / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=os.environ | quiet, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                return
            time.sleep(0.1)
        raise TimeoutError((self.place / "server.log").read_text()[-2000:])

    def close(self) -> None:
        """kill -9 of all its processes."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


class _Watcher(Silent):
    """Kills the server when so many trials are over."""

    def __init__(self, server: _Server | None, after: int) -> None:
        self.server, self.left = server, after

    def ended(self, fingerprint: str) -> None:
        self.left -= 1
        if self.left == 0 and self.server:
            self.server.close()


if __name__ == "__main__":
    main()
