"""Seconds to build and to plan studies of 10 to 10,000 trials: identities, costs, estimates, warnings.

Arms differ in learning rate and layers, with 5 seeds each.

    python benchmarks/planning.py planning.csv

Nothing is trained and no store is read but an empty one. The slope is against the row above on log-log axes;
CPU seconds of both say what a busy machine hides.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import click

from benchmarks.record import write_rows
from benchmarks.slopes import local_slopes
from rdun.config import with_values
from rdun.plan import Machine, Plan, make_forecast, make_plan, no_effect_warnings, past_runs
from rdun.results import Store
from rdun.study import Arm, Study
from studies.base import R_COAST, pocket

SEEDS = (0, 1, 2, 3, 4)
MACHINE = Machine(device="this one", kind="cpu", threads=1, cores=2)


def made_up(trials: int, lr: float = 1e-4) -> Study:
    """A study of this many trials, with learning rates from this one on."""
    base = pocket(R_COAST)
    arms = tuple(
        Arm(
            name=f"arm {i}",
            configs=(with_values(base, {"optim.lr": lr * (1 + i / 1000), "model.layers": 1 + i % 5}),),
            factors={"arm": str(i)},
            compare_to="arm 0" if i else None,
        )
        for i in range(trials // len(SEEDS))
    )
    return Study(
        name="planning",
        title="Planning",
        question="How long does it take?",
        method="Plan it.",
        expectation="Not published.",
        scale="No training.",
        arms=arms,
        seeds=SEEDS,
    )


def planned(study: Study, store: Store) -> Plan:
    """What a dry run works out: the plan, with its estimates and warnings."""
    plan = make_plan(study, store, "fp32")
    forecast = make_forecast(plan, store, MACHINE, past_runs(store, MACHINE))
    no_effect_warnings(study)
    assert len(plan.missing()) == len(forecast.estimates)
    return plan


def seconds(trials: int) -> tuple[float, float]:
    """To build a study of this many trials, and to plan it; of the arms before it nothing is remembered."""
    start = time.perf_counter()
    study = made_up(trials, lr=1e-4 * (1 + 1e-7 * trials))
    built = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        plan = planned(study, Store(folder))
    assert len(plan.trials) == trials
    return built - start, time.perf_counter() - built


@click.command()
@click.argument("result", type=click.Path(dir_okay=False, path_type=Path))
def main(result: Path) -> None:
    """Writes trials, seconds to build, seconds to plan, and the growth to RESULT (CSV)."""
    sizes = (10, 100, 1000, 10_000)
    seconds(25)  # the networks' operations are counted once in a process
    rows: list[dict[str, object]] = []
    plans: list[float] = []
    for trials in sizes:
        start = time.process_time()
        build, plan = seconds(trials)
        busy = time.process_time() - start
        plans.append(plan)
        slope = round(local_slopes(sizes[: len(plans)], plans)[-1], 3) if len(plans) > 1 else ""
        click.echo(
            f"{trials:>7,} trials: built in {build:6.3f} s, planned in {plan:6.3f} s, slope {slope}; CPU {busy:.3f} s"
        )
        row = {"trials": trials, "build_seconds": round(build, 3), "plan_seconds": round(plan, 3)}
        rows.append(row | {"slope": slope, "cpu_seconds": round(busy, 3)})
    write_rows(result, rows)


if __name__ == "__main__":
    main()
