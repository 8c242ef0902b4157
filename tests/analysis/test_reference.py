"""Published values: which rows an arm names, and what is said about the pair of values."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.frames import StudyFrames
from analysis.reference import TABLES, PublishedTable, published, rows_of
from analysis.reference.checkpoints import checkpoint_cells
from analysis.reference.costs import costs
from analysis.reference.verdicts import NOT_AS_PUBLISHED, Coverage, coverage, judge, quality_cells
from analysis.report import write_report
from analysis.statistics.paired import Images
from analysis.tables import published_cost_table, published_curve_table, published_table
from rdun.results import Folder, PlanRecord, Score, Store
from studies.loading import load_study as find_study
from studies.loading import study_names
from tests.analysis.conftest import load
from tests.analysis.synthetic import Truth, write_study

PLACES = {
    ("COAST", "unrolled"): {"model": "COAST", "configuration": "base", "fraction": "1"},
    ("COAST", "recursive"): {"model": "COAST", "configuration": "recursive", "fraction": "1"},
}
BASE, RECURSIVE = "COAST, unrolled, 100 %", "COAST, recursive, 100 %"
TRUTH = Truth(
    systems=("COAST",), sizes={"100 %": 1.0}, effects={"unrolled": 0.0, "recursive": -0.1}, seeds=(0, 1),
    images=("a.png", "b.png"), ratios=(0.1, 0.2, 0.3, 0.4, 0.5), dataset="bsd68", pictures=False, epochs=2,
    published=PLACES, as_published=True,
)  # fmt: skip

NAN = float("nan")
COSTS = {
    ("COAST", "unrolled"): {"table": "table2", "model": "COAST", "configuration": "base"},
    ("COAST", "recursive"): {"table": "table2", "model": "COAST", "configuration": "recursive"},
}
COST = replace(TRUTH, published=COSTS)


def _study(folder: Path, truth: Truth, shifts: dict[str, float]) -> tuple[Path, Store]:
    """A study whose arms' PSNR is the published one plus a shift in dB, and whose SSIM is the published one."""
    study, store = write_study(folder, truth)
    for cell in PlanRecord.load(Folder(study)).cells:
        rows = rows_of(cell.arm, PLACES["COAST", cell.arm.split(", ")[1]], "table1").set_index("ratio")
        trial = store.trial(cell.fingerprints[0])
        if trial.exists("scores.csv"):
            trial.write_scores([_at(s, rows.loc[f"{s.ratio:g}"].to_dict(), shifts[cell.arm]) for s in trial.scores()])
    return study, store


def _at(score: Score, row: Mapping[Hashable, str], shift: float) -> Score:
    if score.split != "test" or score.unit != "image" or not score.recursions:
        return score
    return replace(score, value=float(row[score.metric]) + (shift if score.metric == "psnr" else 0.0))


def test_rows_are_found_by_their_columns() -> None:
    rows = rows_of("a", {"model": "COAST", "configuration": "recursive", "fraction": "0.03"}, "table1")
    assert list(rows["ratio"]) == ["0.1", "0.2", "0.3", "0.4", "0.5", "average"]
    assert rows["psnr"].iloc[0] == "25.87"
    place = {"table": "checkpoints", "model": "COAST", "layers": "5", "recursions": "4", "rfmu": "yes", "fraction": "1"}
    assert rows_of("a", place, "checkpoints")["best_psnr"].tolist() == ["28.50"]
    assert rows_of("a", place, "table1").empty and rows_of("a", {}, "table1").empty
    assert rows_of("a", PLACES["COAST", "unrolled"], "checkpoints").empty
    cost = {"table": "table2", "model": "COAST", "configuration": "base"}
    assert rows_of("a", cost, "table2")["training_hours"].tolist() == ["18.14"] and rows_of("a", cost, "table1").empty


@pytest.mark.parametrize(
    ("place", "table", "message"),
    [
        (
            {"table": "table3"},
            "table1",
            r"arm 'a'.*table='table3' is not known; choose one of table1, table2, checkpoints, curve",
        ),
        (
            {"modell": "COAST"},
            "table1",
            r"arm 'a'.*table1 has no column 'modell'; choose from model, configuration, layers",
        ),
        ({"model": "COASTER"}, "table1", r"arm 'a'.*model='COASTER' is not in table1; choose one of ISTA-Net\+, COAST"),
        ({"model": "COAST", "configuration": "base", "fraction": "0.3"}, "table1", r"fraction='0.3' .*one of 1, 0\.03"),
        ({"model": "COAST", "configuration": "base"}, "table1", r"several networks of table1; give 'fraction' too"),
        ({"table": "table2", "fraction": "1"}, "table2", r"table2 has no column 'fraction'"),
        ({"table": "checkpoints", "rfmu": "maybe"}, "checkpoints", r"rfmu='maybe' is not .*; choose one of no, yes"),
    ],
)
def test_a_place_that_does_not_exist_is_refused(place: dict[str, str], table: PublishedTable, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rows_of("a", place, table)


@pytest.mark.parametrize("name", study_names())
def test_the_arms_of_our_studies_name_rows_that_exist(name: str) -> None:
    for arm in find_study(name).arms:
        places = [rows_of(arm.name, arm.published, t) for t in TABLES]
        assert not arm.published or sum(len(rows) > 0 for rows in places) == 1


def test_the_printed_averages_are_means_of_their_rows() -> None:
    rows = published("table1")
    for _, group in rows.groupby(["model", "configuration", "fraction"]):
        printed = group.set_index("ratio")["psnr"].astype(float)
        assert printed["average"] == pytest.approx(printed.drop("average").mean(), abs=0.0051)


@pytest.mark.parametrize(
    ("psnr", "ssim", "verdict"),
    [
        (26.24, 0.7378, "reproduced"),
        (26.34, 0.7348, "reproduced"),  # on the limits
        (26.3449, 0.7378, "reproduced"),  # +0.10 at the printed digits
        (26.36, 0.7378, "deviates"),
        (26.13, 0.7378, "deviates"),
        (26.24, 0.7409, "deviates"),
    ],
)
def test_verdicts(psnr: float, ssim: float, verdict: str) -> None:
    assert judge({"psnr": psnr, "ssim": ssim}, {"psnr": 26.24, "ssim": 0.7378}) == verdict


def test_values_stand_beside_the_published_ones(tmp_path: Path) -> None:
    images = Images(load(_study(tmp_path, TRUTH, {BASE: 0.05, RECURSIVE: -0.4})))
    assert coverage(images) == Coverage(reproduced=6, deviates=6, not_run=0)
    table = published_table(images)
    first, average = table.frame.iloc[0], table.frame.iloc[5]
    assert (first["at"], first["psnr published"], first["psnr measured"]) == ("10\u00a0%", 26.24, pytest.approx(26.29))
    assert average["psnr published"] == pytest.approx(30.712) and average["psnr difference"] == pytest.approx(0.05)
    assert "Of 12 published values, 6 are reproduced, 6 deviate and 0 were not run." in table.caption
    assert "0.10\u00a0dB" in table.caption and len(table.notes) == 1 and "Table 1" in table.notes[0]


@pytest.mark.usefixtures("rough_figures")
def test_a_small_study_is_never_compared(tmp_path: Path) -> None:
    folder, store = _study(tmp_path, replace(TRUTH, as_published=False), {BASE: -5.0, RECURSIVE: -5.0})
    frames = load((folder, store))
    cells = quality_cells(Images(frames))
    assert {(c.verdict, c.reason, c.measured) for c in cells} == {("not run", NOT_AS_PUBLISHED, None)}
    table = published_table(Images(frames)).frame
    assert table["psnr published"].iloc[0] == 26.24
    assert table[["psnr measured", "psnr difference", "ssim difference"]].isna().all(axis=None)
    write_report(folder, store)
    assert "Published values" in (folder / "report.md").read_text()
    assert (folder / "tables" / "published.tex").is_file()


def test_costs_of_a_small_study_are_never_compared(tmp_path: Path) -> None:
    table = published_cost_table(load(write_study(tmp_path, replace(COST, as_published=False))))
    assert set(table.frame["parameters_verdict"]) == set(table.frame["times_verdict"]) == {"not run"}
    assert table.frame["published_hours"].tolist() == [18.14, 10.50]
    assert table.frame[["hours", "rate", "parameters"]].isna().all(axis=None)
    assert table.reasons() == [NOT_AS_PUBLISHED]


def test_what_was_not_run_says_why(tmp_path: Path) -> None:
    holes = {
        (BASE, 0): ("failed", "out of memory"),
        (RECURSIVE, 0): ("failed", "no space"),
        (RECURSIVE, 1): ("not run", ""),
    }
    frames = load(_study(tmp_path, replace(TRUTH, statuses=holes), {BASE: 0.0, RECURSIVE: 0.0}))
    cells = {(c.arm, c.at): c for c in quality_cells(Images(frames))}
    assert cells[BASE, "average"].verdict == "reproduced"
    measured = cells[BASE, "average"].measured
    assert measured and measured.lacking == "1 of 2 seeds: seed 0 failed: out of memory"
    assert cells[RECURSIVE, "average"].reason == "seed 0 failed: no space; seed 1 not run"
    frames = load(write_study(tmp_path / "cost", replace(COST, statuses=holes)))
    assert [c.reason for c in costs(frames)] == ["", "seed 0 failed: no space; seed 1 not run"]


def test_other_data_sets_and_ratios_are_not_compared(tmp_path: Path) -> None:
    other = load(write_study(tmp_path / "set", replace(TRUTH, dataset="set11")))
    assert {c.reason for c in quality_cells(Images(other))} == {"not tested on bsd68"}
    fewer = load(write_study(tmp_path / "ratios", replace(TRUTH, ratios=(0.1, 0.25))))
    reasons = {c.at: c.reason for c in quality_cells(Images(fewer)) if c.arm == BASE}
    assert reasons["10\u00a0%"] == "" and reasons["20\u00a0%"] == "not tested at 20\u00a0%"
    assert reasons["average"] == "not tested at 20\u00a0%, 30\u00a0%, 40\u00a0%, 50\u00a0%"
    more = load(write_study(tmp_path / "more", replace(TRUTH, ratios=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6))))
    reasons = {c.at: c.reason for c in quality_cells(Images(more)) if c.arm == BASE}
    assert reasons["50\u00a0%"] == "" and reasons["average"] == "its average includes 60\u00a0%"


def test_times_get_no_verdict_and_parameters_an_exact_one(tmp_path: Path) -> None:
    frames = load(write_study(tmp_path, COST))
    base = costs(frames)[0]
    seconds = frames.timings[(frames.timings["arm"] == BASE) & (frames.timings["name"] == "train_seconds")]["value"]
    assert base.hours == pytest.approx(seconds.mean() / 3600)
    assert (base.published_device, base.device, base.times_verdict) == ("RTX 3090", "cpu", "other device")
    assert (base.published_parameters, base.parameters_verdict) == (1_122_024, "deviates")
    exact = {n: a._replace(parameters=1_122_024) for n, a in frames.arms.items()}
    assert costs(replace(frames, arms=exact))[0].parameters_verdict == "reproduced"


def test_a_network_per_ratio_is_timed_at_the_published_ratio(tmp_path: Path) -> None:
    place = {("ISTA-Net+", "unrolled"): {"table": "table2", "model": "ISTA-Net+", "configuration": "base"}}
    truth = replace(TRUTH, systems=("ISTA-Net+",), split_ratios=True, published=place)
    frames = load(write_study(tmp_path, truth))
    one = frames.trials[(frames.trials["arm"] == "ISTA-Net+, unrolled, 100 %") & (frames.trials["position"] == 0)]
    rows = frames.timings[frames.timings["fingerprint"].isin(one["fingerprint"].tolist())]
    assert costs(frames)[0].hours == pytest.approx(rows[rows["name"] == "train_seconds"]["value"].mean() / 3600)


@pytest.mark.parametrize(
    ("ratios", "validation", "best", "expected"),
    [
        ((0.1,), "set11", 28.45, ("reproduced", "")),
        ((0.1,), "set11", 28.00, ("deviates", "")),
        ((0.1,), "bsd68", 28.45, ("not run", "validated on bsd68, not on set11")),
        ((0.1, 0.2), "set11", 28.45, ("not run", "validated over 10\u00a0%, 20\u00a0% together, not at 10\u00a0%")),
    ],
)
def test_checkpoints_are_compared_with_validation_at_their_ratio(
    tmp_path: Path, ratios: tuple[float, ...], validation: str, best: float, expected: tuple[str, str]
) -> None:
    place = {"table": "checkpoints", "model": "COAST", "layers": "5", "recursions": "4", "rfmu": "yes", "fraction": "1"}
    truth = replace(TRUTH, ratios=ratios, published={("COAST", "recursive"): place})
    frames = _validated(load(write_study(tmp_path, truth)), validation, best)
    (cell,) = checkpoint_cells(frames)
    assert (cell.arm, cell.published) == (RECURSIVE, 28.50)
    assert (cell.verdict, cell.reason) == expected


def _validated(frames: StudyFrames, validation: str, best: float) -> StudyFrames:
    for facts in frames.trials["facts"]:
        facts["best_validation_psnr"] = best
    arms = {
        name: arm._replace(configs=tuple(replace(c, data=replace(c.data, validation=validation)) for c in arm.configs))
        for name, arm in frames.arms.items()
    }
    return replace(frames, arms=arms)


@pytest.mark.parametrize(
    ("validation", "ratios", "found", "why"),
    [
        ("set11", (0.1,), ("2 of 2", 5000.0, 5000 / 1_778_240), None),
        ("bsd68", (0.1,), ("0 of 0", NAN, NAN), "no complete trial that validates set11 at 10\u00a0% alone"),
        ("set11", (0.1, 0.2), ("0 of 0", NAN, NAN), "no complete trial that validates set11 at 10\u00a0% alone"),
    ],
)
def test_samples_to_a_published_curve(
    tmp_path: Path, validation: str, ratios: tuple[float, ...], found: tuple[str, float, float], why: str | None
) -> None:
    """Its epoch 20 has 26.67 dB, which two trials have after 4,000 and 6,000 samples; its epoch 50 has 27.71, which one has."""
    place = {"table": "curve", "model": "COAST", "layers": "5", "recursions": "4", "rfmu": "yes", "fraction": "1"}
    truth = replace(TRUTH, seeds=(0, 1), ratios=ratios, published={("COAST", "recursive"): place})
    frames = _validated(load(write_study(tmp_path, truth)), validation, NAN)
    prints = frames.trials[frames.trials["arm"] == RECURSIVE].set_index("seed")["fingerprint"]
    curves = {0: [20.0, 26.68, 27.0, 27.72], 1: [20.0, 26.0, 26.67, 27.0]}
    rows = [
        {"arm": RECURSIVE, "seed": s, "fingerprint": prints[s], "epoch": e, "samples": 2000 * e, "validation_psnr": v}
        for s, values in curves.items()
        for e, v in enumerate(values, start=1)
    ]
    table = published_curve_table(replace(frames, epochs=pd.DataFrame(rows).assign(status="complete")))
    first, second = table.frame.iloc[0], table.frame.iloc[1]
    assert (first["epoch"], first["target"], first["published samples"]) == (20, 26.67, 1_778_240)
    assert (first["reached"], first["samples"], first["ratio"]) == pytest.approx(found, nan_ok=True)
    assert table.gaps.get((0, "samples")) == why
    if why is None:
        assert (second["reached"], second["own"]) == ("1 of 2", pytest.approx((27.72 + 27.0) / 2))
        assert np.isnan(second["samples"]) and table.gaps[1, "samples"] == "not reached by every seed"
    assert "commit 3b8ecc9" in table.notes[0]
    unnamed = published_curve_table(load(write_study(tmp_path / "unnamed", TRUTH)))
    assert not len(unnamed.frame)
