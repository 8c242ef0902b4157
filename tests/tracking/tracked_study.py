"""A small study on disk, written through rdun.results as trials write it, and MLflow servers to copy it to."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from rdun.config import TrialConfig, to_dict, with_values
from rdun.results import (
    ArmRecord,
    Attempt,
    CellRecord,
    ClaimRecord,
    EpochRecord,
    PlanRecord,
    RunInfo,
    Score,
    Status,
    Store,
    SystemSample,
    Timing,
    TrialDirectory,
)

BEGAN = 1_767_225_600_000  # 2026-01-01, milliseconds
HOST = "node <1>"


def arm_record(name: str, **changes: Any) -> ArmRecord:
    config = with_values(TrialConfig(), {"model.layers": 5, "optim.epochs": 4, **changes})
    return ArmRecord(
        name=name,
        compare_to=None,
        factors={"system": "COAST", "data <part>": "10 %"},
        configs=[to_dict(config)],
        parameters=12345,
        macs=6_700_000,
        steps=40,
        samples=640,
        stage_evaluations_train=5.0,
        stage_evaluations_test=5,
        layout="5x1",
    )


def plan_record(name: str, cells: Mapping[tuple[str, int], list[str]], **values: Any) -> PlanRecord:
    """Arms in order of appearance; each with a learning rate of its own."""
    arms = list(dict.fromkeys(arm for arm, _ in cells))
    records = [arm_record(arm, **{"optim.lr": 1e-4 * (n + 1)}) for n, arm in enumerate(arms)]
    fields: dict[str, Any] = {
        "title": f"The study {name}",
        "question": "Is <b>A</b> better than B & C?",
        "method": "Both are trained.",
        "expectation": "A is.",
        "scale": "Tiny.",
        "seeds": sorted({seed for _, seed in cells}),
        "claims": [ClaimRecord(text="A is better", arm=arms[0], versus=arms[-1], metric="psnr", at_least=0.0)],
    }
    cell_records = [CellRecord(arm=arm, seed=seed, fingerprints=prints) for (arm, seed), prints in cells.items()]
    return PlanRecord(name=name, arms=records, cells=cell_records, **(fields | values))


def write_trial(
    store: Store,
    fingerprint: str,
    *,
    status: Status = "complete",
    reason: str = "",
    epochs: int = 4,
    began: int = BEGAN,
    level: float = 25.0,
    dataset: str = "photos",
) -> TrialDirectory:
    """A trial directory as `run_trial` leaves it at some moment; the same arguments give the same files."""
    folder = store.trial(fingerprint)
    folder.write_json("config.json", to_dict(TrialConfig()))
    folder.write_epochs(_epoch(e, began, level) for e in range(1, epochs + 1))
    folder.write_system(
        SystemSample(timestamp=began + 5000 * i, cpu_percent=90.0 + i, memory_mib=500.0 + i, gpu_memory_mib=0.0)
        for i in range(2 * epochs)
    )
    if status == "complete":
        folder.write_timings([Timing(name="train_seconds", value=7.5, unit="s", detail="4 steps")])
        folder.write_scores(_scores(level, dataset))
        for kind in ("original", "initial", "best"):
            folder.write(f"reconstructions/{dataset}/cat <1>#-{kind}.png", gray_png(90))
    if status == "failed":
        folder.write_text("error.txt", f"Traceback ... {reason}")
    ended = None if status == "running" else _iso(began + 10_000 * epochs + 3000)
    attempt = Attempt(
        started=_iso(began),
        host=HOST,
        device="a processor",
        threads=1,
        versions={"python": "3.11", "torch": "2.13"},
        revision="abc123+changes",
        resumed_at_epoch=0,
        ended=ended,
    )
    facts = {"subset_hash": "0011", "best_epoch": epochs} if status == "complete" else {}
    folder.write_run(RunInfo(fingerprint=fingerprint, status=status, reason=reason, attempts=(attempt,), facts=facts))
    return folder


def _epoch(epoch: int, began: int, level: float) -> EpochRecord:
    return EpochRecord(
        epoch=epoch,
        step=10 * epoch,
        samples=160 * epoch,
        seconds=2.0 * epoch,
        timestamp=began + 10_000 * epoch,
        lr=1e-4,
        train_loss=1.0 / epoch,
        train_psnr=level + epoch - 1,
        validation_psnr=level + (epoch if epoch < 3 else 5 - epoch) / 10,
        validation_ssim=0.8 + epoch / 100,
        stage_evaluations=5.0,
    )


def _scores(level: float, dataset: str) -> list[Score]:
    return [
        Score(
            checkpoint=checkpoint,
            split="test",
            dataset=dataset,
            unit="image",
            image=f"{image}.png",
            ratio=ratio,
            recursions=recursions,
            matrix="gauss-s0",
            metric=metric,
            value=(level + ratio + image + (checkpoint == "best")) if metric == "psnr" else 0.9,
            protocol="0123",
        )
        for checkpoint in ("best", "last")
        for ratio in (0.1, 0.5)
        for recursions in (0, 5)
        for metric in ("psnr", "ssim")
        for image in (1, 2)
    ]


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def gray_png(value: int, side: int = 64) -> bytes:
    """A small picture, by hand."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes((value + x + y) % 256 for x in range(side)) for y in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A real `mlflow server` on loopback over a database; may be killed and started again."""

    def __init__(self, database: Path, artifacts: Path) -> None:
        self.database, self.artifacts, self.port = database, artifacts, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self.database}", "--artifacts-destination", str(self.artifacts)]
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with Path(f"{self.database}.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=os.environ | quiet,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.database.parent,
            )
        for _ in range(900):
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                    return
            except OSError:
                assert self._process.poll() is None, Path(f"{self.database}.log").read_text()[-2000:]
                time.sleep(0.1)
        raise TimeoutError("mlflow server did not start in 90 s")

    def kill(self) -> None:
        """kill -9 of all its processes."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def __enter__(self) -> Server:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
