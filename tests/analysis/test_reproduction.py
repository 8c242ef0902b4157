"""The page of the reproduction: cells of the published weights, and a chapter per study."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.numbers import number
from analysis.reference.cells import Cell, curve, sweeps, table1, table2
from analysis.reference.overview import CELLS, WEIGHTS, Claimed, anchor, overview
from analysis.reproduction import write_reproduction
from rdun.replay import load_recording, save_recording
from rdun.results import ClaimRecord, EpochRecord, Folder, PlanRecord, Store
from tests.analysis.synthetic import Truth, write_study
from tests.analysis.synthetic_search import points, write_search

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture
def scores() -> pd.DataFrame:
    return pd.read_csv(RESULTS / "agreement-h100.csv")


@pytest.fixture
def limited() -> pd.DataFrame:
    return pd.read_csv(RESULTS / "r-coast-3-percent.csv")


def cells(scores: pd.DataFrame, limited: pd.DataFrame, trained_on: str = "100 %") -> Sequence[Cell]:
    """Of R-COAST 5x4."""
    networks = table1(scores, limited)
    (found,) = [n.cells for n in networks if (n.name, n.trained_on) == ("R-COAST 5x4", trained_on)]
    return found


def test_every_cell_of_table_1_has_a_verdict(scores: pd.DataFrame, limited: pd.DataFrame) -> None:
    found = table1(scores, limited)
    assert len(found) == 8 and all(len(network.cells) == 6 for network in found)
    assert {bool(network.weights): {cell.verdict for cell in network.cells} for network in found} == {
        True: {"reproduced"},
        False: {"not run"},
    }
    assert [network.trained_on for network in found if network.weights] == ["100 %", "3 %"]


def test_table_2_counts_parameters_and_sets_times_against_the_unrolled_network() -> None:
    inference = pd.read_csv(RESULTS / "inference-cpu.csv")
    found = table2(inference)
    assert [(row.counted, row.verdict) for row in found] == [
        ("336,978", "reproduced"),
        ("114,630", "reproduced"),
        ("1,122,024", "reproduced"),
        ("281,674", "reproduced"),
    ]
    assert [row.published for row in found] == ["1.00", "0.82", "1.00", "0.99"]
    assert table2(inference.assign(parameters=7))[0].verdict == "deviates"
    assert (table2(inference.head(0))[0].verdict, table2(inference.head(0))[0].measured) == ("not run", "–")


def test_the_overview_finds_every_claim_and_says_what_was_not_run(scores: pd.DataFrame, limited: pd.DataFrame) -> None:
    rows = table1(scores, limited), table2(pd.read_csv(RESULTS / "inference-cpu.csv"))
    known, *others = overview(*rows, [], {})
    assert known.full == "COAST 74.9 % fewer, ISTA-Net+ 66.0 % fewer (counted)"
    assert "COAST \u22120.13 dB, ISTA-Net+ +0.11 dB" in others[0].claim and "6 of 6 cells" in others[0].full
    assert others[0].pocket == "At most 0.2 dB behind the unrolled one: COAST: not run; ISTA-Net+: not run"
    plans = [
        PlanRecord.load(Folder(path.parent)) for path in (RESULTS / "reproduction" / "studies").glob("*/plan.json")
    ]
    claims = [
        Claimed(p.title, c.text, "held", "", "PSNR, dB", "+1.00", "", "", "set11") for p in plans for c in p.claims
    ]
    weights = pd.DataFrame({"arm": ["R-COAST 5x4", "COAST 5x1"], "mean": [0.25, -1.0]})
    titles = {p.title for p in plans}
    tables = {(WEIGHTS, "differences-bsd68"): weights}
    found = overview(*rows, claims, tables)
    assert not [row.pocket for row in found if "not run" in row.pocket], "a claim was renamed"
    assert {title for row in found for title in row.links} <= titles | {CELLS}, "a study was renamed"
    short = "short training by a fast recipe, at most 0.2 dB behind the unrolled one:"
    assert found[1].full.endswith(f"{short} COAST: held (+1.00 dB); ISTA-Net+: held (+1.00 dB)")
    unmeasured = [c._replace(mean=number(float("nan"))) if c.claim.startswith("COAST: the") else c for c in claims]
    assert overview(*rows, unmeasured, tables)[1].full.endswith(f"{short} COAST: not run; ISTA-Net+: held (+1.00 dB)")
    twice = overview(*rows, [*claims, *(c._replace(verdict="refuted", dataset="bsd68") for c in claims)], tables)
    assert twice[1].full.endswith("ISTA-Net+: held (+1.00 dB) on set11, refuted (+1.00 dB) on bsd68")
    assert found[3].claim.endswith("by 42 % (COAST) and 21 % (ISTA-Net+)")
    assert found[5].full.startswith("+0.25 dB on BSD68 (") and found[6].full.startswith("+1.00 dB on BSD68 (")


def test_links_within_the_page_lead_to_its_heads() -> None:
    text = (RESULTS.parent / "docs" / "reproduction.md").read_text()
    heads = {anchor(head.replace("\\", "")) for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
    linked = set(re.findall(r"\]\(#(.*?)\)", text))
    assert len(linked) > 10 and linked <= heads


def test_sweeps_show_the_collapse(scores: pd.DataFrame) -> None:
    with_unit, without = sweeps(scores)
    assert list(with_unit.psnr) == [1, 2, 3, 4, 5, 6, 8]
    assert (with_unit.psnr[8], without.psnr[8]) == ("6.93", "28.16")


def test_a_cell_is_judged_by_both_metrics(scores: pd.DataFrame, limited: pd.DataFrame) -> None:
    found = {cell.ratio: cell for cell in cells(scores, limited)}
    assert list(found) == ["10 %", "20 %", "30 %", "40 %", "50 %", "average"]
    assert found["10 %"].published == "26.14 / 0.7329"
    assert all(cell.verdict == "reproduced" for cell in found.values())
    worse = scores.assign(ssim=scores.ssim - 0.01)
    assert {cell.verdict for cell in cells(worse, limited)} == {"deviates"}
    worse = limited.assign(value=limited.value - 0.01)
    assert {cell.verdict for cell in cells(scores, worse, "3 %")} == {"deviates"}


def test_a_cell_without_scores_was_not_run(scores: pd.DataFrame, limited: pd.DataFrame) -> None:
    for fewer in (
        cells(scores[scores.ratio != 0.3], limited),
        cells(scores, limited[limited.ratio != 0.3], "3 %"),
    ):
        found = {cell.ratio: cell for cell in fewer}
        assert (found["30 %"].measured, found["30 %"].verdict) == ("–", "not run")
        assert found["average"].verdict == "not run", "an average of some ratios is another number"


def test_samples_to_the_published_curve_are_those_of_the_first_epoch_that_is_as_good() -> None:
    """Its epoch 20, of 1,778,240 samples, has 26.67 dB; its epoch 50 has 27.71."""
    fields: dict[str, Any] = dict.fromkeys(EpochRecord.__annotations__, 0)

    def training(*psnr: float) -> list[EpochRecord]:
        values = [{"epoch": e, "samples": 88_912 * e, "validation_psnr": v} for e, v in enumerate(psnr, start=1)]
        return [EpochRecord(**(fields | value)) for value in values]

    found = {point.epoch: point for point in curve([training(26.66, 26.67, 26.0), training(20.0, 21.0, 28.0)])}
    assert (found["20"].psnr, found["20"].samples) == ("26.67", "1,778,240")
    assert found["20"].own == ["177,824 (0.100 ×)", "266,736 (0.150 ×)"]
    assert found["50"].own == ["not in 266,736", "266,736 (0.060 ×)"]


def test_the_page(tmp_path: Path) -> None:
    results = tmp_path / "results"
    runs = results / "reproduction"
    for name in ("agreement-h100.csv", "r-coast-3-percent.csv", "inference-cpu.csv"):
        results.mkdir(exist_ok=True)
        shutil.copy(RESULTS / name, results)
    shutil.copytree(RESULTS / "r-coast-full", results / "r-coast-full")
    claim = ClaimRecord(
        text="Ten times better",
        arm="COAST, recursive, 100 %",
        versus="COAST, unrolled, 100 %",
        metric="psnr",
        at_least=10.0,
    )
    small = Truth(
        systems=("COAST",),
        sizes={"10 %": 0.1, "100 %": 1.0},
        images=("camera.png", "coins.png"),
        pictures=False,
        claims=(claim, replace(claim, text="As similar", metric="ssim", at_least=-0.0005)),
    )
    written, _ = write_study(runs, small)
    (runs / "studies").mkdir()
    written.rename(runs / "studies" / "quickstart")
    found, _ = write_search(runs, points(), baselines={"unrolled": (26.0, 7000)})
    found.rename(runs / "studies" / "tiny")
    recorded = Folder(RESULTS / "reproduction" / "studies" / "samples-to-quality")
    save_recording(load_recording(recorded, Store(RESULTS / "reproduction" / "trials")), str(runs))
    page = tmp_path / "docs" / "reproduction.md"
    pictures = page.parent / "figures" / "reproduction"
    pictures.mkdir(parents=True)
    (pictures / "earlier.png").touch()
    write_reproduction(results, page)
    text, shown = page.read_text(), {picture.name for picture in pictures.iterdir()}
    assert set(re.findall(r"\]\(figures/reproduction/(.*)\)", text)) == shown and "earlier.png" not in shown
    assert any("-differences-" in name for name in shown) and any("-gap" in name for name in shown)
    assert text.count("core-hours</summary>") == 3
    assert "50 of 400 epochs on one NVIDIA H100 80GB HBM3 in 0.29 hours" in text
    assert "| 50 | 27.71 | 4,445,600 | not in 4,445,600 |" in text
    assert text.count("<br>not run |") == 36 and text.count(": reproduced |") == 12
    assert "| by the paper's recipe | by a fast recipe, a tenth of 20 epochs |" in text
    assert "of 2 studies and 1 searches" in text and "| Ten times better | refuted | " in text.split("## Searches")[0]
    assert re.search(r"\| As similar \| \w+ \| [^|]* \| SSIM \| [^|]*\.\d{5} [^|]* \| \u22120\.00050 \|", text), (
        "not 0.00"
    )
    assert all(f"*{title}. " in text for title in re.findall(r"!\[(.*?)\]\(", text)), "each figure has its caption"
    assert "the baseline unrolled" in text.split("## Searches")[1]
