"""Synthetic studies with known truth, written through rdun.results exactly as a real study leaves them.

value(arm, seed, image) = level(system) + image + effect(variant) + seed-and-arm noise + image noise, with every term known.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import matplotlib.image
import numpy as np
from numpy.typing import NDArray

from rdun.config import (
    BlockSensingTask,
    CoastConfig,
    DataConfig,
    Fixed,
    IstaNetPlusConfig,
    RecursionConfig,
    Rfmu,
    TrialConfig,
    UniformRange,
    to_dict,
    with_values,
)
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
    Store,
    Timing,
    TrialDirectory,
    picture_names,
)

VARIANTS = {"unrolled": 0.0, "recursive": -0.1, "recursive, random": 0.05, "recursive, random, RFMU": 0.15}
LEVELS = {"COAST": 3.0, "ISTA-Net+": 2.2}
PROTOCOL = "0123456789abcdef"


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What a synthetic study is made of; standard deviations in dB.

    Attributes:
        effects: difference of each variant to the first one.
        seed_sd: spread of a trial's mean over seeds; image_sd: of single images within a trial.
        statuses: (arm, seed) -> (status, reason) for trials that are not complete; status "not run" leaves no file.
        protocols: (arm, seed) -> protocol of the images of trials tested in another way; records: what stands behind the hashes.
        matrices: names of the test matrices; every one gives 0.5 dB less than the one before.
        published: system and variant -> place in the published tables; as_published: as in the plan.
        sweep: further stage applications at test.
    """

    name: str = "quickstart"
    title: str = "Are recursions all you need?"
    systems: Sequence[str] = ("COAST", "ISTA-Net+")
    sizes: Mapping[str, float] = field(default_factory=lambda: {"10 %": 0.1, "100 %": 1.0})
    effects: Mapping[str, float] = field(default_factory=lambda: VARIANTS)
    seeds: Sequence[int] = (0, 1, 2)
    images: Sequence[str] = ("camera.png", "coins.png", "moon.png", "page.png", "brick.png")
    ratios: Sequence[float] = (0.25,)
    split_ratios: bool = False
    dataset: str = "photographs-test"
    seed_sd: float = 0.08
    image_sd: float = 0.15
    epochs: int = 12
    matrices: Sequence[str] = ("gauss-s0",)
    published: Mapping[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    as_published: bool = False
    sweep: Sequence[int] = ()
    pictures: bool = True
    claims: Sequence[ClaimRecord] = ()
    statuses: Mapping[tuple[str, int], tuple[str, str]] = field(default_factory=dict)
    protocols: Mapping[tuple[str, int], str] = field(default_factory=dict)
    records: Mapping[str, object] = field(default_factory=dict)


def write_study(folder: Path, truth: Truth) -> tuple[Path, Store]:
    """Writes plan.json into folder/study and the trial directories into folder/trials."""
    store = Store(folder / "trials")
    arms = _arms(truth)
    cells = []
    for arm in arms:
        for seed in truth.seeds:
            prints = [_fingerprint(c, seed) for c in arm.configs]
            cells.append(CellRecord(arm=arm.name, seed=seed, fingerprints=prints))
            for config, fingerprint in zip(arm.configs, prints, strict=True):
                _write_trial(store.trial(fingerprint), truth, arm, tuple(config["task"]["ratios"]), seed, fingerprint)
    plan = PlanRecord(
        name=truth.name,
        title=truth.title,
        question="At equal stage evaluations, does a recursive network lose quality, and does it overfit less?",
        method="Every arm trains on the same photographs, seeds and matrices; arms differ in one named change.",
        expectation="Differences within a few tenths of a decibel.",
        scale="A synthetic study: narrow networks, few steps; a demonstration, not evidence about the published systems.",
        seeds=list(truth.seeds),
        arms=arms,
        cells=cells,
        claims=list(truth.claims),
        as_published=truth.as_published,
        provenance=_provenance(truth),
    )
    plan.save(Folder(folder / "study"))
    return folder / "study", store


def _arms(truth: Truth) -> list[ArmRecord]:
    arms = []
    for system in truth.systems:
        for size, fraction in truth.sizes.items():
            for position, variant in enumerate(truth.effects):
                base = f"{system}, {next(iter(truth.effects))}, {size}"
                arms.append(
                    ArmRecord(
                        name=f"{system}, {variant}, {size}",
                        compare_to=None if position == 0 else base,
                        factors={"system": system, "variant": variant, "data": size},
                        configs=_configs(truth, system, position, fraction),
                        parameters=(36_000 if system == "COAST" else 22_000) // (1 if position == 0 else 3)
                        + 120 * position,
                        macs=39_000_000,
                        steps=40 * truth.epochs,
                        samples=640 * truth.epochs,
                        stage_evaluations_train=6.0 if position < 2 else 4.0,
                        stage_evaluations_test=6,
                        layout="6×1" if position == 0 else "2×3",
                        published=truth.published.get((system, variant), {}),
                    )
                )
    return arms


def _configs(truth: Truth, system: str, position: int, fraction: float) -> list[dict[str, object]]:
    model = (CoastConfig if system == "COAST" else IstaNetPlusConfig)(layers=6 if position == 0 else 2, channels=8)
    train = (
        Fixed(counts=(1,))
        if position == 0
        else Fixed(counts=(3,))
        if position == 1
        else UniformRange(low=(1,), high=(3,))
    )
    recursion = RecursionConfig(train=train, test=None if position == 0 else Fixed(counts=(3,)))
    config = TrialConfig(
        task=BlockSensingTask(ratios=tuple(truth.ratios)),
        model=model,
        recursion=recursion,
        data=DataConfig(
            train="photographs-train", validation="photographs-validation", test=(truth.dataset,), fraction=fraction
        ),
        precision="fp32",
    )
    if position == 3:
        config = with_values(config, {"recursion.modulation": Rfmu()})
    alone = [(r,) for r in truth.ratios] if truth.split_ratios else [tuple(truth.ratios)]
    return [
        to_dict(with_values(config, {"task.ratios": ratios, "data.stride": 20 + max(position - 3, 0)}))
        for ratios in alone
    ]


def _fingerprint(config: dict[str, object], seed: int) -> str:
    return hashlib.sha256(repr((config, seed)).encode()).hexdigest()[:16]


def _random(*names: object) -> np.random.Generator:
    return np.random.default_rng(list(hashlib.sha256(repr(names).encode()).digest()[:16]))


def image_level(image: str) -> float:
    """Initial-estimate PSNR of an image in dB."""
    return float(_random("image", image).uniform(20, 27))


def _write_trial(
    trial: TrialDirectory, truth: Truth, arm: ArmRecord, ratios: tuple[float, ...], seed: int, fingerprint: str
) -> None:
    status, reason = truth.statuses.get((arm.name, seed), ("complete", ""))
    if status == "not run":
        return
    attempt = Attempt(
        started="2026-01-15T10:00:00Z",
        ended="2026-01-15T10:36:00Z" if status == "complete" else None,
        host="node-1",
        device="cpu",
        threads=1,
        versions={"torch": "2.13.0", "numpy": "2.4.6"},
        revision="1a2b3c4d5e6f",
        resumed_at_epoch=0,
    )
    fraction = arm.configs[0]["data"]["fraction"]
    facts = {
        "parameters": arm.parameters,
        "best_epoch": truth.epochs - 1,
        "blocks": int(4000 * fraction),
        "subset_hash": "ab12",
        "protocols": dict(truth.records),
    }
    trial.write_run(RunInfo(fingerprint=fingerprint, status=status, reason=reason, attempts=(attempt,), facts=facts))  # type: ignore[arg-type]
    final = LEVELS.get(arm.factors["system"], 2.5) + truth.effects[arm.factors["variant"]]
    trial.write_epochs(_epochs(truth, arm, seed, final, truth.epochs if status == "complete" else truth.epochs // 2))
    if status != "complete":
        return
    trial.write_scores(_scores(truth, arm, ratios, seed, final))
    speed = 1.0 if arm.layout == "6×1" else 0.7
    noise = _random("time", arm.name, seed)
    seconds = 30 * speed * float(noise.normal(1, 0.03))
    trial.write_timings(
        [
            Timing(name="train_seconds", value=seconds, unit="s", detail="cpu"),
            Timing(name="step_milliseconds", value=seconds / arm.steps * 1000, unit="ms", detail="cpu"),
            Timing(name="images_per_second", value=float(noise.normal(8, 0.3)), unit="1/s", detail="cpu, 1 thread"),
        ]
    )
    if truth.pictures:
        for position, image in enumerate(truth.images):
            _write_pictures(trial, truth, arm, seed, image, position)


def _epochs(truth: Truth, arm: ArmRecord, seed: int, final: float, count: int) -> list[EpochRecord]:
    noise = _random("epochs", arm.name, seed)
    records = []
    for epoch in range(1, count + 1):
        reached = final * (1 - math.exp(-epoch / 3)) + float(noise.normal(0, 0.05))
        step = epoch * arm.steps // truth.epochs
        records.append(
            EpochRecord(
                epoch=epoch,
                step=step,
                samples=step * 16,
                seconds=step * (0.06 if arm.layout == "6×1" else 0.042),
                timestamp=1_768_471_200_000 + epoch * 4000,
                lr=1e-3,
                train_loss=0.02 / epoch + 0.001,
                train_psnr=22 + reached,
                validation_psnr=23 + reached,
                validation_ssim=0.6 + reached / 20,
                stage_evaluations=arm.stage_evaluations_train + float(noise.normal(0, 0.05)),
            )
        )
    return records


def _scores(truth: Truth, arm: ArmRecord, ratios: tuple[float, ...], seed: int, final: float) -> list[Score]:
    trial = float(_random("trial", arm.name, seed).normal(0, truth.seed_sd))
    common = {"matrix": truth.matrices[0], "protocol": PROTOCOL}
    scores = []
    own = arm.stage_evaluations_test
    for ratio in ratios:
        for image in truth.images:
            noise = float(_random("noise", arm.name, seed, image, ratio).normal(0, truth.image_sd))
            start = image_level(image) + 10 * (ratio - 0.25)
            for checkpoint, shift in (("best", 0.0), ("last", -0.05)):
                counts = {0: start, own: start + final + trial + noise + shift}
                counts |= {
                    c: counts[own] - 0.1 * (c - own) ** 2 for c in truth.sweep if checkpoint == "best" and c != own
                }
                for recursions, psnr in counts.items():
                    key: dict[str, object] = {
                        "checkpoint": checkpoint,
                        "split": "test",
                        "dataset": truth.dataset,
                        "unit": "image",
                        "image": image,
                    }
                    key |= {"ratio": ratio, "recursions": recursions, **common}
                    scores.append(Score(metric="psnr", value=psnr, **key))  # type: ignore[arg-type]
                    scores.append(Score(metric="ssim", value=0.5 + psnr / 100, **key))  # type: ignore[arg-type]
        overfit = (0.8 if arm.layout == "6×1" else 0.4) * (1 - 0.7 * arm.configs[0]["data"]["fraction"])
        for checkpoint in ("best", "last"):
            for split, dataset, start in (
                ("train", "photographs-train", 22.0),
                ("validation", "photographs-validation", 23.0),
            ):
                value = start + final + trial + (overfit if split == "train" else 0.0)
                key = {
                    "checkpoint": checkpoint,
                    "split": split,
                    "dataset": dataset,
                    "unit": "block",
                    "image": "all",
                    "ratio": ratio,
                }
                for recursions, psnr in ((0, start), (own, value)):
                    scores.append(Score(metric="psnr", value=psnr, recursions=recursions, **key, **common))  # type: ignore[arg-type]
            key = {
                "checkpoint": checkpoint,
                "split": "test",
                "dataset": truth.dataset,
                "unit": "block",
                "image": "all",
                "ratio": ratio,
            }
            for recursions, psnr in ((0, 22.5), (own, 22.4 + final + trial)):
                scores.append(Score(metric="psnr", value=psnr, recursions=recursions, **key, **common))  # type: ignore[arg-type]
    whole = truth.protocols.get((arm.name, seed), PROTOCOL)
    scores = [replace(s, protocol=whole) if s.unit == "image" else s for s in scores]
    others = enumerate(truth.matrices[1:], 1)
    return scores + [replace(s, matrix=m, value=s.value - 0.5 * i) for i, m in others for s in scores]


def _write_pictures(trial: TrialDirectory, truth: Truth, arm: ArmRecord, seed: int, image: str, position: int) -> None:
    original = picture(position)
    noise = _random("picture", arm.name, seed, image)
    blurred = _blur(original, 7)
    better = (
        0.45 * blurred
        + 0.55 * original
        + noise.normal(0, 6, original.shape) * (0.6 + truth.effects[arm.factors["variant"]])
    )
    stem = picture_names(truth.images)[image]
    for name, pixels in (("original", original), ("initial", blurred), ("best", better)):
        content = io.BytesIO()
        gray = np.clip(pixels, 0, 255).astype(np.uint8)
        matplotlib.image.imsave(content, gray, cmap="gray", vmin=0, vmax=255, format="png")
        trial.write(f"reconstructions/{truth.dataset}/{stem}-{name}.png", content.getvalue())


def picture(position: int, size: tuple[int, int] = (132, 165)) -> NDArray[np.float64]:
    """A drawing with edges, texture and smooth shading, range 0-255."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]] / 100.0
    shade = 120 + 60 * np.sin(2 * x + position) * np.cos(3 * y)
    disc = 70.0 * (((x - 0.8) ** 2 + (y - 0.6) ** 2) < 0.08 * (1 + position % 3))
    stripes = 40 * (np.sin(60 * (x + 0.3 * y)) > 0) * (x > 1.1)
    return np.asarray(np.clip(shade + disc - stripes, 0, 255))


def _blur(pixels: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    kernel = np.ones(width) / width
    padded = np.pad(pixels, width // 2, mode="edge")
    rows = np.apply_along_axis(np.convolve, 1, padded, kernel, mode="valid")
    return np.asarray(np.apply_along_axis(np.convolve, 0, rows, kernel, mode="valid"))


def _provenance(truth: Truth) -> dict[str, object]:
    return {
        "command": f"python studies/run_ablation.py {truth.name}",
        "started": "2026-01-15T10:00:00Z",
        "finished": "2026-01-15T10:06:12Z",
        "seconds": 372.4,
        "machine": "node-1",
        "cpu": "2 cores",
        "device": "cpu",
        "threads": 1,
        "versions": {"python": "3.11.7", "torch": "2.13.0", "numpy": "2.4.6", "ray": "2.60.0"},
        "revision": "1a2b3c4d5e6f",
        "dirty": False,
        "datasets": {truth.dataset: {"hash": "9f8e7d6c5b4a3210", "files": list(truth.images)}},
        "store": "runs/trials",
    }
