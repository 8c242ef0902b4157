"""Trials through Ray Tune: all of them at once over the cores and GPUs. The only module that imports ray."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Protocol

_ENVIRONMENT = {  # before ray is imported: no walls of logs, no telemetry, no working directory of its own
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
os.environ.update({key: os.environ.get(key, value) for key, value in _ENVIRONMENT.items()})

import ray  # noqa: E402
from ray import tune  # noqa: E402

from rdun.config import TrialConfig, from_dict, to_dict  # noqa: E402
from rdun.data import DATA_VARIABLE  # noqa: E402
from rdun.plan import Plan  # noqa: E402
from rdun.results import STALE_AFTER, Busy, EpochRecord, Lease, Status, Store  # noqa: E402
from rdun.study import Resources  # noqa: E402

GPU_SHARE = 0.25
"""Part of a GPU that a trial takes where the study does not say."""


class Watcher(Protocol):
    """Is told what happens, in the driver. Must not raise."""

    def started(self, fingerprint: str) -> None:
        """A trial begins, or goes on."""

    def epoch(self, fingerprint: str, record: EpochRecord) -> None:
        """A trial has finished an epoch."""

    def ended(self, fingerprint: str) -> None:
        """A trial is over; its run.json says how."""


@dataclass(frozen=True)
class Capacity:
    """What the connected cluster offers: CPU cores and GPUs, and where it is ("local" or its address)."""

    cpus: int
    gpus: float
    address: str


@contextlib.contextmanager
def cluster(cpus: int | None = None, gpus: float | None = None) -> Iterator[Capacity]:
    """Connects to the cluster of RAY_ADDRESS, or starts a private one on this machine, never somebody else's.

    Args:
        cpus, gpus: size of a private cluster; None: what the machine has.
    """
    address = os.environ.get("RAY_ADDRESS")
    for name in ("ray", "ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if address and cpus is not None:
        raise ValueError(
            f"--cpus={cpus} sizes a private cluster, but RAY_ADDRESS={address} is set; leave one of them out"
        )
    if address:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    else:
        ray.init(
            address="local",
            num_cpus=cpus,
            num_gpus=gpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    try:
        nodes = sum(bool(node["Alive"]) for node in ray.nodes())
        if nodes > 1:
            raise ValueError(
                f"RAY_ADDRESS={address} is a cluster of {nodes} nodes; studies on several nodes are not supported yet: "
                "unset RAY_ADDRESS to use this machine"
            )
        total = ray.cluster_resources()
        yield Capacity(int(total.get("CPU", 0)), float(total.get("GPU", 0)), address or "local")
    finally:
        ray.shutdown()


def run_trials(plan: Plan, store: Store, watcher: Watcher, capacity: Capacity) -> None:
    """Runs the plan's missing trials in one Tuner; returns when all of them are over.

    Each trial opens its own directory in the store and continues there, so that Tune keeps no checkpoints and a new Tuner over
    what is missing is all that a second run needs. Crashed trials restart from their checkpoint up to `resources.retries` times.

    Raises:
        ValueError: a trial asks for more than the cluster has.
    """
    missing = plan.missing()
    if not missing:
        return
    resources = trial_resources(plan.study.resources, capacity)
    configs = {trial.fingerprint: to_dict(trial.config) for trial in missing}
    data = os.environ.get(DATA_VARIABLE)  # the workers of a cluster that already runs have an environment of their own
    train = partial(_train, store=store.path, configs=configs, threads=plan.study.resources.threads, data=data)
    with tempfile.TemporaryDirectory(prefix="rdun-tune-") as scratch:
        tune.Tuner(
            tune.with_resources(train, resources),
            param_space={"fingerprint": tune.grid_search(list(configs))},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(
                name=plan.study.name,
                storage_path=scratch,
                verbose=0,
                callbacks=[_Relay(watcher)],
                failure_config=tune.FailureConfig(max_failures=plan.study.resources.retries),
            ),
        ).fit()


def trial_resources(wanted: Resources, capacity: Capacity) -> dict[str, float]:
    """What Tune reserves for one trial.

    Raises:
        ValueError: more than the cluster has.
    """
    gpus = wanted.gpus if wanted.gpus is not None else GPU_SHARE if capacity.gpus else 0.0
    for name, asked, there in (("threads", wanted.threads, capacity.cpus), ("gpus", gpus, capacity.gpus)):
        if asked > there:
            raise ValueError(f"resources.{name}={asked:g} per trial, but the cluster has {there:g}; ask for less")
    return {"cpu": wanted.threads, "gpu": gpus}


def _train(
    space: Mapping[str, str], *, store: str, configs: Mapping[str, Mapping[str, Any]], threads: int, data: str | None
) -> dict[str, Any]:
    """The trainable: one trial in its directory, in a worker process that other trials use before and after it."""
    if data:
        os.environ[DATA_VARIABLE] = data
    gpus = ray.get_gpu_ids()
    if not gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Ray leaves it unset, and the trial would see every GPU
    import torch

    from rdun.training import Diverged
    from rdun.trial import run_trial

    config = from_dict(TrialConfig, configs[space["fingerprint"]])
    device = "cuda" if gpus and torch.cuda.is_available() else "cpu"
    workdir, patience = f"{store}/{space['fingerprint']}", time.monotonic() + STALE_AFTER + 15
    while True:
        try:
            run_trial(config, workdir, lambda r: tune.report(asdict(r)), device=device, threads=threads)
        except (Diverged, ValueError) as error:  # trying again would end the same way
            return {"given_up": str(error)}
        except Busy as error:  # the lock of a lost node expires; a live owner finishes the trial itself
            if time.monotonic() > patience:
                return {"given_up": str(error)}
            time.sleep(5)
        else:
            return {"given_up": ""}


class _Relay(tune.Callback):
    """Tune's events to a Watcher. Tune ends the whole study when a callback raises, so nothing leaves here."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks for a restore, which is not used here

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        with contextlib.suppress(Exception):
            self.watcher.started(trial.config["fingerprint"])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        with contextlib.suppress(Exception):
            if "validation_psnr" in result:
                names = EpochRecord.__dataclass_fields__
                values = {name: result[name] for name in names}
                self.watcher.epoch(trial.config["fingerprint"], EpochRecord(**values))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        with contextlib.suppress(Exception):
            self.watcher.ended(trial.config["fingerprint"])

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.on_trial_complete(iteration, trials, trial)


def mark_unfinished(plan: Plan, store: Store, *, interrupted: bool) -> None:
    """Says of trials whose process died that they stopped, or failed; call it when the cluster is down.

    Trials that another live process runs are left alone.
    """
    status: Status = "stopped" if interrupted else "failed"
    reason = "interrupted" if interrupted else "the process of this trial died repeatedly (killed, or out of memory)"
    for trial in plan.missing():
        folder = store.trial(trial.fingerprint)
        if folder.run() is None:
            continue
        with contextlib.suppress(Busy), Lease(folder):
            run = folder.run()
            if run is not None and run.status == "running":
                folder.write_run(replace(run, status=status, reason=reason))
