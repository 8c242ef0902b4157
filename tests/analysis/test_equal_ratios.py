"""Curves, gaps, traces and pictures of arms at different ratios: averages are over the same ones, or are not shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from analysis.figures.gap import gap_info
from analysis.figures.learning import learning_info
from analysis.figures.reconstructions import reconstructions_info
from analysis.figures.traces import traces_infos
from analysis.frames import load_study
from analysis.frames.joined import Part, join
from analysis.pages.captions import pictures_caption
from analysis.pages.drawings import figures_of
from analysis.statistics.paired import Images
from analysis.tables import overfitting_table, reaching_table
from rdun.results import Folder, PlanRecord, Store
from tests.analysis.synthetic import write_study
from tests.analysis.synthetic_traces import add_traces
from tests.analysis.test_whole_cells import ARM, SET, SPLIT


def _loaded(study: tuple[Path, Store]) -> tuple[PlanRecord, Store]:
    return PlanRecord.load(Folder(study[0])), study[1]


def test_curves_gaps_and_traces_show_averages_over_the_same_ratios(tmp_path: Path) -> None:
    """Study a has both ratios, study b only the higher one: what is learned, overfitted and done inside is easier there."""
    parts = []
    for name, own in (("a", (0.1, 0.5)), ("b", (0.5,))):
        truth = replace(SPLIT, name=name, ratios=own, split_ratios=False, sizes={"10 %": 0.1, "100 %": 1.0})
        study = write_study(tmp_path / name, truth)
        add_traces(study)
        parts.append(Part(*_loaded(study)))
    frames = load_study(*join(parts))
    theirs = {arm: "not tested at 10\u00a0%" for arm in frames.arms if arm.startswith("b: ")}
    learning, gaps = learning_info(frames), gap_info(frames)
    assert dict(learning.left_out) == dict.fromkeys(theirs, "not validated at 10\u00a0%") and len(theirs) == 8
    assert dict(gaps.left_out) == theirs
    traces = traces_infos(frames, SET)
    assert dict(pair for info in traces for pair in info.left_out) == theirs
    shown = [c.treatment for p in learning.panels for c in p.curves]
    shown += [line.series for p in gaps.panels for line in p.lines] + [p.treatment for i in traces for p in i.panels]
    assert shown and all(name.startswith("a") for name in shown)
    table = overfitting_table(frames)
    lines = [i for i, arm in enumerate(table.frame["arm"]) if arm in theirs]
    assert table.frame.loc[lines, "gap"].isna().all() and table.frame["gap"].notna().sum() == 8
    assert table.gaps == {(i, "gain train"): "not tested at 10\u00a0%" for i in lines}
    captions = {i.name: i.caption for i in figures_of(frames, [Images(frames)], [])}
    for name in ("learning", "gap", f"traces-{SET}-1"):
        assert "Not shown, not" in captions[name] and "b: COAST, unrolled, 10 %" in captions[name], name


def test_samples_to_the_base_are_counted_by_the_same_validation(tmp_path: Path) -> None:
    """An arm that is validated at the higher ratio alone is there at once, which says nothing."""
    plan, store = _loaded(write_study(tmp_path, replace(SPLIT, split_ratios=False)))
    (arm,) = [a for a in plan.arms if a.name == ARM]
    arm.configs[0]["data"]["validation_ratios"] = [0.5]
    frames = load_study(plan, store)
    table = reaching_table(frames)
    line = table.frame["arm"].tolist().index(ARM)
    assert table.frame["reached"][line] == "0 of 0"
    assert table.gaps == {(line, "samples"): "no pair of complete trials with the same validation"}
    assert dict(learning_info(frames).left_out) == {ARM: "not validated at 10\u00a0%"}


def test_a_curve_of_unfinished_trials_ends_where_a_ratio_is_behind(tmp_path: Path) -> None:
    """No trial of the arm is complete; the network of 50 %, whose PSNR is another, is two epochs ahead."""
    statuses = {(ARM, seed): ("running", "") for seed in SPLIT.seeds}
    plan, store = _loaded(write_study(tmp_path, replace(SPLIT, epochs=8, statuses=statuses)))
    for cell in plan.cells:
        if cell.arm == ARM:
            behind = store.trial(cell.fingerprints[0])
            behind.write_epochs(behind.epochs()[:2])
    (curve,) = [
        c for p in learning_info(load_study(plan, store)).panels for c in p.curves if c.treatment == "recursive"
    ]
    assert curve.unfinished and len(curve.mean) == 2


def test_pictures_beside_each_other_are_of_one_ratio(tmp_path: Path) -> None:
    """Networks per ratio keep pictures of theirs: where the first one failed, that of another ratio is none to compare."""
    plan, store = _loaded(write_study(tmp_path, replace(SPLIT, pictures=True)))
    frames = load_study(plan, store)
    info = reconstructions_info(frames, "", SET, "a", seed=0)
    assert info.at == "10\u00a0%" and all(p.pixels is not None for p in info.panels)
    assert "at 10\u00a0%" in pictures_caption(info) and "pictures are kept" in pictures_caption(info)
    (cell,) = [c for c in plan.cells if (c.arm, c.seed) == (ARM, 0)]
    folder = store.trial(cell.fingerprints[0])
    run = folder.run()
    assert run is not None
    folder.write_run(replace(run, status="failed", reason="out of memory"))
    lost = [p for p in reconstructions_info(load_study(plan, store), "", SET, "a", seed=0).panels if p.pixels is None]
    assert [(p.title, p.reason) for p in lost] == [("recursive", "failed: out of memory")]


def test_captions_name_the_arms_whose_means_are_over_fewer_seeds(tmp_path: Path) -> None:
    statuses = {(ARM, 1): ("failed", "out of memory")}
    frames = load_study(*_loaded(write_study(tmp_path, replace(SPLIT, statuses=statuses))))
    captions = {i.name: i.caption for i in figures_of(frames, [Images(frames)], [])}
    for name in (f"quality-parameters-{SET}", "learning", f"recursions-{SET}"):
        assert f" Means over 2 of 3 seeds: {ARM}." in captions[name], name
