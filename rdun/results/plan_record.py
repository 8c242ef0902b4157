"""plan.json: what a study asked for and which trial answers which cell. A report needs this and the trial directories only."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rdun.results.directory import Folder


@dataclass(frozen=True, kw_only=True)
class ArmRecord:
    """One arm of a study.

    Attributes:
        compare_to: name of the arm it is paired with, or None.
        factors: what distinguishes it, e.g. {"system": "COAST", "variant": "recursive", "data": "10 %"}.
        configs: its trial configs as dictionaries (one, or one per ratio), seed left as the study's file has it.
        parameters: trained parameters of one network.
        macs: multiply-accumulates of one reconstruction of one block, at the test counts.
        steps, samples: optimizer steps and training blocks seen, per trial.
        stage_evaluations_train, stage_evaluations_test: stage applications per training step (mean) and per reconstruction.
        layout: layers and recursions as text, "5x4".
        published: the arm's place in the published tables, as in `rdun.study.Arm`.
    """

    name: str
    compare_to: str | None
    factors: dict[str, str]
    configs: list[dict[str, Any]]
    parameters: int
    macs: int
    steps: int
    samples: int
    stage_evaluations_train: float
    stage_evaluations_test: int
    layout: str
    published: dict[str, str] = field(default_factory=dict)


NEGLIGIBLE = 0.005
"""Costs that differ by less than this part count as equal: a modulation's few multiplications are no other budget."""


def relative_costs(arm: ArmRecord, base: ArmRecord) -> dict[str, float]:
    """What an arm takes as multiples of what another takes, by name; only where they differ by `NEGLIGIBLE` or more.

    Parameters, MACs, steps and samples are those of one network; "networks" counts them (one per ratio, say).
    """
    theirs = _costs(base)
    ratios = {name: _ratio(ours, theirs[name]) for name, ours in _costs(arm).items()}
    return {name: ratio for name, ratio in ratios.items() if abs(ratio - 1) >= NEGLIGIBLE}


def times(low: float, high: float) -> str:
    """Multiples as text: "×0.25", or "×0.25 to ×0.35" where they differ."""
    one, other = f"×{low:.3g}", f"×{high:.3g}"
    return one if one == other else f"{one} to {other}"


def _costs(arm: ArmRecord) -> dict[str, int]:
    own = {"parameters": arm.parameters, "MACs": arm.macs, "steps": arm.steps, "samples": arm.samples}
    return own | {"networks": len(arm.configs)}


def _ratio(ours: int, theirs: int) -> float:
    if not theirs:
        return float("inf") if ours else 1.0
    return ours / theirs


@dataclass(frozen=True, kw_only=True)
class CellRecord:
    """One (arm, seed) cell and the fingerprints of the trials that make it up."""

    arm: str
    seed: int
    fingerprints: list[str]


@dataclass(frozen=True, kw_only=True)
class ClaimRecord:
    """`metric(arm) - metric(versus) >= at_least`, on the test images, at the best checkpoint.

    Attributes:
        dataset: the test set, or None for each; ratios: those that are averaged, or none for all.
        beyond: arm and versus of a second difference, which is taken off; or empty.
        metric, answers: as in `rdun.study.Claim`.
    """

    text: str
    arm: str
    versus: str
    metric: str
    at_least: float
    dataset: str | None = None
    ratios: list[float] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)
    answers: bool = False

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """What is compared: one pair of arms, or two."""
        return [(self.arm, self.versus), *([(self.beyond[0], self.beyond[1])] if self.beyond else [])]


@dataclass(frozen=True, kw_only=True)
class PlanRecord:
    """A study as it was planned.

    Attributes:
        scale: one sentence on how small or large this is.
        as_published: whether published values may be set beside the study's own.
        provenance: versions, git revision, data hashes and file lists, started, finished, seconds, machine, command,
            and the price of an hour ("2.5 EUR") where it was given.
    """

    name: str
    title: str
    question: str
    method: str
    expectation: str
    scale: str
    seeds: list[int]
    arms: list[ArmRecord]
    cells: list[CellRecord]
    claims: list[ClaimRecord] = field(default_factory=list)
    as_published: bool = False
    provenance: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Folder) -> None:
        folder.write_json("plan.json", asdict(self))

    @staticmethod
    def load(folder: Folder) -> PlanRecord:
        """Raises ValueError for a file that is damaged or of another version."""
        return folder.read_record("plan.json", PlanRecord._of)

    @staticmethod
    def _of(values: dict[str, Any]) -> PlanRecord:
        parts = {
            "arms": [ArmRecord(**a) for a in values["arms"]],
            "cells": [CellRecord(**c) for c in values["cells"]],
            "claims": [ClaimRecord(**c) for c in values["claims"]],
        }
        return PlanRecord(**(values | parts))
