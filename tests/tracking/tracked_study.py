"""A small study and a small search on disk, written through rdun.results as trials write them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rdun.config import TrialConfig, to_dict, with_values
from rdun.results import (
    ArmRecord,
    Attempt,
    CellRecord,
    ClaimRecord,
    EpochRecord,
    Folder,
    PlanRecord,
    RunInfo,
    Score,
    SearchRecord,
    SearchState,
    SearchTrial,
    Status,
    Store,
    SystemSample,
    Timing,
    TrialDirectory,
)

BEGAN = 1_767_225_600_000  # 2026-01-01, milliseconds
HOST = "node <1>"
ODD = "<script>alert('x')</script> / ünï 50 % #1"
REPORT = ("report.html", "report.md", "report.pdf", "tables/quality.csv", "figures/quality.svg")
"""What is written of a report; the folder of a study or search holds other files too, which are not for the tracker."""
CELLS = {("A", 0): ["aa"], ("B", 0): ["bb"], ("A", 1): ["cc"], ("B", 1): ["dd"]}


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


def saved(root: Path, record: PlanRecord | SearchRecord) -> Path:
    """The folder of a study or search, with its record."""
    home = root / "runs" / "studies" / record.name
    record.save(Folder(home))
    return home


def search_record(name: str, trials: list[SearchTrial], **values: Any) -> SearchRecord:
    """A search for quality against parameters."""
    fields: dict[str, Any] = {
        "title": f"The search {name}",
        "question": "Which <layers>?",
        "method": "Random values.",
        "expectation": "Few.",
        "scale": "Tiny.",
        "space": {"layers": "1, 2, 3", "model.channels": "one of 4, 8"},
        "objectives": [
            {"quantity": "validation_psnr", "direction": "maximize"},
            {"quantity": "parameters", "direction": "minimize"},
        ],
        "constraints": [{"quantity": "parameters", "at_most": 4000}],
        "sampler": "tpe",
        "seed": 1,
        "seeds": [0],
        "wanted": 4,
        "baselines": {"unrolled": ["base"]},
        "provenance": {
            "command": "python studies/run_ablation.py my/search.py --trials 4",
            "started": _iso(BEGAN),
            "versions": {"python": "3.11"},
            "revision": "abc123+changes",
            "datasets": {"photos": {"title": "Photos", "hash": "77aa", "files": ["cat.png"]}},
        },
    }
    return SearchRecord(name=name, trials=trials, **(fields | values))


def suggestion(number: int, fingerprint: str, state: SearchState, psnr: float = 0.0, size: int = 0) -> SearchTrial:
    """A suggestion with as many layers as its number tells."""
    return SearchTrial(
        number=number,
        values={"layers": 1 + number % 3, "model.channels": 8},
        fingerprints=[fingerprint] if fingerprint else [],
        state=state,
        objectives=[psnr, float(size)] if psnr else [],
        quantities={"parameters": float(size), "macs": 6.7e6} if size else {},
        reason="parameters is 5,000, above 4,000" if state == "infeasible" else "",
    )


def write_study(store: Store) -> None:
    for n, fingerprint in enumerate(("aa", "bb", "cc")):
        write_trial(store, fingerprint, level=25.0 + n)
    write_trial(store, "dd", status="failed", reason="Diverged: not finite at <stage> 3", epochs=2)


def write_report(home: Path) -> None:
    for name in (*REPORT, "scratch.bin"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(f"this is {name}")


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
    gpus: float = 0.0,
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
        gpus=gpus,
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
        for recursions in (0, sum(TrialConfig().test_counts))
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
