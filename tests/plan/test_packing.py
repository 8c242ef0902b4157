"""How many trials share a GPU, and what the plan says of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rdun.config import TrialConfig
from rdun.plan import Estimate, Machine, Plan, make_forecast, part_of, past_runs
from rdun.plan.packing import CONTEXT_MIB, MARGIN
from rdun.plan_view import summary
from rdun.results import Store
from rdun.study import Resources
from tests.plan.conftest import Past

GPU = Machine(device="A GPU", kind="cuda", threads=1, cores=32, gpus=1, gpu_memory_mib=80 * 1024)


def takes(mib: float | None) -> Estimate:
    return Estimate(gpu_memory_mib=mib, source="probe")


@pytest.mark.parametrize(
    ("mib", "machine", "trials", "most", "why"),
    [
        (7000, GPU, 99, 9, "as fit its 80.0 GiB at 8.5 each (probe)"),
        (200, GPU, 99, 32, "as the 32 cores can feed"),
        (200, replace(GPU, threads=3), 99, 10, "as the 32 cores can feed"),
        (200, replace(GPU, gpus=8), 99, 4, "as the 32 cores can feed"),
        (200, replace(GPU, cores=4, gpus=8), 99, 1, "as the 4 cores can feed"),
        (200, replace(GPU, cores=6), 99, 6, "as the 6 cores can feed"),
        (200, replace(GPU, gpus=2), 5, 3, "as there are trials left"),
        (200, GPU, 0, 1, "as there are trials left"),
        (79_000, GPU, 99, 1, "as fit its 80.0 GiB at 89.4 each (probe)"),
        (None, GPU, 99, 4, "as long as nobody knows their memory; --probe measures it"),
        (None, replace(GPU, cores=2), 99, 2, "as the 2 cores can feed"),
    ],
)
def test_as_many_as_memory_cores_and_trials_allow(
    mib: float | None, machine: Machine, trials: int, most: int, why: str
) -> None:
    part = part_of(Resources(threads=machine.threads), machine, takes(mib), trials)
    assert most * part.gpus <= 1 < (most + 1) * part.gpus
    assert (part.why, part.memory_mib) == (why, mib or 0)
    if mib and most > 1:
        assert most * (mib + CONTEXT_MIB) * MARGIN <= machine.gpu_memory_mib


def test_what_the_study_says_wins() -> None:
    part = part_of(Resources(gpus=0.5), GPU, takes(200), 99)
    assert (part.gpus, part.memory_mib, part.why) == (0.5, 200, "as resources.gpus says")


def test_a_processor_has_no_parts() -> None:
    assert part_of(Resources(), replace(GPU, kind="cpu"), takes(None), 9).gpus == 0


def test_the_plan_says_how_many_and_why(plan: Plan, store: Store, past: Past) -> None:
    """One arm has run on this GPU, the other has not: their parts differ, and the money with them."""
    key = past(plan.trials[0].config, GPU)
    folder = store.trial(key)
    run = folder.run()
    assert run is not None
    folder.write_run(replace(run, facts={"peak_memory_bytes": 7000 * 2**20}))
    now = plan.refreshed(store)
    forecast = make_forecast(now, store, GPU, past_runs(store, GPU))
    parts = {trial.arms[0]: forecast.parts[trial.fingerprint] for trial in now.missing()}
    assert (parts["unrolled"].gpus, parts["unrolled"].memory_mib) == (0.3333, 7000)
    first, *rest = summary(now, forecast)
    assert first.startswith("Estimate: ") and " GPU-hours" in first
    assert rest == ["GPU: 3 at a time on each, as there are trials left"]
    many = replace(GPU, gpu_memory_mib=16 * 1024)
    _, *rest = summary(now, make_forecast(now, store, many, past_runs(store, GPU)))
    assert sorted(rest) == [
        "GPU: 1 at a time on each, as fit its 16.0 GiB at 8.5 each (past runs) (1 of 3 trials)",
        "GPU: 3 at a time on each, as there are trials left (2 of 3 trials)",
    ]


def test_an_unfinished_past_run_tells_its_peak_only_if_it_knows_it(store: Store, past: Past, tiny: TrialConfig) -> None:
    past(tiny, GPU)
    (found,) = past_runs(store, GPU)
    assert found.gpu_memory_mib == 0
