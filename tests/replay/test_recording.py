"""Recordings are read with their gaps, and replays are summed up and written; no Ray here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from rdun.replay import Curve, Event, Recording, load_recording, orders, outcome, save_recording, write_replayed
from rdun.results import Folder, SearchRecord, Status, Store, SystemSample, TrialDirectory, hours, milliseconds
from studies.replay import main
from tests.replay.conftest import RECORD, STUDY


def ends_of(recording: Recording) -> dict[str, int]:
    return {curve.fingerprint: len(curve.epochs) for curve in recording.curves}


def test_the_record_is_whole(recording: Recording) -> None:
    assert isinstance(recording.record, SearchRecord)
    complete = {trial.fingerprint for trial in recording.record.trials if trial.state == "complete"}
    assert {curve.fingerprint for curve in recording.curves} == complete
    assert not recording.gaps
    for trial in recording.record.trials:
        if trial.state == "complete":
            epochs = next(c.epochs for c in recording.curves if c.fingerprint == trial.fingerprint)
            assert max(epoch.validation_psnr for epoch in epochs) == trial.objectives[0]


def test_gaps_are_left_out_and_named(recording: Recording, tmp_path: Path) -> None:
    save_recording(recording, str(tmp_path))
    store = Store(tmp_path / "trials")
    lost, failed, torn, cut, back = (store.trial(curve.fingerprint) for curve in recording.curves[:5])
    states: list[tuple[TrialDirectory, Status, str]] = [(failed, "failed", "diverged"), (cut, "stopped", "")]
    for folder, status, reason in states:
        run = folder.run()
        assert run is not None
        folder.write_run(replace(run, status=status, reason=reason))
    lost.remove("run.json")
    epochs = torn.epochs()
    torn.write_epochs([*epochs[:2], *epochs[3:]])
    epochs = back.epochs()
    back.write_epochs([*epochs[:-1], replace(epochs[-1], seconds=0.0)])
    found = load_recording(Folder(tmp_path / "studies" / STUDY), store)
    assert len(found.curves) == len(recording.curves) - 5
    assert list(found.gaps.values()) == [
        "not recorded",
        "failed: diverged",
        f"its epochs are {[1, 2, *range(4, len(epochs) + 1)]}, not 1, 2, ...",
        "stopped",
        "its seconds do not increase",
    ]
    with pytest.raises(ValueError, match="name a study or search that was run"):
        load_recording(Folder(tmp_path / "studies" / "other"), store)
    with pytest.raises(ValueError, match="has no complete trial; finish it first"):
        load_recording(Folder(tmp_path / "studies" / STUDY), Store(tmp_path / "nowhere"))


def test_a_copy_is_the_same_record(recording: Recording, tmp_path: Path) -> None:
    ran = {"command": "python studies/run_ablation.py x --runs /home/me/runs", "machine": "host"}
    here = replace(recording.record, provenance=recording.record.provenance | ran)
    save_recording(replace(recording, record=here), str(tmp_path))
    again = load_recording(Folder(tmp_path / "studies" / STUDY), Store(tmp_path / "trials"))
    nameless = {"command": "python studies/run_ablation.py x --runs runs", "machine": ""}
    assert again.record == replace(here, provenance=here.provenance | nameless)
    assert again.curves == recording.curves
    assert b'"host": ""' in again.store.trial(again.curves[0].fingerprint).read("run.json")


def test_a_copy_tells_the_hours_of_attempts_that_were_cut_off(recording: Recording, tmp_path: Path) -> None:
    """Their last sign of life may be a sample of the load, which the copy has not."""
    save_recording(recording, str(tmp_path / "a"))
    folder = Store(tmp_path / "a" / "trials").trial(recording.curves[0].fingerprint)
    run = folder.run()
    assert run is not None
    began = milliseconds(run.attempts[0].started)
    cut_off = replace(run.attempts[0], started="2020-01-01T00:00:00+00:00", ended=None, outcome="died", threads=2)
    sample = SystemSample(
        timestamp=milliseconds(cut_off.started) + 1_800_000, cpu_percent=1.0, memory_mib=1.0, gpu_memory_mib=0.0
    )
    folder.write_run(replace(run, attempts=(cut_off, *run.attempts)))
    folder.write_system([sample])
    before = hours(run, [], [])
    assert began > sample.timestamp
    save_recording(
        load_recording(Folder(tmp_path / "a" / "studies" / STUDY), Store(tmp_path / "a" / "trials")),
        str(tmp_path / "b"),
    )
    copy = Store(tmp_path / "b" / "trials").trial(folder.path.rpartition("/")[2])
    saved = copy.run()
    assert saved is not None and copy.system() == []
    assert hours(saved, copy.epochs(), [])["core"] == pytest.approx(before["core"] + 1.0)


def test_weights_that_are_only_tested_are_part_of_a_record_and_of_no_replay(
    recording: Recording, tmp_path: Path
) -> None:
    save_recording(recording, str(tmp_path / "a"))
    tested = Store(tmp_path / "a" / "trials").trial(recording.curves[0].fingerprint)
    config = tested.read_json("config.json")
    tested.write_json("config.json", config | {"weights": "x.safetensors", "optim": config["optim"] | {"epochs": 0}})
    tested.remove("epochs.csv")
    found = load_recording(Folder(tmp_path / "a" / "studies" / STUDY), Store(tmp_path / "a" / "trials"))
    assert (found.tested, found.curves) == ((recording.curves[0].fingerprint,), recording.curves[1:])
    save_recording(found, str(tmp_path / "b"))
    assert load_recording(Folder(tmp_path / "b" / "studies" / STUDY), Store(tmp_path / "b" / "trials")).tested
    nothing = replace(found, curves=())
    save_recording(nothing, str(tmp_path / "c"))
    done = CliRunner().invoke(main, [STUDY, "--runs", str(tmp_path / "c")])
    assert done.exit_code == 2
    assert "trains nothing that could be replayed" in done.output


def test_orders_are_the_record_s_and_then_by_seed() -> None:
    first, second, third = orders(9, 3)
    assert first == tuple(range(9))
    assert sorted(second) == sorted(third) == list(first)
    assert len({first, second, third}) == 3
    assert list(orders(9, 3)) == [first, second, third]


def quality(curve: Curve) -> float:
    return max(epoch.validation_psnr for epoch in curve.epochs)


def test_an_outcome_counts_what_was_trained(recording: Recording) -> None:
    """The best of three is stopped in its first epoch, and was the last to end it."""
    curves = sorted(recording.curves[:3], key=quality, reverse=True)
    last = [Event(c.fingerprint, len(c.epochs), 100.0 * n) for n, c in enumerate(curves, start=1)]
    cut = Event(curves[0].fingerprint, 1, 7200.0)
    short = outcome("asha", 0, curves, [cut, *last[1:]], recording.quantity)
    assert (short.complete, short.stopped, short.epochs) == (2, 1, 1 + 2 * len(curves[1].epochs))
    assert short.hours == 2.0
    seconds = curves[0].seconds[0] + curves[1].epochs[-1].seconds + curves[2].epochs[-1].seconds
    assert short.core_hours == pytest.approx(seconds / 3600)
    assert (short.best, short.hours_to_best) == (quality(curves[1]), 200.0 / 3600)
    assert short.regret == quality(curves[0]) - quality(curves[1]) > 0
    wider = [curves[0], replace(curves[1], threads=4), curves[2]]
    more = outcome("asha", 0, wider, [*last[1:], cut], recording.quantity)
    assert more.core_hours == pytest.approx((seconds + 3 * curves[1].epochs[-1].seconds) / 3600)
    assert replace(more, core_hours=short.core_hours) == short


def test_what_a_replay_leaves_is_a_search(recording: Recording, tmp_path: Path) -> None:
    first = recording.curves[0].fingerprint
    ends = ends_of(recording) | {first: 2}
    home = write_replayed(recording, ends, "asha", str(tmp_path), {"replayed": "by asha"})
    record = SearchRecord.load(home)
    assert isinstance(recording.record, SearchRecord)
    for before, after in zip(recording.record.trials, record.trials, strict=True):
        if before.fingerprint == first:
            assert after == replace(before, state="stopped early", objectives=[], reason="at epoch 2 by asha")
        else:
            assert after == before
    folder = Store(tmp_path / "trials").trial(first)
    assert folder.epochs() == list(recording.curves[0].epochs[:2])
    assert not folder.exists("scores.csv")
    run = folder.run()
    assert run is not None
    assert run.status == "stopped"
    assert record.provenance["replayed"] == "by asha"
    assert (RECORD / "studies" / STUDY / "search.json").is_file()
