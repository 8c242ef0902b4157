from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdun.results import (
    ArmRecord,
    Attempt,
    Busy,
    CellRecord,
    ClaimRecord,
    EpochRecord,
    Folder,
    Lease,
    Lost,
    PlanRecord,
    RunInfo,
    Score,
    Store,
    TrialDirectory,
    revoke,
)

if TYPE_CHECKING:
    from tests.results.conftest import Bucket

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


@pytest.fixture(params=["local", "memory", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> TrialDirectory:
    """A local directory, the store in memory and S3 behave the same."""
    if request.param == "s3":
        return TrialDirectory(f"{request.getfixturevalue('bucket').url}/{tmp_path.name}/trial")
    return TrialDirectory(tmp_path / "trial" if request.param == "local" else f"memory://{tmp_path.name}/trial")


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


def test_a_lease_keeps_others_out_and_is_released(folder: TrialDirectory) -> None:
    with Lease(folder), pytest.raises(Busy, match="is being written by process"), Lease(folder):
        pass
    with Lease(folder):
        pass
    assert not folder.read_if_there("lock.json")
    assert not folder.is_local or not folder.exists("lock.json")


@pytest.mark.parametrize("stale", [False, True])
@pytest.mark.parametrize("place", ["local", "s3"])
def test_only_one_of_many_starters_gets_the_lease(tmp_path: Path, bucket: Bucket, place: str, stale: bool) -> None:
    folder = Folder(tmp_path if place == "local" else f"{bucket.url}/{tmp_path.name}")
    got, gate = [], threading.Barrier(8)
    if stale:
        folder.write_json("lock.json", {"owner": "x", "host": "another-machine", "pid": 1, "heartbeat": 0.0})

    def start() -> None:
        lease = Lease(folder)
        gate.wait()
        try:
            lease.__enter__()
        except Busy:
            return
        got.append(lease)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    got[0].__exit__(None, None, None)


def test_a_lease_that_was_taken_over_is_not_renewed(folder: TrialDirectory) -> None:
    import time

    with Lease(folder, beat=0.05):
        folder.write_json("lock.json", {"owner": "another", "host": "x", "pid": 1, "heartbeat": time.time()})
        time.sleep(0.3)
        assert folder.read_json("lock.json")["owner"] == "another"
    assert folder.read_json("lock.json")["owner"] == "another"


def test_who_has_lost_the_lease_changes_nothing(folder: TrialDirectory) -> None:
    with Lease(folder) as lease:
        ours = TrialDirectory(folder.fs.unstrip_protocol(folder.path), lease.check)
        ours.write("f", b"ours")
        ours.write("g", b"ours")
        ours.remove("g")
        folder.write_json("lock.json", {"owner": "another", "host": "elsewhere", "pid": 7, "heartbeat": 0.0})
        with pytest.raises(
            Lost, match=r"was taken over by process 7 on elsewhere, because this one was lost to its driver"
        ):
            ours.write("f", b"late")
        with pytest.raises(Lost):
            ours.remove("f")
        folder.remove("lock.json")
        with pytest.raises(Lost, match="by a process that has ended since"):
            ours.write("new", b"late")
    assert folder.read("f") == b"ours"
    assert folder.names() == ["f"]


def test_the_lease_of_a_lost_owner_is_freed_for_its_own_run_only_and_fences_it(folder: TrialDirectory) -> None:
    with Lease(folder, run="ours") as lease:
        late = TrialDirectory(folder.fs.unstrip_protocol(folder.path), lease.check)
        revoke(folder, "another")
        with pytest.raises(Busy), Lease(folder):
            pass
        revoke(folder, "ours")
        with Lease(folder, run="ours") as successor:
            with pytest.raises(Lost, match="lost to its driver"):
                late.write("f", b"late")
            successor.check()
    revoke(folder, "ours")  # free already
    assert not folder.exists("f")


def test_the_lease_of_a_killed_process_is_taken_over_at_once(tmp_path: Path) -> None:
    code = "import os, sys; from rdun.results import Folder, Lease\nLease(Folder(sys.argv[1])).__enter__(); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 9
    folder = Folder(tmp_path)
    assert folder.exists("lock.json")
    with Lease(folder):
        pass


def test_the_lease_of_a_process_that_ended_unnoticed_by_its_parent_is_taken_over_at_once(tmp_path: Path) -> None:
    code = "import os, sys; from rdun.results import Folder, Lease\nLease(Folder(sys.argv[1])).__enter__(); os._exit(9)"
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    with Lease(Folder(tmp_path)):
        os.kill(process.pid, 0)
    assert process.wait() == 9


def test_a_silent_owner_elsewhere_expires_and_a_live_one_does_not(folder: TrialDirectory) -> None:
    import time

    holder = {"owner": "x", "host": "another-machine", "pid": 1, "heartbeat": time.time()}
    folder.write_json("lock.json", holder)
    with pytest.raises(Busy, match="another-machine"), Lease(folder):
        pass
    folder.write_json("lock.json", holder | {"heartbeat": time.time() - 61})
    with Lease(folder):
        pass


def test_the_heartbeat_is_renewed(folder: TrialDirectory) -> None:
    import time

    with Lease(folder, beat=0.05):
        first = folder.read_json("lock.json")["heartbeat"]
        time.sleep(0.3)
        assert folder.read_json("lock.json")["heartbeat"] > first


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
