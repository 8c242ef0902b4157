"""Letters that the figures' own font lacks come from an installed one; where none has them, the report says so once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from analysis.figures import letters, save_figure
from analysis.figures.letters import FIRST, lend_letters
from analysis.figures.style import style
from analysis.report import write_report
from rdun.results import Store
from tests.analysis.synthetic import Truth, write_study

HAN = "深度递归"


def font(path: Path, family: str, text: str) -> None:
    """A font with a square for each letter."""
    pen = TTGlyphPen(None)
    for place, corner in enumerate(((50, 0), (50, 800), (950, 800), (950, 0))):
        pen.lineTo(corner) if place else pen.moveTo(corner)
    pen.closePath()
    names = [".notdef", *(f"uni{ord(c):04X}" for c in text)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): name for c, name in zip(text, names[1:], strict=True)})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 50)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular", "psName": family.replace(" ", "")})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(path)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The fonts of the machine, as paths; none but what a test adds."""
    paths: list[str] = []
    own = [entry for entry in fontManager.ttflist if "mpl-data" in entry.fname]
    monkeypatch.setattr(fontManager, "ttflist", own)
    monkeypatch.setattr(letters, "findSystemFonts", lambda: paths)
    for cached in (letters._installed, letters._families):
        cached.cache_clear()
    yield paths
    for cached in (letters._installed, letters._families):
        cached.cache_clear()


def labelled(title: str) -> Figure:
    with style():
        figure = Figure(figsize=(3, 2), layout="constrained")
        axes = figure.subplots()
        axes.set_xlabel(title)
        axes.set_yticks([0, 1], [title, "b"])
    return figure


def test_a_text_takes_the_letters_that_it_lacks_from_another_font(installed: list[str], tmp_path: Path) -> None:
    """Also from one that was installed after matplotlib had looked for fonts; well known ones first."""
    font(tmp_path / "a.ttf", "A Family", HAN)
    font(tmp_path / "b.ttf", FIRST[5], HAN[:2])
    installed += [str(tmp_path / "a.ttf"), str(tmp_path / "b.ttf"), str(tmp_path / "damaged.ttf")]
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    boxes, figure = save_figure(labelled(f"x {HAN}")), labelled(f"x {HAN}")
    assert lend_letters(figure) == ""
    files, (axes,) = save_figure(figure), figure.axes
    assert [*axes.xaxis.label.get_fontfamily()] == ["sans-serif", FIRST[5], "A Family"]
    assert [*axes.get_yticklabels()[0].get_fontfamily()] == ["sans-serif", FIRST[5], "A Family"]
    assert [*axes.get_yticklabels()[1].get_fontfamily()] == ["sans-serif"]
    assert files["png"] != boxes["png"] and files == save_figure(figure)
    assert b"AFamily" in files["pdf"] and b"LastResort" not in files["pdf"]
    assert FIRST[5].encode() in files["svg"]


def test_latin_figures_do_not_depend_on_what_is_installed(installed: list[str], tmp_path: Path) -> None:
    plain = save_figure(labelled("recursive, Δ ≥ 0.1"))
    font(tmp_path / "a.ttf", FIRST[0], f"{HAN}recusiv")
    installed.append(str(tmp_path / "a.ttf"))
    figure = labelled("recursive, Δ ≥ 0.1")
    assert lend_letters(figure) == ""
    assert save_figure(figure) == plain


@pytest.mark.usefixtures("rough_figures")
def test_letters_that_no_font_has_are_told_once(installed: list[str], tmp_path: Path) -> None:
    effects = {"展开": 0.0, "递归": 0.1}
    truth = Truth(systems=("COAST",), sizes={"100 %": 1.0}, effects=effects, seeds=(0, 1), epochs=2, pictures=False)
    home, store = write_study(tmp_path, truth)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Glyph")
        report = write_report(home, store)
    assert report.problem == (
        "Figures show 4 letters as boxes in PNG and PDF (展开归递), as no installed font has them; install one that has, such as "
        "Noto Sans CJK, and give the command once more with --report-only"
    )
    for cached in (letters._installed, letters._families):
        cached.cache_clear()
    font(tmp_path / "a.ttf", FIRST[0], "展开递归")
    installed.append(str(tmp_path / "a.ttf"))
    assert write_report(home, Store(store.path)).problem == ""
