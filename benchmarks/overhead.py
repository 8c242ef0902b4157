"""What the platform costs beside the training: trials per second, and the share of the time that is training.

    python benchmarks/overhead.py overhead.csv --trials 40

Trials run in several ways, one after another, each on a cluster of its own that stands before the clock starts:

- plain Tune, empty: a function that reports one number, as the Ray Tune guide shows it (a process per trial);
- plain Tune, empty, processes reused: the same with `reuse_actors`;
- plain Tune, same trials: a function that calls `run_trial`, a process per trial;
- rdun: `run_trials`, as a study runs them;
- one process: `run_trial` in a loop, without Ray: what the trials themselves take.

A trial is one epoch of `--steps` steps on noise of 24 x 24 pixels; with one step, reading, scoring and writing are nearly
all of it.
Training share: seconds in training steps, summed over the trials, by wall seconds times the trials at once.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import click
from ray import tune

from benchmarks.noise import noise_study
from benchmarks.record import write_rows
from rdun.config import TrialConfig, from_dict, to_dict
from rdun.data import trial_fingerprint
from rdun.plan import make_plan
from rdun.results import Store
from rdun.study import Study
from rdun.trial import run_trial
from rdun.tuning import Silent, cluster, run_trials


@dataclass(frozen=True)
class Row:
    """One way of running trials. `training_share` is empty where nothing is trained."""

    way: str
    trials: int
    at_once: int
    steps: int
    seconds: float
    trials_per_second: float
    training_share: str


@click.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--trials", default=40, show_default=True, type=click.IntRange(min=1))
@click.option("--steps", default=1, show_default=True, type=click.IntRange(min=1), help="Of 16 blocks.")
@click.option("--cpus", default=2, show_default=True, type=click.IntRange(min=1), help="Trials at once.")
def main(out: Path, trials: int, steps: int, cpus: int) -> None:
    """Writes one row per way to OUT."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        study = noise_study("overhead", Path(place), trials=trials, epochs=1, steps=steps, side=24)
        for way, run in WAYS.items():
            store = Store(Path(place) / way.replace(" ", "-"))
            seconds, at_once = run(study, store, cpus)
            trained = sum(row.value for _, _, (c,) in study.cells() for row in _timings(store, c))
            share = f"{trained / seconds / at_once:.3f}" if trained else ""
            rows.append(Row(way, trials, at_once, steps, round(seconds, 3), round(trials / seconds, 2), share))
            click.echo(
                f"{way:40} {trials} trials, {at_once} at once: {seconds:7.2f} s, {trials / seconds:7.2f}/s {share}"
            )
    write_rows(out, [asdict(row) for row in rows])


def _configs(study: Study) -> Iterator[TrialConfig]:
    return (config for _, _, configs in study.cells() for config in configs)


def _timings(store: Store, config: TrialConfig) -> Iterator[Any]:
    return (row for row in store.trial(trial_fingerprint(config)).timings() if row.name == "train_seconds")


def _empty(config: dict[str, Any]) -> None:
    tune.report({"psnr": float(config["n"])})


def _same(config: dict[str, Any], *, store: str) -> None:
    trial = from_dict(TrialConfig, json.loads(config["n"]))
    run_trial(trial, f"{store}/{trial_fingerprint(trial)}")
    tune.report({"psnr": 0.0})


def _plain(study: Study, store: Store, cpus: int, *, same: bool, reuse: bool) -> tuple[float, int]:
    """Tune without rdun."""
    values = [json.dumps(to_dict(config)) if same else str(n) for n, config in enumerate(_configs(study))]
    function: Callable[..., None] = partial(_same, store=store.path) if same else _empty
    with cluster(cpus=cpus), tempfile.TemporaryDirectory() as scratch:
        start = time.perf_counter()
        tune.Tuner(
            tune.with_resources(function, {"cpu": 1}),
            param_space={"n": tune.grid_search(values)},
            tune_config=tune.TuneConfig(reuse_actors=reuse),
            run_config=tune.RunConfig(storage_path=scratch, verbose=0),
        ).fit()
        return time.perf_counter() - start, cpus


def _rdun(study: Study, store: Store, cpus: int) -> tuple[float, int]:
    plan = make_plan(study, store, "fp32")
    with cluster(cpus=cpus) as capacity:
        start = time.perf_counter()
        run_trials(plan, store, Silent(), capacity)
        seconds = time.perf_counter() - start
    assert not plan.refreshed(store).missing()
    return seconds, cpus


def _loop(study: Study, store: Store, _: int) -> tuple[float, int]:
    configs = list(_configs(study))
    warm = replace(configs[0], seed=len(configs))
    run_trial(warm, f"{store.path}/{trial_fingerprint(warm)}")
    start = time.perf_counter()
    for config in configs:
        run_trial(config, f"{store.path}/{trial_fingerprint(config)}")
    return time.perf_counter() - start, 1


WAYS: dict[str, Callable[[Study, Store, int], tuple[float, int]]] = {
    "plain Tune, empty": partial(_plain, same=False, reuse=False),
    "plain Tune, empty, processes reused": partial(_plain, same=False, reuse=True),
    "plain Tune, same trials": partial(_plain, same=True, reuse=False),
    "rdun": _rdun,
    "one process": _loop,
}

if __name__ == "__main__":
    main()
