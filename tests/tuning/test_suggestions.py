"""Suggestions in a real SQLite file; the trials' results are written by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from rdun.config import with_values
from rdun.results import Folder, SearchRecord, Store
from rdun.search import SAMPLERS, Choice, Constraint, Int, Objective, Search
from tests.tuning.conftest import Open, leave, worked_off


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models from the fifth suggestion on."""
    monkeypatch.setattr("rdun.tuning.optuna_study.START", 4)


@pytest.mark.usefixtures("early")
@pytest.mark.parametrize("objectives", [1, 2])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_keeps_to_the_space_and_the_bounds(
    sampler: str, objectives: int, search: Search, store: Store, opened: Open
) -> None:
    asked = replace(search, sampler=sampler, trials=6, objectives=search.objectives[:objectives])
    suggestions = opened(asked)
    worked_off(suggestions, store)
    record = suggestions.record()
    kept = [trial for trial in record.trials if trial.state != "infeasible"]
    assert len(kept) == 6
    assert suggestions.finished()
    for trial in record.trials:
        assert trial.values["model.layers"] in (1, 2, 3)
        assert trial.values["model.channels"] in (2, 4)
        assert 1e-4 <= trial.values["optim.lr"] <= 1e-2
        assert (trial.quantities["parameters"] > 2000) == (trial.state == "infeasible")
        assert bool(trial.fingerprint) == (trial.state != "infeasible") == (not trial.reason)
    assert len({trial.values["optim.lr"] for trial in record.trials}) >= 4


@pytest.mark.usefixtures("early")
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_one_at_a_time_a_search_that_was_cut_off_ends_like_one_that_was_not(
    sampler: str, search: Search, store: Store, opened: Open, tmp_path: Path
) -> None:
    asked = replace(search, sampler=sampler, trials=8)
    whole = worked_off(opened(asked), store)
    (tmp_path / "search.db").unlink()
    other = Store(tmp_path / "other")
    parts = []
    for most in (2, 5, 100):
        suggestions = opened(asked)
        suggestions.store = other
        parts += worked_off(suggestions, other, most)
        if most < 100:
            suggestions.next()  # given out, and the driver is gone
    assert parts == whole


def test_the_pareto_set_is_right(search: Search, store: Store, opened: Open) -> None:
    suggestions = opened(search)
    worked_off(suggestions, store)
    record = suggestions.record()
    points = {trial.number: trial.objectives for trial in record.trials if trial.state == "complete"}
    undominated = {
        number
        for number, (psnr, cost) in points.items()
        if not any(p >= psnr and c <= cost and (p, c) != (psnr, cost) for p, c in points.values())
    }
    assert {trial.number for trial in record.best()} == undominated
    assert {trial.number for trial in suggestions.study.best_trials} == undominated
    psnrs = [trial.objectives[0] for trial in record.best()]
    assert psnrs == sorted(psnrs, reverse=True)


def test_a_finished_search_suggests_nothing_and_can_be_extended(search: Search, store: Store, opened: Open) -> None:
    worked_off(opened(search), store)
    again = opened(search)
    assert again.next() is None
    assert again.finished()
    before = again.record().trials
    longer = opened(search, trials=9)
    assert not longer.finished()
    assert len(worked_off(longer, store)) == 3
    assert longer.record().trials[: len(before)] == before


def test_equal_settings_are_given_out_once(search: Search, store: Store, opened: Open) -> None:
    few = replace(search, space={"model.layers": Int(1, 2), "high": Int(1, 1)}, constraints=(), trials=8)
    suggestions = opened(few)
    given = worked_off(suggestions, store)
    assert sorted(one["layers"] for one in given) == [1, 2]
    states = [trial.state for trial in suggestions.record().trials]
    assert (states.count("complete"), states.count("duplicate")) == (2, 6)
    assert all(len(trial.objectives) == 2 for trial in suggestions.record().trials)


def test_equal_settings_at_the_same_time_share_one_result(search: Search, store: Store, opened: Open) -> None:
    one = replace(search, space={"model.layers": Int(2, 2), "high": Int(1, 1)}, constraints=(), trials=3)
    suggestions = opened(one)
    first = suggestions.next()
    assert first is not None
    assert suggestions.next() is None
    assert not suggestions.finished()
    leave(store, first.fingerprint, 21.5)
    suggestions.ended(first.fingerprint)
    assert suggestions.finished()
    assert [trial.objectives[0] for trial in suggestions.record().trials] == [21.5] * 3


def test_a_result_of_somebody_else_is_used(search: Search, store: Store, opened: Open) -> None:
    config = replace(search.config({"model.layers": 2, "high": 1}), precision="fp32")
    suggestions = opened(replace(search, space={"model.layers": Int(2, 2), "high": Int(1, 1)}, trials=1))
    leave(store, suggestions._identified(config)[0], 23.0)
    assert suggestions.next() is None
    assert suggestions.record().trials[0].objectives[0] == 23.0


def test_failed_trials_are_tried_again_on_demand_only(search: Search, store: Store, opened: Open) -> None:
    suggestions = opened(search)
    found = suggestions.next()
    assert found is not None
    leave(store, found.fingerprint, status="failed", reason="the loss is not finite")
    suggestions.ended(found.fingerprint)
    worked_off(suggestions, store)
    failed = [trial for trial in suggestions.record().trials if trial.state == "failed"]
    assert [(trial.fingerprint, trial.reason) for trial in failed] == [(found.fingerprint, "the loss is not finite")]
    assert opened(search).next() is None
    retrying = opened(search, retry_failed=True)
    assert len(worked_off(retrying, store)) == 1
    after = {trial.number: trial for trial in retrying.record().trials}
    assert after[found.number or 0].reason.startswith("tried again as trial")
    assert [t.fingerprint for t in after.values() if t.state == "complete"].count(found.fingerprint) == 1
    assert opened(search, retry_failed=True).next() is None
    assert retrying.finished()


def test_a_cut_off_trial_is_run_first_with_its_own_values(search: Search, store: Store, opened: Open) -> None:
    lost = opened(search)
    both = [lost.next(), lost.next()]
    lost.study.ask(lost.space)  # and one of which not all is known
    leave(store, both[0].fingerprint if both[0] else "", status="running")
    again = opened(search)
    assert [again.next(), again.next()] == both
    worked_off(again, store, 4)
    states = [trial.state for trial in again.record().trials if trial.state != "infeasible"]
    assert (states.count("running"), states.count("complete")) == (2, 4)


def test_baselines_come_first_and_are_no_suggestions(search: Search, store: Store, opened: Open) -> None:
    suggestions = opened(replace(search, baselines={"deep": with_values(search.base, {"model.layers": 6})}))
    given = worked_off(suggestions, store)
    assert given[0] == {"number": None, "layers": 6, "lr": search.base.optim.lr}
    assert len(given) == 7
    record = suggestions.record()
    assert set(record.baselines) == {"deep"}
    assert record.baselines["deep"] not in {trial.fingerprint for trial in record.trials}


def test_an_impossible_bound_ends(search: Search, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdun.tuning.suggestions.TRIES", 12)
    suggestions = opened(replace(search, constraints=(Constraint("parameters", 10),)))
    assert suggestions.next() is None
    assert suggestions.gave_up.startswith("12 suggestions in a row were infeasible, the last one because parameters is")
    assert not suggestions.finished()


def test_another_search_under_the_same_name_is_refused(search: Search, opened: Open) -> None:
    opened(search)
    opened(replace(search, trials=50, question="Other words?"))
    for changed in (
        replace(search, space={"model.layers": Choice((1, 2)), "high": Int(1, 2)}),
        replace(search, sampler="tpe"),
        replace(
            search,
            base=with_values(search.base, {"optim.lr": 1e-3, "model.channels": 6}),
            build=None,
            space={"model.layers": Int(1, 2)},
        ),
        replace(search, objectives=(Objective("validation_psnr", "maximize"), Objective("macs", "minimize"))),
    ):
        with pytest.raises(ValueError, match=r"was begun with .*; give the search another name"):
            opened(changed)


def test_the_database_opens_with_optuna_alone(search: Search, store: Store, opened: Open, tmp_path: Path) -> None:
    suggestions = opened(search)
    worked_off(suggestions, store)
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path}/search.db")
    assert study.metric_names == ["validation_psnr", "parameters"]
    assert len(study.best_trials) == len(suggestions.record().best())


def test_the_record_is_saved_and_read(search: Search, store: Store, opened: Open, tmp_path: Path) -> None:
    suggestions = opened(search)
    worked_off(suggestions, store)
    record = replace(suggestions.record(), provenance={"command": "x"})
    record.save(Folder(tmp_path / "home"))
    assert SearchRecord.load(Folder(tmp_path / "home")) == record
    assert record.space["model.layers"] == "1, 2, 3"
    trial = record.best()[0]
    assert trial.values["high"] in (1, 2)
