"""What trials with the same weights have tested already is not tested again, and the results are those of testing it all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from rdun.config import TrialConfig, with_values
from rdun.data import trial_fingerprint
from rdun.evaluation import Picture, reconstructions
from rdun.plan import past_runs
from rdun.results import SCORED_IN, Store, TrialDirectory, remove_weights
from tests.conftest import photograph
from tests.plan.conftest import MACHINE
from tests.trial.stored import folder, run, run_cut_off

Measured = list[tuple[str, int]]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    """Image and stage applications of every reconstruction that is scored."""
    seen: Measured = []

    def counted(reconstruct: object, task: object, picture: Picture, *rest: object) -> Iterator[object]:
        seen.append((picture.name, reconstruct.recursions))  # type: ignore[attr-defined]
        return reconstructions(reconstruct, task, picture, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("rdun.trial.scoring.reconstructions", counted)
    return seen


def with_more(config: TrialConfig) -> TrialConfig:
    return with_values(config, {"data.test": (*config.data.test, config.data.validation), "recursion.sweep": (2,)})


@pytest.fixture
def untrained(tiny: TrialConfig, store: Store) -> TrialConfig:
    """A trial that tests a file of weights."""
    run(store, tiny)
    weights = folder(store, tiny).path + "/best.safetensors"
    return with_values(tiny, {"optim.epochs": 0, "weights": weights})


def test_only_what_is_new_is_tested(tiny: TrialConfig, store: Store, tmp_path: Path, measured: Measured) -> None:
    second, alone = with_more(tiny), Store(tmp_path / "alone")
    run(alone, second)
    run(store, tiny)
    measured.clear()
    info = run(store, second)
    assert info.facts[SCORED_IN] == [trial_fingerprint(tiny)]
    assert {image for image, count in measured if count < 4} == {"validation0.png"}
    assert {image for image, count in measured if count == 4} == {"validation0.png", "test0.png", "test1.png"}
    ours, theirs = folder(store, second), folder(alone, second)
    for name in ("scores.csv", "traces.csv"):
        assert ours.read(name) == theirs.read(name), name
    for below in ("reconstructions/test", "reconstructions/validation"):
        assert ours.names(below) == theirs.names(below) != []
        for name in ours.names(below):
            assert ours.read(f"{below}/{name}") == theirs.read(f"{below}/{name}")
    assert not ours.exists("scored.csv")


def test_weights_that_are_only_tested_gather_scores_from_several(
    untrained: TrialConfig, store: Store, tmp_path: Path, measured: Measured
) -> None:
    """And nothing twice, where several have the same."""
    whole, data = with_more(untrained), untrained.data
    parts = [
        with_values(untrained, {"data.test": (data.validation,), "recursion.sweep": (2,)}),
        with_values(untrained, {"data.test": data.test, "recursion.sweep": (2, 3)}),
        untrained,
    ]
    alone = Store(tmp_path / "alone")
    run(alone, whole)
    for part in parts:
        run(store, part)
    measured.clear()
    info = run(store, whole)
    assert measured == []
    assert info.facts[SCORED_IN] == sorted(map(trial_fingerprint, parts))
    for name in ("scores.csv", "traces.csv"):
        assert folder(store, whole).read(name) == folder(alone, whole).read(name), name


def test_scores_of_other_weights_are_not_taken(tiny: TrialConfig, store: Store) -> None:
    """Trained again, by the same config: on another machine they would differ."""
    run(store, tiny)
    remove_weights([trial_fingerprint(tiny)], store, "none", set())
    assert SCORED_IN not in run(store, with_more(tiny)).facts


def test_scores_by_other_code_are_not_taken(
    untrained: TrialConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store, untrained)
    monkeypatch.setattr("rdun.trial.tested.code_of", lambda kind: "edited")
    assert SCORED_IN not in run(store, with_more(untrained)).facts


def test_images_that_changed_are_tested(
    untrained: TrialConfig, store: Store, tmp_path: Path, measured: Measured
) -> None:
    """Under the same names, in the same folder and in another one of that name."""
    here, there = tmp_path / "here" / "photos", tmp_path / "there" / "photos"
    shutil.copytree(untrained.data.test[0], here)
    first = with_values(untrained, {"data.test": (str(here),)})
    run(store, first)
    shutil.copytree(here, there)
    Image.fromarray(photograph(7, (45, 66))).save(there / "test0.png")
    measured.clear()
    run(store, with_values(untrained, {"data.test": (str(there),)}))
    assert {image for image, _ in measured} == {"test0.png", "test1.png"}
    Image.fromarray(photograph(8, (45, 66))).save(here / "test0.png")
    measured.clear()
    run(store, with_values(first, {"recursion.sweep": (3,)}))
    assert {image for image, count in measured if count < 6} == {"test0.png", "test1.png"}


@pytest.mark.parametrize("name", ["scores.csv", "traces.csv", "config.json"])
def test_damaged_scores_are_measured_again(untrained: TrialConfig, store: Store, measured: Measured, name: str) -> None:
    run(store, untrained)
    content = folder(store, untrained).read(name)
    folder(store, untrained).write(name, content[: len(content) // 2])
    measured.clear()
    info = run(store, with_more(untrained))
    assert info.status == "complete" and SCORED_IN not in info.facts
    assert ("test0.png", 2) in measured


def test_a_test_that_is_cut_off_keeps_what_it_took_over(
    untrained: TrialConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its origin too, where the other trial is gone by then."""
    second = with_more(untrained)
    run(store, untrained)
    monkeypatch.setattr("rdun.trial.scored.PERIOD", 0.0)
    run_cut_off(store, second, images=1)
    shutil.rmtree(folder(store, untrained).path)
    info = run(store, second)
    assert info.facts[SCORED_IN] == [trial_fingerprint(untrained)]


def test_its_time_says_nothing_of_a_whole_test(untrained: TrialConfig, store: Store) -> None:
    run(store, untrained)
    run(store, with_more(untrained))
    infos = [info for path in Path(store.path).iterdir() if (info := TrialDirectory(path).run())]
    machine = replace(MACHINE, device=infos[0].attempts[0].device, threads=1)
    scored = [m.scoring for m in past_runs(store, machine)]
    assert scored.count(None) == 1 and len(scored) == 3
