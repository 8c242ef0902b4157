"""A search on a real cluster whose trials fail, each at its own values."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, takewhile
from statistics import fmean

import pytest

from rdun.plan import Room
from rdun.results import Store
from rdun.search import Choice, Int, Objective, Search
from rdun.study import Resources
from rdun.tuning import Capacity, run_search
from rdun.tuning.search import _Searcher
from tests.tuning.conftest import Open


def test_failed_trials_of_two_seeds_are_a_gap_with_a_reason(
    capacity: Capacity, search: Search, store: Store, opened: Open
) -> None:
    one = replace(
        search,
        space={"optim.lr": Choice((2e-3, 1e30)), "high": Int(1, 2)},
        objectives=(Objective("validation_psnr", "maximize"), Objective("train_seconds", "minimize")),
        trials=6,
        seed=2,
        seeds=(0, 1),
    )
    ended: list[str] = []
    suggestions = opened(one)
    run_search(suggestions, store, capacity, lambda: None, ended.append)
    assert suggestions.finished()
    trials = suggestions.record().trials
    assert {trial.state for trial in trials} >= {"complete", "failed"}
    for trial in trials:
        runs = [run for fingerprint in trial.fingerprints if (run := store.trial(fingerprint).run())]
        failed = trial.values["optim.lr"] == 1e30
        assert (trial.state == "failed") == failed == bool(trial.reason)
        assert len(trial.fingerprints) == 2 and len(runs) >= (1 if failed else 2)
        assert {run.status for run in runs} == {"failed" if failed else "complete"}
        assert {attempt.outcome for run in runs for attempt in run.attempts} == {"diverged" if failed else "complete"}
        assert len(trial.objectives) == len(trial.spreads) == (0 if failed else 2)
        assert failed or trial.objectives[0] == fmean(reached(store, f) for f in trial.fingerprints)
    begun = {f for trial in trials for f in trial.fingerprints if store.trial(f).run()}
    assert sorted(ended) == sorted(begun)


def reached(store: Store, fingerprint: str) -> float:
    return max(epoch.validation_psnr for epoch in store.trial(fingerprint).epochs())


def test_a_search_grows_with_its_cluster(search: Search, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """One suggestion waits where the autoscaler would start a machine for it; none where there is no more to come."""
    space: dict[str, Int | Choice] = {"optim.lr": Choice(tuple(n * 1e-4 for n in range(1, 99))), "high": Int(1, 2)}
    wide = replace(search, space=space, baselines={}, trials=50)
    suggestions = opened(replace(wide, resources=Resources(gpus=0.5)))
    machines, more = [Room(4, 1.0)], [True]
    monkeypatch.setattr(Capacity, "now", lambda self: replace(self, machines=tuple(machines)))
    monkeypatch.setattr("rdun.tuning.search.grows_now", lambda: more[0])
    monkeypatch.setattr("rdun.tuning.search.PERIOD", -1.0)
    searcher = _Searcher(suggestions, Capacity((Room(4, 1.0),), "10.0.0.1:6379"), lambda: None, print, None, None)
    numbers = count()

    def given() -> int:
        return len(list(takewhile(lambda _: searcher.suggest(f"t{next(numbers)}") is not None, range(20))))

    assert (given(), given()) == (3, 0)  # two run, one waits
    machines.append(Room(4, 1.0))
    assert given() == 2
    machines.pop()  # lost: of five two run
    assert given() == 0
    machines.append(Room(4, 1.0))
    more[0] = False
    for trial in list(searcher.running)[:2]:
        searcher.shares.pop(trial)
    assert given() == 1


@pytest.mark.parametrize(
    ("machines", "resources", "fit"),
    [
        ((Room(8, 1.0), Room(8, 1.0)), Resources(gpus=0.4), 4),
        ((Room(8, 2.0),), Resources(gpus=0.4), 4),
        ((Room(5, 0.0), Room(5, 0.0)), Resources(threads=3), 2),
    ],
)
def test_rests_of_several_machines_are_no_room_for_another_suggestion(
    machines: tuple[Room, ...], resources: Resources, fit: int, search: Search, opened: Open
) -> None:
    """One that is asked for before it can start does not know the results until then."""
    space: dict[str, Int | Choice] = {"optim.lr": Choice(tuple(n * 1e-4 for n in range(1, 99))), "high": Int(1, 2)}
    suggestions = opened(replace(search, space=space, baselines={}, trials=50, resources=resources))
    searcher = _Searcher(suggestions, Capacity(machines, "local"), lambda: None, print, None, None)
    given = takewhile(lambda number: searcher.suggest(f"t{number}") is not None, count())
    assert len(list(given)) == fit
