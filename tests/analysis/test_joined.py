"""Several studies in one report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.frames import StudyFrames, load_study
from analysis.frames.joined import Part, join
from analysis.report import write_comparison
from analysis.statistics import compare_arms, main_effects
from analysis.statistics.corrections import holm
from analysis.statistics.paired import Images
from analysis.tables import differences_table
from analysis.words.answer import answer, headline
from analysis.words.findings import VERDICTS, Finding
from rdun.results import ClaimRecord, Folder, PlanRecord
from tests.analysis.synthetic import Truth, write_study

TRUTH = Truth(
    systems=("COAST",), sizes={"10 %": 0.1}, seeds=(0, 1), images=("a.png", "b.png"), epochs=2, pictures=False
)


def part(folder: Path, truth: Truth) -> Part:
    study, store = write_study(folder, truth)
    return Part(PlanRecord.load(Folder(study)), store)


def joined(parts: Sequence[Part]) -> StudyFrames:
    return load_study(*join(parts))


def test_two_revisions_are_compared_arm_by_arm(tmp_path: Path) -> None:
    """The second revision's trials have the same fingerprints in another store; its recursive arm is 0.4 dB better."""
    first = part(tmp_path / "one", TRUTH)
    effects = {**TRUTH.effects, "recursive": TRUTH.effects["recursive"] + 0.4}
    second = part(tmp_path / "two", replace(TRUTH, effects=effects))
    second.plan.provenance["revision"] = "ffff000"
    assert [c.fingerprints for c in first.plan.cells] == [c.fingerprints for c in second.plan.cells]
    frames = joined([first, second])
    found = {c.arm: c for c in compare_arms(Images(frames))}
    new = "quickstart at ffff000: COAST, recursive, 10 %"
    assert found[new].versus == "quickstart at 1a2b3c4: COAST, recursive, 10 %"
    assert found[new].per_seed == pytest.approx((0.4, 0.4))
    same = found["quickstart at ffff000: COAST, unrolled, 10 %"]
    assert same.verdict == "equal" and same.versus == "quickstart at 1a2b3c4: COAST, unrolled, 10 %"
    assert frames.complete == 16 and frames.families() == [""]
    assert [a.treatment for a in frames.members("")][:5] == [
        "quickstart at 1a2b3c4 · unrolled", "quickstart at 1a2b3c4 · recursive", "quickstart at 1a2b3c4 · recursive, random",
        "quickstart at 1a2b3c4 · recursive, random, RFMU", "quickstart at ffff000 · unrolled",
    ]  # fmt: skip


def test_claims_name_the_arms_of_their_own_study(tmp_path: Path) -> None:
    arms = [f"COAST, {variant}, 10 %" for variant in ("unrolled", "recursive", "recursive, random")]
    claim = ClaimRecord(text="t", arm=arms[2], versus=arms[1], metric="psnr", at_least=0, beyond=arms[1::-1])
    parts = [part(tmp_path / name, replace(TRUTH, name=name, claims=(claim,))) for name in ("one", "two")]
    assert [c.beyond for c in join(parts).plan.claims] == [
        [f"{name}: {arm}" for arm in arms[1::-1]] for name in ("one", "two")
    ]


def test_the_very_same_trials_are_no_comparison_that_a_correction_counts(tmp_path: Path) -> None:
    """A wider study in the same runs folder has the trials of the narrower one, and arms of its own."""
    truth = replace(TRUTH, sizes={"10 %": 0.1, "100 %": 1.0}, seeds=(0, 1, 2))
    narrow = part(tmp_path, truth)
    wide = part(tmp_path, replace(truth, name="wider", effects={**truth.effects, "gated": 0.3}))
    frames = joined([narrow, wide])
    found = compare_arms(Images(frames))
    shared = [c for c in found if c.arm.startswith("wider") and "gated" not in c.arm]
    assert len(shared) == 8 and all(c.same and c.verdict == "equal" and c.p_holm != c.p_holm for c in shared)
    others = [c for c in found if c not in shared]
    assert len(others) == 8 and not any(c.same for c in others)
    assert [c.p_holm for c in others] == holm([c.p_all for c in others])
    effects = main_effects(frames, found)
    same = [e for e in effects if e.name.startswith("“wider · unrolled” minus")]
    assert same and all(
        e.verdict == "equal" and Finding.of_effect(frames, e).verdict == VERDICTS["equal"] for e in same
    )
    assert [e.p_holm for e in effects if not e.same] == holm([e.p_all for e in effects if not e.same])


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_revisions_that_give_equal_images_are_neither_undecided_nor_tests(
    tmp_path: Path, seeds: tuple[int, ...]
) -> None:
    """Measured anew in another store, image by image the same. The recursive arm is compared with the other revision's alone."""
    truth = replace(TRUTH, seeds=seeds, effects={"unrolled": 0.0, "recursive": -0.1})
    parts = [part(tmp_path / name, truth) for name in ("one", "two")]
    images = Images(joined(parts))
    found = compare_arms(images)
    within = [c for c in found if not c.same]
    assert len(found) == 3 and [c.arm for c in within] == ["quickstart at 1a2b3c4 (1): COAST, recursive, 10 %"]
    assert [c.p_holm for c in within] == pytest.approx([c.p_all for c in within], nan_ok=True)
    said = headline(images.frames, found, [])
    assert said.startswith("Undecided") and "none of" not in said
    assert said.endswith("; 2 differences more are exactly zero: equal images.")
    said = headline(images.frames, [c for c in found if c.same], [])
    assert said == "No difference at all: arms that are compared gave equal images, trial by trial."
    verdicts = differences_table(images.frames, found, "photographs-test").frame["verdict"].tolist()
    assert verdicts.count("equal") == 2 and verdicts[0].startswith("undecided")


def test_an_exact_test_has_the_pairs_that_are_compared_not_the_seeds_of_all_studies(tmp_path: Path) -> None:
    """Two studies of two and of four seeds, no seed in both: no comparison has six pairs."""
    other = replace(TRUTH, name="wider", systems=("ISTA-Net+",), seeds=(2, 3, 4, 5))
    images = Images(joined([part(tmp_path, TRUTH), part(tmp_path / "other", other)]))
    found = compare_arms(images)
    assert "4 seeds are few: an exact rank test could not give p below 0.12." in answer(images, found, [], []).context
    assert "With 4 pairs, an exact" in differences_table(images.frames, found, "photographs-test").caption
    assert not any("exact rank test" in said for said in answer(images, [], [], []).context)


@pytest.mark.usefixtures("rough_figures")
def test_studies_without_common_arms_are_families_of_one_report(tmp_path: Path) -> None:
    other = replace(TRUTH, name="wider", systems=("ISTA-Net+",), seeds=(0, 1, 2))
    parts = [part(tmp_path, TRUTH), part(tmp_path / "other", other)]
    report = write_comparison(tmp_path / "report", parts)
    text = report.path.read_text()
    assert "quickstart: COAST, unrolled, 10 %" in text and "wider: ISTA-Net+, unrolled, 10 %" in text
    frames = joined(parts)
    assert len(frames.families()) == 2
    assert {c.versus for c in compare_arms(Images(frames))} == {
        "quickstart: COAST, unrolled, 10 %",
        "wider: ISTA-Net+, unrolled, 10 %",
    }
    gap = frames.gaps.iloc[0]
    assert (gap["seed"], gap["reason"]) == (2, "no trial is planned for this seed")
    assert frames.complete == frames.planned == 20 and not report.answer.startswith("So far")


def test_mixed_protocols_are_refused(tmp_path: Path) -> None:
    arms = [f"COAST, {v}, 10 %" for v in TRUTH.effects]
    other = replace(TRUTH, name="rescored", protocols={(a, s): "ffff" for a in arms for s in (0, 1)})
    with pytest.raises(ValueError, match=r"protocol='0123456789abcdef' \(arm 'quickstart: COAST.* and protocol='ffff'"):
        joined([part(tmp_path / "one", TRUTH), part(tmp_path / "two", other)])


def test_a_study_is_not_compared_with_itself(tmp_path: Path) -> None:
    one = part(tmp_path, TRUTH)
    with pytest.raises(ValueError, match="quickstart: a study cannot be compared with itself"):
        join([one, one])
