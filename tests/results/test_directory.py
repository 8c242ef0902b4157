from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdun.results import (
    ArmRecord,
    Attempt,
    CellRecord,
    ClaimRecord,
    EpochRecord,
    Folder,
    Lease,
    PlanRecord,
    RunInfo,
    Score,
    SearchRecord,
    Store,
    TrialDirectory,
)

if TYPE_CHECKING:
    from tests.buckets import Bucket

SCORE = Score(
    checkpoint="best",
    split="test",
    dataset="set, with comma",
    unit="image",
    image='a "b".png',
    ratio=0.1,
    recursions=20,
    matrix="gauss-s0",
    metric="psnr",
    value=0.1 + 0.2,
    protocol="p",
)
EPOCH = EpochRecord(
    epoch=1,
    step=10,
    samples=640,
    seconds=1 / 3,
    timestamp=1_700_000_000_123,
    lr=1e-4,
    train_loss=1e-30,
    train_psnr=30.0,
    validation_psnr=float("inf"),
    validation_ssim=1.0,
    stage_evaluations=12.5,
)


def test_rows_come_back_bit_for_bit(folder: TrialDirectory) -> None:
    assert folder.scores() == []
    folder.write_scores([replace(SCORE, image="b"), SCORE])
    folder.write_epochs([EPOCH])
    assert folder.scores() == [SCORE, replace(SCORE, image="b")]
    assert folder.epochs() == [EPOCH]


def test_score_files_do_not_depend_on_the_order_of_writing(folder: TrialDirectory) -> None:
    rows = [replace(SCORE, image=f"{i}.png", value=i / 7) for i in range(20)]
    folder.write_scores(rows)
    first = folder.read("scores.csv")
    folder.write_scores(reversed(rows))
    assert folder.read("scores.csv") == first


def test_run_info_round_trip(folder: TrialDirectory) -> None:
    assert folder.run() is None
    attempt = Attempt(
        started="s", host="h", device="d", threads=2, versions={"torch": "2"}, revision="r", resumed_at_epoch=3
    )
    info = RunInfo(fingerprint="f", status="failed", reason="because", attempts=(attempt,), facts={"parameters": 5})
    folder.write_run(info)
    assert folder.run() == info


def test_names_and_removal(folder: TrialDirectory) -> None:
    assert folder.names("pictures") == []
    folder.write("pictures/b.png", b"1")
    folder.write("pictures/a.png", b"2")
    assert folder.names("pictures") == ["a.png", "b.png"]
    folder.remove("pictures/a.png")
    folder.remove("pictures/a.png")
    assert folder.names("pictures") == ["b.png"]


def test_store_has_one_directory_per_fingerprint(tmp_path: Path) -> None:
    store = Store(tmp_path / "trials")
    store.trial("abc").write_text("x", "y")
    assert (tmp_path / "trials" / "abc" / "x").read_text() == "y"


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    folder, stop, bad = Folder(tmp_path), threading.Event(), []
    folder.write("f", b"0" * 100_000)

    def read() -> None:
        while not stop.is_set():
            content = folder.read("f")
            if len(content) != 100_000 or len(set(content)) != 1:
                bad.append(content[:10])

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(200):
        folder.write("f", str(i % 10).encode() * 100_000)
    stop.set()
    reader.join()
    assert not bad


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path)
    folder.write("f", b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"no space left to write .*; make room"):
        folder.write("f", b"new")
    assert folder.read("f") == b"old"
    assert folder.names() == ["f"]


def test_plan_record_round_trip(tmp_path: Path) -> None:
    arm = ArmRecord(
        name="a",
        compare_to=None,
        factors={"system": "COAST"},
        configs=[{}],
        parameters=1,
        macs=2,
        steps=3,
        samples=4,
        stage_evaluations_train=2.5,
        stage_evaluations_test=4,
        layout="2x2",
    )
    plan = PlanRecord(
        name="s",
        title="t",
        question="q",
        method="m",
        expectation="e",
        scale="c",
        seeds=[0],
        arms=[arm],
        cells=[CellRecord(arm="a", seed=0, fingerprints=["f"])],
        claims=[ClaimRecord(text="c", arm="a", versus="a", metric="psnr", at_least=0.0)],
        provenance={"command": "x"},
    )
    plan.save(Folder(tmp_path))
    assert PlanRecord.load(Folder(tmp_path)) == plan


@pytest.mark.parametrize("content", ['{"na', "{}", '{"arms": [{"nme": 1}]}', "[]"])
def test_a_damaged_or_foreign_record_is_named(content: str, tmp_path: Path) -> None:
    load: dict[str, Callable[[Folder], object]] = {
        "plan.json": PlanRecord.load,
        "search.json": SearchRecord.load,
        "run.json": lambda folder: TrialDirectory(folder.path).run(),
    }
    for name, read in load.items():
        (tmp_path / name).write_text(content)
        with pytest.raises(
            ValueError, match=rf"{tmp_path}/{name} is damaged, or of another version \(.*\); put a copy"
        ):
            read(Folder(tmp_path))


def test_swaps_need_what_was_read(folder: TrialDirectory) -> None:
    assert not folder.swap("f", b"x", b"never there")
    assert folder.swap("f", b"1", None)
    assert not folder.swap("f", b"2", None)
    assert not folder.swap("f", b"2", b"0")
    assert folder.swap("f", b"2", b"1")
    assert folder.read("f") == b"2"
    assert not folder.swap("f", None, b"1")
    assert folder.swap("f", None, b"2")
    assert not folder.read_if_there("f")


def test_a_throttled_store_is_asked_again(tmp_path: Path, bucket: Bucket) -> None:
    folder = TrialDirectory(f"{bucket.url}/{tmp_path.name}")
    bucket.faults = ["slow down", "slow down", "", "slow down"]
    folder.write_epochs([EPOCH])
    assert folder.epochs() == [EPOCH]
    assert not bucket.faults


@pytest.mark.parametrize("before", [None, b"old"])
def test_a_swap_whose_answer_is_lost_is_known_to_have_worked(
    tmp_path: Path, bucket: Bucket, before: bytes | None
) -> None:
    folder = Folder(f"{bucket.url}/{tmp_path.name}")
    if before is not None:
        folder.write("f", before)
    looks = 0 if before is None else 2  # tag and content
    bucket.faults = [*[""] * looks, "answer lost"]
    assert folder.swap("f", b"new", before)
    assert folder.read("f") == b"new"


def test_work_in_a_trial_directory_lists_no_folder(tmp_path: Path, bucket: Bucket) -> None:
    folder = TrialDirectory(f"{bucket.url}/{tmp_path.name}")
    with Lease(folder):
        assert folder.run() is None
        folder.write_run(RunInfo(fingerprint="f", status="running"))
        folder.write_epochs([EPOCH])
        folder.write_scores([SCORE])
        assert folder.run() and folder.epochs() and folder.scores()
    assert bucket.listings() == 0
    assert len(bucket.requests) < 25
