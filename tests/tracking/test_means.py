"""What MLflow shows as the means of an arm, and over which seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdun.results import Store
from rdun.tracking import Mirror, sync
from tests.tracking.seen import Seen, uri_of, wait_for
from tests.tracking.tracked_study import plan_record, saved, write_trial

PSNR, SPREAD = "result/best_test_psnr", "spread/best_test_psnr"
OFFSET = 2.8
"""Test quality of a trial above its level."""
EARLIER = "Metrics are means over the seeds that were complete when a run last ended: 1."


def plan(root: Path, *prints: str) -> Path:
    return saved(root, plan_record("s", {("A", seed): [fingerprint] for seed, fingerprint in enumerate(prints)}))


def shown(root: Path, *names: str) -> list[float | None]:
    metrics = Seen(uri_of(root)).runs["A"].data.metrics
    return [metrics.get(name) for name in names]


def note(root: Path) -> str:
    return str(Seen(uri_of(root)).runs["A"].data.tags.get("mlflow.note.content"))


def test_nothing_partial_while_the_study_runs(root: Path, store: Store) -> None:
    home, uri = plan(root, "aa", "bb"), uri_of(root)
    write_trial(store, "aa", level=20.0)
    with Mirror(home, store, uri, period=0.1):
        wait_for(lambda: "A" in Seen(uri).runs and "1 of 2 seeds complete. Means follow" in note(root))
        assert shown(root, PSNR, "seeds_averaged", "seeds_complete") == [None, None, 1]
        write_trial(store, "bb", status="failed", reason="Diverged: not finite")
    assert shown(root, PSNR, SPREAD, "seeds_averaged", "seeds_complete") == [pytest.approx(20 + OFFSET), None, 1, 1]
    assert f"1 of 2 seeds complete. {EARLIER}" in note(root)
    assert Seen(uri).status("A") == "FAILED"


def test_a_seed_that_is_completed_later_is_in_the_means_then(root: Path, store: Store) -> None:
    """In between, the means are still those of the earlier run, and say so."""
    home, uri = plan(root, "aa", "bb", "cc"), uri_of(root)
    write_trial(store, "aa", level=30.0)
    write_trial(store, "bb", status="failed", reason="Diverged: not finite")
    write_trial(store, "cc", status="failed", reason="Diverged: not finite")
    sync(home, store, uri)
    with Mirror(home, store, uri, period=0.1):
        write_trial(store, "bb", level=20.0)
        write_trial(store, "cc", status="running", epochs=1)
        wait_for(lambda: f"2 of 3 seeds complete. {EARLIER}" in note(root))
        assert shown(root, PSNR, "seeds_averaged", "seeds_complete") == [pytest.approx(30 + OFFSET), 1, 2]
        write_trial(store, "cc", level=10.0)
    assert shown(root, PSNR, SPREAD, "seeds_averaged", "seeds_complete") == [
        pytest.approx(20 + OFFSET),
        pytest.approx(10),
        3,
        3,
    ]
    assert "3 of 3 seeds complete. Metrics are means over seeds." in note(root)
    before = Seen(uri).points()
    sync(home, store, uri)
    assert Seen(uri).points() == before
    assert [len(Seen(uri).steps("A", key)) for key in (PSNR, SPREAD, "seeds_averaged")] == [1, 1, 1]


def test_a_study_that_still_runs_elsewhere_has_nothing_partial_after_a_sync(root: Path, store: Store) -> None:
    write_trial(store, "aa")
    write_trial(store, "bb", status="running", epochs=1).write_json("lock.json", {"heartbeat": 9e12})
    sync(plan(root, "aa", "bb", "cc"), store, uri_of(root))
    assert shown(root, PSNR, "seeds_complete") == [None, 1]


def test_fewer_seeds_than_before(root: Path, store: Store) -> None:
    uri = uri_of(root)
    for fingerprint, level in (("aa", 20.0), ("bb", 22.0), ("cc", 30.0)):
        write_trial(store, fingerprint, level=level, began=1_767_225_600_000 + int(level) * 1000)
    sync(plan(root, "aa", "bb", "cc"), store, uri)
    sync(plan(root, "aa", "bb"), store, uri)
    assert shown(root, PSNR, "seeds_averaged", "seeds_complete") == [pytest.approx(21 + OFFSET), 2, 2]
    sync(plan(root, "aa"), store, uri)
    assert shown(root, PSNR, SPREAD, "seeds_averaged") == [
        pytest.approx(20 + OFFSET),
        None,
        1,
    ]  # one seed has no spread
    sync(saved(root, plan_record("s", {("A", 0): ["ee"]})), store, uri)
    assert shown(root, PSNR, "seeds_averaged") == [None, 0]
