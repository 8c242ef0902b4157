"""The curves of runs that stand for several seeds: means over them, without a second point at any step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rdun.results import Store
from rdun.tracking import Mirror, TrackerError, sync, view
from tests.tracking.seen import Seen, uri_of, wait_for
from tests.tracking.tracked_study import BEGAN, plan_record, saved, write_trial

PSNR, SPREAD = "epoch/train_psnr", "epoch_spread/train_psnr"


def plan(root: Path, *prints: str) -> Path:
    return saved(root, plan_record("s", {("A", seed): [fingerprint] for seed, fingerprint in enumerate(prints)}))


def curve(root: Path, key: str, run: str = "A") -> list[tuple[int, float]]:
    seen = Seen(uri_of(root)).whole()
    return [(p.step, p.value) for p in seen.client.get_metric_history(seen.runs[run].info.run_id, key)]


def test_mean_and_spread_of_every_epoch(root: Path, store: Store) -> None:
    """At the moment when the last seed reached it, so that another copy changes nothing."""
    home, uri = plan(root, "aa", "bb"), uri_of(root)
    write_trial(store, "aa", level=20.0)
    with Mirror(home, store, uri, period=0.1):
        wait_for(lambda: "A" in Seen(uri).runs and "seeds_complete" in Seen(uri).runs["A"].data.metrics)
        assert curve(root, PSNR) == []
        write_trial(store, "bb", level=22.0, began=BEGAN + 500_000)
    assert curve(root, PSNR) == [(1, 21.0), (2, 22.0), (3, 23.0), (4, 24.0)]
    assert dict(curve(root, SPREAD)) == pytest.approx(dict.fromkeys((1, 2, 3, 4), 2**0.5))
    seen = Seen(uri)
    trial, arm = (seen.runs[name].data.metrics for name in ("seed 0: A", "A"))
    logged = {key for key in trial if key.startswith(("epoch/", "progress/"))}
    assert len(logged) == 9 and logged <= set(arm)
    assert {key for key in arm if "epoch_spread/" in key} == {
        k.replace("epoch/", "epoch_spread/") for k in logged if "epoch/" in k
    }
    points = {point[1:] for point in seen.points() if point[0] == "A"}
    assert (PSNR, 3, BEGAN + 530_000, 23.0) in points
    before = seen.points()
    sync(home, store, uri)
    assert Seen(uri).points() == before


def test_only_epochs_that_all_seeds_have(tmp_path: Path) -> None:
    store = Store(tmp_path)
    short, long = (write_trial(store, name, epochs=n).epochs() for name, n in (("aa", 2), ("bb", 4)))
    rows = view.mean_curves([[short], [long]])
    assert [{point.step for point in row} for row in rows] == [{1}, {2}]
    assert view.mean_curves([[short], [[]]]) == []


def test_trials_of_a_seed_count_as_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    levels = {"aa": 10.0, "bb": 20.0, "cc": 30.0}
    aa, bb, cc = (write_trial(store, name, level=level).epochs() for name, level in levels.items())
    first = {point.key: point.value for point in view.mean_curves([[aa, bb], [cc]])[0]}
    assert first[PSNR] == 22.5
    assert SPREAD not in {point.key for row in view.mean_curves([[aa]]) for point in row}


def test_more_seeds_take_the_place_of_the_old_curve(root: Path, store: Store) -> None:
    """A new run with what the user wrote on the old one, above the same runs."""
    uri = uri_of(root)
    for fingerprint, level in (("aa", 20.0), ("bb", 24.0)):
        write_trial(store, fingerprint, level=level)
    sync(plan(root, "aa"), store, uri)
    assert curve(root, PSNR) == [(1, 20.0), (2, 21.0), (3, 22.0), (4, 23.0)]
    first = Seen(uri)
    first.client.set_tag(first.runs["A"].info.run_id, "mine", "look here")
    sync(plan(root, "aa", "bb"), store, uri)
    second = Seen(uri)
    assert curve(root, PSNR) == [(1, 22.0), (2, 23.0), (3, 24.0), (4, 25.0)]
    assert (second.tag("A", "mine"), second.status("A")) == ("look here", "FINISHED")
    assert [second.parent(name) for name in ("seed 0: A", "seed 1: A", "A")] == ["A", "A", "The study s"]
    assert second.runs["seed 0: A"].info.run_id == first.runs["seed 0: A"].info.run_id
    sync(plan(root, "aa"), store, uri)
    assert curve(root, PSNR) == [(1, 20.0), (2, 21.0), (3, 22.0), (4, 23.0)]
    assert curve(root, SPREAD) == []


def test_seeds_that_are_still_missing_leave_the_earlier_curve(root: Path, store: Store) -> None:
    home, uri = plan(root, "aa", "bb"), uri_of(root)
    write_trial(store, "aa", level=20.0)
    write_trial(store, "bb", status="failed", reason="Diverged: not finite", epochs=2)
    sync(home, store, uri)
    first, before = Seen(uri).ids(), curve(root, PSNR)
    assert [step for step, _ in before] == [1, 2, 3, 4]
    write_trial(store, "bb", status="running", epochs=3).write_json("lock.json", {"heartbeat": 9e12})
    sync(home, store, uri)
    assert (Seen(uri).ids()["A"], curve(root, PSNR)) == (first["A"], before)


@pytest.mark.parametrize("more", [False, True])
def test_cut_off_in_the_middle_of_a_curve(
    more: bool, root: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest comes with the next copy, into the same run; if that is over more seeds, all of it into another one."""
    from mlflow import MlflowClient

    home, uri, send = plan(root, "aa"), uri_of(root), MlflowClient.log_batch
    write_trial(store, "aa", epochs=300)
    batches = []

    def lost(self: MlflowClient, run_id: str, metrics: Sequence[Any] = (), **others: Any) -> None:
        if len(metrics) > 500 and self.get_run(run_id).info.run_name == "A":
            batches.append(len(metrics))
            if len(batches) == 2:
                raise ConnectionError("Connection refused")
        send(self, run_id, metrics=metrics, **others)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", lost)
        with pytest.raises(TrackerError, match="refused"):
            sync(home, store, uri)
    first = Seen(uri).ids()
    assert 0 < len(curve(root, PSNR)) < 300
    if more:
        write_trial(store, "bb", epochs=300, level=27.0)
        plan(root, "aa", "bb")
    sync(home, store, uri)
    assert curve(root, PSNR) == [(step, 24.0 + step + more) for step in range(1, 301)]
    assert (Seen(uri).ids()["A"] == first["A"]) == (not more)
    assert set(Seen(uri).points().values()) == {1}
