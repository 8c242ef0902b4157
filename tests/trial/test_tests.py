"""How a finished trial is tested: other recursion counts, weights from files, and what it says of a reconstruction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rdun.config import CoastConfig, Fixed, IstaNetPlusConfig, Rfmu, TrialConfig, UniformRange, with_values
from rdun.data import image_set, training_blocks, trial_fingerprint
from rdun.evaluation import (
    Reconstructor,
    ScoreLabels,
    load_pictures,
    reconstructions,
    sample_blocks,
    score_blocks,
    spread,
)
from rdun.operators import make_task
from rdun.plan.study_plan import state_of
from rdun.results import TrialDirectory
from rdun.trial import run_trial


def mean_psnr(folder: TrialDirectory, recursions: int, checkpoint: str = "best") -> float:
    found = [
        s.value
        for s in folder.scores()
        if (s.recursions, s.checkpoint, s.unit, s.metric) == (recursions, checkpoint, "image", "psnr")
    ]
    assert found
    return float(np.mean(found))


def test_a_sweep_tests_one_checkpoint_with_other_counts(tiny: TrialConfig, tmp_path: Path) -> None:
    """The sweep's scores are those of the same weights tested with these counts alone."""
    swept = with_values(tiny, {"recursion.sweep": (1, 2, 3)})
    run_trial(swept, str(tmp_path / "swept"))
    folder = TrialDirectory(tmp_path / "swept")
    assert {s.recursions for s in folder.scores()} == {0, 2, 4, 6}
    assert {t.recursions for t in folder.traces()} == {2, 4, 6}
    again = with_values(
        tiny,
        {
            "weights": str(tmp_path / "swept" / "best.safetensors"),
            "optim.epochs": 0,
            "recursion.test": Fixed(counts=(3,)),
        },
    )
    run_trial(again, str(tmp_path / "again"))
    assert mean_psnr(TrialDirectory(tmp_path / "again"), 6) == mean_psnr(folder, 6)


def test_the_own_count_is_no_sweep(tiny: TrialConfig) -> None:
    """Two layers tested once each: a sweep over 1 changes nothing, and is the same trial."""
    assert trial_fingerprint(replace(tiny, precision="fp32")) == trial_fingerprint(
        replace(with_values(tiny, {"recursion.sweep": (1,)}), precision="fp32")
    )


@pytest.mark.parametrize("model", [CoastConfig(layers=2, channels=4), IstaNetPlusConfig(layers=2, channels=4)])
def test_a_trace_ends_where_the_reconstruction_does(tiny: TrialConfig, tmp_path: Path, model: CoastConfig) -> None:
    config = with_values(
        replace(tiny, model=model),
        {"recursion.train": UniformRange(low=(1,), high=(2,)), "recursion.modulation": Rfmu(), "recursion.sweep": (3,)},
    )
    run_trial(config, str(tmp_path / "t"))
    folder = TrialDirectory(tmp_path / "t")
    for recursions in (4, 6):
        last = [t for t in folder.traces() if t.recursions == t.application == recursions]
        assert np.mean([t.psnr for t in last]) == pytest.approx(mean_psnr(folder, recursions), abs=1e-4)
        assert all(t.scale_max >= t.scale_mean > 0 and t.step == t.step for t in last)
        first = [t for t in folder.traces() if t.recursions == recursions and t.application == 0]
        assert np.mean([t.psnr for t in first]) == pytest.approx(mean_psnr(folder, 0), abs=1e-4)


IMAGES = 10
"""Passes over a test image of `with_a_whole_test`: two images, without network, best, last and twice swept."""


def with_a_whole_test(tiny: TrialConfig) -> TrialConfig:
    """A trial whose test has every part: last weights that are not the best ones, and a sweep."""
    return with_values(tiny, {"recursion.sweep": (2, 3), "optim.lr": 0.01})


def cut_off_after(images: int, done: list[str]) -> Callable[..., Any]:
    """In place of `reconstructions`: notes each image, and is interrupted after so many."""

    def counted(reconstruct: Any, task: Any, picture: Any, device: Any) -> Any:
        if len(done) == images:
            raise KeyboardInterrupt
        done.append(picture.name)
        return reconstructions(reconstruct, task, picture, device)

    return counted


@pytest.mark.parametrize("done", [1, 3, 5, 8])
def test_a_test_that_is_cut_off_goes_on_with_the_next_image(
    tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    monkeypatch.setattr("rdun.trial.scored.PERIOD", 0.0)
    config, before, after = with_a_whole_test(tiny), list[str](), list[str]()
    run_trial(config, str(tmp_path / "whole"))
    monkeypatch.setattr("rdun.trial.scoring.reconstructions", cut_off_after(done, before))
    with pytest.raises(KeyboardInterrupt):
        run_trial(config, str(tmp_path / "parts"))
    parts, whole = TrialDirectory(tmp_path / "parts"), TrialDirectory(tmp_path / "whole")
    assert len({(s.checkpoint, s.image, s.recursions) for s in parts.scored() if s.unit == "image"}) == done
    assert state_of(parts) == "resumable"
    monkeypatch.setattr("rdun.trial.scoring.reconstructions", cut_off_after(IMAGES, after))
    assert run_trial(config, parts.path).status == "complete"
    assert len(before) + len(after) == IMAGES
    assert parts.names() == whole.names()
    pictures = [f"reconstructions/test/{name}" for name in whole.names("reconstructions/test")]
    for name in ("scores.csv", "traces.csv", *pictures):
        assert parts.read(name) == whole.read(name), name


@pytest.mark.parametrize("done", [1, 5, 8])
def test_blocks_that_are_cut_off_go_on_with_the_next_matrix(
    tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    """Three splits and two matrices, of the initial estimate and of two checkpoints."""
    monkeypatch.setattr("rdun.trial.scored.PERIOD", 0.0)
    config = with_values(with_a_whole_test(tiny), {"task.test_matrix_seeds": (0, 1)})
    run_trial(config, str(tmp_path / "whole"))
    calls = list[str]()

    def counted(reconstruct: Any, test: Any, blocks: Any, labels: Any, device: Any) -> Any:
        if len(calls) == done:
            raise KeyboardInterrupt
        calls.append(f"{labels.checkpoint} {labels.split} {test.matrix} {reconstruct.recursions}")
        return score_blocks(reconstruct, test, blocks, labels, device)

    monkeypatch.setattr("rdun.trial.scoring.score_blocks", counted)
    with pytest.raises(KeyboardInterrupt):
        run_trial(config, str(tmp_path / "parts"))
    before, calls = calls, []
    done = 100
    run_trial(config, str(tmp_path / "parts"))
    assert len(before + calls) == len({*before, *calls}) == 3 * 3 * 2
    parts, whole = TrialDirectory(tmp_path / "parts"), TrialDirectory(tmp_path / "whole")
    assert parts.read("scores.csv") == whole.read("scores.csv")


def test_scores_of_other_weights_are_not_taken_over(tiny: TrialConfig, tmp_path: Path) -> None:
    run_trial(tiny, str(tmp_path / "whole"))
    whole, parts = TrialDirectory(tmp_path / "whole"), TrialDirectory(tmp_path / "parts")
    wrong = [replace(s, value=0.0) for s in whole.scores() if s.unit == "image"]
    parts.write_scored(wrong)
    parts.write("last.safetensors", b"others")
    run_trial(tiny, parts.path)
    assert parts.read("scores.csv") == whole.read("scores.csv")


def test_every_test_folder_is_tested_under_the_name_it_was_given(
    tiny: TrialConfig, images: Path, tmp_path: Path
) -> None:
    """Links to folders of one name are two sets; two of one name are refused, however they are written."""
    for link in ("old", "new"):
        (tmp_path / link).symlink_to(images / "test")
    config = with_values(tiny, {"data.test": (str(tmp_path / "old"), str(tmp_path / "new"))})
    run_trial(config, str(tmp_path / "t"))
    tested = {s.dataset for s in TrialDirectory(tmp_path / "t").scores() if s.unit == "image"}
    assert tested == {"old", "new"}
    with pytest.raises(ValueError, match="a last name of its own"):
        with_values(tiny, {"data.test": (str(tmp_path / "old"), f"{tmp_path}/new/../x/../old")})


def test_counts_that_scores_cannot_tell_apart_are_refused(tiny: TrialConfig) -> None:
    with pytest.raises(
        ValueError, match=r"recursion\.sweep=2 is not possible; leave it out: the test counts \(1, 3\) also"
    ):
        with_values(tiny, {"recursion.test": Fixed(counts=(1, 3)), "recursion.sweep": (1, 2)})
    with_values(tiny, {"recursion.test": Fixed(counts=(2, 2)), "recursion.sweep": (1, 2)})


def test_weights_as_they_are(tiny: TrialConfig, tmp_path: Path) -> None:
    """Testing a trial's last weights without training gives that trial's scores of its last checkpoint."""
    run_trial(tiny, str(tmp_path / "trained"))
    weights = str(tmp_path / "trained" / "last.safetensors")
    config = with_values(tiny, {"weights": weights, "optim.epochs": 0})
    info = run_trial(config, str(tmp_path / "tested"))
    folder = TrialDirectory(tmp_path / "tested")
    assert info.status == "complete"
    assert folder.epochs() == []
    assert mean_psnr(folder, 2) == mean_psnr(TrialDirectory(tmp_path / "trained"), 2, "last")
    assert {t.name for t in folder.timings()} == {"images_per_second"}


def test_best_and_last_weights_have_scores_of_their_own(tiny: TrialConfig, tmp_path: Path) -> None:
    """Either file, tested alone, gives the trial's scores, and on the validation images what chose the best epoch."""
    config = with_values(tiny, {"optim.lr": 0.01})
    info, trained = run_trial(config, str(tmp_path / "trained")), TrialDirectory(tmp_path / "trained")
    epochs = trained.epochs()
    best = max(epochs, key=lambda record: record.validation_psnr)
    assert info.facts["best_epoch"] == best.epoch < epochs[-1].epoch
    for name, record in (("best", best), ("last", epochs[-1])):
        alone = {
            "weights": f"{trained.path}/{name}.safetensors",
            "optim.epochs": 0,
            "data.test": (*config.data.test, config.data.validation),
        }
        run_trial(with_values(config, alone), str(tmp_path / name))
        found: dict[str, list[float]] = {}
        for score in TrialDirectory(tmp_path / name).scores():
            if (score.checkpoint, score.unit, score.metric, score.recursions) == ("last", "image", "psnr", 2):
                found.setdefault(score.dataset, []).append(score.value)
        assert np.mean(found["test"]) == mean_psnr(trained, 2, name)
        assert np.mean(found["validation"]) == pytest.approx(record.validation_psnr, abs=1e-9)


def test_blocks_are_scored_with_those_of_their_split(tiny: TrialConfig, tmp_path: Path) -> None:
    """Of the initial estimate: training blocks of the subset, blocks of the validation and of the test images."""
    run_trial(tiny, str(tmp_path / "t"))
    found = {
        s.split: s.value
        for s in TrialDirectory(tmp_path / "t").scores()
        if (s.unit, s.checkpoint, s.recursions) == ("block", "best", 0)
    }
    blocks = training_blocks(image_set(tiny.data.train), tiny.data, 12)
    task = make_task(tiny.task, blocks.moment, torch.device("cpu"))
    (test,) = task.test_operators((12, 12))
    splits = {"train": spread(blocks.pixels, 256)}
    for split, name in (("validation", tiny.data.validation), ("test", tiny.data.test[0])):
        splits[split] = sample_blocks(load_pictures(image_set(name)), 12, 256)
    labels, start = ScoreLabels("best", "", "", {0.25: ""}), Reconstructor(None, (1, 1), deblock=True)
    expected = {
        split: score_blocks(start, test, pixels, labels, torch.device("cpu")).value for split, pixels in splits.items()
    }
    assert found == pytest.approx(expected, abs=1e-9)
    assert len({round(value, 3) for value in expected.values()}) == 3


def test_training_goes_on_from_weights(tiny: TrialConfig, tmp_path: Path) -> None:
    """A second training from the first one's weights starts below the first one's first loss."""
    run_trial(tiny, str(tmp_path / "first"))
    config = with_values(tiny, {"weights": str(tmp_path / "first" / "last.safetensors")})
    run_trial(config, str(tmp_path / "second"))
    first, second = (TrialDirectory(tmp_path / name).epochs() for name in ("first", "second"))
    assert second[0].train_loss < first[0].train_loss


def test_weights_as_they_are_keep_the_longest_pass_of_their_training(tiny: TrialConfig, tmp_path: Path) -> None:
    """The RFMU's inputs are parts of it: with the default `recursion.train`, R-COAST's scores would be those of no network."""
    rfmu = {"recursion.train": UniformRange(low=(1,), high=(3,)), "recursion.modulation": Rfmu()}
    run_trial(with_values(tiny, rfmu), str(tmp_path / "t"))
    given = {
        "weights": str(tmp_path / "t" / "last.safetensors"),
        "optim.epochs": 0,
        "recursion.test": Fixed(counts=(3,)),
    }
    kept = with_values(tiny, rfmu | given)
    assert run_trial(kept, str(tmp_path / "kept")).status == "complete"
    once = with_values(kept, {"recursion.train": Fixed(counts=(1,))})
    with pytest.raises(
        ValueError, match=r"parts of 6 stage applications.*has 2; set it to .* high=\(3, 3\), and those"
    ):
        run_trial(once, str(tmp_path / "once"))
    trained_on = with_values(once, {"optim.epochs": 1})
    assert run_trial(trained_on, str(tmp_path / "on")).status == "complete"


def test_weights_as_they_are_keep_the_inputs_of_their_rfmu(tiny: TrialConfig, tmp_path: Path) -> None:
    """As many others, or the same in another order, have weights of the same shape."""
    run_trial(with_values(tiny, {"recursion.modulation": Rfmu(inputs=("total", "current"))}), str(tmp_path / "t"))
    weights = {"weights": str(tmp_path / "t" / "last.safetensors")}
    for epochs in (0, 1):
        other = {"optim.epochs": epochs, "recursion.modulation": Rfmu(inputs=("current", "total"))}
        with pytest.raises(
            ValueError, match=r"told \('total', 'current'\), and .*inputs are \('current', 'total'\); set"
        ):
            run_trial(with_values(tiny, weights | other), str(tmp_path / f"other{epochs}"))


def test_weights_count_by_content(tiny: TrialConfig, tmp_path: Path) -> None:
    run_trial(tiny, str(tmp_path / "t"))
    content = (tmp_path / "t" / "last.safetensors").read_bytes()
    (tmp_path / "copy.safetensors").write_bytes(content)
    (tmp_path / "other.safetensors").write_bytes(content + b" ")
    plain = replace(tiny, precision="fp32")
    prints = [
        trial_fingerprint(replace(plain, weights=str(tmp_path / name)))
        for name in ("t/last.safetensors", "copy.safetensors", "other.safetensors")
    ]
    assert prints[0] == prints[1] != prints[2]
    assert prints[0] != trial_fingerprint(plain)


def test_weights_that_cannot_be_used(tiny: TrialConfig, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"weights='nowhere.pkl' is not a file.*RDUN_DATA"):
        run_trial(replace(tiny, weights="nowhere.pkl"), str(tmp_path / "a"))
    run_trial(tiny, str(tmp_path / "t"))
    wide = replace(tiny, model=CoastConfig(layers=2, channels=5), weights=str(tmp_path / "t" / "last.safetensors"))
    with pytest.raises(ValueError, match="do not fit the network of model and recursion"):
        run_trial(wide, str(tmp_path / "b"))
    with pytest.raises(ValueError, match=r"optim\.epochs=0 is not possible"):
        with_values(tiny, {"optim.epochs": 0})
