"""The page of the reproduction: cells of the published weights, and a chapter per study."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analysis.reproduction import cells, write_reproduction
from rdun.results import ClaimRecord
from tests.analysis.synthetic import Truth, write_study
from tests.analysis.synthetic_search import points, write_search

AGREEMENT = Path(__file__).parents[2] / "results" / "agreement-h100.csv"


@pytest.fixture
def scores() -> pd.DataFrame:
    return pd.read_csv(AGREEMENT)


def test_a_cell_is_judged_by_both_metrics(scores: pd.DataFrame) -> None:
    found = {cell.ratio: cell for cell in cells(scores)}
    assert list(found) == ["10 %", "20 %", "30 %", "40 %", "50 %", "average"]
    assert found["10 %"].published == "26.14 / 0.7329"
    assert all(cell.verdict == "reproduced" for cell in found.values())
    worse = scores.assign(ssim=scores.ssim - 0.01)
    assert {cell.verdict for cell in cells(worse)} == {"deviates"}


def test_a_cell_without_scores_was_not_run(scores: pd.DataFrame) -> None:
    found = {cell.ratio: cell for cell in cells(scores[scores.ratio != 0.3])}
    assert (found["30 %"].measured, found["30 %"].verdict) == ("–", "not run")
    assert found["average"].verdict == "not run", "an average of some ratios is another number"


def test_the_page(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    claim = ClaimRecord(
        text="Ten times better",
        arm="COAST, recursive, 100 %",
        versus="COAST, unrolled, 100 %",
        metric="psnr",
        at_least=10.0,
    )
    small = Truth(
        systems=("COAST",), sizes={"100 %": 1.0}, images=("camera.png", "coins.png"), pictures=False, claims=(claim,)
    )
    written, _ = write_study(runs, small)
    (runs / "studies").mkdir()
    written.rename(runs / "studies" / "quickstart")
    found, _ = write_search(runs, points(), baselines={"unrolled": (26.0, 7000)})
    found.rename(runs / "studies" / "tiny")
    page = tmp_path / "docs" / "reproduction.md"
    page.parent.mkdir()
    write_reproduction(runs, page, AGREEMENT)
    text = page.read_text()
    for picture in page.parent.glob("figures/*.png"):
        assert f"](figures/{picture.name})" in text
    assert len(list(page.parent.glob("figures/*.png"))) == text.count("](figures/") > 0
    assert text.count("core-hours</summary>") == 2
    assert "of 1 studies and 1 searches" in text and "| Ten times better | refuted | " in text.split("## Searches")[0]
    assert "the baseline unrolled" in text.split("## Searches")[1]
