"""The door of a shared device: real processes, whose memory is files in a folder."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from rdun.config import TrialConfig
from rdun.operators import make_task
from rdun.results import EpochRecord
from rdun.trial import Admission, Circumstances, OutOfMemory, run_trial
from rdun.trial import admission as module


class FakeMemory:
    """A device of `whole` MiB, of which each process holds what its file says."""

    name = "fake"

    def __init__(self, folder: Path, whole: float) -> None:
        self.folder, self.whole = folder, whole

    def free_mib(self) -> float:
        return self.whole - sum(float(p.read_text()) for p in self.folder.glob("*.mib"))

    def take(self, mib: float) -> None:
        own = self.folder / f"{os.getpid()}.mib"
        own.with_suffix(".part").write_text(str(mib))
        own.with_suffix(".part").replace(own)


def newcomer(folder: Path, whole: float, needed: float) -> None:
    """A trial: it goes through the door, takes its memory bit by bit, and works until somebody has waited for it."""
    module.LOOK = 0.01
    memory, lines, waited = FakeMemory(folder, whole), list[str](), folder / "waited"

    def say(line: str) -> None:
        lines.append(line)
        waited.touch()

    with Admission(memory, needed, say, folder) as door:
        seen = memory.free_mib()
        for bit in (0.25, 0.5, 1.0):
            time.sleep(0.02)
            memory.take(bit * needed)
        inside = seen - memory.free_mib()
        door.settled()
        while not waited.exists():
            time.sleep(0.02)
    (folder / f"{os.getpid()}.log").write_text(f"{seen} {inside} {len(lines)}")
    memory.take(0)


def test_newcomers_come_one_by_one_and_never_count_on_the_same_memory(tmp_path: Path) -> None:
    """Eight that take 30 of 100: three at a time fit, the others wait until one has gone, and say so."""
    context = multiprocessing.get_context("fork")
    them = [context.Process(target=newcomer, args=(tmp_path, 100.0, 30.0), daemon=True) for _ in range(8)]
    for each in them:
        each.start()
    for each in them:
        each.join(30)
    assert [each.exitcode for each in them] == [0] * 8
    logs = [[float(word) for word in path.read_text().split()] for path in tmp_path.glob("*.log")]
    assert len(logs) == 8
    assert all(seen >= 30 for seen, _, _ in logs)
    assert all(inside <= 30 for _, inside, _ in logs), "somebody else took memory while the door was closed"
    assert min(seen for seen, _, _ in logs) <= 40, "three were never beside each other"
    assert {lines for _, _, lines in logs} == {0.0, 1.0}


def test_a_process_that_dies_behind_the_door_opens_it(tmp_path: Path) -> None:
    def die() -> None:
        Admission(FakeMemory(tmp_path, 100), 0, print, tmp_path).__enter__()
        os._exit(9)

    dying = multiprocessing.get_context("fork").Process(target=die)
    dying.start()
    dying.join()
    with Admission(FakeMemory(tmp_path, 100), 0, print, tmp_path):
        pass


def test_who_waits_says_for_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory, lines = FakeMemory(tmp_path, 100), list[str]()
    memory.take(71)
    monkeypatch.setattr(module, "LOOK", 0.0)
    monkeypatch.setattr(time, "sleep", lambda seconds: memory.take(70))  # just enough is free
    with Admission(memory, 30, lines.append, tmp_path):
        assert lines == ["waits for GPU fake: 29 MiB are free, this training takes 30"]
    memory.take(99)
    with Admission(memory, 0, lines.append, tmp_path):  # unknown: nothing to wait for
        assert len(lines) == 1


class Door(Admission):
    """Notes when it opens and closes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(FakeMemory(folder, 100), 0, print, folder)
        self.notes: list[str] = []

    def __enter__(self) -> Admission:
        self.notes.append("closed")
        return super().__enter__()

    def settled(self, *of: object) -> None:
        if self._lock is not None:
            self.notes.append("open")
        super().settled(*of)


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Door], None]:
    """Notes a trial's first allocation, its optimizer's steps and its epochs."""

    def watch(door: Door) -> None:
        make, step = make_task, torch.optim.Adam.step

        def made(*words: object) -> object:
            door.notes.append("memory")
            return make(*words)  # type: ignore[arg-type]

        def stepped(optimizer: torch.optim.Adam, *words: object) -> object:
            door.notes.append("step")
            return step(optimizer, *words)

        monkeypatch.setattr("rdun.trial.run.make_task", made)
        monkeypatch.setattr(torch.optim.Adam, "step", stepped)

    return watch


def test_a_trial_closes_the_door_before_it_takes_memory_and_opens_it_after_its_first_step(
    tiny: TrialConfig, tmp_path: Path, noted: Callable[[Door], None]
) -> None:
    door = Door(tmp_path)
    noted(door)
    run_trial(tiny, str(tmp_path / "t"), circumstances=Circumstances(admission=door))
    assert door.notes[:5] == ["closed", "memory", "step", "open", "step"]
    assert door.notes.count("open") == 1


def test_a_trial_that_fails_before_its_first_step_opens_the_door(
    tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*words: object) -> object:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("rdun.trial.run.make_task", full)
    door = Door(tmp_path)
    with pytest.raises(OutOfMemory):
        run_trial(tiny, str(tmp_path / "t"), circumstances=Circumstances(alone=False, admission=door))
    assert door.notes == ["closed", "open"]


def test_the_door_changes_no_number(tiny: TrialConfig, tmp_path: Path) -> None:
    records: list[list[EpochRecord]] = [[], []]
    run_trial(tiny, str(tmp_path / "a"), records[0].append)
    run_trial(tiny, str(tmp_path / "b"), records[1].append, circumstances=Circumstances(admission=Door(tmp_path)))
    a, b = ([(r.train_loss, r.validation_psnr) for r in found] for found in records)
    assert a == b
