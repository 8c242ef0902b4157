"""Arms with a network per ratio: a mean over the ratios that are left is not taken for the mean over all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.figures.gap import gap_info
from analysis.figures.images import FEW, images_info
from analysis.figures.interactions import interactions_info
from analysis.figures.learning import learning_info
from analysis.figures.sweep import sweep_info
from analysis.figures.traces import traces_infos
from analysis.figures.tradeoff import tradeoff_info
from analysis.frames import StudyFrames, load_study
from analysis.frames.joined import Part, join
from analysis.frames.measures import facts
from analysis.pages.captions import images_caption
from analysis.pages.drawings import figures_of
from analysis.statistics import compare_arms
from analysis.statistics.paired import Images
from analysis.tables import (
    designs_table,
    matrices_table,
    means_table,
    overfitting_table,
    paper_table,
    quality_table,
    recursions_table,
    timing_table,
)
from rdun.results import Folder, PlanRecord, Store
from tests.analysis.synthetic import Truth, write_study
from tests.analysis.synthetic_traces import add_traces, psnr

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
    overfitting, times = overfitting_table(frames), timing_table(frames).frame
    (curve,) = [c for p in learning_info(frames).panels for c in p.curves if c.treatment == "recursive"]
    (line,) = [line for p in sweep_info(frames, SET).panels for line in p.lines if line.treatment == "recursive"]
    return {
        "recursions": float(table.frame.loc[table.frame["arm"] == ARM, "6"].iloc[0]),
        "overfitting": float(overfitting.frame.loc[overfitting.frame["arm"] == ARM, "train"].iloc[0]),
        "learning": float(curve.mean[-1]),
        "sweep": line.low[-1],
        "stages": float(times.loc[times["arm"] == ARM, "drawn"].iloc[0]),
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


def test_traces_and_facts_are_of_whole_cells(tmp_path: Path) -> None:
    """Traces of seed s lie 0.1 s dB higher; without the last of three seeds their mean is 0.05 dB up."""
    study = write_study(tmp_path, SPLIT)
    add_traces(study)
    plan, store = PlanRecord.load(Folder(study[0])), study[1]
    fail_one_ratio(plan, store, 2)
    frames = load_study(plan, store)
    (panel,) = [p for info in traces_infos(frames, SET) for p in info.panels if p.treatment == "recursive"]
    (line,) = [line for line in panel.lines if line.total == 4]
    assert line.values["psnr"][4] == pytest.approx(psnr(4, 4, 0.05))
    left = (frames.trials["arm"] == ARM) & (frames.trials["seed"] == 2) & (frames.trials["status"] == "complete")
    (recorded,) = frames.trials.loc[left, "facts"]
    recorded["blocks"] = 0
    assert facts(frames, "blocks")[ARM] == 4000


def joined(folder: Path, *ratios: tuple[float, ...], sweep: tuple[int, ...] = ()) -> Images:
    """The same study at two sets of ratios, named a and b, as one report compares them."""
    parts = []
    for name, own in zip("ab", ratios, strict=True):
        home, store = write_study(folder / name, replace(SPLIT, name=name, ratios=own, split_ratios=False, sweep=sweep))
        parts.append(Part(PlanRecord.load(Folder(home)), store))
    return Images(load_study(*join(parts)))


@pytest.mark.parametrize("ratios", [((0.25,), (0.1,)), ((0.1, 0.25), (0.1, 0.5))])
def test_arms_tested_at_other_ratios_are_not_compared(
    tmp_path: Path, ratios: tuple[tuple[float, ...], tuple[float, ...]]
) -> None:
    images = joined(tmp_path, *ratios)
    kept = {c.verdict == "no data": c.reason for c in compare_arms(images)}
    assert set(kept) == {True, False}, "arms of one study can be compared, those of two cannot"
    assert "tested at different sampling ratios" in kept[True]


def test_a_column_of_averages_holds_averages_over_the_same_ratios(tmp_path: Path) -> None:
    """Of the joined tables: study a has both ratios, study b, whose average would be another, only the higher one."""
    images = joined(tmp_path, (0.1, 0.5), (0.5,))
    averages = (quality_table(images, [], SET), "psnr average"), (paper_table(images, SET), "psnr average")
    others = (designs_table(images, [], SET), "psnr"), (means_table(images, "psnr"), f"{SET} average")
    for table, key in (*averages, *others):
        lines = [i for i, arm in enumerate(table.frame["arm"]) if arm.startswith("b: ")]
        assert len(lines) == 4 and table.frame[key][lines].isna().all(), table.name
        assert {table.gaps[i, key] for i in lines} == set(table.reasons()) == {"not tested at 10\u00a0%"}, table.name
        assert table.frame.loc[table.frame["arm"].str.startswith("a: "), key].notna().all(), table.name


def test_figures_of_averages_show_averages_over_the_same_ratios(tmp_path: Path) -> None:
    """As the tables: who lacks a ratio is left out and named; two factors at once are shown where all have the same ratios."""
    images = joined(tmp_path / "other", (0.1, 0.5), (0.5,), sweep=(2, 4))
    frames = images.frames
    theirs = {arm: "not tested at 10\u00a0%" for arm in frames.arms if arm.startswith("b: ")}
    tradeoff, sweep = tradeoff_info(images, SET), sweep_info(frames, SET)
    assert dict(tradeoff.left_out) == dict(sweep.left_out) == theirs and len(theirs) == 4
    for shown in (tradeoff.panels[0].points, sweep.panels[0].lines):
        assert len(shown) == 4 and all(item.treatment.startswith("a") for item in shown)
    assert not interactions_info(images, SET).panels
    captions = [
        item.caption for item in figures_of(frames, [images], []) if item.name.startswith(("quality", "recurs"))
    ]
    for caption in captions:
        assert f"Not shown, not tested at 10\u00a0%: {', '.join(list(theirs)[:3])} and" in caption
    assert len(captions) == 2
    table = recursions_table(frames, SET)
    lines = [i for i, arm in enumerate(table.frame["arm"]) if arm in theirs]
    assert len(lines) == 4 and table.frame["4"][lines].isna().all()
    assert {table.gaps[line, "trained"] for line in lines} == set(table.reasons()) == set(theirs.values())
    alike = joined(tmp_path / "alike", (0.1, 0.5), (0.1, 0.5))
    assert interactions_info(alike, SET).panels and not tradeoff_info(alike, SET).left_out


def test_an_arm_without_a_whole_seed_stands_in_the_table_of_recursions(tmp_path: Path) -> None:
    statuses = {(ARM, seed): ("failed", "out of memory") for seed in SPLIT.seeds}
    home, store = write_study(tmp_path, replace(SPLIT, statuses=statuses))
    plan = PlanRecord.load(Folder(home))
    for arm in plan.arms:
        for config in arm.configs:
            config["recursion"]["sweep"] = list(SPLIT.sweep)
    table = recursions_table(load_study(plan, store), SET)
    assert table.frame["arm"].tolist() == [arm.name for arm in plan.arms]
    line = table.frame["arm"].tolist().index(ARM)
    assert table.frame.loc[line, ["2", "4", "6"]].isna().all()
    assert table.gaps == {(line, "trained"): "; ".join(f"seed {s} failed: out of memory" for s in SPLIT.seeds)}


def one_family_with_one_ratio(folder: Path) -> tuple[Path, Store]:
    """A study of two families: at 10 % of the data there are networks for two ratios, at 100 % for the first alone."""
    home, store = write_study(folder, replace(SPLIT, sizes={"10 %": 0.1, "100 %": 1.0}))
    plan = json.loads((home / "plan.json").read_text())
    for arm in (arm for arm in plan["arms"] if "100 %" in arm["name"]):
        arm["configs"] = arm["configs"][:1]
    for cell in (cell for cell in plan["cells"] if "100 %" in cell["arm"]):
        cell["fingerprints"] = cell["fingerprints"][:1]
    (home / "plan.json").write_text(json.dumps(plan))
    return home, store


def test_designs_of_families_at_other_ratios_keep_their_averages(tmp_path: Path) -> None:
    home, store = one_family_with_one_ratio(tmp_path)
    table = designs_table(Images(load_study(PlanRecord.load(Folder(home)), store)), [], SET)
    assert len(table.frame) == 8 and table.frame["psnr"].notna().all() and not table.gaps


def test_the_initial_estimate_of_a_family_with_fewer_ratios_is_shown(tmp_path: Path) -> None:
    home, store = one_family_with_one_ratio(tmp_path)
    table = quality_table(Images(load_study(PlanRecord.load(Folder(home)), store)), [], SET)
    found = table.frame[table.frame["baseline"]]
    assert found["family"].str.contains("100").tolist() == [False, True]
    assert found["psnr 10\u00a0%"].notna().all() and found["psnr average"].isna().tolist() == [False, True]
    lines = [i for i, row in table.frame.iterrows() if "100" in row["family"] and not row["baseline"]]
    assert table.gaps == {
        (i, f"psnr {at}"): "not tested at 50\u00a0%" for i in lines for at in ("50\u00a0%", "average")
    }


def test_many_images_have_a_caption_of_their_own(tmp_path: Path) -> None:
    captions = []
    for count in (FEW, FEW + 1):
        truth = replace(SPLIT, ratios=(0.1,), images=tuple(f"{n}.png" for n in range(count)))
        home, store = write_study(tmp_path / str(count), truth)
        frames = load_study(PlanRecord.load(Folder(home)), store)
        captions.append(images_caption(images_info(frames, compare_arms(Images(frames)), SET)))
    assert "a bar from the smallest" in captions[0] and f"the {FEW + 1} test images" in captions[1]
    assert "Each curve is sorted by itself" in captions[1]


def test_what_is_not_a_number_is_left_out_of_no_mean(tmp_path: Path) -> None:
    """One image of one seed has no PSNR with 6 applications (an arm's own) and one of another seed none with 4."""
    frames = load_study(*_loaded(write_study(tmp_path, replace(SPLIT, ratios=(0.25,), split_ratios=False))))
    scores = frames.scores
    own = (scores["arm"] == ARM) & (scores["metric"] == "psnr") & (scores["image"] == "a.png")
    scores.loc[own & (scores["seed"] == 1) & (scores["recursions"] == 6), "value"] = float("nan")
    scores.loc[own & (scores["seed"] == 2) & (scores["recursions"] == 4), "value"] = float("nan")
    images = Images(frames)
    (found,) = [c for c in compare_arms(images) if c.arm == ARM]
    assert found.seeds == (0, 2) and found.images == 2
    assert found.missing == ((1, f"{ARM}, seed 1: complete, but without finite scores for every image"),)
    quality = quality_table(images, [], SET)
    line = quality.frame["arm"].tolist().index(ARM)
    assert quality.gaps[line, "psnr 25\u00a0%"].startswith("2 of 3 seeds")
    table = recursions_table(frames, SET)
    line = table.frame["arm"].tolist().index(ARM)
    assert table.frame.loc[line, ["4", "6"]].isna().all() and not table.frame.loc[[line], "2"].isna().any()
    assert table.gaps == {(line, count): "the reconstruction of some image is not a number" for count in ("4", "6")}
    info = sweep_info(frames, SET)
    (drawn,) = [line for p in info.panels for line in p.lines if line.treatment == "recursive"]
    assert [value == value for value in drawn.mean] == [value == value for value in drawn.low] == [True, False, False]
    captions = {i.name: i.caption for i in figures_of(frames, [images], [])}
    assert "A line breaks where the reconstruction" in captions[f"recursions-{SET}"]


def test_blocks_matrices_and_infinite_scores_are_left_out_of_no_mean(tmp_path: Path) -> None:
    """Seed 1 lacks a number in one ratio's training blocks and in one image of one matrix; an image of seed 2 has no error."""
    truth = replace(SPLIT, split_ratios=False, matrices=("gauss-s0", "gauss-s1"), sizes={"10 %": 0.1, "100 %": 1.0})
    frames = load_study(*_loaded(write_study(tmp_path, truth)))
    scores = frames.scores
    own = (scores["arm"] == ARM) & (scores["metric"] == "psnr") & (scores["recursions"] == 6) & (scores["ratio"] == 0.1)
    blocks, pixels = own & (scores["split"] == "train"), own & (scores["image"] == "a.png")
    expected = scores[(scores["arm"] == ARM) & (scores["split"] == "train") & (scores["recursions"] == 6)]
    expected = expected[(expected["checkpoint"] == "best") & (expected["seed"] != 1)]
    scores.loc[blocks & (scores["seed"] == 1) & (scores["matrix"] == "gauss-s1"), "value"] = float("nan")
    scores.loc[pixels & (scores["seed"] == 1) & (scores["matrix"] == "gauss-s1"), "value"] = float("nan")
    scores.loc[pixels & (scores["seed"] == 2), "value"] = float("inf")
    table = overfitting_table(frames)
    line = table.frame["arm"].tolist().index(ARM)
    assert table.frame.loc[line, "train"] == pytest.approx(expected["value"].mean())
    noted = {key: why for (at, key), why in table.gaps.items() if at == line}
    assert set(noted) == {"train", "gain train", "gap", "gap last"} and len(table.gaps) == 4
    assert set(noted.values()) == {"without seed 1, where some score is not a number"}
    (panel,) = gap_info(frames).panels
    assert [line.fractions for line in panel.lines if line.series == "recursive"] == [(0.1,)]
    spread = matrices_table(frames, SET)
    line = list(zip(spread.frame["arm"], spread.frame["at"], strict=True)).index((ARM, "10\u00a0%"))
    seed = Images(frames).table(ARM, SET, "10\u00a0%", "psnr")
    assert seed.index.tolist() == [0] and spread.frame.loc[line, "mean"] == pytest.approx(seed.to_numpy().mean())
    assert spread.gaps[line, "mean"].startswith("1 of 3 seeds") and "without finite scores" in spread.gaps[line, "mean"]
    (found,) = [c for c in compare_arms(Images(frames)) if c.arm == ARM]
    assert found.seeds == (0,) and found.mean == found.mean


def _loaded(study: tuple[Path, Store]) -> tuple[PlanRecord, Store]:
    return PlanRecord.load(Folder(study[0])), study[1]
