"""Arms with a network per ratio: a mean over the ratios that are left is not taken for the mean over all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.captions import images_caption
from analysis.figures.images import FEW, images_info
from analysis.figures.learning import learning_info
from analysis.figures.sweep import sweep_info
from analysis.frames import StudyFrames, load_study
from analysis.joined import Part, join
from analysis.statistics import compare_arms
from analysis.statistics.paired import Images
from analysis.tables import overfitting_table, recursions_table
from analysis.tables.quality import quality_table
from rdun.results import Folder, PlanRecord, Store
from tests.analysis.synthetic import Truth, write_study

SET = "photographs-test"
ARM = "COAST, recursive, 100 %"
SPLIT = Truth(
    systems=("COAST",),
    sizes={"100 %": 1.0},
    images=("a.png", "b.png"),
    ratios=(0.1, 0.5),
    split_ratios=True,
    sweep=(2, 4),
    pictures=False,
    epochs=4,
)


def fail_one_ratio(plan: PlanRecord, store: Store, seed: int) -> None:
    """Of ARM, the network of 50 %."""
    (cell,) = [cell for cell in plan.cells if (cell.arm, cell.seed) == (ARM, seed)]
    folder = store.trial(cell.fingerprints[1])
    run = folder.run()
    assert run is not None
    folder.write_run(replace(run, status="failed", reason="out of memory"))


def read(frames: StudyFrames) -> dict[str, float]:
    """What the tables and figures say of ARM: each a mean over its ratios."""
    table = recursions_table(frames, SET)
    overfitting = overfitting_table(frames)
    (curve,) = [c for p in learning_info(frames).panels for c in p.curves if c.treatment == "recursive"]
    (line,) = [line for p in sweep_info(frames, SET).panels for line in p.lines if line.treatment == "recursive"]
    return {
        "recursions": float(table.frame.loc[table.frame["arm"] == ARM, "6"].iloc[0]),
        "overfitting": float(overfitting.frame.loc[overfitting.frame["arm"] == ARM, "train"].iloc[0]),
        "learning": float(curve.mean[-1]),
        "sweep": line.low[-1],
        "notes": len([*table.gaps.values(), *overfitting.gaps.values()]),
    }


def test_a_seed_that_lacks_a_ratio_is_left_out_and_named(tmp_path: Path) -> None:
    """The same numbers as a study without that seed, which has them all."""
    home, store = write_study(tmp_path / "three", SPLIT)
    plan = PlanRecord.load(Folder(home))
    fail_one_ratio(plan, store, 1)
    other, other_store = write_study(tmp_path / "two", replace(SPLIT, seeds=(0, 2)))
    expected = read(load_study(PlanRecord.load(Folder(other)), other_store))
    assert expected["notes"] == 0
    assert read(load_study(plan, store)) == pytest.approx(expected | {"notes": 2})


@pytest.mark.parametrize("ratios", [((0.25,), (0.1,)), ((0.1, 0.25), (0.1, 0.5))])
def test_arms_tested_at_other_ratios_are_not_compared(
    tmp_path: Path, ratios: tuple[tuple[float, ...], tuple[float, ...]]
) -> None:
    parts = []
    for name, own in zip("ab", ratios, strict=True):
        truth = replace(SPLIT, name=name, ratios=own, split_ratios=False, sweep=())
        home, store = write_study(tmp_path / name, truth)
        parts.append(Part(PlanRecord.load(Folder(home)), store))
    images = Images(load_study(*join(parts)))
    kept = {c.verdict == "no data": c.reason for c in compare_arms(images)}
    assert set(kept) == {True, False}, "arms of one study can be compared, those of two cannot"
    assert "tested at different sampling ratios" in kept[True]


def test_the_initial_estimate_of_a_family_with_fewer_ratios_is_shown(tmp_path: Path) -> None:
    home, store = write_study(tmp_path, replace(SPLIT, sizes={"10 %": 0.1, "100 %": 1.0}))
    plan = json.loads((home / "plan.json").read_text())
    for arm in (arm for arm in plan["arms"] if "100 %" in arm["name"]):
        arm["configs"] = arm["configs"][:1]
    for cell in (cell for cell in plan["cells"] if "100 %" in cell["arm"]):
        cell["fingerprints"] = cell["fingerprints"][:1]
    (home / "plan.json").write_text(json.dumps(plan))
    table = quality_table(Images(load_study(PlanRecord.load(Folder(home)), store)), [], SET)
    found = table.frame[table.frame["baseline"]]
    assert found["family"].str.contains("100").tolist() == [False, True]
    noted = {line for (line, _), note in table.gaps.items() if "over 10\u00a0% only" in note}
    assert noted == {i for i, row in table.frame.iterrows() if "100" in row["family"] and not row["baseline"]}


def test_many_images_have_a_caption_of_their_own(tmp_path: Path) -> None:
    captions = []
    for count in (FEW, FEW + 1):
        truth = replace(SPLIT, ratios=(0.1,), images=tuple(f"{n}.png" for n in range(count)))
        home, store = write_study(tmp_path / str(count), truth)
        frames = load_study(PlanRecord.load(Folder(home)), store)
        captions.append(images_caption(images_info(frames, compare_arms(Images(frames)), SET)))
    assert "a bar from the smallest" in captions[0] and f"the {FEW + 1} test images" in captions[1]
    assert "Each curve is sorted by itself" in captions[1]
