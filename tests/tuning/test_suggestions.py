"""Suggestions in a real SQLite file; the trials' results are written by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from rdun.config import TrialConfig, UniformRange, with_values
from rdun.results import Folder, SearchRecord, Store
from rdun.search import SAMPLERS, Choice, Constraint, Int, Objective, Search, Values
from rdun.tuning import Suggestions
from rdun.tuning.quantities import shown
from tests.tuning.conftest import Open, leave, worked_off


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
    leave(store, suggestions._identified(config)[0][0], 23.0)
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


def test_a_failed_setting_that_comes_up_again_was_not_tried_again(search: Search, store: Store, opened: Open) -> None:
    """Record and suggestions count alike, so that a search can be extended."""
    one = replace(search, space={"model.layers": Int(2, 2), "high": Int(1, 1)}, constraints=(), trials=3)
    suggestions = opened(one)
    found = suggestions.next()
    assert found is not None
    leave(store, found.fingerprint, status="failed", reason="the loss is not finite")
    suggestions.ended(found.fingerprint)
    assert suggestions.next() is None
    record = suggestions.record()
    assert [trial.state for trial in record.trials] == ["failed"] * 3
    assert {trial.reason for trial in record.trials} == {"the loss is not finite"}
    assert suggestions.finished() and not record.untried()
    longer = opened(one, trials=4, retry_failed=True)
    assert longer.record().untried() == 1
    worked_off(longer, store)
    after = longer.record()
    assert [trial.retry_of for trial in after.trials] == [None, None, None, 0, 1, 2, None]
    assert longer.finished() and not after.untried()
    assert len(after.tried()) == 4


def precisions(suggestions: Suggestions) -> list[str]:
    return [t.user_attrs["config"]["precision"] for t in suggestions.study.trials if "config" in t.user_attrs]


def test_a_search_goes_on_with_the_precision_that_it_began_with(search: Search, store: Store, tmp_path: Path) -> None:
    """Also on a machine whose own is another: settings in two arithmetics cannot be ranked together."""
    auto, database = with_values(search.base, {"precision": "auto"}), tmp_path / "search.db"
    asked = replace(search, base=auto, baselines={"deep": with_values(auto, {"model.layers": 6})})
    begun = Suggestions(asked, database, store, "fp32", 2)
    worked_off(begun, store)
    longer = Suggestions(asked, database, store, "bf16", 4)
    worked_off(longer, store)
    assert precisions(longer) == ["fp32"] * 4
    assert longer.record().baselines == begun.record().baselines
    assert longer.record().precision == "fp32"
    other = Suggestions(asked, tmp_path / "other.db", store, "bf16", 1)
    worked_off(other, store)
    assert precisions(other) == ["bf16"]


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
    assert set(record.baselines) == {"deep"} == set(record.baseline_quantities)
    assert record.baseline_quantities["deep"].keys() == record.trials[0].quantities.keys()
    assert record.baselines["deep"][0] not in {trial.fingerprint for trial in record.trials}


def test_a_search_has_no_end_before_its_baselines_have(search: Search, store: Store, opened: Open) -> None:
    asked = replace(search, baselines={"deep": with_values(search.base, {"model.layers": 6})})
    suggestions = opened(asked, trials=1)
    found = [suggestions.next(), suggestions.next()]
    for one, finished in zip(reversed(found), (False, True), strict=True):
        assert one is not None and not suggestions.finished()
        leave(store, one.fingerprint)
        suggestions.ended(one.fingerprint)
        assert suggestions.finished() == finished


def test_an_impossible_bound_ends(search: Search, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdun.tuning.suggestions.TRIES", 12)
    suggestions = opened(replace(search, constraints=(Constraint("parameters", 10),)))
    assert suggestions.next() is None
    assert suggestions.gave_up.startswith("12 suggestions in a row were infeasible, the last one because parameters is")
    assert not suggestions.finished()


def test_a_bound_itself_is_allowed_and_optuna_knows_the_lowest_one(
    search: Search, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rdun.tuning.suggestions.TRIES", 1)
    one = replace(search, space={"model.layers": Int(2, 2), "high": Int(1, 1)}, trials=1)
    size = int(shown(one.config({"model.layers": 2, "high": 1}))["parameters"])
    for bounds, possible in (((size,), True), ((size - 1, 2 * size), False), ((2 * size, size - 1), False)):
        asked = replace(one, constraints=tuple(Constraint("parameters", bound) for bound in bounds))
        suggestions = Suggestions(asked, optuna.storages.InMemoryStorage(), store, "fp32", 1)
        assert (suggestions.next() is not None) == possible
        assert suggestions.study.trials[0].constraints == {"parameters": size - min(bounds)}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_follows_the_seed_of_the_search(sampler: str, search: Search, store: Store) -> None:
    def values(seed: int) -> list[dict[str, object]]:
        asked = replace(search, sampler=sampler, seed=seed, constraints=())
        suggestions = Suggestions(asked, optuna.storages.InMemoryStorage(), store, "fp32", 2)
        assert suggestions.next() and suggestions.next()
        return [trial.params for trial in suggestions.study.trials]

    assert values(3) == values(3) != values(4)


def test_another_search_under_the_same_name_is_refused(search: Search, opened: Open) -> None:
    opened(search)
    opened(replace(search, trials=50, question="Other words?"))
    for changed in (
        replace(search, space={"model.layers": Choice((1, 2)), "high": Int(1, 2)}),
        replace(search, sampler="tpe"),
        replace(search, constraints=(Constraint("parameters", 1999),)),
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


def test_the_record_holds_what_a_setting_depends_on(search: Search, store: Store, opened: Open) -> None:
    def build(base: TrialConfig, values: Values) -> TrialConfig:
        counts = {"recursion.train.counts": (values["high"],)} if values["layers"] > 1 else {}
        return with_values(base, {"model.layers": values["layers"], **counts})

    suggestions = opened(replace(search, space={"layers": Int(1, 2), "high": Int(1, 2)}, build=build, trials=8))
    worked_off(suggestions, store)
    read = {(trial.values["layers"], "high" in trial.values) for trial in suggestions.record().trials}
    assert read == {(1, False), (2, True)}


def test_a_process_that_died_for_good_is_a_failure_and_a_cut_off_trial_is_not(
    search: Search, store: Store, opened: Open
) -> None:
    suggestions = opened(search, trials=2)
    for died in (True, False):
        found = suggestions.next()
        assert found is not None
        leave(store, found.fingerprint, status="running")
        suggestions.ended(found.fingerprint, died=died)
    states = [trial.state for trial in suggestions.record().trials if trial.state != "infeasible"]
    assert states == ["failed", "running"]
    assert not suggestions.finished()
    assert opened(search, trials=2).next() == found


def test_qualities_are_those_of_the_best_epoch(search: Search, store: Store, opened: Open) -> None:
    wanted = (Objective("validation_ssim", "maximize"), Objective("train_seconds", "minimize"))
    suggestions = opened(replace(search, objectives=wanted), trials=1)
    found = suggestions.next()
    assert found is not None
    leave(store, found.fingerprint, psnr=20.0)
    folder = store.trial(found.fingerprint)
    first = folder.epochs()[0]
    worse = replace(first, epoch=2, seconds=2.0, validation_psnr=19.0, validation_ssim=0.9)
    folder.write_epochs([first, worse])
    suggestions.ended(found.fingerprint)
    (trial,) = (trial for trial in suggestions.record().trials if trial.state == "complete")
    assert trial.objectives == [0.5, 2.0]


def test_values_that_do_not_fit_together_are_infeasible(search: Search, store: Store, opened: Open) -> None:
    def build(base: TrialConfig, values: Values) -> TrialConfig:
        if values["layers"] == values["channels"] == 2:
            raise ValueError("layers and channels are both 2")
        return with_values(base, {"model.layers": values["layers"], "model.channels": values["channels"]})

    space: dict[str, Choice | Int] = {"layers": Choice((1, 2, 3)), "channels": Int(1, 3)}
    suggestions = opened(replace(search, space=space, build=build, constraints=()), trials=20)
    worked_off(suggestions, store)
    reasons = {trial.reason for trial in suggestions.record().trials if trial.values == {"layers": 2, "channels": 2}}
    assert reasons == {"layers and channels are both 2"}
    assert sum(trial.state != "infeasible" for trial in suggestions.record().trials) == 20


@pytest.mark.usefixtures("early")
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_space_with_an_impossible_corner_is_searched(
    sampler: str, search: Search, store: Store, opened: Open
) -> None:
    """By every sampler, beside a constraint: what is impossible is told with its reason, and never trained."""

    def build(base: TrialConfig, values: Values) -> TrialConfig:
        train = UniformRange(low=(values["low"],), high=(values["high"],))
        return with_values(base, {"recursion.train": train, "model.layers": values["layers"]})

    space = {"low": Int(1, 4), "high": Int(1, 4), "layers": Int(1, 2)}
    asked = replace(search, space=space, build=build, sampler=sampler, objectives=search.objectives[:1])
    suggestions = opened(asked, trials=8)
    worked_off(suggestions, store)
    assert suggestions.finished()
    for trial in suggestions.record().trials:
        possible = trial.values["low"] <= trial.values["high"]
        assert possible or trial.state == "infeasible"
        assert ("keep every low at or below" in trial.reason) == (not possible)
    states = [trial.state for trial in suggestions.record().trials]
    assert "infeasible" in states and sum(state != "infeasible" for state in states) == 8


def test_a_trial_that_ended_unseen_is_told_when_the_driver_stops(search: Search, store: Store, opened: Open) -> None:
    suggestions = opened(search, trials=2)
    found = [suggestions.next(), suggestions.next()]
    assert found[0] and found[1]
    leave(store, found[0].fingerprint)
    leave(store, found[1].fingerprint, status="stopped")
    suggestions.settle()
    states = [trial.state for trial in suggestions.record().trials if trial.state != "infeasible"]
    assert states == ["complete", "running"]
