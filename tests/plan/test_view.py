"""The plan as it is printed."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from rdun import plan_view
from rdun.plan import Changes, Plan, make_forecast, past_runs
from rdun.plan_view import changes_lines, clock, print_plan, summary, write_csv
from rdun.results import Store
from rdun.study import Price, Resources
from tests.plan.conftest import MACHINE, Past


@pytest.mark.parametrize("width", [80, 120])
def test_every_trial_is_listed_and_fits(plan: Plan, store: Store, past: Past, width: int) -> None:
    past(plan.trials[0].config)
    now, out = plan.refreshed(store), io.StringIO()
    print_plan(now, make_forecast(now, store, MACHINE, past_runs(store, MACHINE)), Console(file=out, width=width))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in out.getvalue()
    for trial in plan.trials:
        (line,) = (line for line in lines if trial.fingerprint[:6] in line)
        assert line.split()[-1] == ("reused" if trial is plan.trials[0] else "new")
    (seed_one,) = (line for line in lines if plan.trials[2].fingerprint[:6] in line)
    assert "412 MiB" in seed_one and "22 s" in seed_one
    for arm in plan.record.arms:
        assert f"{arm.parameters:,}" in out.getvalue()
    assert "Unequal parameters in 1 of 1 comparisons: recursive ×0.5" in out.getvalue()


def test_a_large_plan_shows_its_arms_only(plan: Plan, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_view, "LISTED", 3)
    out = io.StringIO()
    print_plan(plan, make_forecast(plan, store, MACHINE, []), Console(file=out, width=80))
    assert "4 trials: --plan-csv FILE lists them" in out.getvalue()
    assert plan.trials[0].fingerprint[:6] not in out.getvalue()


def test_the_summary_says_hours_money_and_what_is_left_out(plan: Plan, store: Store, past: Past) -> None:
    (line,) = summary(plan, make_forecast(plan, store, MACHINE, []))
    assert line.startswith("Time of 4 of 4 trials is unknown: nothing comparable ran on A processor, 1 thread; --probe")
    past(plan.trials[0].config)
    priced = replace(plan, study=replace(plan.study, resources=Resources(price=Price(1000, "EUR"))))
    known = past_runs(store, MACHINE)
    (line,) = summary(priced, make_forecast(plan, store, MACHINE, known))
    whole = "Estimate: 44 s with 2 trials at a time, 0.0244 core-hours, 24.44 EUR, from past runs and past runs of other depths"
    assert line == whole
    (line,) = summary(priced, make_forecast(plan, store, MACHINE, [replace(m, reconstructed=None) for m in known]))
    assert line.startswith("Estimate: 12 s with 2 trials at a time, 0.00667 core-hours, 6.67 EUR, from past runs and")
    assert line.endswith("; validation and scoring left out")


def test_the_csv_has_every_trial_in_full(plan: Plan, store: Store, tmp_path: Path) -> None:
    write_csv(plan, make_forecast(plan, store, MACHINE, []), tmp_path / "plan.csv")
    rows = list(csv.DictReader((tmp_path / "plan.csv").open()))
    assert [row["fingerprint"] for row in rows] == [trial.fingerprint for trial in plan.trials]
    assert rows[0]["steps"] == "12" and rows[0]["seconds_left"] == "" and rows[0]["arm"] == "unrolled"


def test_new_and_orphaned_trials_are_named_with_arm_and_seed() -> None:
    new = {"a": ("deep", 0), "b": ("deep", 2), "c": ("deep", 2), "d": ("flat", 2)}
    lines = changes_lines(Changes(added=new, kept=(), orphaned={}, orphaned_bytes=0))
    assert lines[0].endswith("4 new, 0 orphaned")
    assert lines[1:] == ["  new: deep (seeds 0, 2), flat (seed 2)"]
    gone = {f"f{n}": (f"arm {n}", 1) for n in range(7)}
    line, which = changes_lines(Changes(added={}, kept=("k",), orphaned=gone, orphaned_bytes=2_500_000))
    assert line.endswith("7 orphaned (2.5 MB on disk: f0, f1, f2, ...)")
    assert which == f"  orphaned: {', '.join(f'arm {n} (seed 1)' for n in range(5))} and 2 more arms"
    line, _ = changes_lines(Changes(added={}, kept=(), orphaned={"a": ("x", 0)}, orphaned_bytes=1, precision="bf16"))
    assert line.endswith(": --set precision=bf16 goes on with them")


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.345, "2.3 s"), (48, "48 s"), (720, "12.0 min"), (12_600, "3.5 h"), (800_000, "9.3 days")]
)
def test_durations(seconds: float, text: str) -> None:
    assert clock(seconds) == text
