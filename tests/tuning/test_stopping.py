"""Early stopping on a real cluster, and what it leaves in the directories, in Optuna and in the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from ray import tune

import rdun.tuning.trials
from rdun.config import TrialConfig, from_dict, with_values
from rdun.plan import Room
from rdun.results import EpochRecord, Lease, RunInfo, Status, Store, TrialDirectory
from rdun.search import Choice, Int, Objective, Real, Search
from rdun.stopping import Asha, HyperBand, Median, Stopping
from rdun.study import Resources
from rdun.trial import Stopped, run_trial
from rdun.tuning import Capacity, Halted, Suggestions, cluster, mark_stopped, mark_unfinished, run_search
from rdun.tuning.in_work import Suggestion
from rdun.tuning.search import _Searcher
from rdun.tuning.stopping import Stopper, reporter
from tests.tuning.conftest import Open, leave


@pytest.fixture
def rates(search: Search) -> Search:
    """Six settings of three epochs, half of which learn next to nothing."""
    return replace(
        search,
        base=with_values(search.base, {"optim.epochs": 3}),
        space={"optim.lr": Choice((3e-3, 1e-9)), "high": Int(1, 3)},
        objectives=(Objective("validation_psnr", "maximize"),),
        constraints=(),
        stopping=Asha(grace=1, reduction=2),
        baselines={"still": with_values(search.base, {"optim.epochs": 3, "optim.lr": 1e-12})},
        trials=8,
    )


def run(suggestions: Suggestions, store: Store, capacity: Capacity) -> None:
    run_search(suggestions, store, capacity, _look_away, _look_away)
    suggestions.settle()
    mark_stopped(suggestions.stopped(), "asha", store)


def _look_away(*_: str) -> None:
    pass


trainable = rdun.tuning.trials._train


def short_of_memory(space: Mapping[str, Mapping[str, Any]], *, worker: Any) -> dict[str, Any]:
    """The trainable, in a process in which trials of three recursions run out of memory in their second epoch unless alone."""
    import rdun.trial.run
    from rdun.training import fit

    reserved = tune.get_context().get_trial_resources().required_resources["CPU"]

    def failing(config: TrialConfig, *rest: Any) -> Iterator[EpochRecord]:
        for record in fit(config, *rest):
            if record.epoch == 2 and config.high_counts[0] == 3 and reserved < 2:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB.")
            yield record

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rdun.trial.run, "fit", failing)
        return trainable(space, worker=worker)


def check_the_rule_s_record(stopper: Stopper, store: Store) -> None:
    """Each epoch was told once, also by the trials that ran out of memory and started again from their checkpoint."""
    again = 0
    for fingerprint, records in stopper.records.items():
        folder = store.trial(fingerprint)
        info = folder.run()
        assert info is not None
        told, written = ([replace(r, timestamp=0) for r in found] for found in (records, folder.epochs()))
        assert told == written  # Tune has a timestamp of its own
        assert [record.epoch for record in records] == list(range(1, stopper.stopped.get(fingerprint, 3) + 1))
        if len(info.attempts) > 1:
            again += 1
            assert [attempt.outcome for attempt in info.attempts[:-1]] == ["out of memory"]
            assert [(a.resumed_at_epoch, a.alone) for a in info.attempts] == [(0, False), (1, True)]
    assert again
    for milestone, recorded in stopper.rule._brackets[0]._rungs:
        best = [max(r.validation_psnr for r in s[:milestone]) for s in stopper.records.values() if len(s) >= milestone]
        assert sorted(recorded.values()) == sorted(best)


def test_a_trial_that_is_behind_is_stopped_and_says_so(
    capacity: Capacity, rates: Search, store: Store, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Stopper] = []

    def make(*words: Any) -> Stopper:
        made.append(Stopper(*words))
        return made[-1]

    monkeypatch.setattr("rdun.tuning.search.Stopper", make)
    monkeypatch.setattr(rdun.tuning.trials, "_train", short_of_memory)
    suggestions = opened(rates)
    run(suggestions, store, capacity)
    assert suggestions.finished()
    check_the_rule_s_record(made[0], store)
    record = suggestions.record()
    stopped = [trial for trial in record.trials if trial.state == "stopped early"]
    complete = [trial for trial in record.trials if trial.state == "complete"]
    assert stopped
    assert complete
    assert len(record.trials) == 8
    assert record.stopping.startswith("asha")
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path}/search.db")
    for trial in stopped:
        folder, frozen = store.trial(trial.fingerprint), study.trials[trial.number]
        info, epochs = folder.run(), folder.epochs()
        assert info is not None
        assert (info.status, info.reason) == ("stopped", f"stopped early {trial.reason}")
        assert trial.reason == f"at epoch {len(epochs)} by asha"
        assert folder.exists("checkpoint.pt")
        assert 1 <= len(epochs) < 3
        assert not trial.objectives
        assert frozen.state == optuna.trial.TrialState.PRUNED
        assert list(frozen.intermediate_values.values())[-1] == max(e.validation_psnr for e in epochs)
        with Lease(folder):
            pass  # nobody holds it
    assert {trial.number for trial in record.best()} <= {trial.number for trial in complete}
    still = store.trial(record.baselines["still"][0]).run()
    assert still is not None
    assert still.status == "complete"
    assert suggestions.next() is None
    assert opened(rates).next() is None
    other = Suggestions(replace(rates, stopping=None), tmp_path / "other.db", store, "fp32", 8)
    assert {found.fingerprint for found in iter(other.next, None)} == {trial.fingerprint for trial in stopped}
    behind = store.trial(stopped[0].fingerprint)
    reached = len(behind.epochs())
    config = from_dict(TrialConfig, behind.read_json("config.json"))
    whole = run_trial(config, behind.path)
    assert whole.status == "complete"
    assert whole.attempts[-1].resumed_at_epoch == reached
    assert suggestions.record().trials == record.trials


@pytest.mark.usefixtures("no_cluster")
def test_a_trial_that_the_budget_ended_says_so_and_names_no_rule(
    rates: Search, store: Store, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a rule that would never have stopped it; of a trial that an earlier run left it says the same."""
    patient = replace(
        rates,
        base=with_values(rates.base, {"optim.epochs": 2000}),
        stopping=Asha(grace=1999, reduction=2),
        baselines={},
        resources=Resources(budget=2e-4),
    )
    suggestions = opened(patient)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with cluster(cpus=1) as capacity, pytest.raises(Halted, match="is used up") as halt:
        run_search(suggestions, store, capacity, _look_away, _look_away)
    suggestions.settle()
    (trial,) = suggestions.record().trials
    assert trial.state == "running"
    assert suggestions.unfinished() == [trial.fingerprint]
    ended = store.trial(trial.fingerprint).run()
    assert ended is not None
    assert (ended.status, ended.reason) in (("stopped", "interrupted"), ("running", ""))
    mark_stopped(suggestions.stopped(), "asha", store)
    mark_unfinished(suggestions.unfinished(), store, interrupted=True, reason=str(halt.value))
    ended = store.trial(trial.fingerprint).run()
    assert ended is not None
    assert (ended.status, ended.reason) == ("stopped", str(halt.value))


def test_who_ends_a_trial_says_why(rates: Search, store: Store, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(tune, "report", end)
    suggestions = opened(replace(rates, baselines={}))
    behind, cut_off, dead = (given(suggestions).fingerprint for _ in range(3))
    curve(store, behind, [20.0])
    with pytest.raises(Stopped, match="interrupted") as word:
        reporter("asha", ())(store.trial(behind).epochs()[0])
    for fingerprint in (behind, cut_off):
        store.trial(fingerprint).write_run(RunInfo(fingerprint=fingerprint, status="stopped", reason=word.value.reason))
    store.trial(dead).write_run(RunInfo(fingerprint=dead, status="running"))
    suggestions.ended(behind, stopped_at=1)
    mark_stopped(suggestions.stopped(), "asha", store)
    assert suggestions.unfinished() == [cut_off, dead]
    mark_unfinished(suggestions.unfinished(), store, interrupted=False)
    runs = [store.trial(fingerprint).run() for fingerprint in (behind, cut_off, dead)]
    assert [run.status for run in runs if run] == ["stopped", "stopped", "failed"]
    mark_unfinished([behind, cut_off, dead], store, interrupted=True, reason="the budget is used up")
    runs = [store.trial(fingerprint).run() for fingerprint in (behind, cut_off)]
    assert [run.reason for run in runs if run] == ["stopped early at epoch 1 by asha", "the budget is used up"]


def curve(store: Store, fingerprint: str, values: list[float], status: Status = "running") -> None:
    """A trial that has reached some epochs."""
    leave(store, fingerprint, values[0], status)
    first = store.trial(fingerprint).epochs()[0]
    rest = [replace(first, epoch=e, validation_psnr=v) for e, v in enumerate(values, start=1)]
    store.trial(fingerprint).write_epochs(rest)


def given(suggestions: Suggestions) -> Suggestion:
    found = suggestions.next()
    assert found is not None
    return found


@pytest.mark.parametrize("told", [0, 1, 2])
def test_a_driver_may_die_while_it_tells_of_a_stop(
    told: int, rates: Search, store: Store, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies before it tells, after the mark, and after the values."""
    one = replace(rates, baselines={}, trials=1)
    suggestions = opened(one)
    found = given(suggestions)
    curve(store, found.fingerprint, [20.0, 19.0])

    def die(*told: object, **names: object) -> None:
        raise KeyboardInterrupt

    for name in (["mark"], ["report"], [])[told]:
        monkeypatch.setattr(f"rdun.tuning.suggestions.{name}", die)
    if told == 2:
        monkeypatch.setattr(suggestions.study, "tell", die)
    with pytest.raises(KeyboardInterrupt):
        suggestions.ended(found.fingerprint, stopped_at=2)
    monkeypatch.undo()
    again = opened(one)
    if told == 0:  # nothing is known: the trial goes on, and the rule decides again
        assert again.next() == found
        again.ended(found.fingerprint, stopped_at=2)
    assert again.next() is None
    assert again.finished()
    (trial,) = again.record().trials
    assert (trial.state, trial.reason) == ("stopped early", "at epoch 2 by asha")
    assert again.study.trials[0].intermediate_values == {1: 20.0, 2: 20.0}
    mark_stopped(again.stopped(), "asha", store)
    run = store.trial(found.fingerprint).run()
    assert run is not None
    assert (run.status, run.reason) == ("stopped", "stopped early at epoch 2 by asha")


def test_a_setting_that_was_stopped_is_a_duplicate_and_one_that_was_finished_elsewhere_is_complete(
    rates: Search, store: Store, opened: Open
) -> None:
    one = replace(rates, baselines={}, space={"optim.lr": Choice((3e-3,)), "high": Int(1, 1)}, trials=3)
    suggestions = opened(one, trials=2)
    found = given(suggestions)
    curve(store, found.fingerprint, [20.0])
    suggestions.ended(found.fingerprint, stopped_at=1)
    assert suggestions.next() is None
    assert suggestions.finished()
    assert not suggestions.record().best()
    curve(store, found.fingerprint, [20.0, 21.0, 22.0], "complete")
    longer = opened(one)
    assert longer.next() is None
    trials = longer.record().trials
    assert [trial.state for trial in trials] == ["stopped early", "duplicate", "complete"]
    assert [trial.objectives for trial in trials] == [[], [], [22.0]]
    assert longer.curves() == {found.fingerprint: [20.0]}


def test_a_trial_that_is_complete_when_its_stop_is_told_counts_as_complete(
    rates: Search, store: Store, opened: Open
) -> None:
    """A study that has the same trial may have finished it meanwhile."""
    suggestions = opened(replace(rates, baselines={}), trials=1)
    found = given(suggestions)
    curve(store, found.fingerprint, [20.0, 21.0, 22.0], "complete")
    suggestions.ended(found.fingerprint, stopped_at=2)
    (trial,) = suggestions.record().trials
    assert (trial.state, trial.objectives) == ("complete", [22.0])


def test_suggestions_do_not_become_slower_with_every_trial(
    rates: Search, store: Store, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver, which Tune waits for, reads the curves of an earlier run once and those of its own trials never."""
    wide = replace(rates, baselines={}, build=None, space={"optim.lr": Real(1e-5, 1e-1, log=True)}, trials=9)
    first = opened(wide, trials=4)
    for number in range(4):
        found = given(first)
        curve(store, found.fingerprint, [20.0, 21.0, 22.0 + number], "complete")
        first.ended(found.fingerprint)
    stopper = Stopper(Asha(), "validation_psnr", 3, 0)
    searcher = _Searcher(opened(wide), Capacity((Room(1, 0.0),), "local"), lambda: None, _look_away, stopper, None)
    read: list[str] = []
    epochs = TrialDirectory.epochs

    def noted(folder: TrialDirectory) -> list[EpochRecord]:
        read.append(folder.name)
        return epochs(folder)

    monkeypatch.setattr(TrialDirectory, "epochs", noted)
    reads = []
    for number in range(5):
        read.clear()
        found = searcher.suggest(f"t{number}")["trial"]["fingerprint"]
        reads.append(len(read))
        curve(store, found, [20.0, 21.0, 22.0], "complete")
        searcher.on_trial_complete(f"t{number}")
    assert reads == [4, 0, 0, 0, 0]


def test_what_tune_asks_and_tells_reaches_the_rule_and_optuna(rates: Search, store: Store, opened: Open) -> None:
    """The rule judges suggestions, not the baseline, by what an earlier run has reached too; each end is told as it was."""
    wide = replace(rates, build=None, space={"optim.lr": Real(1e-5, 1e-1, log=True)}, trials=4)
    first = opened(replace(wide, baselines={}), trials=1)
    early = given(first)
    curve(store, early.fingerprint, [20.0, 21.0, 22.0], "complete")
    first.ended(early.fingerprint)
    stopper, suggestions = Stopper(Asha(1, 2), "validation_psnr", 3, 0), opened(wide)
    searcher = _Searcher(suggestions, Capacity((Room(9, 0.0),), "local"), lambda: None, _look_away, stopper, None)
    baseline, behind, dead, ahead = (searcher.suggest(str(number))["trial"] for number in range(4))
    assert [one["rule"] for one in (baseline, behind, dead, ahead)] == ["", "asha", "asha", "asha"]
    assert tell(stopper, baseline["fingerprint"], 1, 1.0) == "CONTINUE"
    assert tell(stopper, behind["fingerprint"], 1, 19.0) == "STOP"
    for number, (one, values) in enumerate({behind["fingerprint"]: [19.0], dead["fingerprint"]: [20.0]}.items(), 1):
        curve(store, one, values)
        searcher.on_trial_complete(str(number), error=number == 2)
    curve(store, ahead["fingerprint"], [20.0, 21.0, 23.0], "complete")
    searcher.on_trial_complete("3")
    states = {trial.fingerprint: trial.state for trial in suggestions.record().trials}
    ended = [states[print_] for print_ in (behind["fingerprint"], dead["fingerprint"], ahead["fingerprint"])]
    assert ended == ["stopped early", "failed", "complete"]


def test_trials_that_are_over_are_marked_while_the_search_goes_on(store: Store) -> None:
    """One whose process is still about to end is marked later, one with which a study has gone on never."""
    ended = RunInfo(fingerprint="", status="stopped", reason="interrupted")
    for name, run in {
        "over": ended,
        "ending": replace(ended, status="running"),
        "elsewhere": replace(ended, reason="x"),
    }.items():
        store.trial(name).write_run(replace(run, fingerprint=name))
    stopped = dict.fromkeys(("over", "ending", "elsewhere"), 2)
    with Lease(store.trial("ending")):
        assert mark_stopped(stopped, "asha", store) == {"over", "elsewhere"}
    assert [name for name in stopped if (known := store.trial(name).run()) and known.stopped_early] == ["over"]
    assert mark_stopped({"ending": 2}, "asha", store) == {"ending"}


def test_a_stopped_trial_teaches_tpe(rates: Search, store: Store, opened: Open) -> None:
    """After settings above 1e-3 were all stopped at low values, TPE looks below."""
    wide = replace(
        rates, baselines={}, build=None, sampler="tpe", space={"optim.lr": Real(1e-5, 1e-1, log=True)}, trials=30
    )
    suggestions = opened(wide)
    rate = {True: 0, False: 0}
    for number in range(30):
        found = given(suggestions)
        high = found.config.optim.lr > 1e-3
        rate[high] += number >= 15
        curve(store, found.fingerprint, [10.0] if high else [20.0, 21.0, 22.0], "running" if high else "complete")
        suggestions.ended(found.fingerprint, stopped_at=1 if high else 0)
    assert rate[False] > 2 * rate[True]


def test_another_rule_is_another_search(rates: Search, opened: Open) -> None:
    opened(rates)
    for rule in (Asha(grace=1, reduction=3), Median(), None):
        with pytest.raises(ValueError, match=r"was begun with stopping=Asha\(.*; give the search another name"):
            opened(replace(rates, stopping=rule))


@dataclass(frozen=True)
class TuneTrial:
    trial_id: str

    @property
    def config(self) -> dict[str, dict[str, str]]:
        return {"trial": {"fingerprint": self.trial_id}}


def tell(stopper: Stopper, fingerprint: str, epoch: int, psnr: float) -> str:
    record = EpochRecord(
        epoch=epoch, step=1, samples=1, seconds=1, timestamp=0, lr=1, train_loss=1, train_psnr=1, validation_psnr=psnr,
        validation_ssim=0.5, stage_evaluations=1,
    )  # fmt: skip
    if epoch == 1:
        stopper.on_trial_add(None, TuneTrial(fingerprint))
    return stopper.on_trial_result(None, TuneTrial(fingerprint), asdict(record))


@pytest.mark.parametrize("rule", [Asha(1, 2), HyperBand(1, 2, 2), Median(1, 1)])
def test_a_rule_that_was_told_decides_like_one_that_has_seen(rule: Stopping) -> None:
    curves = {f"t{n}": [20.0 + n + e for e in range(4)] for n in range(8)}
    seen, told = (Stopper(rule, "validation_psnr", 4, seed=3) for _ in range(2))
    chance = str(np.random.get_state())  # noqa: NPY002
    for fingerprint, values in curves.items():
        for epoch, psnr in enumerate(values, start=1):
            seen.may_stop(fingerprint, 5)  # its last epoch is not reached
            tell(seen, fingerprint, epoch, psnr)
        told.knows(fingerprint, values)
    for stopper in (seen, told):
        stopper.may_stop("low", 4)
        stopper.may_stop("high", 4)
    low, high = (
        [tell(stopper, name, 1, psnr) for stopper in (seen, told)] for name, psnr in (("low", 1.0), ("high", 30.0))
    )
    assert low[0] == low[1]
    assert high == ["CONTINUE"] * 2
    assert isinstance(rule, HyperBand) or low[0] == "STOP"
    assert str(np.random.get_state()) == chance  # noqa: NPY002


@pytest.mark.parametrize("rule", [Asha(1, 2), HyperBand(1, 2, 2), Median(1, 1)])
def test_what_a_restarted_trial_tells_once_more_changes_nothing(rule: Stopping) -> None:
    """One trial starts again after two epochs, and tells of these again; a third is judged the same."""
    once, twice = (Stopper(rule, "validation_psnr", 9, seed=3) for _ in range(2))
    for stopper in (once, twice):
        for name in ("first", "second"):
            stopper.may_stop(name, 9)
        for epoch, psnr in enumerate((10.0, 30.0), start=1):
            tell(stopper, "first", epoch, psnr)
    for epoch, psnr in enumerate((10.0, 30.0), start=1):
        assert tell(twice, "first", epoch, psnr) == "CONTINUE"
    for stopper in (once, twice):
        tell(stopper, "first", 3, 31.0)
    ends = [[tell(stopper, "second", epoch, 20.0) for epoch in (1, 2, 3)] for stopper in (once, twice)]
    assert ends[0] == ends[1]
    assert once.records == twice.records


def test_the_last_epoch_and_baselines_are_never_stopped() -> None:
    stopper = Stopper(Asha(1, 2), "validation_psnr", 2, seed=0)
    for name in ("good", "bad", "late"):
        stopper.may_stop(name, 2 if name != "late" else 1)
    assert tell(stopper, "good", 1, 30.0) == "CONTINUE"
    assert tell(stopper, "baseline", 1, 1.0) == "CONTINUE"
    assert tell(stopper, "late", 1, 1.0) == "CONTINUE"
    assert tell(stopper, "bad", 1, 1.0) == "STOP"
    assert stopper.stopped == {"bad": 1}


def stopped_at(stopper: Stopper, fingerprint: str, values: Sequence[float]) -> int:
    """After which epoch a trial of eight is stopped; 0: it is not."""
    stopper.may_stop(fingerprint, 8)
    ends = (epoch for epoch, psnr in enumerate(values, start=1) if tell(stopper, fingerprint, epoch, psnr) == "STOP")
    return next(ends, 0)


def test_halving_decides_by_the_best_so_far_at_each_fold_of_the_grace() -> None:
    stopper = Stopper(Asha(grace=2, reduction=2), "validation_psnr", 8, seed=0)
    assert stopped_at(stopper, "good", [30.0] * 8) == 0
    assert stopped_at(stopper, "bad", [1.0] * 8) == 2
    assert stopped_at(stopper, "once good", [30.0, *[1.0] * 7]) == 0
    for name in ("better later", "too"):
        assert stopped_at(stopper, name, [30.0, 30.0, 30.0, *[40.0] * 5]) == 0
    assert stopped_at(stopper, "behind then", [31.0] * 8) == 4


@pytest.mark.parametrize(("psnr", "goes_on"), [(6.4, True), (6.3, False)])
def test_one_of_three_goes_on(psnr: float, goes_on: bool) -> None:
    """Nine trials have reached 1 to 9 dB: two thirds of the way between them are 6.33."""
    stopper = Stopper(Asha(grace=1, reduction=3), "validation_psnr", 8, seed=0)
    for number in range(1, 10):
        stopper.knows(str(number), [float(number)])
    stopper.may_stop("new", 8)
    assert tell(stopper, "new", 1, psnr) == ("CONTINUE" if goes_on else "STOP")


def test_brackets_have_later_first_decisions_and_are_dealt_by_setting_and_seed() -> None:
    def ends(seed: int) -> list[int]:
        stopper = Stopper(HyperBand(grace=1, reduction=3, brackets=2), "validation_psnr", 8, seed)
        for number in range(24):  # some in each bracket
            stopper.knows(f"good {number}", [30.0] * 8)
        return [stopped_at(stopper, f"bad {number}", [1.0] * 8) for number in range(12)]

    assert set(ends(0)) == set(ends(1)) == {1, 3}
    assert ends(0) == ends(0) != ends(1)


def test_the_median_rule_waits_for_its_grace_and_for_enough_others() -> None:
    """What others have reached is only remembered, also where it is below the median."""
    for others, end in ((2, 0), (3, 2)):
        stopper = Stopper(Median(grace=2, others=3), "validation_psnr", 8, seed=0)
        for number in range(others):
            stopper.knows(str(number), [30.0] * 8)
        assert stopped_at(stopper, "bad", [1.0] * 8) == end
        stopper.knows("worst", [0.5] * 8)


def test_seeds_are_separate(rates: Search, store: Store, opened: Open, tmp_path: Path) -> None:
    """The search's seed chooses values and is in no trial; the trials' seeds are in all trials and choose none."""

    def settings(search: Search, name: str) -> list[tuple[dict[str, object], str, int]]:
        found = Suggestions(replace(search, baselines={}), tmp_path / name, store, "fp32", 6)
        given = list(iter(found.next, None))
        return [(t.values, t.fingerprint, s.config.seed) for t, s in zip(found.record().trials, given, strict=False)]

    wide = replace(rates, build=None, space={"optim.lr": Real(1e-4, 1e-2, log=True)})
    usual = settings(wide, "a.db")
    other_trials = settings(replace(wide, seeds=(7,)), "b.db")
    other_values = settings(replace(wide, seed=7), "c.db")
    assert [values for values, _, _ in usual] == [values for values, _, _ in other_trials]
    assert {seed for _, _, seed in other_trials} == {7}
    assert not {f for _, f, _ in usual} & {f for _, f, _ in other_trials}
    assert [values for values, _, _ in usual] != [values for values, _, _ in other_values]
    assert {seed for _, _, seed in other_values} == {0}
