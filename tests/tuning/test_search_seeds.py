"""Searches that train each setting with several seeds: one suggestion, several trials, and what counts are their means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

import pytest

from rdun.config import with_values
from rdun.results import Store
from rdun.search import Int, Search
from rdun.stopping import Asha
from rdun.tuning import Suggestions, known_settings
from rdun.tuning.in_work import Suggestion
from tests.tuning.conftest import Open, leave, worked_off

SEEDS = (3, 0, 7)


@pytest.fixture
def seeded(search: Search) -> Search:
    return replace(search, seeds=SEEDS, trials=4)


def given(suggestions: Suggestions, number: int = 1) -> list[Suggestion]:
    found = [suggestions.next() for _ in range(number)]
    assert all(found)
    return [one for one in found if one]


def test_each_setting_is_trained_with_each_seed_and_counts_by_its_means(
    seeded: Search, store: Store, opened: Open
) -> None:
    suggestions, psnrs = opened(seeded), (24.0, 26.0, 25.3)
    trials = given(suggestions, 3)
    assert [trial.config.seed for trial in trials] == list(SEEDS)
    assert len({replace(trial.config, seed=0) for trial in trials}) == 1
    assert len({trial.number for trial in trials}) == 1
    for trial, psnr in zip(trials, psnrs, strict=True):
        assert all(row.state != "complete" for row in suggestions.record().trials)
        leave(store, trial.fingerprint, psnr)
        suggestions.ended(trial.fingerprint)
    (row,) = (row for row in suggestions.record().trials if row.state == "complete")
    assert row.fingerprints == [trial.fingerprint for trial in trials]
    assert row.objectives == [fmean(psnrs), row.quantities["parameters"]]
    assert row.spreads == [stdev(psnrs), 0.0]
    assert suggestions.record().seeds == list(SEEDS)


def test_one_at_a_time_a_search_that_was_cut_off_between_seeds_ends_like_one_that_was_not(
    seeded: Search, store: Store, opened: Open, tmp_path: Path
) -> None:
    whole = worked_off(opened(seeded), store)
    expected = opened(seeded).record().trials
    assert len(whole) == 12
    (tmp_path / "search.db").unlink()
    other, parts = Store(tmp_path / "other"), []
    for most in (1, 4, 100):
        suggestions = opened(seeded)
        suggestions.store = other
        parts += worked_off(suggestions, other, most)
    assert parts == whole
    assert opened(seeded).record().trials == expected


def test_a_seed_that_fails_ends_its_setting_and_spares_the_others(seeded: Search, store: Store, opened: Open) -> None:
    suggestions = opened(seeded, trials=1)
    first, second = given(suggestions, 2)
    leave(store, first.fingerprint)
    suggestions.ended(first.fingerprint)
    leave(store, second.fingerprint, status="failed", reason="the loss is not finite")
    suggestions.ended(second.fingerprint)
    assert suggestions.next() is None and suggestions.finished()
    (row,) = (row for row in suggestions.record().trials if row.state != "infeasible")
    assert (row.state, row.reason, row.objectives, row.spreads) == ("failed", "the loss is not finite", [], [])
    retrying = opened(seeded, trials=1, retry_failed=True)
    assert [one["number"] is not None for one in worked_off(retrying, store)] == [True, True]
    assert store.trial(row.fingerprints[2]).run() is not None
    assert [row.state for row in retrying.record().tried()] == ["complete"]


def test_a_setting_has_no_end_before_all_its_trials_in_work_have(seeded: Search, store: Store, opened: Open) -> None:
    """The others may be in the middle of a training when one fails: the same setting must not begin beside them."""
    suggestions = opened(seeded, trials=1)
    first, second, _ = given(suggestions, 3)
    leave(store, first.fingerprint, status="failed", reason="the loss is not finite")
    suggestions.ended(first.fingerprint)
    assert not suggestions.finished()
    leave(store, second.fingerprint)
    suggestions.ended(second.fingerprint)
    assert [row.state for row in suggestions.record().trials if row.state != "infeasible"] == ["running"]
    suggestions.settle()
    assert [row.state for row in suggestions.record().trials if row.state != "infeasible"] == ["failed"]


def test_the_reason_of_a_failed_setting_is_that_of_the_seed_that_failed(
    seeded: Search, store: Store, opened: Open
) -> None:
    suggestions = opened(seeded, trials=1)
    first, second, _ = given(suggestions, 3)
    leave(store, first.fingerprint, status="stopped", reason="interrupted")
    leave(store, second.fingerprint, status="failed", reason="the loss is not finite")
    suggestions.settle()
    (row,) = (row for row in suggestions.record().trials if row.state != "infeasible")
    assert (row.state, row.reason) == ("failed", "the loss is not finite")


def test_equal_settings_share_all_trials(seeded: Search, store: Store, opened: Open) -> None:
    one = replace(seeded, space={"model.layers": Int(2, 2), "high": Int(1, 1)}, constraints=())
    suggestions = opened(one)
    assert len(worked_off(suggestions, store)) == 3
    assert [row.state for row in suggestions.record().trials] == ["complete", *["duplicate"] * 3]
    assert all(row.spreads == [0.0, 0.0] for row in suggestions.record().trials)


def test_baselines_have_all_seeds(seeded: Search, store: Store, opened: Open) -> None:
    asked = replace(seeded, baselines={"deep": with_values(seeded.base, {"model.layers": 6, "seed": 5})})
    suggestions = opened(asked)
    trials = given(suggestions, 2)
    assert [(trial.number, trial.config.seed) for trial in trials] == [(None, 3), (None, 0)]
    leave(store, trials[0].fingerprint)
    suggestions.ended(trials[0].fingerprint)
    again = opened(asked)
    assert [trial.config.seed for trial in given(again, 2)] == [0, 7]
    assert again.record().baselines["deep"][:2] == [trial.fingerprint for trial in trials]


def test_a_baseline_with_a_failed_seed_has_an_end(seeded: Search, store: Store, opened: Open) -> None:
    asked = replace(seeded, baselines={"deep": with_values(seeded.base, {"model.layers": 6})}, trials=1)
    suggestions = opened(asked)
    (first,) = given(suggestions)
    leave(store, first.fingerprint, status="failed", reason="the loss is not finite")
    suggestions.ended(first.fingerprint)
    assert len(worked_off(suggestions, store)) == 3
    assert suggestions.finished() and opened(asked).next() is None
    assert [trial.config.seed for trial in given(opened(asked, retry_failed=True), 3)] == list(SEEDS)


def test_what_others_have_trained_with_its_seeds_is_learned(
    search: Search, seeded: Search, store: Store, opened: Open, tmp_path: Path
) -> None:
    once = opened(search)
    worked_off(once, store)
    known = [row for row in once.record().trials if row.state == "complete"]
    assert known_settings(seeded, once.record(), store, "fp32") == {}
    for seed in (3, 7):  # of the first two, somebody has trained the seeds that are missing
        for row in known[:2]:
            prints, _ = Suggestions(
                replace(search, seeds=(seed,)), tmp_path / f"{seed}.db", store, "fp32", 1
            )._identified(search.config(row.values))
            leave(store, prints[0], row.objectives[0] + seed)
    learned = known_settings(seeded, once.record(), store, "fp32")
    assert len(learned) == 2
    suggestions = Suggestions(replace(seeded, name="wider"), tmp_path / "wider.db", store, "fp32", 4)
    suggestions.learn(learned)
    rows = suggestions.record().trials
    assert [row.objectives[0] for row in rows] == [pytest.approx(row.objectives[0] + 10 / 3) for row in known[:2]]
    assert {row.fingerprints[1] for row in rows} == {row.fingerprint for row in known[:2]}
    assert suggestions.left() == 2


def test_other_seeds_are_another_search(seeded: Search, opened: Open) -> None:
    opened(seeded)
    with pytest.raises(ValueError, match=r"was begun with seeds=\[3, 0, 7\], now it is \[0\]"):
        opened(replace(seeded, seeds=(0,)))


@pytest.mark.parametrize("seeds", [(), (1, 1), (-1,)])
def test_impossible_seeds_are_refused(search: Search, seeds: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"search seeds=.* are not possible; name at least one, each once, 0 or more"):
        replace(search, seeds=seeds)


def test_early_stopping_needs_one_seed(search: Search) -> None:
    one = replace(search, objectives=search.objectives[:1], base=with_values(search.base, {"optim.epochs": 9}))
    assert replace(one, stopping=Asha(grace=1, reduction=3)).stopping
    with pytest.raises(ValueError, match=r"each setting has 2 seeds; use one seed, or leave stopping out"):
        replace(one, stopping=Asha(grace=1, reduction=3), seeds=(0, 1))
