"""What is told of the machine that a trial runs on, and samples of its load."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from rdun import monitor
from rdun.monitor import SystemMonitor
from rdun.results import SystemSample, TrialDirectory


def test_a_trial_of_days_keeps_no_more_samples_than_one_of_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are written each time. What is left has the peak of the memory and the last sign of life."""
    monkeypatch.setattr(monitor, "MOST_SAMPLES", 10)
    folder = TrialDirectory(tmp_path / "trial")
    before = [
        SystemSample(
            timestamp=t,
            cpu_percent=t,
            memory_mib=9.0 if t in (2, 7) else 5.0,
            gpu_memory_mib=3.0 if t in (1, 8) else 0.0,
        )
        for t in range(10)
    ]
    folder.write_system(before)
    watch = SystemMonitor(folder, torch.device("cpu"), period=60.0)
    with watch:
        pass
    after = folder.system()
    assert [sample.timestamp for sample in after[:5]] == [1, 3, 5, 7, 9]
    assert [sample.cpu_percent for sample in after[:5]] == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert [sample.memory_mib for sample in after[:5]] == [5.0, 9.0, 5.0, 9.0, 5.0]
    assert [sample.gpu_memory_mib for sample in after[:5]] == [3.0, 0.0, 0.0, 0.0, 3.0]
    assert len(after) == 6 and after[5].timestamp > 9
    assert watch.period == 120.0


def test_samples_are_of_this_process_in_their_units(tmp_path: Path) -> None:
    """One at the end, of the time since the beginning."""
    folder = TrialDirectory(tmp_path / "trial")
    with SystemMonitor(folder, torch.device("cpu"), period=600.0):
        busy = time.process_time() + 0.1
        while time.process_time() < busy:
            pass
    (sample,) = folder.system()
    assert sample.timestamp == pytest.approx(1000 * time.time(), abs=60_000)
    assert sample.memory_mib * 2**20 == pytest.approx(psutil.Process().memory_info().rss, rel=0.02)
    assert (sample.cpu_percent > 0, sample.gpu_memory_mib) == (True, 0.0)


def test_samples_are_written_while_the_trial_runs(tmp_path: Path) -> None:
    folder, end = TrialDirectory(tmp_path / "trial"), time.monotonic() + 60
    with SystemMonitor(folder, torch.device("cpu"), period=0.01):
        while len(folder.system()) < 3:
            assert time.monotonic() < end


PEAK = """
import psutil, torch
from rdun import monitor
bytes(b"x" * 2**27)
peak, before = monitor.PeakMemory(torch.device("cpu")), psutil.Process().memory_info().rss
bytes(b"x" * 2**26)
print(peak.facts().get("peak_memory_bytes", before) - before)
"""


def test_the_peak_of_memory_is_that_of_a_trial_in_bytes() -> None:
    """Not that of what the process did before; in a process of its own, whose allocator has nothing left over."""
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    if not (taken := int(done.stdout)):
        pytest.skip("needs a system that resets the peak of a process")
    assert 2**25 < taken < 3 * 2**25


def test_the_revision_tells_of_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of files that git knows; a copy without git is told its revision."""
    code = tmp_path / "rdun" / "monitor.py"
    code.parent.mkdir()
    code.write_text("one\n")
    monkeypatch.setattr(monitor, "__file__", str(code))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv("RDUN_REVISION", raising=False)
    tell = monitor.revision.__wrapped__
    assert tell() == "unknown"
    monkeypatch.setenv("RDUN_REVISION", "abc+changes")
    assert tell() == "abc+changes"
    me = ("-c", "user.name=me", "-c", "user.email=me@here")
    for words in (("init", "-q"), ("add", "."), (*me, "commit", "-q", "-m", "first")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    (tmp_path / "new").touch()
    assert tell() == head[:12]
    code.write_text("two\n")
    assert tell() == f"{head[:12]}+changes"


@pytest.mark.parametrize(
    ("flags", "fast", "named"),
    [
        ("fpu avx2 avx512f", False, "A processor (no bf16 instructions)"),
        ("fpu avx512f avx512_bf16 md_clear", True, "A processor (avx512_bf16)"),
        ("fpu avx512_bf16 amx_bf16", True, "A processor (amx_bf16, avx512_bf16)"),
    ],
)
def test_bfloat16_is_fast_where_the_processor_has_instructions_for_it(
    flags: str, fast: bool, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = f"processor\t: 0\nmodel name\t: A processor\nflags\t\t: {flags}\n"
    monkeypatch.setattr(monitor, "_cpuinfo", lambda: info)
    assert (monitor.has_bf16(), monitor.processor.__wrapped__()) == (fast, named)


def test_all_packages_that_touch_the_numbers_are_told() -> None:
    """One that is misspelt would be left out."""
    assert monitor.versions().keys() == {"python", *monitor.PACKAGES}
