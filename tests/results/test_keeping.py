"""Which weights stay after a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rdun.results import (
    Attempt,
    EpochRecord,
    Keep,
    Lease,
    Outcome,
    RunInfo,
    Status,
    Store,
    remove_checkpoints,
    remove_weights,
    space_used,
    winners,
)

WEIGHTS = ("best.safetensors", "last.safetensors")


def left(
    store: Store, fingerprint: str, psnr: float, status: Status = "complete", outcome: Outcome = "complete"
) -> None:
    folder = store.trial(fingerprint)
    record = EpochRecord(
        epoch=1,
        step=1,
        samples=1,
        seconds=1.0,
        timestamp=0,
        lr=1.0,
        train_loss=1.0,
        train_psnr=1.0,
        validation_psnr=psnr,
        validation_ssim=1.0,
        stage_evaluations=1.0,
    )
    folder.write_epochs([record])
    folder.write("scores.csv", b"scores")
    for name in WEIGHTS if status == "complete" else ("checkpoint.pt",):
        folder.write(name, bytes(1000))
    attempt = Attempt(
        started="", host="", device="", threads=1, versions={}, revision="", resumed_at_epoch=0, outcome=outcome
    )
    folder.write_run(RunInfo(fingerprint=fingerprint, status=status, attempts=(attempt,)))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    for fingerprint, psnr in {"a0": 20.0, "a1": 21.0, "b0": 30.0}.items():
        left(store, fingerprint, psnr)
    left(store, "failed", 40.0, "failed", "error")
    left(store, "diverged", 40.0, "failed", "diverged")
    left(store, "stopped", 50.0, "stopped")
    return store


GROUPS = [["a0", "a1"], ["b0", "failed", "diverged"], ["stopped"]]
EVERY = [name for group in GROUPS for name in group]


@pytest.mark.parametrize(
    ("keep", "kept", "removed"),
    [
        ("all", {"a0": WEIGHTS, "a1": WEIGHTS, "b0": WEIGHTS, "diverged": ("checkpoint.pt",)}, 0),
        ("best", {"a0": (), "a1": WEIGHTS[:1], "b0": WEIGHTS[:1], "diverged": ()}, 5000),
        ("none", {"a0": (), "a1": (), "b0": (), "diverged": ()}, 7000),
    ],
)
def test_weights_stay_as_named_and_a_second_call_changes_nothing(
    store: Store, keep: Keep, kept: dict[str, tuple[str, ...]], removed: int
) -> None:
    before = space_used(EVERY, store)
    assert remove_weights(EVERY, store, keep, winners(GROUPS, store)) == removed
    assert before - space_used(EVERY, store) == removed
    assert remove_weights(EVERY, store, keep, winners(GROUPS, store)) == 0
    files = {name: {*store.trial(name).names()} - {"run.json", "epochs.csv", "scores.csv"} for name in EVERY}
    go_on = {name: {"checkpoint.pt"} for name in ("stopped", "failed")}  # what failed otherwise is tried again
    assert files == {name: set(weights) for name, weights in kept.items()} | go_on
    assert all(store.trial(name).exists("scores.csv") for name in EVERY)


def test_checkpoints_of_trials_that_a_search_stopped_early_can_go(tmp_path: Path) -> None:
    """Not that of a trial with which another study goes on, or that was interrupted there."""
    store = Store(tmp_path)
    reasons = {"rule": "stopped early at epoch 3 by asha", "gone on with": "stopped early at epoch 3 by asha"}
    reasons |= {"interrupted": "interrupted", "none": "stopped early at epoch 1 by median"}
    for fingerprint, reason in reasons.items():
        left(store, fingerprint, 20.0, "stopped", "stopped")
        run = store.trial(fingerprint).run()
        assert run is not None
        store.trial(fingerprint).write_run(replace(run, reason=reason))
    store.trial("none").remove("checkpoint.pt")
    with Lease(store.trial("gone on with")):
        assert remove_checkpoints(reasons, store) == 1000
    assert [f for f in reasons if store.trial(f).exists("checkpoint.pt")] == ["gone on with", "interrupted"]
    assert not store.trial("rule").can_go_on() and store.trial("rule").epochs()
