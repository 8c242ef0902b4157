"""Samples of a trial's load."""

from __future__ import annotations

from pathlib import Path

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
