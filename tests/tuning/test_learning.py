"""What one search found out as the beginning of another."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from rdun.config import TrialConfig, with_values
from rdun.results import RunInfo, SearchRecord, Store
from rdun.search import Choice, Constraint, Int, Parameter, Real, Search, Values
from rdun.tuning import Suggestions, known_settings
from tests.tuning.conftest import Open, build, leave, worked_off


@pytest.fixture
def known(search: Search, store: Store, opened: Open) -> SearchRecord:
    """Six settings of the search of this folder, all complete but one, which failed."""
    suggestions = opened(search)
    worked_off(suggestions, store, 5)
    last = suggestions.next()
    assert last is not None
    leave(store, last.fingerprint, status="failed")
    suggestions.ended(last.fingerprint)
    return suggestions.record()


@pytest.fixture
def wider(search: Search) -> Search:
    """More layers, and the batch, which was eight before."""
    more: dict[str, Parameter] = {"model.layers": Int(1, 5), "optim.batch": Choice((16, 8))}
    return replace(search, name="wider", space={**search.space, **more}, trials=7)


def complete(record: SearchRecord) -> dict[str, list[float]]:
    return {trial.fingerprint: trial.objectives for trial in record.trials if trial.state == "complete"}


def test_a_wider_search_begins_with_what_is_known(
    wider: Search, known: SearchRecord, store: Store, tmp_path: Path
) -> None:
    learned = known_settings(wider, known, store, "fp32")
    assert learned.keys() == complete(known).keys() and len(learned) == 5
    assert {values["optim.batch"] for values in learned.values()} == {8}
    suggestions = Suggestions(wider, tmp_path / "wider.db", store, "fp32", 7)
    suggestions.learn(learned)
    assert complete(suggestions.record()) == complete(known)
    assert suggestions.left() == 2
    again = Suggestions(wider, tmp_path / "wider.db", store, "fp32", 7)
    again.learn(learned)
    assert again.record().trials == suggestions.record().trials
    assert len(worked_off(again, store)) == 2
    assert again.finished() and len(complete(again.record())) == 7


def test_the_model_learns_from_it(wider: Search, known: SearchRecord, store: Store, tmp_path: Path) -> None:
    """TPE, which draws at random until it has ten trials, asks for what these tell."""
    tpe = replace(wider, sampler="tpe", constraints=(), objectives=wider.objectives[:1], trials=40)
    suggestions = Suggestions(tpe, tmp_path / "first.db", store, "fp32", 30)
    worked_off(suggestions, store)
    learned = known_settings(tpe, suggestions.record(), store, "fp32")
    other = Suggestions(replace(tpe, name="other"), tmp_path / "other.db", store, "fp32", 40)
    other.learn(learned)
    assert len(complete(other.record())) == len(learned) > 20
    layers = [values["layers"] for values in worked_off(other, store, 8)]
    assert sum(layers) / len(layers) > 4, "quality grows with layers"


def test_what_is_outside_or_without_an_end_is_left_out(search: Search, known: SearchRecord, store: Store) -> None:
    narrow = replace(search, name="narrow", space={**search.space, "model.channels": Choice((4,))})
    inside = {t.fingerprint for t in known.trials if t.state == "complete" and t.values["model.channels"] == 4}
    assert known_settings(narrow, known, store, "fp32").keys() == inside
    assert 0 < len(inside) < 5
    gone = min(inside)
    store.trial(gone).write_run(RunInfo(fingerprint=gone, status="stopped"))
    assert known_settings(narrow, known, store, "fp32").keys() == inside - {gone}
    shutil.rmtree(store.trial(gone).path)
    assert known_settings(narrow, known, store, "fp32").keys() == inside - {gone}


def test_what_is_beyond_a_bound_is_left_out(search: Search, known: SearchRecord, store: Store) -> None:
    sizes = sorted(trial.quantities["parameters"] for trial in known.trials if trial.state == "complete")
    assert sizes[0] < sizes[-1]
    bounds = (Constraint("parameters", sizes[-1] - 1), Constraint("parameters", 2 * sizes[-1]))  # the lower one holds
    bounded = replace(search, name="bounded", constraints=bounds)
    learned = known_settings(bounded, known, store, "fp32")
    small = {t.fingerprint for t in known.trials if t.state == "complete" and t.quantities["parameters"] < sizes[-1]}
    assert learned.keys() == small
    suggestions = Suggestions(bounded, optuna.storages.InMemoryStorage(), store, "fp32", 7)
    suggestions.learn(learned)
    within = [trial.constraints["parameters"] for trial in suggestions.study.trials]
    assert within == [row.quantities["parameters"] - (sizes[-1] - 1) for row in suggestions.record().trials]


def test_a_failed_setting_that_is_tried_again_is_not_lost(
    wider: Search, known: SearchRecord, store: Store, tmp_path: Path
) -> None:
    learned = known_settings(wider, known, store, "fp32")
    suggestions = Suggestions(wider, tmp_path / "wider.db", store, "fp32", 7)
    failed = suggestions.next()
    assert failed is not None
    leave(store, failed.fingerprint, status="failed")
    suggestions.ended(failed.fingerprint)
    again = Suggestions(wider, tmp_path / "wider.db", store, "fp32", 7, retry_failed=True)
    again.learn(learned)
    assert complete(again.record()) == complete(known)
    retried = again.next()
    assert retried is not None and retried.fingerprint == failed.fingerprint
    leave(store, failed.fingerprint)
    again.ended(failed.fingerprint)
    assert len(worked_off(again, store)) == 1 and again.finished()
    assert [trial.retry_of for trial in again.record().trials].count(failed.number) == 1


def test_what_a_search_has_in_work_already_is_its_own(
    search: Search, known: SearchRecord, store: Store, tmp_path: Path
) -> None:
    """Its driver died before the other search was complete; the setting counts once."""
    again, database = replace(search, name="again"), tmp_path / "again.db"
    lost = Suggestions(again, database, Store(tmp_path / "before"), "fp32", 5).next()
    learned = known_settings(again, known, store, "fp32")
    assert lost is not None and lost.fingerprint in learned
    suggestions = Suggestions(again, database, store, "fp32", 5)
    suggestions.learn(learned)
    assert len(complete(suggestions.record())) == 4 and suggestions.left() == 1
    assert suggestions.next() is None and suggestions.finished()
    assert complete(suggestions.record()) == complete(known)


@pytest.mark.parametrize("change", [{"optim.epochs": 2}, {"data.epoch_samples": 40}, {"precision": "bf16"}])
def test_another_training_is_not_taken_for_it(
    change: Mapping[str, Any], search: Search, known: SearchRecord, store: Store
) -> None:
    assert not known_settings(replace(search, base=with_values(search.base, change)), known, store, "fp32")


def test_a_parameter_of_a_function_is_tried(search: Search, known: SearchRecord, store: Store) -> None:
    """It stands in no config, so that only the fingerprint tells which value was meant."""

    def longer(base: TrialConfig, values: Values) -> TrialConfig:
        return build(with_values(base, {"optim.epochs": 1 + abs(values["shorter"] - 23)}), values)

    other = replace(search, name="other", space={**search.space, "shorter": Int(0, 40)}, build=longer)
    learned = known_settings(other, known, store, "fp32")
    assert len(learned) == 5 and {values["shorter"] for values in learned.values()} == {23}


@pytest.mark.parametrize(
    ("parameter", "inside", "outside"),
    [
        (Int(1, 3), (1, 3), (0, 4, 1.0, True, None, "1")),
        (Real(0.5, 1), (0.5, 1, 0.7), (0.4, 1.1, True, None, float("nan"))),
        (Choice((1, None, "a")), (1, None, "a"), (True, 1.0, "b")),
    ],
)
def test_a_parameter_holds_its_values(parameter: Parameter, inside: tuple[Any, ...], outside: tuple[Any, ...]) -> None:
    assert all(map(parameter.holds, inside))
    assert not any(map(parameter.holds, outside))
