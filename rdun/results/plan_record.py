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


@dataclass(frozen=True, kw_only=True)
class CellRecord:
    """One (arm, seed) cell and the fingerprints of the trials that make it up."""

    arm: str
    seed: int
    fingerprints: list[str]


@dataclass(frozen=True, kw_only=True)
class ClaimRecord:
    """`metric(arm) - metric(versus) >= at_least`, on the test images, at the best checkpoint."""

    text: str
    arm: str
    versus: str
    metric: str
    at_least: float


@dataclass(frozen=True, kw_only=True)
class PlanRecord:
    """A study as it was planned.

    Attributes:
        scale: one sentence on how small or large this is.
        as_published: whether published values may be set beside the study's own.
        provenance: versions, git revision, data hashes and file lists, started, finished, seconds, machine, command.
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
        values = folder.read_json("plan.json")
        values["arms"] = [ArmRecord(**a) for a in values["arms"]]
        values["cells"] = [CellRecord(**c) for c in values["cells"]]
        values["claims"] = [ClaimRecord(**c) for c in values["claims"]]
        return PlanRecord(**values)
