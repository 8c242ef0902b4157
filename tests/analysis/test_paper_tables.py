"""The paper's layouts: Table 1 with published values in its cells, arms by recursions; and the trials behind every cell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from analysis.frames import load_study
from analysis.frames.measures import by_cell
from analysis.numbers import number
from analysis.pages.document import tables_of
from analysis.reference.verdicts import NOT_AS_PUBLISHED
from analysis.statistics import compare_arms
from analysis.statistics.paired import Images
from analysis.tables import (
    anchor,
    designs_table,
    differences_table,
    linked,
    means_table,
    paper_table,
    quality_table,
    to_csv,
    to_html,
    to_latex,
    to_markdown,
)
from rdun.config import UniformRange
from rdun.results import Folder, PlanRecord, Store
from tests.analysis.conftest import load
from tests.analysis.synthetic import Truth, write_study
from tests.analysis.test_reference import BASE, RECURSIVE, TRUTH, _study

SET = "photographs-test"


def test_table_1_shows_the_published_value_its_difference_and_the_verdict_in_each_cell(tmp_path: Path) -> None:
    images = Images(load(_study(tmp_path, TRUTH, {BASE: 0.05, RECURSIVE: -0.4})))
    table = paper_table(images, "bsd68")
    assert [c.header for c in table.columns] == [
        "Model", "Configuration", "Layers × recursions", *(f"{r}\u00a0%" for r in (10, 20, 30, 40, 50)), "Average", "Parameters",
    ]  # fmt: skip
    first, second = ("".join(s.text for s in line[3]) for line in table.cells)
    assert first == "26.29 / 0.7378 [published 26.24 / 0.7378, +0.05 / 0.0000: reproduced]"
    assert second.endswith("\u22120.40 / 0.0000: deviates]")
    assert [line[3][0].bold for line in table.cells] == [True, False]
    average = "".join(s.text for s in table.cells[0][8])
    assert "published 30.71 /" in average and "reproduced" in average
    assert table.group_heads() == ["100\u00a0% of the training blocks"] * 2 and not table.gaps
    latex = to_latex(table)
    assert (
        r"\toprule" in latex
        and r"\textbf{26.29}" in latex
        and "[published 26.24 / 0.7378, +0.05 / 0.0000: reproduced]" in latex
    )
    assert "psnr 10\u00a0% published" in to_csv(table).splitlines()[0]


def test_best_is_sought_within_a_data_fraction(tmp_path: Path) -> None:
    truth = Truth(
        systems=("COAST", "ISTA-Net+"), images=("a.png",), seeds=(0, 1), epochs=2, pictures=False, ratios=(0.1, 0.5),
        effects={"unrolled": 0.0, "recursive": -1.0},
    )  # fmt: skip
    table = paper_table(Images(load(write_study(tmp_path, truth))), SET)
    assert table.group_heads() == ["100\u00a0% of the training blocks"] * 4 + ["10\u00a0% of the training blocks"] * 4
    bold = [line[3][0].bold for line in table.cells]
    assert (sum(bold[:4]), sum(bold[4:])) == (1, 1)
    values = table.frame["psnr 10\u00a0%"]
    assert bold[int(np.argmax(values[:4]))] and bold[4 + int(np.argmax(values[4:]))]
    assert set(table.frame["model"]) == {"COAST", "ISTA-Net+"}
    averages = (table.frame["psnr 10\u00a0%"] + table.frame["psnr 50\u00a0%"]) / 2
    assert np.allclose(averages, table.frame["psnr average"])


def test_a_small_study_shows_no_difference_and_every_gap_its_reason(tmp_path: Path) -> None:
    holes = {(RECURSIVE, seed): ("failed", "no space") for seed in (0, 1)}
    truth = replace(TRUTH, as_published=False, statuses=holes)
    table = paper_table(Images(load(_study(tmp_path, truth, {BASE: -5.0, RECURSIVE: -5.0}))), "bsd68")
    base, recursive = ("".join(s.text for s in line[3]) for line in table.cells)
    assert base.endswith("[published 26.24 / 0.7378: not run]") and recursive.startswith("– [published")
    assert table.frame[[c for c in table.frame if "difference" in str(c)]].isna().all(axis=None)
    assert table.reasons() == [NOT_AS_PUBLISHED, "seed 0 failed: no space; seed 1 failed: no space"]
    assert "seed 0 failed: no space" in to_markdown(table)


def test_arms_stand_by_layers_recursions_and_ranges(whole: tuple[Path, Store]) -> None:
    images = Images(load(whole))
    comparisons = compare_arms(images)
    table = designs_table(images, comparisons, SET)
    shown = table.frame[["family", "layers", "train", "test", "evaluations"]].values.tolist()
    family = table.frame["family"][0]
    assert shown[:4] == [[family, 2.0, "1–3", "3", 6.0]] * 2 + [
        [family, 2.0, "3", "3", 6.0],
        [family, 6.0, "1", "1", 6.0],
    ]
    quality = quality_table(images, comparisons, SET).frame.set_index("arm")["psnr 25\u00a0%"]
    for _, row in table.frame.iterrows():
        assert row["psnr"] == pytest.approx(quality[row["arm"]])
    base = table.frame[table.frame["versus"] == ""]
    assert base["mean"].isna().all() and set(base["verdict"]) == {""}
    found = {c.arm: c for c in comparisons}
    for _, row in table.frame[table.frame["versus"] != ""].iterrows():
        assert (row["mean"], row["verdict"]) == (found[row["arm"]].mean, found[row["arm"]].verdict)


@dataclass(frozen=True, kw_only=True)
class Skewed(UniformRange):
    """Drawn between the same bounds, but not uniformly."""

    kind: ClassVar[str] = "skewed_range"


def test_a_range_that_is_not_uniform_is_another_design(whole: tuple[Path, Store]) -> None:
    images = Images(load(whole))
    arm = next(a for a in images.frames.arms.values() if isinstance(a.configs[0].recursion.train, UniformRange))
    recursion = replace(arm.configs[0].recursion, train=Skewed(low=(1,), high=(3,)))
    other = arm._replace(name="skewed", configs=(replace(arm.configs[0], recursion=recursion),))
    images.frames = replace(images.frames, arms={arm.name: arm, "skewed": other})
    assert designs_table(images, [], SET).frame["train"].tolist() == ["1–3", "1–3 (skewed_range)"]


def test_missing_designs_say_why_and_equal_ones_need_no_table(holed: tuple[Path, Store]) -> None:
    images = Images(load(holed))
    assert "seed 1 failed: out of memory: tried to allocate 2 GiB" in designs_table(images, [], SET).reasons()
    one = {n: a for n, a in images.frames.arms.items() if a.treatment == "unrolled"}
    images.frames = replace(images.frames, arms=one)
    assert designs_table(images, [], SET).frame.empty


def test_every_cell_of_numbers_leads_to_its_trials(whole: tuple[Path, Store]) -> None:
    images = Images(load(whole))
    comparisons = compare_arms(images)
    table = linked(differences_table(images.frames, comparisons, SET), images.frames)
    trials = images.frames.trials
    for line, c in enumerate(comparisons):
        expected = [f for a in (c.arm, c.versus) for f in trials.loc[trials["arm"] == a, "fingerprint"]]
        assert table.links[line, "mean"] == tuple(dict.fromkeys(expected)) and len(expected) == 6
        assert f'<tr title="Trials {", ".join(expected)}">' in to_html(table)
        assert f'<a class="trials" href="#{anchor(expected[0])}">' in to_html(table)
    assert anchor("ab12") == "trial-ab12" and "href" not in to_latex(table)
    assert number(comparisons[0].mean, 3, signed=True) + "</a>" in to_html(table)


def test_a_network_per_ratio_is_linked_ratio_by_ratio(tmp_path: Path) -> None:
    truth = Truth(
        systems=("COAST",), sizes={"100 %": 1.0}, ratios=(0.1, 0.5), split_ratios=True, images=("a.png",), seeds=(0, 1), epochs=2,
        pictures=False,
    )  # fmt: skip
    frames = load(write_study(tmp_path, truth))
    table = linked(paper_table(Images(frames), SET), frames)
    one, other, both = (table.links[0, f"psnr {at}"] for at in ("10\u00a0%", "50\u00a0%", "average"))
    assert f'<a class="trials" href="#{anchor(one[0])}" title="Trials {", ".join(one)}">' in to_html(table)
    assert len(one) == len(other) == 2 and set(one).isdisjoint(other) and set(both) == {*one, *other}


def test_the_tables_of_a_report_are_linked(whole: tuple[Path, Store]) -> None:
    images = Images(load(whole))
    items = tables_of(images, [images], compare_arms(images), [], [])
    names = [i.table.name for i in items]
    assert f"paper-{SET}" in names and f"designs-{SET}" in names
    for item in items:
        assert item.table.links or "arm" not in item.table.frame, item.table.name


def test_means_have_a_column_for_every_test_set_and_ratio(tmp_path: Path) -> None:
    """Two sets x (two ratios and their average); spreads in all; the best of a family in bold; LaTeX as all tables."""
    truth = Truth(systems=("COAST",), ratios=(0.1, 0.5), seed_sd=0.01, image_sd=0.01, epochs=4, pictures=False)
    missing = ("COAST, recursive, 10 %", 1)
    home, store = write_study(tmp_path, replace(truth, statuses={missing: ("failed", "out of memory")}))
    frames = load_study(PlanRecord.load(Folder(home)), store)
    more = frames.scores.astype({"dataset": object}).assign(dataset="other", value=frames.scores["value"] + 1)
    more = more[(more["unit"] == "image").to_numpy()]
    scores = pd.concat([frames.scores.astype({"dataset": object}), more]).astype({"dataset": "category"})
    images = Images(replace(frames, scores=scores))
    table = means_table(images, "psnr")
    heads = [c.header for c in table.columns]
    one, other = (f"{d}, " for d in (truth.dataset, "other"))
    assert heads == ["Network", *(d + at for d in (one, other) for at in ("10\u00a0%", "50\u00a0%", "average"))]
    cells = by_cell(images.cells, "other")
    for line, row in enumerate(table.frame.to_dict("records")):
        values = list(cells[row["arm"], "average", "psnr"].values())
        assert row["other average"] == pytest.approx(np.mean(values))
        assert row["other average sd"] == pytest.approx(np.std(values, ddof=1))
        best = row["arm"].startswith("COAST, recursive, random, RFMU")
        assert [span.bold for span in table.cells[line][3][:1]] == [best], (
            "the largest effect is the best of its family"
        )
    lines = [i for i, arm in enumerate(table.frame["arm"]) if arm == missing[0]]
    assert {line for line, _ in table.gaps} == set(lines) and table.reasons() == ["seed 1 failed: out of memory"]
    assert "SSIM" in means_table(images, "ssim").title and to_latex(table).count(r"\textbf") == 2 * 6


def test_means_of_one_column_are_in_the_table_of_quality(whole: tuple[Path, Store]) -> None:
    assert not len(means_table(Images(load(whole)), "psnr").frame)


def test_one_seed_on_one_set_has_no_spread_to_add(tmp_path: Path) -> None:
    truth = Truth(systems=("COAST",), ratios=(0.1, 0.5), seeds=(0,), epochs=1, pictures=False)
    assert not len(means_table(Images(load(write_study(tmp_path, truth))), "psnr").frame)
