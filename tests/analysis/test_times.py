"""Whether one arm trains in less time than another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from analysis.frames import StudyFrames, load_study
from analysis.numbers import NBSP
from analysis.statistics import check_claims, compare_arms
from analysis.statistics.paired import Images
from analysis.statistics.times import compare_times, times
from analysis.tables import claims_table, timing_table
from analysis.words.answer import answer
from rdun.results import ClaimRecord
from tests.analysis.conftest import RECURSIVE, UNROLLED, load_pairs

ALL_DATA = ["COAST, recursive, 100 %", "COAST, unrolled, 100 %"]
SECONDS = {UNROLLED: (100.0, 120.0, 90.0, 200.0), RECURSIVE: (60.0, 75.0, 55.0, 118.0)}
SAVED = [100 * (1 - own / base) for own, base in zip(SECONDS[RECURSIVE], SECONDS[UNROLLED], strict=True)]


def study(folder: Path, **changes: object) -> StudyFrames:
    """One whose recursive network trained about two fifths shorter on few data."""
    return timed(load_pairs(folder, **changes))


def timed(frames: StudyFrames) -> StudyFrames:
    rows = frames.timings
    for arm, seconds in SECONDS.items():
        for seed, value in enumerate(seconds):
            own = (rows["name"] == "train_seconds") & (rows["arm"] == arm) & (rows["seed"] == seed)
            rows.loc[own, "value"] = value
    return frames


def again(frames: StudyFrames, arm: str, seed: int, *changes: dict[str, object], trained_in: str = "") -> None:
    """Changes the attempts of a trial, each from the one it has, and where it was trained."""
    (cell,) = [c for c in frames.plan.cells if (c.arm, c.seed) == (arm, seed)]
    folder = frames.store.trial(cell.fingerprints[0])
    run = folder.run()
    assert run is not None
    attempts = tuple(replace(run.attempts[0], **change) for change in changes)  # type: ignore[arg-type]
    folder.write_run(replace(run, attempts=attempts, facts=run.facts | ({"trained_in": "other"} if trained_in else {})))
    if trained_in:
        rows = [replace(r, detail=f"480 steps; {trained_in}, 1 threads") for r in folder.timings()]
        folder.write_timings([r for r in rows if r.name != "images_per_second"])


def claim(**changes: object) -> ClaimRecord:
    made = ClaimRecord(text="shorter", arm=RECURSIVE, versus=UNROLLED, metric="time", at_least=30.0)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_what_is_saved_is_paired_by_seed(tmp_path: Path) -> None:
    """Seconds of one seed may be twice those of another, on a busier machine: the ratio is within each."""
    frames = study(tmp_path)
    found = compare_times(times(frames), RECURSIVE, UNROLLED)
    expected = stats.ttest_1samp(SAVED, 0)
    assert found.seeds == (0, 1, 2, 3) and found.per_seed == pytest.approx(tuple(SAVED))
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.p_holm == pytest.approx(expected.pvalue)
    row = timing_table(frames).frame.set_index("arm").loc[RECURSIVE]
    assert row["time ratio"] == pytest.approx(1 - sum(SAVED) / 400)
    assert (row["time low"], row["time high"]) == pytest.approx((1 - found.high / 100, 1 - found.low / 100))


def test_claims_about_times(tmp_path: Path) -> None:
    images = Images(study(tmp_path))
    claims = [
        claim(),
        claim(at_least=60.0),
        claim(arm=UNROLLED, versus=RECURSIVE),
        claim(beyond=ALL_DATA, at_least=0.0),
    ]
    results = check_claims(images, claims)
    assert [r.verdict for r in results] == ["held", "refuted", "refuted", "held"]
    assert results[0].p == pytest.approx(stats.ttest_1samp(SAVED, 30).pvalue)
    rest = times(images.frames).ratios(ALL_DATA[0], ALL_DATA[1], "train_seconds")
    twice = [saved - 100 * (1 - ratio) for saved, ratio in zip(SAVED, rest, strict=True)]
    assert results[3].comparison.per_seed == pytest.approx(tuple(twice))
    table = claims_table(images.frames, results)
    assert set(table.frame["metric"]) == {"Training time, %"} and "kind of device with as many threads" in table.caption
    assert table.frame["difference"][0] == f"saved by “{RECURSIVE}” against “{UNROLLED}”"


def test_times_of_other_devices_are_left_out(tmp_path: Path) -> None:
    frames = study(tmp_path)
    again(frames, RECURSIVE, 3, {"threads": 2})
    frames = timed(load_study(frames.plan, frames.store))
    found = compare_times(times(frames), RECURSIVE, UNROLLED)
    assert found.per_seed == pytest.approx(tuple(SAVED[:3]))
    assert found.missing == ((3, f"{RECURSIVE}, seed 3: on another device than {UNROLLED}"),)
    for seed in range(4):
        again(frames, RECURSIVE, seed, {"device": "H100"})
    (none,) = check_claims(Images(load_study(frames.plan, frames.store)), [claim()])
    assert none.verdict == "undecided" and none.reason == f"{RECURSIVE}, seed 0: on another device than {UNROLLED}"


def test_times_are_of_the_devices_that_did_the_epochs(tmp_path: Path) -> None:
    """Seconds add up over attempts: what the last one ran on is not where an interrupted training was trained."""
    frames = study(tmp_path)
    end = frames.arms[RECURSIVE].configs[0].optim.epochs
    again(frames, RECURSIVE, 0, {"device": "H100"}, {"resumed_at_epoch": end - 1})  # the last epoch elsewhere
    again(frames, RECURSIVE, 1, {}, {"device": "H100", "resumed_at_epoch": end})  # tested elsewhere alone
    again(frames, RECURSIVE, 2, {"device": "H100"}, {})  # without a checkpoint
    again(frames, RECURSIVE, 3, {"resumed_at_epoch": end}, trained_in="H100")
    frames = timed(load_study(frames.plan, frames.store))
    found = compare_times(times(frames), RECURSIVE, UNROLLED)
    assert found.seeds == (1, 2) and found.per_seed == pytest.approx(tuple(SAVED[1:3]))
    assert found.missing == (
        (0, f"{RECURSIVE}, seed 0: trained on several devices"),
        (3, f"{RECURSIVE}, seed 3: on another device than {UNROLLED}"),
    )


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    frames = study(tmp_path, statuses={(UNROLLED, 2): ("failed", "no space")})
    rows = frames.timings
    frames.timings.drop(rows.index[(rows["arm"] == RECURSIVE) & (rows["seed"] == 0)], inplace=True)
    found = compare_times(times(frames), RECURSIVE, UNROLLED)
    assert found.seeds == (1, 3)
    assert found.missing == (
        (0, "seed 0: no training of its own was timed"),
        (2, f"{UNROLLED}, seed 2: failed: no space"),
    )
    frames.timings.drop(frames.timings.index, inplace=True)
    (none,) = check_claims(Images(frames), [claim()])
    assert (none.verdict, none.reason) == ("undecided", "seed 0: no training of its own was timed")


def test_the_answer_begins_with_the_claim_that_is_asked_for(tmp_path: Path) -> None:
    images = Images(study(tmp_path))
    claims = check_claims(images, [claim(answers=True), claim(text="much shorter", at_least=60.0)])
    comparisons = compare_arms(images)
    told = answer(images, comparisons, [], claims)
    mean = sum(SAVED) / 4
    low, high = (round(float(end), 1) for end in stats.ttest_1samp(SAVED, 0).confidence_interval(0.95))
    assert told.headline == (
        f"“shorter”: held, +{mean:.1f}{NBSP}% (95{NBSP}% interval +{low} to +{high}{NBSP}%, 4 seeds)."
    )
    assert told.context[0] == f"Test PSNR: {answer(images, comparisons, [], claims[1:]).headline}"
    assert [text.partition(".")[0] for text in told.claims] == ["“shorter”: held", "“much shorter”: refuted"]
    frames = study(tmp_path / "none")
    frames.timings.drop(frames.timings.index, inplace=True)
    without = answer(Images(frames), comparisons, [], check_claims(Images(frames), [claim(answers=True)]))
    assert without.headline == told.context[0].removeprefix("Test PSNR: ") and without.claims[0].startswith(
        "“shorter”: undecided"
    )
