"""The report of trials that were really run: what the engine records is what the analysis reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.frames import StudyFrames, load_study
from analysis.pages.document import tables_of
from analysis.pages.drawings import figures_of
from analysis.statistics import compare_arms
from analysis.statistics.paired import Images
from analysis.tables import Table
from rdun.config import IstaNetPlusConfig, Rfmu, TrialConfig, UniformRange, with_values
from rdun.plan import make_plan
from rdun.results import Store
from rdun.study import Arm, Study
from rdun.trial import run_trial


@pytest.fixture
def frames(tiny: TrialConfig, tmp_path: Path) -> StudyFrames:
    """COAST (deblocked) and ISTA-Net+ (block by block), each with and without recursion, tested with two matrices."""
    store = Store(tmp_path / "trials")
    coast = with_values(tiny, {"task.test_matrix_seeds": (0, 1), "recursion.sweep": (3,), "optim.epochs": 1})
    arms = [
        arm
        for name, base in (
            ("COAST", coast),
            ("ISTA-Net+", replace(coast, model=IstaNetPlusConfig(layers=2, channels=4))),
        )
        for arm in (
            Arm(name=f"{name} unrolled", configs=(base,), factors={"system": name, "variant": "unrolled"}),
            Arm(
                name=f"{name} recursive",
                configs=(_recursive(base),),
                factors={"system": name, "variant": "recursive"},
                compare_to=f"{name} unrolled",
                published={"model": name, "configuration": "recursive", "fraction": "1"},
            ),
        )
    ]
    study = Study(
        name="real", title="Real", question="?", method="", expectation="", scale="tiny", arms=tuple(arms), seeds=(0,)
    )
    plan = make_plan(study, store, "fp32")
    for trial in plan.trials:
        run_trial(trial.config, store.trial(trial.fingerprint).path)
    return load_study(plan.record, store)


def _recursive(base: TrialConfig) -> TrialConfig:
    changes = {"recursion.train": UniformRange(low=(1,), high=(2,)), "recursion.modulation": Rfmu()}
    return with_values(base, changes)


def test_protocols_matrices_traces_and_published_values(frames: StudyFrames) -> None:
    assert frames.complete == 4
    assert [g.name for g in frames.groups] == ["deblocked", "block by block"] and len(frames.block_groups) == 1
    images, parts = Images(frames), [Images(p) for p in frames.parts()]
    comparisons = [c for part in parts for c in compare_arms(part)]
    assert len(comparisons) == 2 and all(c.seeds == (0,) for c in comparisons)
    tables: dict[str, Table] = {t.table.name: t.table for t in tables_of(images, parts, comparisons, [], [])}
    spread = tables["matrices-test (deblocked)"].frame
    assert spread["matrices"].tolist() == [2, 2] and (spread["gain low"] < spread["gain high"]).all()
    assert set(tables["published"].frame["verdict"]) == {"not run"}
    figures = {f.name for f in figures_of(frames, parts, comparisons)}
    assert {"traces-test (deblocked)-1", "traces-test (block by block)-1"} <= figures
    assert set(frames.traces["recursions"]) == {2, 4, 6}
