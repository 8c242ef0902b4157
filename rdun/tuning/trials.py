"""Trials in one Tuner: the trainable, and who it is run with."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import ray
from ray import tune

from rdun.config import TrialConfig, from_dict, to_dict
from rdun.data import DATA_VARIABLE, training_fingerprint
from rdun.plan import Part, Plan, Trial
from rdun.results import STALE_AFTER, Busy, Lease, Status, Store, is_full
from rdun.study import Resources
from rdun.trial import Admission, Circumstances, GpuMemory, Memory
from rdun.tuning.cluster import Capacity, check_room, is_alone
from rdun.tuning.failures import Restarts, share_of
from rdun.tuning.meter import Meter
from rdun.tuning.nodes import check_nodes, scratch
from rdun.tuning.relay import HALTS, WAITS, Relay, Watcher
from rdun.tuning.stopping import unexplained
from rdun.tuning.waiting import Waiting
from rdun.tuning.watch import Halted, Watch

RESTARTS = 100
"""Tune's own limit for a trial, far above any of ours: it would count preemptions too."""


def run_trials(
    plan: Plan, store: Store, watcher: Watcher, capacity: Capacity, parts: Mapping[str, Part] | None = None
) -> None:
    """Runs the plan's missing trials in one Tuner; returns when all of them are over.

    Each trial opens its own directory in the store and continues there, so that Tune keeps no checkpoints and a new Tuner over
    what is missing is all that a second run needs. What becomes of a trial that crashes is decided in rdun/trial/policy.py.

    Args:
        parts: of a GPU, by fingerprint; where there is none, a trial takes what its study says, else a quarter.

    Raises:
        ValueError: a trial asks for more than the cluster has, or a node cannot run it (see `check_nodes`).
        Halted: nothing can go on.
    """
    missing = repeats_last(plan.missing())
    if missing:
        check_nodes((trial.config for trial in missing), store, capacity)
        known = parts or {}
        settings = [setting(t.fingerprint, t.config, known.get(t.fingerprint, Part())) for t in missing]
        space = {"trial": tune.grid_search(settings)}
        run_tuner(plan.study.name, plan.study.resources, store, watcher, capacity, tune.TuneConfig(), space)


def repeats_last(trials: Sequence[Trial]) -> list[Trial]:
    """The same trials, those that only test the training of another one otherwise at the end: begun after that one, they take its
    weights over; begun beside it, they would train them too.
    """
    trainings: set[str] = set()
    firsts, repeats = list[Trial](), list[Trial]()
    for trial in trials:
        training = training_fingerprint(trial.config)
        (repeats if training in trainings else firsts).append(trial)
        trainings.add(training)
    return firsts + repeats


def setting(fingerprint: str, config: TrialConfig, part: Part, rule: str = "") -> dict[str, Any]:
    """What a worker is told of a trial: which it is, its part of a GPU, how its last attempt ended if that did not say so itself,
    and the rule that may stop it early.
    """
    return {
        "fingerprint": fingerprint,
        "config": json.dumps(to_dict(config)),
        "gpus": part.gpus,
        "memory_mib": part.memory_mib,
        "before": "died",
        "rule": rule,
    }


def run_tuner(
    name: str,
    wanted: Resources,
    store: Store,
    watcher: Watcher,
    capacity: Capacity,
    tuning: tune.TuneConfig,
    space: Mapping[str, Any],
) -> None:
    """One Tuner whose trials are settings under the key "trial", given by `space` or by the searcher of `tuning`.

    Raises:
        ValueError: a trial asks for more than the cluster has, and it does not grow.
        Halted: nothing can go on.
    """
    if problem := check_room(wanted.threads, wanted.gpu_share(capacity.gpus), capacity):
        watcher.waiting(f"{problem}: trials wait for one that has")
    share, watch = share_of(wanted, capacity, store), Watch()
    worker = Worker(
        store=store.path,
        threads=wanted.threads,
        recompute=wanted.recompute,
        retries=wanted.retries,
        run=uuid.uuid4().hex,
        capacity=capacity,
        data=os.environ.get(DATA_VARIABLE),  # workers of a cluster that already runs have an environment of their own
    )
    tuning.reuse_actors = True
    tuning.scheduler = tuning.scheduler or Restarts()
    tuning.scheduler.share, tuning.scheduler.store, tuning.scheduler.run = share, store, worker.run
    tuning.scheduler.watch = watch
    with scratch(store, shared=capacity.nodes > 1) as place:
        tuner = tune.Tuner(
            tune.with_resources(partial(_train, worker=worker), share),
            param_space=dict(space),
            tune_config=tuning,
            run_config=tune.RunConfig(
                name=name,
                storage_path=place,
                verbose=0,
                stop=watch,
                callbacks=_callbacks(wanted, watcher, watch, capacity),
                failure_config=tune.FailureConfig(max_failures=RESTARTS),
            ),
        )
        try:
            tuner.fit()
        except Exception as error:
            raise (Halted(watch.reason) if watch.reason else error) from None
    if watch.reason:
        raise Halted(watch.reason)


def _callbacks(wanted: Resources, watcher: Watcher, watch: Watch, capacity: Capacity) -> list[tune.Callback]:
    resource = "GPU" if wanted.gpu_share(capacity.gpus) else "CPU"
    meter = Meter("GPU-hours" if resource == "GPU" else "core-hours", wanted.budget, watch, watcher.used)
    found = [Relay(watcher, watch), meter]
    return found if capacity.address == "local" else [*found, Waiting(resource, watcher.waiting)]


@dataclass(frozen=True, kw_only=True)
class Worker:
    """What every worker of a run is told.

    Attributes:
        store: path of the trial directories.
        threads, recompute, retries: of one trial.
        run: names the run.
        data: folder of the data sets; None: the worker's own.
    """

    store: str
    threads: int
    recompute: bool
    retries: int
    run: str
    capacity: Capacity
    data: str | None


def _train(space: Mapping[str, Mapping[str, Any]], *, worker: Worker) -> dict[str, Any]:
    """The trainable: one trial in its directory, in a worker process that other trials use before and after it.

    What it raises makes Tune start it again; what it returns ends the trial.
    """
    if worker.data:
        os.environ[DATA_VARIABLE] = worker.data
    gpus = ray.get_gpu_ids()
    if not gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Ray leaves it unset, and the trial would see every GPU
    import torch

    from rdun.training import Diverged
    from rdun.trial import GivenUp, OutOfMemory, give_back, run_trial
    from rdun.tuning.stopping import reporter

    trial = space["trial"]
    config = from_dict(TrialConfig, json.loads(trial["config"]))
    device = "cuda" if gpus and torch.cuda.is_available() else "cpu"
    around = _circumstances(worker, trial, device)
    workdir, patience = f"{worker.store}/{trial['fingerprint']}", time.monotonic() + STALE_AFTER + 15
    report = reporter(trial["rule"], Store(worker.store).trial(trial["fingerprint"]).epochs())
    while True:
        try:
            run = run_trial(config, workdir, report, device=device, threads=worker.threads, circumstances=around)
        except (Diverged, GivenUp, ValueError) as error:  # trying again would end the same way
            return {"given_up": str(error)}
        except OutOfMemory as error:
            if around.alone:
                return {"given_up": str(error)}
            raise
        except OSError as error:
            if is_full(error):
                return {"given_up": str(error), HALTS: str(error)}
            raise
        except Busy as error:  # the lock of a node lost before expires; a live owner finishes the trial itself
            if time.monotonic() > patience:
                return {"given_up": str(error)}
            time.sleep(5)
        else:
            if run.status == "stopped":
                sys.exit(0)  # stopped by Tune, which waits for the end of this thread and for no more results
            return {"given_up": ""}
        finally:
            give_back()


def _circumstances(worker: Worker, trial: Mapping[str, Any], device: str) -> Circumstances:
    reserved = tune.get_context().get_trial_resources().required_resources
    share = {"cpu": reserved.get("CPU", 0.0), "gpu": reserved.get("GPU", 0.0)}
    alone, memory = is_alone(share, worker.capacity), shared_memory(device)
    return Circumstances(
        run=worker.run,
        retries=worker.retries,
        alone=alone,
        gpus=share["gpu"],
        before=trial["before"],
        recompute=worker.recompute,
        admission=Admission(memory, trial["memory_mib"], _say_waiting) if memory else None,
    )


def shared_memory(device: str) -> Memory | None:
    """The memory that trials beside each other share and that is looked at before they begin; None on a processor."""
    return GpuMemory() if device == "cuda" else None


def _say_waiting(why: str) -> None:
    tune.report({WAITS: why})


def mark_unfinished(
    fingerprints: Iterable[str], store: Store, *, interrupted: bool, reason: str = "interrupted"
) -> None:
    """Says of trials whose process died that they stopped, or failed; call it when the cluster is down.

    Where the run was interrupted, those that it ended, or never came to, say why. Trials that another live process runs are left
    alone.

    Args:
        reason: why the run was interrupted.
    """
    status: Status = "stopped" if interrupted else "failed"
    for fingerprint in fingerprints:
        folder = store.trial(fingerprint)
        if folder.run() is None:
            continue
        with contextlib.suppress(Busy), Lease(folder):
            run = folder.run()
            if run is not None and (unexplained(run) if interrupted else run.status == "running"):
                ended = Circumstances(before="stopped" if interrupted else "died").settled(run)
                why = reason if interrupted else "the process of this trial died repeatedly (killed, or out of memory)"
                folder.write_run(replace(ended, status=status, reason=why))
