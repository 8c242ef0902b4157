"""Tables: known answers, one source in four formats, gaps with notes, escaping."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.frames.search import load_search
from analysis.numbers import duration, interval, listed, number, p_value, percent, plural
from analysis.pages.captions import devices
from analysis.pages.document import tables_of
from analysis.pages.drawings import figures_of
from analysis.search_report import build
from analysis.statistics import check_claims, compare_arms, main_effects
from analysis.statistics.paired import Images
from analysis.tables import (
    Interval,
    Number,
    Pair,
    Probability,
    Table,
    Text,
    claims_table,
    differences_table,
    effects_table,
    latex_text,
    matrices_table,
    overfitting_table,
    quality_table,
    reaching_table,
    recursions_table,
    timing_table,
    to_csv,
    to_html,
    to_latex,
    to_markdown,
)
from rdun.results import TRAINED_IN, Folder, SearchRecord, Store
from tests.analysis.conftest import load
from tests.analysis.synthetic import PROTOCOL, Truth, image_level, write_study
from tests.analysis.synthetic_search import points, write_search

DATASET = "photographs-test"


def test_numbers_have_a_true_minus_and_no_negative_zero() -> None:
    assert number(-0.123) == "\u22120.12"
    assert number(-0.001, signed=True) == "0.00"
    assert number(0.1, signed=True) == "+0.10"
    assert number(281674, 0) == "281,674"
    assert (number(float("nan")), number(None), number(float("inf"))) == ("–", "–", "∞")
    assert interval(-0.1, 0.2, signed=True) == "[\u22120.10, +0.20]"
    assert (percent(0.25), percent(0.015)) == ("25\u00a0%", "1.5\u00a0%")
    assert (duration(8.24), duration(75), duration(3725)) == (
        "8.2\u00a0s",
        "1\u00a0min 15\u00a0s",
        "1\u00a0h 2\u00a0min",
    )
    assert (p_value(0.0001), p_value(0.04)) == ("< 0.001", "0.040")
    assert (p_value(0.04951), p_value(0.0494), p_value(0.05)) == ("< 0.050", "0.049", "0.050")
    assert (plural(1, "seed"), plural(2, "seed"), listed(["a", "b", "c"])) == ("1 seed", "2 seeds", "a, b and c")


@pytest.fixture
def small() -> Table:
    frame = pd.DataFrame(
        {
            "family": ["A", "A", "A", "B"],
            "name": ["initial", "one | two", "<b>", "alone"],
            "psnr": [99.0, 25.0, 26.0, 27.0],
            "sd": [np.nan, 0.1, np.nan, 0.3],
            "ssim": [0.9, 0.8, 0.7, 0.6],
            "low": [np.nan, -0.1, 0.2, np.nan],
            "high": [np.nan, 0.3, 0.4, np.nan],
            "baseline": [True, False, False, False],
        }
    )
    psnr = Number(key="psnr", header="PSNR", unit="dB", spread="sd", best=True)
    return Table(
        name="small",
        title="Small & good",
        caption="100 % made up",
        frame=frame,
        columns=(
            Text(key="name", header="Network"),
            psnr,
            Pair(first=psnr, second=Number(key="ssim", header="SSIM", digits=4, best=True), header="Both"),
            Interval(low="low", high="high", header="Interval"),
        ),
        group="family",
        gaps={(2, "psnr"): "1 of 2 seeds: seed 1 failed"},
    )


def test_best_is_sought_in_each_group_without_the_baseline(small: Table) -> None:
    bold = [[s.text for c in line for s in c if s.bold] for line in small.cells]
    assert bold == [[], ["0.8000"], ["26.00", "26.00"], []]


def test_markdown(small: Table) -> None:
    text = to_markdown(small)
    assert "**Small &amp; good" not in text and "**Small & good.** 100 % made up" in text
    assert r"one \| two" in text and "&lt;b&gt;" in text
    assert r"**26.00** \[1\]" in text and "1. 1 of 2 seeds: seed 1 failed" in text
    assert "25.00 ± 0.10" in text


def test_latex(small: Table) -> None:
    text = to_latex(small)
    assert r"\caption{Small \& good. 100 \% made up}\par" in text
    assert r"\textbf{26.00}$^{1}$" in text and r"25.00 $\pm$ 0.10" in text
    assert r"\textless{}b\textgreater{}" in text
    assert text.count(r"\midrule") == 2 and r"\toprule" in text and r"\bottomrule" in text
    assert r"[$-$0.10, +0.30]" in text


def test_latex_of_wide_and_long_tables() -> None:
    frame = pd.DataFrame({"name": ["[x] " + "word " * 20] * 40, "value": [1.0] * 40})
    columns = (Text(key="name", header="A head of many words", unit="dB"), Number(key="value", header="[Value"))
    text = to_latex(Table(name="long", title="Long", caption="", frame=frame, columns=columns))
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 4 and text.count(r"\label") == 1
    assert "Long (part 1 of 4)" in text and text.count(r"\parbox[t]") == 40
    assert r"\shortstack[l]{A head of\\many words\\(dB)}" in text
    assert latex_text("λ ≤ [δ") == r"$\lambda$ $\leq$ [$\delta$"
    assert (
        latex_text("|x| `y") == r"\textbar{}x\textbar{} \textasciigrave{}y"
    )  # in TeX's own letters, | is a dash and ` a quote


def test_a_table_with_letters_that_pdflatex_does_not_know_says_so(small: Table) -> None:
    """Its label too is of letters that it knows, and is not that of another such table."""
    plain = replace(small, title="Größe „a“ – λ ≤ 5 €")
    assert "LuaLaTeX" not in to_latex(plain)
    first, *rest = to_latex(replace(plain, title="递归 a", name="quality-测试")).splitlines()
    assert (
        first.startswith("% 归递 needs LuaLaTeX or XeLaTeX with a font that has these letters")
        and rest[0] == r"\begin{table}"
    )
    labels = [
        re.findall(r"\\label{(.*)}", to_latex(replace(small, name=f"quality-{n}")))[0] for n in ("测试", "验证", "b")
    ]
    assert len(set(labels)) == 3 and labels[2] == "tab:quality-b" and "".join(labels).isascii()


needs_latex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")


def compiled(tables: list[Table], folder: Path) -> str:
    """What pdflatex says about a document of these tables."""
    head = r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}"
    page = "\n".join([head, *(to_latex(t) + r"\clearpage" for t in tables), r"\end{document}"])
    (folder / "t.tex").write_text(page)
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "t.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


@needs_latex
def test_all_tables_of_a_study_and_a_search_compile_and_fit(
    holed: tuple[Path, Store], small: Table, tmp_path: Path
) -> None:
    frames = load(holed)
    images, comparisons = Images(frames), compare_arms(Images(frames))
    claims = check_claims(images, frames.plan.claims)
    tables = [i.table for i in tables_of(images, [images], comparisons, main_effects(frames, comparisons), claims)]
    home, store = write_search(tmp_path, points(), baselines={"unrolled": (29.8, 8000)})
    tables += [i.table for i in build(load_search(SearchRecord.load(Folder(home)), store)).tables]
    said = compiled([small, *tables], tmp_path)
    assert len(tables) > 9
    assert "Overfull" not in said and "too large" not in said and "undefined" not in said


@needs_latex
def test_names_that_attack_latex_compile(tmp_path: Path) -> None:
    evil = [r"\input{/etc/passwd}", "[x]", "*", "50 % & $x_1^2$ #1 ~ {", r"\end{tabular}", "λ ≤ δ “quoted” … ‖"]
    evil += ['|x| `y` "z"', "«a» ≈ ≠ ∂x √2 ∈ ℓ1 ² ½ µ °C Größe naïve"]
    columns = (Text(key="name", header="[λ] head\\"), Text(key="name", header="again"))
    table = Table(name="e_v%l", title=evil[0], caption=evil[3], frame=pd.DataFrame({"name": evil}), columns=columns)
    compiled([table], tmp_path)


def test_html(small: Table) -> None:
    text = to_html(small)
    assert "<b>26.00</b>" in text and "&lt;b&gt;" in text and "<b></b>" not in text
    assert text.count("<tbody>") == 2 and 'scope="row"' in text and 'scope="rowgroup"' in text
    assert '<sup class="note" title="1 of 2 seeds: seed 1 failed">1</sup>' in text


def test_csv_keeps_all_digits_and_disarms_formulas(small: Table) -> None:
    small.frame.loc[0, "psnr"] = 1 / 3
    small.frame.loc[0, "name"] = "=HYPERLINK(1)"
    rows = list(csv.DictReader(io.StringIO(to_csv(small))))
    assert float(rows[0]["psnr"]) == 1 / 3
    assert rows[0]["name"] == "'=HYPERLINK(1)"
    assert rows[2]["missing"] == "1 of 2 seeds: seed 1 failed"


def test_csv_has_all_numbers_beside_the_reasons_of_gaps(holed: tuple[Path, Store]) -> None:
    """The gap between training and validation is a number, and not the reason of a gap in the table."""
    table = overfitting_table(load(holed))
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert [float(r["gap"] or "nan") for r in rows] == pytest.approx(table.frame["gap"].tolist(), nan_ok=True)
    assert [r["missing"] for r in rows if r["missing"]] == list(table.gaps.values()) and table.gaps


def test_a_p_is_never_zero(small: Table) -> None:
    column = Probability(key="p", header="p")
    table = replace(small, frame=pd.DataFrame({"p": [0.0002, 0.04, np.nan]}), columns=(column,), group="", gaps={})
    assert [line[0][0].text for line in table.cells] == ["< 0.001", "0.040", "–"]


def test_an_empty_table_renders(small: Table) -> None:
    empty = Table(name="e", title="E", caption="", frame=pd.DataFrame(), columns=small.columns)
    assert "No rows yet" in to_markdown(empty) and "No rows yet" in to_html(empty)
    assert r"\bottomrule" in to_latex(empty) and to_csv(empty)


def test_quality_values_by_hand(whole: tuple[Path, Store]) -> None:
    images = Images(load(whole))
    table = quality_table(images, compare_arms(images), DATASET)
    assert list(table.frame["network"][:3]) == ["initial estimate", "unrolled", "recursive"]
    levels = np.mean([image_level(n) for n in ("camera.png", "coins.png", "moon.png")])
    psnr = "psnr 25\u00a0%"
    assert table.frame[psnr][0] == pytest.approx(levels)
    assert table.frame[f"{psnr} sd"][0] == pytest.approx(0)
    rows = images.values[(images.values["arm"] == table.frame["arm"][1]) & (images.values["metric"] == "psnr")]
    by_seed = rows[rows["at"] == "average"].groupby("seed")["value"].mean()
    assert table.frame[psnr][1] == pytest.approx(by_seed.mean())
    assert table.frame[f"{psnr} sd"][1] == pytest.approx(by_seed.std())
    assert not table.gaps


def test_quality_with_several_ratios_has_pairs_and_an_average(tmp_path: Path) -> None:
    truth = Truth(
        systems=("COAST",), sizes={"100 %": 1.0}, ratios=(0.1, 0.5), images=("a.png",), seeds=(0, 1), pictures=False
    )
    images = Images(load(write_study(tmp_path, truth)))
    table = quality_table(images, compare_arms(images), truth.dataset)
    assert [c.header for c in table.columns[4:7]] == ["10\u00a0%", "50\u00a0%", "Average"]
    frame = table.frame
    both = (frame["psnr 10\u00a0%"] + frame["psnr 50\u00a0%"]) / 2
    assert np.allclose(both, frame["psnr average"])


def test_gaps_are_noted_in_every_table(holed: tuple[Path, Store]) -> None:
    images = Images(load(holed))
    comparisons = compare_arms(images)
    quality = quality_table(images, comparisons, DATASET)
    assert "2 of 3 seeds: seed 1 failed: out of memory: tried to allocate 2 GiB" in quality.reasons()
    assert "2 of 3 seeds: seed 0 not run" in quality.reasons()
    assert "2 of 3 seeds: seed 2 running" in quality.reasons()
    for table in (differences_table(images.frames, comparisons, DATASET), timing_table(images.frames)):
        assert len(table.reasons()) == 3, table.name
    assert len(overfitting_table(images.frames).reasons()) == 3


def test_overfitting_gap_is_the_difference_of_gains(whole: tuple[Path, Store]) -> None:
    table = overfitting_table(load(whole)).frame
    assert np.allclose(table["gap"], table["gain train"] - table["gain validation"])
    expected = {("unrolled", 0.1): 0.744, ("unrolled", 1.0): 0.24, ("recursive", 0.1): 0.372, ("recursive", 1.0): 0.12}
    for (network, fraction), gap in expected.items():
        row = table[(table["network"] == network) & (table["fraction"] == fraction)]
        assert row["gap"].item() == pytest.approx(gap)
    assert table["size"][0] == "10\u00a0% (400)"


def test_timing_ratios_are_paired(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    table = timing_table(frames)
    seconds = frames.timings[frames.timings["name"] == "train_seconds"].pivot(
        index="seed", columns="arm", values="value"
    )
    arm, base = "COAST, recursive, 10 %", "COAST, unrolled, 10 %"
    row = table.frame[table.frame["arm"] == arm]
    assert row["time ratio"].item() == pytest.approx((seconds[arm] / seconds[base]).mean())
    assert table.frame["time ratio"].isna().sum() == 2  # the base arms
    assert "stage_evaluations_per_second" not in table.frame


def test_times_on_different_devices_have_no_ratio(whole: tuple[Path, Store]) -> None:
    """One seed of one arm ran on a GPU, all seeds of another with four threads."""
    frames = load(whole)
    trials, arm, other = frames.trials, "COAST, recursive, 10 %", "COAST, recursive, random, 10 %"
    trials.loc[(trials["arm"] == arm) & (trials["seed"] == 1), "device"] = "H100"
    trials.loc[trials["arm"] == other, "threads"] = 4
    trials["trained_on"] = [(f"{d}, {t} threads",) for d, t in zip(trials["device"], trials["threads"], strict=True)]
    table = timing_table(frames)
    told = " Seconds are of several kinds of device, H100 (1 thread), cpu (1 thread) and cpu (4 threads): compare those of one."
    (caption,) = [item.caption for item in figures_of(frames, [], []) if item.name == "learning"]
    assert told in caption and not devices(load(whole))
    seconds = frames.timings[frames.timings["name"] == "train_seconds"].pivot(
        index="seed", columns="arm", values="value"
    )
    lines = [table.frame["arm"].tolist().index(name) for name in (arm, other)]
    alike = (seconds[arm] / seconds["COAST, unrolled, 10 %"])[[0, 2]].mean()
    assert table.frame["time ratio"][lines].tolist() == pytest.approx([alike, float("nan")], nan_ok=True)
    assert table.frame["step ratio"][lines].isna().tolist() == [False, True]
    assert table.gaps == {
        (line, "time ratio"): f"without seed {seeds}, on another device than the base arm's"
        for line, seeds in zip(lines, ("1", "0, 1 and 2"), strict=True)
    }


def test_times_say_which_trainings_were_taken_over(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    assert "had trained" not in timing_table(frames).caption
    facts = [{**own, TRAINED_IN: "0" * 16} if line < 2 else own for line, own in enumerate(frames.trials["facts"])]
    taken = replace(frames, trials=frames.trials.assign(facts=pd.Series(facts, dtype=object)))
    assert timing_table(taken).caption.endswith(
        " 2 trials only tested what trials of other tests had trained: hours without that."
    )


def test_timing_without_any_measurement(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    frames.timings.drop(frames.timings.index, inplace=True)
    assert [c.header for c in timing_table(frames).columns] == [
        "Network",
        "Parameters",
        "Stages per step",
        "Core-hours",
    ]


def test_samples_to_the_base_arms_quality(whole: tuple[Path, Store]) -> None:
    """The base is best at epoch 3 with 30 dB; the arm is there after epoch 2 (seed 0), 4 (seed 1), never (seed 2)."""
    frames = load(whole)
    arm, base = "COAST, recursive, 10 %", "COAST, unrolled, 10 %"
    curves = {(base, s): [28.0, 29.0, 30.0, 29.5] for s in (0, 1, 2)}
    curves |= {
        (arm, 0): [29.0, 30.0, 31.0, 29.0],
        (arm, 1): [28.0, 29.0, 29.9, 30.5],
        (arm, 2): [20.0, 21.0, 22.0, 23.0],
    }
    prints = frames.trials.set_index(["arm", "seed"])["fingerprint"]
    rows = [
        {"arm": a, "seed": s, "fingerprint": prints[a, s], "epoch": e, "samples": 100 * e, "validation_psnr": v}
        for (a, s), values in curves.items()
        for e, v in enumerate(values, start=1)
    ]
    found = replace(frames, epochs=pd.DataFrame(rows).assign(status="complete"))
    table = reaching_table(found)
    row = table.frame[table.frame["arm"] == arm].iloc[0]
    assert (row["target"], row["reached"]) == (30.0, "2 of 3") and np.isnan(row["samples"])
    assert row["own"] == pytest.approx((31.0 + 30.5 + 23.0) / 3)
    others = table.frame[table.frame["arm"] != arm]
    assert set(others["reached"]) == {"0 of 0"} and len(table.reasons()) == 2
    two = replace(found, epochs=found.epochs[found.epochs["seed"] < 2])
    table = reaching_table(two)
    row = table.frame[table.frame["arm"] == arm].iloc[0]
    assert (row["reached"], row["samples"]) == ("2 of 2", 300.0)
    assert row["ratio"] == pytest.approx((200 / 300 + 400 / 300) / 2)


def test_other_tables_render(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    images = Images(frames)
    comparisons = compare_arms(images)
    claims = claims_table(images.frames, check_claims(images, frames.plan.claims))
    assert claims.frame["verdict"][0].startswith(("undecided", "refuted"))
    sweep = recursions_table(frames, DATASET)
    assert [c.header for c in sweep.columns] == ["Network", "Own count", "2", "4", "6"]
    effects = effects_table(frames, main_effects(frames, comparisons), DATASET)
    assert len(effects.frame) == 6
    for table in (claims, sweep, effects, differences_table(frames, comparisons, DATASET)):
        assert to_markdown(table) and to_latex(table) and to_html(table) and to_csv(table)


def test_spread_over_matrices(tmp_path: Path) -> None:
    gains = {"gauss-s0": 0.4, "gauss-s1": 0.02, "gauss-s2": 1.1}
    truth = Truth(
        systems=("COAST",), sizes={"100 %": 1.0}, ratios=(0.1, 0.5), images=("a.png", "b.png"), seeds=(0, 1), pictures=False,
        matrices=tuple(gains), records={PROTOCOL: {"measurement": {"matrices": gains}}},
        statuses={("COAST, recursive, 100 %", 1): ("failed", "no space")},
    )  # fmt: skip
    frames = load(write_study(tmp_path, truth))
    table = matrices_table(frames, truth.dataset)
    assert list(table.frame["at"][:2]) == ["10\u00a0%", "50\u00a0%"] and len(table.frame) == 8
    first = table.frame.iloc[0]
    assert first["matrices"] == 3 and first["sd"] == pytest.approx(0.5)
    assert first["high"] - first["low"] == pytest.approx(1.0) and first["mean"] == pytest.approx(first["psnr gauss-s1"])
    images = Images(frames).table("COAST, unrolled, 100 %", truth.dataset, "10\u00a0%", "psnr")
    assert first["mean"] == pytest.approx(images.to_numpy().mean())  # as in all other tables
    assert (first["gain low"], first["gain high"], first["gain gauss-s0"]) == (0.02, 1.1, 0.4)
    assert table.reasons() == ["1 of 2 seeds: seed 1 failed: no space"]
    assert "[0.020, 1.100]" in to_markdown(table).replace("\\", "")


def test_one_matrix_has_no_spread(whole: tuple[Path, Store]) -> None:
    assert matrices_table(load(whole), DATASET).frame.empty


def test_hours_of_arms_and_of_the_study(holed: tuple[Path, Store]) -> None:
    """Complete trials took 36 minutes on one core; one that was cut off counts to its last epoch, one not run nothing."""
    frames = load(holed)
    table = timing_table(frames)
    hours = dict(zip(table.frame["arm"], table.frame["hours"], strict=True))
    assert hours["COAST, unrolled, 10 %"] == pytest.approx(3 * 0.6)
    assert hours["COAST, recursive, 100 %"] == pytest.approx(2 * 0.6)
    cut_off = 2 * 4.0 / 3600
    assert hours["COAST, recursive, random, 100 %"] == pytest.approx(2 * 0.6 + cut_off)
    total = 21 * 0.6 + 2 * cut_off
    assert f"took {total:.3f} core-hours together" in table.notes[0] and "each" not in table.notes[0]
    assert "Core-hours" in [c.header for c in table.columns]


def test_hours_have_a_price_and_are_counted_once(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    shared = frames.trials["fingerprint"][0]
    trials = frames.trials.assign(gpu_hours=0.25)
    trials.loc[trials.index[-1], "fingerprint"] = shared
    priced = replace(frames.plan, provenance={"price": "2.5 EUR"})
    table = timing_table(replace(frames, trials=trials, plan=priced))
    assert "took 5.750 GPU-hours together" in table.notes[0] and "at 2.5 EUR each, 14.38 EUR." in table.notes[0]
    assert table.frame["hours"].tolist() == [0.75] * 8 and "GPU-hours" in [c.header for c in table.columns]
