"""Replays of recorded trials by Tune's rules, and by all of Tune."""

from __future__ import annotations

import heapq
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import fsspec
import pytest
from click.testing import CliRunner

from rdun.replay import Curve, Recording, outcome
from rdun.stopping import Asha, HyperBand, Median
from rdun.tuning import Capacity, replay
from studies.replay import main
from tests.replay.conftest import RECORD, STUDY
from tests.replay.through_tune import Pass, through_tune

ROOT = Path(__file__).resolve().parents[2]
SLOTS = 2


def packed(curves: Sequence[Curve]) -> float:
    """Seconds until all are over, each beginning when a place is free."""
    free = [0.0] * SLOTS
    for curve in curves:
        heapq.heappush(free, heapq.heappop(free) + curve.epochs[-1].seconds)
    return max(free)


def test_without_a_rule_a_replay_is_the_record(recording: Recording) -> None:
    curves = recording.curves[:7]
    events = replay(curves, None, recording.quantity, SLOTS)
    assert len(events) == sum(len(curve.epochs) for curve in curves)
    assert [e.seconds for e in events] == sorted(e.seconds for e in events)
    found = outcome("none", 0, curves, events, recording.quantity)
    assert (found.complete, found.regret) == (7, 0.0)
    assert found.core_hours == pytest.approx(sum(c.epochs[-1].seconds for c in curves) / 3600, rel=1e-12)
    assert found.hours == pytest.approx(packed(curves) / 3600, rel=1e-12)
    assert found.best == max(e.validation_psnr for c in curves for e in c.epochs)


@pytest.mark.parametrize("rule", [Asha(1, 2), HyperBand(1, 2, 2), Median(2, 2)])
def test_a_rule_stops_some_and_the_same_ones_each_time(rule: Asha | HyperBand | Median, recording: Recording) -> None:
    curves = recording.curves[:8]
    events = replay(curves, rule, recording.quantity, SLOTS, seed=1)
    found = outcome("rule", 0, curves, events, recording.quantity)
    assert 0 < found.stopped < 8
    assert found.core_hours < sum(c.epochs[-1].seconds for c in curves) / 3600
    assert replay(curves, rule, recording.quantity, SLOTS, seed=1) == events


def test_tune_itself_gives_the_same_epochs_in_the_same_order(recording: Recording, capacity: Capacity) -> None:
    curves = recording.curves[:6]
    passes = [
        Pass(curves),
        Pass(curves, Asha(1, 2)),
        Pass(curves, HyperBand(1, 2, 2), seed=1),
        Pass(curves, Median(2, 2)),
    ]
    real = through_tune(passes, recording.quantity, SLOTS)
    for each, events in zip(passes, real, strict=True):
        assert replay(each.curves, each.stopping, recording.quantity, SLOTS, each.seed) == events
    assert len({tuple(events) for events in real}) > 2


def test_asha_decides_as_its_definition_says(recording: Recording) -> None:
    """At each rung a trial goes on if it is at least at the quantile of those that were there before it."""
    import numpy as np

    curves = {curve.fingerprint: curve for curve in recording.curves[:8]}
    events = replay(list(curves.values()), Asha(1, 3), recording.quantity, SLOTS)
    rungs: dict[int, list[float]] = {1: [], 3: []}
    last = {event.fingerprint: event.epoch for event in events}
    for event in events:
        epochs = curves[event.fingerprint].epochs[: event.epoch]
        if event.epoch in rungs:
            value, rung = max(e.validation_psnr for e in epochs), rungs[event.epoch]
            goes_on = not rung or value >= np.percentile(rung, 100 * (1 - 1 / 3))
            assert goes_on == (last[event.fingerprint] > event.epoch)
            rung.append(value)


def test_the_command_needs_no_cluster(tmp_path: Path) -> None:
    """More trials at once than cores, beside a cluster that cannot be reached."""
    at_once = (os.cpu_count() or 1) + 1
    words = ["studies/replay.py", STUDY, "--runs", str(RECORD), "--out", str(tmp_path), "--at-once", str(at_once)]
    done = subprocess.run(
        [sys.executable, *words, "--rules", "asha"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"RAY_ADDRESS": "127.0.0.1:1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"27 recorded trials, {at_once} at once" in done.stdout
    assert (tmp_path / "asha" / "studies" / STUDY / "report.html").is_file()


def test_a_record_on_an_object_store_is_saved_to_a_folder(tmp_path: Path) -> None:
    fsspec.filesystem("memory").put(str(RECORD), "/recorded", recursive=True)
    done = CliRunner(catch_exceptions=False).invoke(
        main, [STUDY, "--runs", "memory://recorded", "--save", str(tmp_path)]
    )
    assert "Record: 27 complete trials" in done.output, done.output
    names = [{path.parent.name for path in place.glob("trials/*/epochs.csv")} for place in (RECORD, tmp_path)]
    assert names[0] == names[1]
