"""The report of a search: known answers, gaps, hostile names, and trials that were really run."""

from __future__ import annotations

import csv
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis.figures.importance import draw_importance, importance_info
from analysis.figures.search import draw_search, search_info
from analysis.frames.search import SearchFrames, load_search
from analysis.search_report import build, write_search_report
from analysis.statistics.importance import importances
from analysis.tables.search import best_table, trials_table
from analysis.words.search_answer import search_answer
from rdun.config import Fixed, TrialConfig, with_values
from rdun.plan import QUANTITIES
from rdun.results import Attempt, Folder, RunInfo, SearchRecord, SearchTrial, Store
from rdun.search import Int
from rdun.trial import run_trial
from tests.analysis.synthetic_search import TEST_SHIFT, TWO, points, trial, unfinished, write_search, write_trial

KNOWN = ("stage_evaluations", "steps", "samples")


def frames_of(search: tuple[Path, Store]) -> SearchFrames:
    folder, store = search
    return load_search(SearchRecord.load(Folder(folder)), store)


def many(count: int) -> list[SearchTrial]:
    """Quality grows with `high` and hardly with `layers`; `same` never varies."""
    drawn = random.Random(5)
    chosen = [(drawn.randint(1, 4), drawn.randint(1, 4)) for _ in range(count)]
    return [
        trial(n, 25 + high + 0.01 * layers, 1000 * layers, {"layers": layers, "high": high, "same": 1})
        for n, (layers, high) in enumerate(chosen)
    ]


def test_pareto_set_is_the_known_one(tmp_path: Path) -> None:
    frames = frames_of(write_search(tmp_path, points(), baselines={"unrolled": (29.8, 8000)}))
    assert frames.best == (1, 0, 2)
    table = best_table(frames)
    assert table.frame["trial"].tolist() == ["1", "0", "2", "unrolled"]
    assert table.frame["validation_psnr"].tolist() == [31.0, 30.0, 29.0, 29.8]
    assert table.frame["test photos"].tolist() == pytest.approx([v + TEST_SHIFT for v in (31.0, 30.0, 29.0, 29.8)])
    info = search_info(frames)
    assert {(p.number, p.x, p.y) for p in info.points if p.best} == {(1, 4000, 31), (0, 2000, 30), (2, 1000, 29)}
    assert info.baselines == (("unrolled", 8000, 29.8),) and info.to_left and info.rising
    line = next(line for line in draw_search(info).axes[0].lines if line.get_drawstyle() == "steps-post")
    assert line.get_xydata().tolist() == [[1000, 29], [2000, 30], [4000, 31]]  # type: ignore[union-attr]


def test_numbers_of_best_trials_that_nearly_touch_stand_together(tmp_path: Path) -> None:
    close = [trial(7, 31.001, 4004), trial(8, 20.0, 9000)]
    axes = draw_search(search_info(frames_of(write_search(tmp_path, [*points(), *close])))).axes[0]
    front = {
        p.number: p.x for p in search_info(frames_of(write_search(tmp_path, [*points(), *close]))).points if p.best
    }
    texts = [text.get_text() for text in axes.texts]
    assert sorted(int(n) for text in texts for n in text.split(", ")) == sorted(front)
    assert any(text.endswith(", 7") for text in texts) and len(texts) == len(front) - 1


@pytest.mark.parametrize("objectives", [TWO, TWO[:1], TWO[::-1]])
def test_numbers_of_best_trials_stay_inside_the_axes(tmp_path: Path, objectives: tuple[dict[str, str], ...]) -> None:
    turned = [replace(t, objectives=t.objectives[::-1] if objectives[0] == TWO[1] else t.objectives) for t in points()]
    some = [replace(t, objectives=t.objectives[: len(objectives)]) for t in turned]
    figure = draw_search(search_info(frames_of(write_search(tmp_path, some, objectives=objectives))))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    inside = figure.axes[0].get_window_extent()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert boxes and all(inside.y0 <= box.y0 and box.y1 <= inside.y1 for box in boxes)


def test_a_baseline_without_a_value_on_an_axis_is_named(tmp_path: Path) -> None:
    """Its trial knows steps, samples and stage applications; its multiply-accumulates are in the record alone."""
    shown = []
    for name, costs in (("macs", {}), ("macs", {"unrolled": {"macs": 4e6}}), *((n, {}) for n in KNOWN)):
        objectives = [TWO[0], {"quantity": name, "direction": "minimize"}]
        frames = frames_of(
            write_search(
                tmp_path / f"{name}{len(costs)}",
                points(),
                objectives=objectives,
                baselines={"unrolled": (29.8, 8000)},
                baseline_quantities=costs,
            )
        )
        (figure, *_) = build(frames).figures
        hidden = "Not shown, without a value on both axes: unrolled." in figure.caption
        shown += [] if hidden else [(name, *(x for _, x, _ in search_info(frames).baselines))]
    assert shown == [("macs", 4.0), ("stage_evaluations", 4.0), ("steps", 30.0), ("samples", 480.0)]


def test_answer_names_the_cheapest_as_good_as_each_baseline(tmp_path: Path) -> None:
    reference = {"unrolled": (29.8, 8000), "deep": (32.0, 20000), "even": (30.0, 8000)}
    first, *others = search_answer(frames_of(write_search(tmp_path, points(), baselines=reference)))
    assert first.startswith(
        "3 of 6 complete settings are Pareto-optimal in validation PSNR (max.) and parameters (min.)."
    )
    assert "baseline unrolled (29.80\u00a0dB) is trial 0 (layers 1, high 1): parameters 2,000" in first
    assert "25\u00a0% of the baseline's 8,000" in first and "test PSNR 28.75\u00a0dB on photos" in first
    assert "No trial is at least as good in validation PSNR as the baseline deep (32.00\u00a0dB)." in others
    assert any("as the baseline even (30.00\u00a0dB) is trial 0 (layers 1, high 1)" in line for line in others)


def test_a_search_that_names_its_cost_first_is_answered_by_quality(tmp_path: Path) -> None:
    """And PSNR, which is drawn across, is on no logarithmic axis: decibels are logarithms."""
    turned = [replace(t, objectives=t.objectives[::-1]) for t in points()]
    frames = frames_of(write_search(tmp_path, turned, objectives=TWO[::-1], baselines={"unrolled": (29.8, 8000)}))
    first = search_answer(frames)[0]
    assert "at least as good in validation PSNR as the baseline unrolled (29.80\u00a0dB) is trial 0 (layers 1" in first
    assert "parameters 2,000, 25\u00a0% of the baseline's 8,000, validation PSNR 30.00\u00a0dB" in first
    assert draw_search(search_info(frames)).axes[0].get_xscale() == "linear"
    alone = [replace(t, objectives=t.objectives[1:]) for t in points()]
    frames = frames_of(
        write_search(tmp_path / "alone", alone, objectives=TWO[1:], baselines={"unrolled": (29.8, 8000)})
    )
    assert "6 trials are at least as good in parameters as the baseline unrolled (8,000)." in search_answer(frames)[0]


@pytest.mark.parametrize(("direction", "best", "psnr"), [("maximize", 1, "31.00"), ("minimize", 5, "28.00")])
def test_one_objective_gives_the_best_trial_and_a_history(tmp_path: Path, direction: str, best: int, psnr: str) -> None:
    goal = [{"quantity": "validation_psnr", "direction": direction}]
    frames = frames_of(write_search(tmp_path, points(count=1), objectives=goal))
    first = search_answer(frames)[0]
    assert f"Best by validation PSNR: trial {best} (" in first and f"validation PSNR {psnr}\u00a0dB, test PSNR" in first
    assert best_table(frames).frame["trial"].iloc[0] == str(best)
    line = next(line for line in draw_search(search_info(frames)).axes[0].lines if line.get_label() == "best so far")
    reached = [30, 31, 31, 31, 31, 31] if direction == "maximize" else [30, 30, 29, 29, 29, 28]
    assert list(line.get_ydata()) == reached  # type: ignore[arg-type]


def test_an_unfinished_search_says_what_is_missing(tmp_path: Path) -> None:
    copy = replace(points()[1], number=6, state="duplicate")
    trials = [
        *points()[:3],
        copy,
        unfinished(7, "running"),
        unfinished(8, "failed", "out of memory"),
        unfinished(9, "infeasible", "parameters is 9,000, above 8,000"),
    ]
    search = write_search(tmp_path, trials, wanted=12, baselines={"unrolled": (29.0, 8000)})
    search[1].trial("base0").remove("run.json")
    search[1].trial("trial002").remove("scores.csv")
    frames = frames_of(search)
    lines = search_answer(frames)
    assert (
        "3 of 12 trials complete; 1 duplicate, 1 running, 1 failed and 6 not suggested yet; "
        "besides, 1 suggestion was infeasible." in lines
    )
    assert "The baseline unrolled has no validation PSNR: not run." in lines[0]
    table = trials_table(frames)
    assert dict(zip(table.frame["trial"], table.frame["reason"], strict=True))["8"] == "out of memory"
    assert table.frame["test photos"].iloc[3] == table.frame["test photos"].iloc[1]  # the duplicate has the result
    best = best_table(frames)
    lacking = best.frame["trial"].tolist().index("2")
    assert best.gaps[lacking, "test photos"] == "unreadable: scores.csv is missing or empty"
    report = write_search_report(search[0], search[1])
    page = report.path.read_text()
    assert "from 10 complete trials on; there are 3" in page and "above 8,000" in page


def test_settings_with_several_seeds_are_shown_by_means_and_spreads(tmp_path: Path) -> None:
    seeded = [
        replace(t, fingerprints=[f"{t.fingerprint}-{seed}" for seed in (4, 9)], spreads=[0.5 * 2**0.5, 0.0])
        for t in points()
    ]
    baselines = {"unrolled": ["deep-4", "deep-9"]}
    copy = replace(seeded[0], number=6, state="duplicate")
    home, store = write_search(tmp_path, [*seeded, copy], baselines={}, seeds=[4, 9], wanted=7)
    record = replace(SearchRecord.load(Folder(home)), baselines=baselines)
    record.save(Folder(home))
    middles = {tuple(t.fingerprints): t.objectives for t in seeded} | {("deep-4", "deep-9"): [29.8, 8000]}
    for prints, (psnr, parameters) in middles.items():
        for fingerprint, shift in zip(prints, (-0.5, 0.5), strict=True):
            write_trial(store, fingerprint, psnr + shift, int(parameters))
    frames = frames_of((home, store))
    table = trials_table(frames).frame.set_index("trial")
    for number, level in (("1", 31.0), ("6", 30.0), ("unrolled", 29.8)):
        row = table.loc[number]
        assert (row["validation_psnr"], row["validation_psnr sd"]) == pytest.approx((level, 0.5 * 2**0.5))
        assert (row["test photos"], row["test photos sd"]) == pytest.approx((level + TEST_SHIFT, 0.5 * 2**0.5))
    assert table.loc["unrolled", "parameters"] == 8000
    best = best_table(frames)
    assert "means ± standard deviation over seeds 4 and 9" in best.caption
    assert "31.00 ± 0.71" in {"".join(span.text for span in spans) for line in best.cells for spans in line}
    answer = search_answer(frames)
    assert "with 2 seeds each, by their means" in answer[-1] and "A study with new seeds decides" in answer[-1]
    store.trial("trial001-9").remove("scores.csv")
    store.trial("deep-4").remove("run.json")
    gap = frames_of((home, store))
    assert gap.tested[1].psnr == {} and gap.tested[1].reason == "unreadable: scores.csv is missing or empty"
    assert "The baseline unrolled has no validation PSNR: not run." in search_answer(gap)[0]
    page = write_search_report(home, store).path.read_text()
    assert "trial000-4, trial000-9" in page and "Seeds of the trials" in page
    assert 'href="#trial-trial000-4"' in page and 'id="trial-trial000-4"' in page


def test_a_trial_that_was_stopped_early_is_shown_and_counts_nowhere(tmp_path: Path) -> None:
    goal = [{"quantity": "validation_psnr", "direction": "maximize"}]
    trials = [*points(count=1), unfinished(6, "stopped early", "at epoch 3 by asha"), unfinished(7, "duplicate")]
    home, store = write_search(
        tmp_path, trials, objectives=goal, wanted=8, stopping="asha (from epoch 1, 1 of 3 goes on)"
    )
    frames = frames_of((home, store))
    assert frames.complete()["number"].tolist() == list(range(6))
    assert "6 of 8 trials complete; 1 stopped early and 1 duplicate." in search_answer(frames)
    assert {"6", "7"}.isdisjoint(best_table(frames).frame["trial"])
    table = trials_table(frames).frame.set_index("trial")
    assert (table.loc["6", "state"], table.loc["6", "reason"]) == ("stopped early", "at epoch 3 by asha")
    write_search_report(home, store)
    for page in ("report.html", "report.md"):
        assert "asha (from epoch 1, 1 of 3 goes on)" in (home / page).read_text()


def test_the_hours_of_all_trials_stand_with_their_price(tmp_path: Path) -> None:
    """Those of failed trials and of baselines too; of equal trials once."""
    trials = [*points(), unfinished(6, "failed", "diverged"), replace(points()[0], number=7, state="duplicate")]
    home, store = write_search(tmp_path, trials, baselines={"unrolled": (29.8, 8000)})
    (attempt,) = attempts_of(store, "trial000")
    longer = replace(attempt, ended="2026-01-15T12:00:00Z", threads=2)
    for fingerprint, status in (("trial000", "complete"), ("trial006", "failed"), ("base0", "complete")):
        run = RunInfo(fingerprint=fingerprint, status=status, attempts=(longer,))  # type: ignore[arg-type]
        store.trial(fingerprint).write_run(run)
    write_search_report(home, store)
    assert "- Core-hours of all trials: 12.000\n" in (home / "report.md").read_text()
    record = SearchRecord.load(Folder(home))
    replace(record, provenance=record.provenance | {"price": "0.5 EUR"}).save(Folder(home))
    page = write_search_report(home, store).path.read_text()
    assert "<dt>Core-hours of all trials</dt><dd>12.000; at 0.5 EUR each, 6.00 EUR</dd>" in page


def attempts_of(store: Store, fingerprint: str) -> tuple[Attempt, ...]:
    run = store.trial(fingerprint).run()
    assert run is not None
    return run.attempts


def test_the_table_of_all_trials_keeps_every_digit_of_what_was_chosen(tmp_path: Path) -> None:
    """Who trains a setting once more by its rounded values trains another one."""
    rate = 0.006331350669842376
    home, store = write_search(tmp_path, [trial(0, 30.0, 2000, {"layers": 2, "optim.lr": rate, "kind": None})])
    write_search_report(home, store)
    with (home / "tables" / "trials.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["value layers"], float(row["value optim.lr"])) == ("2", rate)


def test_trials_of_several_codes_are_told(tmp_path: Path) -> None:
    home, store = write_search(tmp_path, points(), baselines={"unrolled": (29.8, 8000)})
    assert not any("version of their code" in line for line in search_answer(frames_of((home, store))))
    for number, code in ((0, "aa"), (1, "aa"), (2, "bb")):
        run = store.trial(f"trial{number:03d}").run()
        assert run is not None
        attempts = tuple(replace(attempt, code=code) for attempt in run.attempts)
        store.trial(run.fingerprint).write_run(replace(run, attempts=attempts))
    told = search_answer(frames_of((home, store)))[-1]
    assert told.startswith(
        "Networks of kind coast were trained by more than one version of their code (2 trials by aa; 1 trial by bb)"
    )


def test_nothing_complete_still_makes_a_report(tmp_path: Path) -> None:
    for name, trials in (("empty", []), ("running", [unfinished(0, "running")])):
        home, store = write_search(tmp_path / name, trials, wanted=4)
        assert write_search_report(home, store).answer.startswith("No trial is complete yet. 0 of 4 trials complete")
    with pytest.raises(ValueError, match=r"no search\.json"):
        write_search_report(tmp_path, store)


def test_another_protocol_is_a_gap_and_not_a_number(tmp_path: Path) -> None:
    search = write_search(tmp_path, points())
    write_trial(search[1], "trial000", 30.0, 2000, protocol="q" * 16)
    table = best_table(frames_of(search))
    line = table.frame["trial"].tolist().index("0")
    assert table.frame["test photos"].isna().tolist() == [i == line for i in range(3)]
    assert "another protocol" in table.gaps[line, "test photos"]


def test_a_test_image_that_is_not_a_number_is_left_out_of_no_mean(tmp_path: Path) -> None:
    home, store = write_search(tmp_path, points())
    folder = store.trial("trial001")
    folder.write_scores([replace(s, value=float("nan")) if s.image == "a.png" else s for s in folder.scores()])
    frames = load_search(SearchRecord.load(Folder(home)), store)
    assert frames.tested[1].psnr == {} and frames.tested[1].reason == "the reconstruction of some image is not a number"
    assert best_table(frames).gaps == {(0, "test photos"): frames.tested[1].reason}


def test_importance_is_stable_and_finds_what_matters(tmp_path: Path) -> None:
    record = SearchRecord.load(Folder(write_search(tmp_path, many(40))[0]))
    found = importances(record)
    assert all(0 <= i.low <= i.share <= i.high <= 1 for i in found) and found[0].low > found[1].high
    assert found == importances(record) and sum(i.share for i in found) == pytest.approx(1)
    assert [i.parameter for i in found] == ["high", "layers"] and found[0].share > 0.7
    assert importances(replace(record, trials=record.trials[:9])) == []
    goals = {d: [{"quantity": "train_seconds", "direction": d}] for d in ("maximize", "minimize")}
    uneven = [
        replace(t, objectives=[-9.0 if t.values["layers"] == 1 else float(t.values["high"])]) for t in record.trials
    ]
    first = {d: importances(replace(record, trials=uneven, objectives=g))[0].parameter for d, g in goals.items()}
    assert first == {"maximize": "high", "minimize": "layers"}  # the lowest values lie at one layer


def test_importance_is_drawn_as_computed(tmp_path: Path) -> None:
    home, store = write_search(tmp_path, many(24))
    found = importances(SearchRecord.load(Folder(home)))
    info = importance_info(found)
    assert [b.parameter for b in info.bars] == [i.parameter for i in found]
    assert [b.share for b in info.bars] == [100 * i.share for i in found]
    ax = draw_importance(info).axes[0]
    assert [patch.get_width() for patch in ax.patches] == [b.share for b in info.bars]  # type: ignore[attr-defined]
    assert [t.get_text() for t in ax.get_yticklabels()] == [i.parameter for i in found]
    page = write_search_report(home, store).path.read_text()
    figure = page[page.index('<figure id="figure-importance">') :]
    for words in ("PED-ANOVA over 24 complete trials", "tenths of the trials is left out", "every call gives the same"):
        assert (
            words in figure[: figure.index(">", figure.index("<svg"))]
            and words in figure[figure.index("<figcaption>") :]
        )
    assert {p.name for p in (home / "figures").iterdir()} >= {f"importance.{e}" for e in ("png", "svg", "pdf")}


def test_importance_with_parameters_that_few_trials_have(tmp_path: Path) -> None:
    """Leaving a tenth out may leave no trial with a parameter."""
    extra = [replace(t, values=t.values | ({"rare": t.number} if t.number in (3, 13) else {})) for t in many(14)]
    found = {i.parameter: i for i in importances(SearchRecord.load(Folder(write_search(tmp_path, extra)[0])))}
    assert set(found) >= {"high", "layers"} and all(0 <= i.low <= i.share <= i.high for i in found.values())


def test_importance_is_on_the_scale_of_the_space(tmp_path: Path) -> None:
    """A logarithmic space gives the shares that the logarithms give."""
    drawn = random.Random(2)
    powers = [drawn.uniform(-5, -1) for _ in range(60)]
    shares: list[dict[str, float]] = []
    for space, value in (("1e-05 to 0.1, logarithmic", lambda p: 10**p), ("-5 to -1", float)):
        trials = [trial(n, 30 - abs(p + 4), 1000, {"rate": value(p), "n": n % 7}) for n, p in enumerate(powers)]
        record = SearchRecord.load(Folder(write_search(tmp_path / str(len(shares)), trials)[0]))
        shares.append(
            {i.parameter: i.share for i in importances(replace(record, space={"rate": space, "n": "0 to 6"}))}
        )
    assert shares[0] == pytest.approx(shares[1], abs=0.01) and shares[0]["rate"] > 0.8


def test_importance_of_whole_numbers_is_on_the_scale_of_the_space(tmp_path: Path) -> None:
    """Powers of two in a logarithmic space are as far apart as their exponents."""
    drawn = random.Random(2)
    exponents = [drawn.randint(0, 6) for _ in range(60)]
    shares: list[dict[str, float]] = []
    for parameter, value in ((Int(1, 64, log=True), lambda e: 2**e), (Int(0, 6), int)):
        trials = [trial(n, 30 - abs(e - 1), 1000, {"size": value(e), "n": n % 7}) for n, e in enumerate(exponents)]
        record = SearchRecord.load(Folder(write_search(tmp_path / str(len(shares)), trials)[0]))
        space = {"size": str(parameter), "n": str(Int(0, 6))}
        shares.append({i.parameter: i.share for i in importances(replace(record, space=space))})
    assert shares[0] == pytest.approx(shares[1], rel=1e-9)


def test_every_setting_leads_to_its_trial(tmp_path: Path) -> None:
    trials = [*points(), replace(points()[1], number=6, state="duplicate"), unfinished(7, "infeasible", "too large")]
    page = write_search_report(*write_search(tmp_path, trials, baselines={"unrolled": (29.8, 8000)})).path.read_text()
    ids, links = re.findall(r'<tr id="(trial-[^"]+)"', page), set(re.findall(r'href="#(trial-[^"]+)"', page))
    assert ids == [f"trial-trial{n:03d}" for n in range(6)] + ["trial-base0"]
    assert links == {"trial-trial000", "trial-trial001", "trial-trial002", "trial-base0"}
    row = page[
        page.index(
            '<tr title="Trial trial001"><th scope="row" class="left"><a class="trials" href="#trial-trial001">1</a>'
        ) :
    ]
    assert ">31.00</a>" in row[: row.index("</tr>")]
    assert len(re.findall(r"<tr", page[page.index('id="trial-table"') :])) == 1 + 8 + 1, "head, suggestions, baseline"


def test_values_of_any_kind_have_an_importance(tmp_path: Path) -> None:
    drawn = random.Random(1)
    trials = []
    for n in range(20):
        values: dict[str, Any] = {"rate": drawn.random(), "start": drawn.choice(["identity", None, True])}
        values |= {"extra": n} if n % 2 else {}  # not every setting has it
        trials.append(trial(n, 30 + values["rate"], 1000, values))
    found = importances(SearchRecord.load(Folder(write_search(tmp_path, trials)[0])))
    assert {i.parameter for i in found} == {"rate", "start", "extra"} and found[0].parameter == "rate"


def test_hostile_names_are_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>|$x_1$"
    trials = [replace(t, values={evil: evil, "=1+1": n}) for n, t in enumerate(points())]
    trials.append(unfinished(9, "failed", evil))
    home, store = write_search(tmp_path, trials, title=evil, question=evil, baselines={evil: (29.8, 8000)})
    page = write_search_report(home, store).path.read_text()
    assert page.count("<script") == 1 and "<script>alert" not in page and "&lt;script&gt;" in page
    assert "<script" not in (home / "report.md").read_text()
    for ending in ("png", "svg", "pdf"):
        assert (home / "figures" / f"search.{ending}").stat().st_size > 1000
    assert {p.name for p in (home / "tables").iterdir()} == {
        f"{n}.{e}" for n in ("best", "trials") for e in ("csv", "tex", "md")
    }


def test_trials_that_were_really_run(tiny: TrialConfig, tmp_path: Path) -> None:
    """What the engine leaves behind is what the report reads: one or two layers against an unrolled baseline."""
    store = Store(tmp_path / "trials")
    base = with_values(tiny, {"optim.epochs": 1})
    trials = []
    for number, (layers, count) in enumerate([(1, 2), (1, 1)]):
        config = with_values(base, {"model.layers": layers, "recursion.train": Fixed(counts=(count,))})
        info = run_trial(config, store.trial(f"t{number}").path)
        costs = {name: float(QUANTITIES[name](config)) for name in ("parameters", "macs", "stage_evaluations")}
        trials.append(
            SearchTrial(
                number=number,
                values={"layers": layers, "high": count},
                fingerprints=[f"t{number}"],
                state="complete",
                objectives=[info.facts["best_validation_psnr"], costs["parameters"]],
                quantities=costs,
            )
        )
    run_trial(base, store.trial("unrolled").path)
    home, _ = write_search(tmp_path / "record", [], objectives=TWO)
    record = replace(SearchRecord.load(Folder(home)), trials=trials, wanted=2, baselines={"unrolled": ["unrolled"]})
    frames = load_search(replace(record, space={"layers": "1, 2", "high": "1, 2"}), store)
    baseline = frames.baselines[0]
    assert baseline.quantities["parameters"] == QUANTITIES["parameters"](base)
    assert baseline.quantities["validation_psnr"] == store.trial("unrolled").epochs()[0].validation_psnr
    assert all(t.psnr["test"] > 5 and not t.reason for t in [*frames.tested.values(), baseline.tested])
    assert frames.tested[0].psnr != frames.tested[1].psnr
    assert [t.table.name for t in build(frames).tables] == ["best", "trials"]
