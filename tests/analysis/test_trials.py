"""The list of all trials."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from analysis.pages.trials import trial_list
from analysis.statistics.paired import Images
from rdun.results import Score, TrialDirectory
from tests.analysis.conftest import load
from tests.analysis.synthetic import Truth, write_study

FEW = Truth(
    systems=("COAST",),
    sizes={"10 %": 0.1},
    effects={"unrolled": 0.0, "recursive": -0.1},
    seeds=(0, 1),
    images=("a.png", "b.png"),
    epochs=4,
    sweep=(2, 4),
    statuses={("COAST, recursive, 10 %", 1): ("failed", "out of memory")},
    pictures=False,
)


def test_a_line_holds_what_its_trial_has_come_to(tmp_path: Path) -> None:
    """Quality of the best checkpoint at the test counts; the number that is sorted by is the one that is shown."""
    folder, store = write_study(tmp_path, FEW)
    frames = load((folder, store))
    first = store.trial(str(frames.trials["fingerprint"].iloc[0]))
    run = first.run()
    assert run is not None
    first.write_run(replace(run, attempts=(*run.attempts, *run.attempts)))
    shown = trial_list(Images(load((folder, store))))
    heads = [head for head, _ in shown.columns]
    for row, trial in zip(shown.rows, frames.trials.to_dict("records"), strict=True):
        cells, own = dict(zip(heads, row.cells, strict=True)), store.trial(str(trial["fingerprint"]))
        text = {head: cell.text for head, cell in cells.items()}
        assert (text["Arm"], text["Seed"], text["Fingerprint"]) == (
            trial["arm"],
            str(trial["seed"]),
            trial["fingerprint"],
        )
        assert text["Starts"] == ("2" if trial["fingerprint"] == first.name else "1")
        if trial["status"] != "complete":
            assert text["Status"] == "failed: out of memory" and text["PSNR, dB"] == text["Training, s"] == "–"
            continue
        expected = {
            "PSNR, dB": (_mean(own, "psnr", frames.arms[trial["arm"]].evaluations_test), ".2f"),
            "SSIM": (_mean(own, "ssim", frames.arms[trial["arm"]].evaluations_test), ".4f"),
            "Best epoch": (trial["facts"]["best_epoch"], ".0f"),
            "Parameters": (trial["facts"]["parameters"], ",.0f"),
            "Training, s": (_seconds(own), ",.1f"),
        }
        assert {head: text[head] for head in expected} == {
            head: f"{v:{digits}}" for head, (v, digits) in expected.items()
        }
        assert [float(cells[head].sort) for head in expected] == pytest.approx([v for v, _ in expected.values()])


def _mean(trial: TrialDirectory, metric: str, recursions: int) -> float:
    def counts(score: Score) -> bool:
        return (score.checkpoint, score.split, score.unit) == ("best", "test", "image") and score.metric == metric

    return fmean(score.value for score in trial.scores() if counts(score) and score.recursions == recursions)


def _seconds(trial: TrialDirectory) -> float:
    return next(t.value for t in trial.timings() if t.name == "train_seconds")
