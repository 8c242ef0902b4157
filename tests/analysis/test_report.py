"""The report as a whole: complete, unfinished, empty, hostile, mixed."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analysis.frames import load_study
from analysis.pages.drawings import figures_of
from analysis.pages.provenance import provenance
from analysis.report import MANY_ARMS, _apart, _drawn, file_name, write_report
from analysis.statistics import check_claims, compare_arms, main_effects
from analysis.statistics.paired import Images
from analysis.tables import claims_table, differences_table, reaching_table
from analysis.words.answer import answer, claim_sentence, comparison_sentence, headline
from analysis.words.certainty import code_sentence, shared_luck
from analysis.words.weights_answer import weights_answer
from rdun.results import ClaimRecord, Folder, PlanRecord, Store
from tests.analysis.conftest import load
from tests.analysis.synthetic import VARIANTS, Truth, write_study

VOID = {"meta", "img", "input", "br", "link", "use", "path"}


class _Page(HTMLParser):
    """Checks nesting, and collects what a page contains."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page(whole: tuple[Path, Store]) -> tuple[_Page, str, Path]:
    path = write_report(*whole).path
    text = path.read_text()
    return _Page(text), text, path


def test_the_page_asks_the_network_for_nothing(page: tuple[_Page, str, Path]) -> None:
    parsed, text, _ = page
    for tag, attributes in parsed.tags:
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, name, value)
    assert not re.search(r"@import|url\((?!#)", text)
    assert "default-src 'none'" in text


def test_the_page_is_accessible(page: tuple[_Page, str, Path]) -> None:
    parsed, text, _ = page
    assert all(a.get("alt") for tag, a in parsed.tags if tag == "img")
    assert all(a.get("aria-label") for tag, a in parsed.tags if tag == "svg")
    ids = [a["id"] for _, a in parsed.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    targets = {str(a["href"])[1:] for tag, a in parsed.tags if tag == "a" and str(a.get("href", "")).startswith("#")}
    assert targets <= set(ids)
    heads = [tag for tag, _ in parsed.tags if re.fullmatch(r"h\d", tag)]
    assert heads[0] == "h1" and heads.count("h1") == 1 and set(heads[1:]) == {"h2"}
    assert all(a.get("scope") for tag, a in parsed.tags if tag == "th")
    assert '<html lang="en">' in text


def test_the_page_says_what_a_reader_needs(page: tuple[_Page, str, Path]) -> None:
    parsed, _, path = page
    words = parsed.text
    for expected in (
        "Are recursions all you need?", "24 of 24", "narrow networks", "Parameters and quality", "initial estimate",
        "Overfitting", "Time", "Learning curves", "Reconstructions", "Claims", "RFMU gives at least 0.5 dB more",
        "torch 2.13.0", "1a2b3c4d5e6f", "9f8e7d6c5b4a3210", "6 min 12 s", "camera.png, coins.png", "seeds",
    ):  # fmt: skip
        assert expected in words.replace("\u00a0", " "), expected
    folder = path.parent
    names = {p.name for p in (folder / "tables").iterdir()}
    assert {
        "timing.csv",
        "timing.tex",
        "timing.md",
        "overfitting.csv",
        "claims.tex",
        f"quality-{'photographs-test'}.csv",
    } <= names
    figures = {p.name for p in (folder / "figures").iterdir()}
    assert {"learning.png", "learning.svg", "gap.svg", "differences-photographs-test.png"} <= figures
    markdown = (folder / "report.md").read_text()
    for link in re.findall(r"\]\((figures/[^)]+)\)", markdown):
        assert (folder / link).is_file()
    assert "# Are recursions all you need?" in markdown


@pytest.mark.usefixtures("rough_figures")
def test_an_unfinished_study_says_what_is_missing(holed: tuple[Path, Store]) -> None:
    words = _Page(write_report(*holed).path.read_text()).text
    assert "So far, 21 of 24 trials are complete." in words
    assert "COAST, recursive, 10 %, seed 1: failed: out of memory: tried to allocate 2 GiB" in words
    assert "COAST, recursive, 100 %, seed 0: not run" in words
    assert "COAST, recursive, random, 100 %, seed 2: running" in words
    assert "2 of 3 seeds: seed 0 not run" in words


@pytest.mark.usefixtures("rough_figures")
def test_an_empty_study_has_a_report(tmp_path: Path) -> None:
    arms = [f"COAST, {v}, 10 %" for v in VARIANTS]
    statuses = {(a, s): ("not run", "") for a in arms for s in (0, 1)}
    truth = Truth(systems=("COAST",), sizes={"10 %": 0.1}, seeds=(0, 1), statuses=statuses)
    page = _Page(write_report(*write_study(tmp_path, truth)).path.read_text())
    assert "No answer yet: none of the 8 trials is complete." in page.text
    assert "8 of 8 trials give no scores" in page.text


@pytest.mark.usefixtures("rough_figures")
def test_a_study_that_has_only_begun_shows_its_curves(tmp_path: Path) -> None:
    arms = [f"COAST, {v}, 10 %" for v in VARIANTS]
    statuses = {(a, s): ("running", "") for a in arms for s in (0, 1)}
    truth = Truth(systems=("COAST",), sizes={"10 %": 0.1}, seeds=(0, 1), statuses=statuses)
    page = _Page(write_report(*write_study(tmp_path, truth)).path.read_text())
    assert "4 curves show unfinished trials" in page.text


HOSTILE = "<script>alert(1)</script>"


@pytest.mark.usefixtures("rough_figures")
def test_hostile_names_are_harmless(tmp_path: Path) -> None:
    truth = Truth(
        name=HOSTILE,
        title=f'{HOSTILE}"><img src=x onerror=alert(2)> \\input{{/etc/passwd}} | `x` $\\frac$',
        systems=("</svg><script>alert(3)</script>", "--><b>"),
        sizes={"10 %": 0.1},
        seeds=(0, 1),
        images=("a<b>.png", 'b"&.png'),
        dataset="../../<i>test",
        pictures=False,
        claims=(
            ClaimRecord(text=HOSTILE, arm="--><b>, recursive, 10 %", versus="--><b>, unrolled, 10 %", metric="psnr", at_least=0),
        ),
        statuses={("--><b>, recursive, 10 %", 1): ("failed", HOSTILE)},
    )  # fmt: skip
    folder, store = write_study(tmp_path, truth)
    path = write_report(folder, store).path
    page = _Page(path.read_text())
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not any(name.startswith("on") for _, a in page.tags for name in a)
    assert "i" not in {tag for tag, _ in page.tags} and HOSTILE in page.text
    for file in (folder / "figures").glob("*.svg"):
        assert "<script" not in file.read_text()
    for file in [*(folder / "tables").glob("*.md"), folder / "report.md"]:
        assert "<script" not in file.read_text() and "<b>" not in file.read_text()
    for file in (folder / "tables").glob("*.tex"):
        assert "\\input" not in file.read_text()
    assert {p.parent for p in tmp_path.rglob("*.csv")} <= {folder / "tables", *(tmp_path / "trials").iterdir()}


@pytest.mark.usefixtures("rough_figures")
def test_figures_and_tables_of_an_earlier_report_do_not_stay(tmp_path: Path) -> None:
    truth = Truth(systems=("COAST",), sizes={"10 %": 0.1}, seeds=(0,), images=("a.png",), epochs=1, pictures=False)
    study = write_study(tmp_path, truth)
    for name in ("figures/sweep-old.svg", "tables/old.tex", "figures/notes.txt"):
        Folder(study[0]).write_text(name, "old")
    write_report(*study)
    assert not (study[0] / "figures/sweep-old.svg").exists() and not (study[0] / "tables/old.tex").exists()
    assert (study[0] / "figures/notes.txt").exists(), "what a user put there is left alone"
    assert (study[0] / "tables/timing.tex").exists() and (study[0] / "figures/learning.svg").exists()


def test_helpers_draw_the_same_figures(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    images = Images(frames)
    items = figures_of(frames, [images], compare_arms(images))
    some = [next(i for i in items if i.section == section) for section in ("answer", "learning")]
    assert list(_drawn(some, MANY_ARMS)) == list(_drawn(some, 1))


def test_every_trial_has_one_address(page: tuple[_Page, str, Path], whole: tuple[Path, Store]) -> None:
    ids = [a["id"] for _, a in page[0].tags if a.get("id")]
    assert len(ids) == len(set(ids)), "ids are unique"
    prints = {f for cell in PlanRecord.load(Folder(whole[0])).cells for f in cell.fingerprints}
    assert {f"trial-{f}" for f in prints} <= set(ids)


def test_every_picture_and_figure_has_words(page: tuple[_Page, str, Path]) -> None:
    tags = page[0].tags
    assert all(a.get("alt") for tag, a in tags if tag == "img") and any(tag == "img" for tag, _ in tags)
    figures = [a for tag, a in tags if tag == "svg"]
    assert len(figures) >= 7 and all(a.get("role") == "img" and a.get("aria-label") for a in figures)


def test_mixed_protocols_are_refused(tmp_path: Path) -> None:
    truth = Truth(
        systems=("COAST",), sizes={"10 %": 0.1}, seeds=(0,), images=("a.png",), pictures=False,
        protocols={("COAST, recursive, 10 %", 0): "ffff"},
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"protocol='0123456789abcdef'.* and protocol='ffff'"):
        write_report(*write_study(tmp_path, truth))


def test_a_folder_without_a_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no plan\.json; run the study first"):
        write_report(tmp_path, Store(tmp_path / "trials"))


@pytest.mark.parametrize(
    ("effects", "spread", "expected"),
    [
        ({"unrolled": 0.0, "other": 0.0}, 0.3, "Undecided at this scale: the difference of test PSNR"),
        ({"unrolled": 0.0, "other": 0.8}, 0.01, "“other” minus “unrolled”: +0.8"),
    ],
)
def test_the_answer_says_no_more_than_the_numbers(
    tmp_path: Path, effects: dict[str, float], spread: float, expected: str
) -> None:
    truth = Truth(
        systems=("COAST",),
        sizes={"10 %": 0.1},
        effects=effects,
        seeds=(0, 1, 2),
        seed_sd=spread,
        image_sd=spread,
        pictures=False,
    )
    images = Images(load(write_study(tmp_path, truth)))
    comparisons = compare_arms(images)
    found = answer(images, comparisons, main_effects(images.frames, comparisons), check_claims(images, ()))
    assert expected in found.headline
    assert "3 seeds)" in found.headline
    assert len(found.lines) == 1


def test_a_study_that_trains_nothing_answers_with_what_the_weights_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = Truth(
        systems=("COAST",), sizes={"10 %": 0.1}, seeds=(0,), matrices=("gauss-s0", "gauss-s1"), pictures=False
    )
    trained = load(write_study(tmp_path, truth))
    plan = replace(trained.plan, arms=[replace(arm, steps=0, samples=0) for arm in trained.plan.arms])
    images = Images(replace(trained, plan=plan))
    found = answer(images, compare_arms(images), [], ())
    mean = images.cells[images.cells["at"] == "average"].query("metric == 'psnr'")
    assert found.headline.startswith(f"On {truth.dataset} the weights reach, averaged over ratios and images: “")
    for arm, value in mean.groupby("arm", observed=True)["value"].mean().items():
        assert f"“{trained.arms[str(arm)].treatment}” {value:.2f}\N{NO-BREAK SPACE}dB" in found.headline
    spread = "varies by 0.35 to 0.35\N{NO-BREAK SPACE}dB (standard deviation)"  # 0.5 dB between two: 0.5 / sqrt(2)
    assert found.headline.endswith(f"{spread}.")
    assert not len(reaching_table(images.frames).frame) and len(reaching_table(trained).frame)
    assert not weights_answer(Images(trained))
    first, *others = trained.arms.values()
    monkeypatch.setattr("analysis.words.weights_answer.without_averages", lambda _: {first.name: "not tested at 50 %"})
    found = answer(images, compare_arms(images), [], ())
    assert f"“{first.treatment}”" not in found.headline and f"“{others[0].treatment}”" in found.headline


def test_the_headline_says_where_holm_alone_leaves_it_undecided(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    plain = compare_arms(Images(frames))[:3]
    none = [replace(c, p=0.5, p_all=0.5, p_holm=1.0, boot_low=-1.0, boot_high=1.0) for c in plain]
    held = [replace(c, p=0.02, p_all=0.03, p_holm=0.09, boot_low=0.1, boot_high=0.3) for c in plain]
    assert headline(frames, none, []).startswith("Undecided at this scale: none of the 3 differences")
    start = "Undecided after Holm: of 3 differences of test PSNR to the base arm, 1 would be decided alone"
    assert headline(frames, [held[0], *none[1:]], []).startswith(start)
    both = [replace(held[0], p_holm=0.01), held[1], none[2]]
    assert headline(frames, both, []).endswith("; the other 2 differences are undecided (1 of them after Holm).")
    assert headline(frames, both[:2], []).endswith("; the other difference is undecided after Holm.")
    assert comparison_sentence(frames, both[1]).endswith(
        "undecided after Holm: its own interval excludes zero, the correction for several comparisons does not."
    )


def test_provenance_tolerates_missing_and_unknown_keys(whole: tuple[Path, Store]) -> None:
    plan = PlanRecord.load(Folder(whole[0]))
    plan.provenance.clear()
    assert provenance(plan).facts == (("Seeds", "0, 1, 2"),)
    plan.provenance.update({"cost": {"usd": 3.5}, "revision": "abc", "dirty": True, "datasets": {"x": "hash"}})
    made = provenance(plan)
    assert ("Git revision", "abc with uncommitted changes") in made.facts and ("cost", "usd 3.5") in made.facts
    assert made.datasets[0].hash == "hash"


def test_reports_need_no_torch() -> None:
    code = "import sys, analysis.report; sys.exit(bool({'torch', 'ray', 'mlflow', 'optuna'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_claim_about_ssim_has_its_interval(whole: tuple[Path, Store]) -> None:
    images = Images(load(whole))
    arm, base = "COAST, recursive, 10 %", "COAST, unrolled, 10 %"
    (result,) = check_claims(images, [ClaimRecord(text="t", arm=arm, versus=base, metric="ssim", at_least=0.0)])
    c = result.comparison
    mean, low, high = (f"{v:+.5f}".replace("-", "\u2212") for v in (c.mean, c.low, c.high))
    assert f"Measured, “{arm}” minus “{base}”: {mean} (95\u00a0% interval {low} to {high}, 3 seeds)" in claim_sentence(
        images.frames, result
    )
    (psnr,) = check_claims(images, [ClaimRecord(text="t", arm=arm, versus=base, metric="psnr", at_least=-0.2)])
    lines = claims_table(images.frames, [result, psnr]).cells
    texts = [["".join(span.text for span in cell) for cell in line] for line in lines]
    assert {"0.00000", mean, f"[{low}, {high}]"} < set(texts[0]), "an SSIM is not told in thousandths"
    mean, low, high = (
        f"{v:+.3f}".replace("-", "\u2212") for v in (psnr.comparison.mean, psnr.comparison.low, psnr.comparison.high)
    )
    assert {"\u22120.200", mean, f"[{low}, {high}]"} < set(texts[1]), (
        "nor are decibels beside it in hundred-thousandths"
    )


def test_what_has_diverged_is_not_waited_for(tmp_path: Path) -> None:
    base, truth = (
        "COAST, unrolled, 100 %",
        Truth(systems=("COAST",), sizes={"100 %": 1.0}, seeds=(0, 1), pictures=False),
    )
    said = []
    arms, lost = [f"COAST, {variant}, 100 %" for variant in VARIANTS], ("failed", "Diverged: lr")
    for name, statuses in (
        ("ended", {(base, seed): lost for seed in truth.seeds}),
        ("going", {(base, 0): lost, (base, 1): ("running", "")}),
        ("none", {(arm, seed): lost for arm in arms for seed in truth.seeds}),
    ):
        images = Images(load(write_study(tmp_path / name, replace(truth, statuses=statuses))))
        said.append(answer(images, compare_arms(images), [], []).headline)
    ended, going, none = said
    assert none == "No answer: none of the 8 trials is complete, and all have failed."
    assert ended == (
        "6 of 8 trials are complete, the others have failed. No arm can be compared with its base arm: "
        f"{base}, seed 0: failed: Diverged: lr."
    )
    assert going == "So far, 6 of 8 trials are complete. No arm can be compared with its base arm yet."


def test_the_answer_names_the_luck_that_no_interval_holds(whole: tuple[Path, Store], tmp_path: Path) -> None:
    """All seeds of a study train on one part of the blocks and are tested with the same matrices."""
    images = Images(load(whole))
    comparisons = compare_arms(images)
    (told,) = [s for s in answer(images, comparisons, [], []).context if s.startswith("Intervals in sentences")]
    assert "used (data.subset_seed=0) and the measurement matrices." in told and "Each test set" not in told
    assert "by the crossed t and the bootstrap, after Holm" in told and "a number of seeds chosen beforehand" in told
    assert shared_luck(images.frames) in differences_table(images.frames, comparisons, "photographs-test").notes
    home, store = write_study(tmp_path, Truth(systems=("COAST",), sizes={"100 %": 1.0}, pictures=False))
    everything = shared_luck(load((home, store)))
    assert "subset_seed" not in everything and "the training images and the measurement matrices" in everything
    plan = PlanRecord.load(Folder(home))
    plan.arms[1].configs[0]["weights"] = "r_coast_5x4.pkl"  # seeds repeat its one training
    assert "the training of weights that are read from files and the measurement" in shared_luck(
        load_study(plan, store)
    )


@pytest.mark.usefixtures("rough_figures")
def test_a_study_of_several_settings_has_a_report_before_its_first_trial_is_complete(tmp_path: Path) -> None:
    """All of its comparisons are gaps."""
    arms = [f"COAST, {variant}, {size}" for variant in VARIANTS for size in ("10 %", "100 %")]
    truth = Truth(systems=("COAST",), seeds=(0,), epochs=2, statuses={(arm, 0): ("running", "") for arm in arms})
    report = write_report(*write_study(tmp_path, truth))
    assert report.answer == "No answer yet: none of the 8 trials is complete."
    lines = (tmp_path / "study" / "tables" / "differences-photographs-test.csv").read_text().splitlines()
    assert len(lines) == 1 + 6 and all("no data" in line for line in lines[1:])


def test_files_of_test_sets_in_any_script_are_told_apart() -> None:
    """Tables and figures of two folders of images would else be written over one another."""
    names = [
        file_name(f"quality-{name}") for name in ("测试", "验证", "Städte", "St_dte", "a/../b", "set11 (deblocked)")
    ]
    assert names == [
        "quality-测试",
        "quality-验证",
        "quality-Städte",
        "quality-St-dte",
        "quality-a-..-b",
        "quality-set11-deblocked",
    ]
    assert file_name("../") == "table"
    taken = ("gap", "quality-my set", "quality-my_set", "quality-my-set", "quality-My set")
    assert _apart(taken) == ["gap", "quality-my set", "quality-my_set-2", "quality-my-set-3", "quality-My set-4"]


def test_networks_trained_by_several_versions_of_their_code_are_named(tmp_path: Path) -> None:
    home, store = write_study(tmp_path, Truth(systems=("COAST",), sizes={"10 %": 0.1}, seeds=(0, 1), pictures=False))
    assert code_sentence(load((home, store))) == ""
    plan = PlanRecord.load(Folder(home))
    for cell in plan.cells:
        for fingerprint in cell.fingerprints:
            folder = store.trial(fingerprint)
            run = folder.run()
            assert run is not None
            code = "1111" if cell.arm == plan.arms[0].name else "2222"
            folder.write_run(replace(run, attempts=tuple(replace(attempt, code=code) for attempt in run.attempts)))
    frames = load((home, store))
    sentence = code_sentence(frames)
    assert f"{plan.arms[0].name} by 1111" in sentence and "by 2222" in sentence
    assert sentence.endswith("what differs between them may be the code.")
    assert sentence in answer(Images(frames), [], [], []).context
