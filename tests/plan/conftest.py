"""A tiny plan, a machine, and past trials that took what a test says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rdun.config import TrialConfig, to_dict
from rdun.data import trial_fingerprint
from rdun.plan import Machine, Plan, make_plan
from rdun.results import Attempt, EpochRecord, RunInfo, Store, SystemSample
from studies.loading import load_study

MACHINE = Machine(device="A processor", kind="cpu", threads=1, cores=2)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs" / "trials")


@pytest.fixture
def plan(images: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Arms "unrolled" (2x1) and "recursive" (1x2), two seeds, 2 epochs of 6 steps."""
    monkeypatch.setenv("IMAGES", str(images))
    return make_plan(load_study(str(Path(__file__).parents[1] / "studies" / "tiny_study.py")), store, "fp32")


Past = Callable[..., str]


@pytest.fixture
def past(store: Store) -> Past:
    """Writes a complete trial: 0.5 s per step, 3 s of validation per epoch, 10 s for the rest; returns its fingerprint."""

    def write(config: TrialConfig, machine: Machine = MACHINE, step: float = 0.5, test: float = 10.0) -> str:
        key = trial_fingerprint(config)
        folder = store.trial(key)
        epochs, per_epoch = config.optim.epochs, 6
        evaluations = float(sum(config.test_counts))
        records = [
            EpochRecord(
                epoch=e,
                step=e * per_epoch,
                samples=e * 48,
                seconds=e * per_epoch * step,
                timestamp=round(1000 * e * (per_epoch * step + 3)),
                lr=1e-3,
                train_loss=1e-3,
                train_psnr=30.0,
                validation_psnr=27.0,
                validation_ssim=0.8,
                stage_evaluations=evaluations,
            )
            for e in range(1, epochs + 1)
        ]
        whole = round(epochs * (per_epoch * step + 3) + test)
        attempt = Attempt(
            started="2026-01-01T00:00:00+00:00",
            host="h",
            device=machine.device,
            threads=machine.threads,
            versions={},
            revision="r",
            resumed_at_epoch=0,
            ended=f"2026-01-01T00:{whole // 60:02}:{whole % 60:02}+00:00",
        )
        folder.write_json("config.json", to_dict(config))
        folder.write_epochs(records)
        folder.write_system([SystemSample(timestamp=0, cpu_percent=90, memory_mib=412.5, gpu_memory_mib=0.0)])
        folder.write_run(RunInfo(fingerprint=key, status="complete", attempts=(attempt,)))
        return key

    return write


def other(machine: Machine = MACHINE, **changes: object) -> Machine:
    return replace(machine, **changes)  # type: ignore[arg-type]
