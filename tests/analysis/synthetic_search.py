"""Synthetic searches with known trials, written through rdun.results as a real search leaves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rdun.config import Fixed, TrialConfig, to_dict, with_values
from rdun.results import (
    Attempt,
    EpochRecord,
    Folder,
    RunInfo,
    Score,
    SearchRecord,
    SearchState,
    SearchTrial,
    Store,
    Timing,
)

TWO = ({"quantity": "validation_psnr", "direction": "maximize"}, {"quantity": "parameters", "direction": "minimize"})
POINTS = ((30.0, 2000), (31.0, 4000), (29.0, 1000), (29.5, 3000), (31.0, 5000), (28.0, 1000))
"""Validation PSNR and parameters of trials 0, 1, ...; of these 1, 0 and 2 are Pareto-optimal, in this order."""
TEST_SHIFT = -1.25
"""Test PSNR minus validation PSNR in dB."""


def trial(
    number: int, psnr: float, parameters: int, values: Mapping[str, Any] | None = None, *, count: int = 2
) -> SearchTrial:
    """A complete trial."""
    return SearchTrial(
        number=number,
        values=dict(values or {"layers": 1 + number % 3, "high": 1 + number % 4}),
        fingerprints=[f"trial{number:03d}"],
        state="complete",
        objectives=[psnr, float(parameters)][:count],
        quantities={"parameters": float(parameters), "macs": 3_000_000.0, "stage_evaluations": 3.0},
    )


def unfinished(number: int, state: SearchState, reason: str = "") -> SearchTrial:
    """A suggestion without a result."""
    return SearchTrial(
        number=number,
        values={"layers": 2, "high": 2},
        fingerprints=[] if state == "infeasible" else [f"trial{number:03d}"],
        state=state,
        objectives=[],
        quantities={"parameters": 9000.0},
        reason=reason,
    )


def points(count: int = 2) -> list[SearchTrial]:
    """The trials of `POINTS`."""
    return [trial(n, psnr, parameters, count=count) for n, (psnr, parameters) in enumerate(POINTS)]


def write_search(
    folder: Path,
    trials: Sequence[SearchTrial],
    *,
    objectives: Sequence[dict[str, str]] = TWO,
    baselines: Mapping[str, tuple[float, int]] | None = None,
    **changes: Any,
) -> tuple[Path, Store]:
    """Writes search.json into folder/search and the directories of all complete trials and baselines into folder/trials."""
    store, own = Store(folder / "trials"), dict(baselines or {})
    names = list(dict.fromkeys(name for t in trials for name in t.values)) or ["layers"]
    values: dict[str, Any] = {
        "name": "tiny",
        "title": "How deep, how often?",
        "question": "Which recursion counts reach the unrolled network with fewer parameters?",
        "method": "Random values.",
        "expectation": "Two layers are enough.",
        "scale": "A synthetic search.",
        "space": dict.fromkeys(names, "1, ..., 4"),
        "objectives": list(objectives),
        "constraints": [{"quantity": "parameters", "at_most": 8000}],
        "sampler": "tpe",
        "seed": 3,
        "seeds": [0],
        "wanted": len(trials),
        "trials": list(trials),
        "baselines": {name: [f"base{i}"] for i, name in enumerate(own)},
        "provenance": {"command": "python studies/run_ablation.py tiny", "versions": {"torch": "2.13.0"}},
    }
    record = SearchRecord(**(values | changes))
    record.save(Folder(folder / "search"))
    for t in trials:
        if t.state == "complete":
            write_trial(store, t.fingerprint, t.objectives[0], int(t.quantities["parameters"]))
    for i, (psnr, parameters) in enumerate(own.values()):
        write_trial(store, f"base{i}", psnr, parameters)
    return folder / "search", store


def write_trial(store: Store, fingerprint: str, validation: float, parameters: int, protocol: str = "p" * 16) -> None:
    """Two test images `TEST_SHIFT` ± 1 dB from the validation PSNR; other counts, the last checkpoint and blocks are worse."""
    config = with_values(TrialConfig(precision="fp32"), {"model.layers": 2, "recursion.train": Fixed(counts=(2,))})
    folder, key = (
        store.trial(fingerprint),
        {"matrix": "gauss-s0", "protocol": protocol, "dataset": "photos", "ratio": 0.25},
    )
    attempt = Attempt(
        started="2026-01-15T10:00:00Z", host="n", device="cpu", threads=1, versions={}, revision="", resumed_at_epoch=0
    )
    run = RunInfo(
        fingerprint=fingerprint, status="complete", reason="", attempts=(attempt,), facts={"parameters": parameters}
    )
    folder.write_json("config.json", to_dict(config))
    folder.write_run(run)
    folder.write_epochs([_epoch(1, validation - 2), _epoch(2, validation), _epoch(3, validation - 0.5)])
    folder.write_timings([Timing(name="train_seconds", value=12.5, unit="s", detail="cpu")])
    scores = []
    for image, shift in (("a.png", -1.0), ("b.png", 1.0)):
        for checkpoint, recursions, unit, loss in (
            ("best", 4, "image", 0.0),
            ("best", 0, "image", 9.0),
            ("best", 8, "image", 3.0),
            ("last", 4, "image", 2.0),
            ("best", 4, "block", 5.0),
        ):
            value = validation + TEST_SHIFT + shift - loss
            common = {"checkpoint": checkpoint, "split": "test", "unit": unit, "image": image, "recursions": recursions}
            scores.append(Score(metric="psnr", value=value, **common, **key))  # type: ignore[arg-type]
            scores.append(Score(metric="ssim", value=0.9, **common, **key))  # type: ignore[arg-type]
    folder.write_scores(scores)


def _epoch(epoch: int, psnr: float) -> EpochRecord:
    return EpochRecord(
        epoch=epoch,
        step=epoch * 10,
        samples=epoch * 160,
        seconds=float(epoch),
        timestamp=1_768_471_200_000,
        lr=1e-3,
        train_loss=0.01,
        train_psnr=psnr,
        validation_psnr=psnr,
        validation_ssim=psnr / 40,
        stage_evaluations=4.0,
    )
