"""Trials in one Tuner: the trainable, and what the driver is told."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import ray
from ray import tune

from rdun.config import TrialConfig, from_dict, to_dict
from rdun.data import DATA_VARIABLE
from rdun.plan import Plan
from rdun.results import STALE_AFTER, Busy, EpochRecord, Lease, Status, Store
from rdun.study import Resources
from rdun.tuning.cluster import Capacity, trial_resources


class Watcher(Protocol):
    """Is told what happens, in the driver. Must not raise."""

    def started(self, fingerprint: str) -> None:
        """A trial begins, or goes on."""

    def epoch(self, fingerprint: str, record: EpochRecord) -> None:
        """A trial has finished an epoch."""

    def ended(self, fingerprint: str) -> None:
        """A trial is over; its run.json says how."""


def run_trials(plan: Plan, store: Store, watcher: Watcher, capacity: Capacity) -> None:
    """Runs the plan's missing trials in one Tuner; returns when all of them are over.

    Each trial opens its own directory in the store and continues there, so that Tune keeps no checkpoints and a new Tuner over
    what is missing is all that a second run needs. Crashed trials restart from their checkpoint up to `resources.retries` times.

    Raises:
        ValueError: a trial asks for more than the cluster has.
    """
    missing = plan.missing()
    if missing:
        settings = [setting(trial.fingerprint, trial.config) for trial in missing]
        space = {"trial": tune.grid_search(settings)}
        run_tuner(plan.study.name, plan.study.resources, store, watcher, capacity, tune.TuneConfig(), space)


def setting(fingerprint: str, config: TrialConfig, rule: str = "") -> dict[str, str]:
    """What a worker is told of a trial, with the name of the rule that may stop it early."""
    return {"fingerprint": fingerprint, "config": json.dumps(to_dict(config)), "rule": rule}


def run_tuner(
    name: str,
    wanted: Resources,
    store: Store,
    watcher: Watcher,
    capacity: Capacity,
    tuning: tune.TuneConfig,
    space: Mapping[str, Any],
) -> None:
    """One Tuner whose trials are settings under the key "trial", given by `space` or by the searcher of `tuning`."""
    resources = trial_resources(wanted, capacity)
    data = os.environ.get(DATA_VARIABLE)  # the workers of a cluster that already runs have an environment of their own
    train = partial(_train, store=store.path, threads=wanted.threads, data=data)
    tuning.reuse_actors = True
    with tempfile.TemporaryDirectory(prefix="rdun-tune-") as scratch:
        tune.Tuner(
            tune.with_resources(train, resources),
            param_space=dict(space),
            tune_config=tuning,
            run_config=tune.RunConfig(
                name=name,
                storage_path=scratch,
                verbose=0,
                callbacks=[_Relay(watcher)],
                failure_config=tune.FailureConfig(max_failures=wanted.retries),
            ),
        ).fit()


def _train(space: Mapping[str, Mapping[str, str]], *, store: str, threads: int, data: str | None) -> dict[str, Any]:
    """The trainable: one trial in its directory, in a worker process that other trials use before and after it."""
    if data:
        os.environ[DATA_VARIABLE] = data
    gpus = ray.get_gpu_ids()
    if not gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Ray leaves it unset, and the trial would see every GPU
    import torch

    from rdun.training import Diverged
    from rdun.trial import run_trial
    from rdun.tuning.stopping import reporter

    fingerprint, config = space["trial"]["fingerprint"], from_dict(TrialConfig, json.loads(space["trial"]["config"]))
    device = "cuda" if gpus and torch.cuda.is_available() else "cpu"
    workdir, patience = f"{store}/{fingerprint}", time.monotonic() + STALE_AFTER + 15
    report = reporter(space["trial"]["rule"], Store(store).trial(fingerprint).epochs())
    while True:
        try:
            run = run_trial(config, workdir, report, device=device, threads=threads)
        except (Diverged, ValueError) as error:  # trying again would end the same way
            return {"given_up": str(error)}
        except Busy as error:  # the lock of a lost node expires; a live owner finishes the trial itself
            if time.monotonic() > patience:
                return {"given_up": str(error)}
            time.sleep(5)
        else:
            if run.status == "stopped":
                sys.exit(0)  # stopped by Tune, which waits for the end of this thread and for no more results
            return {"given_up": ""}


class _Relay(tune.Callback):
    """Tune's events to a Watcher. Tune ends the whole study when a callback raises, so nothing leaves here."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks for a restore, which is not used here

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        with contextlib.suppress(Exception):
            self.watcher.started(trial.config["trial"]["fingerprint"])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        with contextlib.suppress(Exception):
            if "validation_psnr" in result:
                names = EpochRecord.__dataclass_fields__
                values = {name: result[name] for name in names}
                self.watcher.epoch(trial.config["trial"]["fingerprint"], EpochRecord(**values))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        with contextlib.suppress(Exception):
            self.watcher.ended(trial.config["trial"]["fingerprint"])

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.on_trial_complete(iteration, trials, trial)


def mark_unfinished(fingerprints: Iterable[str], store: Store, *, interrupted: bool) -> None:
    """Says of trials whose process died that they stopped, or failed; call it when the cluster is down.

    Trials that another live process runs are left alone.
    """
    status: Status = "stopped" if interrupted else "failed"
    reason = "interrupted" if interrupted else "the process of this trial died repeatedly (killed, or out of memory)"
    for fingerprint in fingerprints:
        folder = store.trial(fingerprint)
        if folder.run() is None:
            continue
        with contextlib.suppress(Busy), Lease(folder):
            run = folder.run()
            if run is not None and run.status == "running":
                folder.write_run(replace(run, status=status, reason=reason))
