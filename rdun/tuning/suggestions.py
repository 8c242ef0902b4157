"""The suggestions of a search, in an Optuna study that outlives its driver. No Ray here."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from rdun.config import Precision, TrialConfig, from_dict, to_dict
from rdun.data import trial_fingerprint
from rdun.plan import check_trial
from rdun.results import SearchRecord, Store, reached
from rdun.search import Search, Values
from rdun.stopping import name_of
from rdun.tuning.in_work import InWork, Suggestion
from rdun.tuning.optuna_record import PRINTS, READ, RETRY, SPREADS, STOPPED, examined, prints_of, record_of, whole
from rdun.tuning.optuna_study import distribution, mark, open_study, precision_of, report, sampler
from rdun.tuning.quantities import beyond, excesses, objectives, shown

MODEL_TRIES, TRIES = 3, 1000
"""Infeasible suggestions in a row after which values are drawn at random, and after which the search gives up."""


class Suggestions:
    """Asks Optuna for values and tells it what became of them, each of them as it happens, in a SQLite file.

    A setting is given out as a trial for each of the search's seeds, and has an end when all of them have. Which one is suggested
    depends on the search's own seed, its number and the results told before it. One trial at a time, a search is therefore
    repeatable, and one that was cut off ends like one that was not; with several at once it depends on the order in which trials
    end. What was being run when a driver died is run first, with its own values. The trial directories
    stay the truth: a setting that is complete there is not run again, whoever ran it.

    Args:
        database: the file of the study; made if it is not there. One driver at a time may use it. Or a copy in memory.
        precision: what "auto" stands for in a new search; one that was begun goes on with its own.
        trials: suggestions to try in all, infeasible and retried ones not counted.
        retry_failed: suggest failed settings once more.

    Raises:
        ValueError: the file holds a search of other parameters, objectives or settings.
    """

    def __init__(
        self,
        search: Search,
        database: Path | InMemoryStorage,
        store: Store,
        precision: Precision,
        trials: int,
        *,
        retry_failed: bool = False,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.search, self.store, self.trials = search, store, trials
        self.space = {name: distribution(parameter) for name, parameter in search.space.items()}
        self.study = open_study(search, database)
        self.precision = precision_of(self.study, precision)
        self._work = InWork()
        self.baselines = {name: self._identified(config) for name, config in search.baselines.items()}
        self.gave_up = ""
        frozen = self.study.get_trials(deepcopy=False)
        self._waiting = self._left_over(frozen, retry_failed)
        if retry_failed:
            self._enqueue_failed(frozen)

    def next(self) -> Suggestion | None:
        """What to run next; None when there is nothing more to start."""
        while (found := self._work.next()) is None:
            if not next(self._waiting, False) and not self._ask():
                return None
        return found

    def learn(self, settings: Mapping[str, Values]) -> None:
        """Takes settings whose trials are complete, by first fingerprint, as suggestions of its own; but for those that it has.

        Each is told in one step, values and results, so that there is none half told.
        """
        states = (TrialState.COMPLETE, TrialState.RUNNING)
        trials = self.study.get_trials(deepcopy=False, states=states)
        known = {prints_of(trial)[0] for trial in trials if whole(trial)}
        for fingerprint, values in settings.items():
            if fingerprint not in known:
                prints, config = self._identified(self.search.config(values))
                note = {READ: self.search.read(values), "quantities": shown(config), "config": to_dict(config)}
                means, spreads = self._objectives(prints, config)
                learned = optuna.trial.create_trial(
                    params=dict(values),
                    distributions=self.space,
                    values=means,
                    user_attrs=note | {SPREADS: spreads, PRINTS: prints},
                    constraints=excesses(self.search, config),
                )
                self.study.add_trial(learned)

    def ended(self, fingerprint: str, *, died: bool = False, stopped_at: int = 0) -> None:
        """Tells Optuna how a setting has ended, when a trial that was given out was its last one, by what the directories say.

        Args:
            died: its process ended so often that it is given up. Otherwise a trial that is neither complete nor failed was cut
                off, and goes on with the next run.
            stopped_at: the epoch after which the search's rule stopped it early; 0: it did not.
        """
        if not (setting := self._work.find(fingerprint)):
            return
        setting.died |= died
        end = self._end(setting.prints)
        failed = end == "failed" or setting.died
        if not self._work.ended(setting, fingerprint, failed=failed):
            return
        for number in setting.numbers:
            if end == "complete":
                self._complete(number, setting.prints)
            elif stopped_at:
                self._stop(number, fingerprint, stopped_at)
            elif failed:
                self.study.tell(number, state=TrialState.FAIL)

    def curves(self, known: Collection[str] = ()) -> dict[str, list[float]]:
        """What the settings with an end had reached after epochs 1, 2, ...; those stopped early up to there.

        Args:
            known: first fingerprints of settings whose directories are not read again.
        """
        stopped = self.stopped()
        found: dict[str, list[float]] = {}
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)):
            if whole(trial) and (fingerprint := prints_of(trial)[0]) not in found and fingerprint not in known:
                epoch = None if trial.state == TrialState.COMPLETE else stopped[fingerprint]
                found[fingerprint] = self._curve(fingerprint)[:epoch]
        return found

    def stopped(self) -> dict[str, int]:
        """Settings that this search stopped early, and after which epoch."""
        trials = self.study.get_trials(deepcopy=False)
        return {prints_of(t)[0]: t.user_attrs[STOPPED][0] for t in trials if STOPPED in t.user_attrs}

    def settle(self) -> None:
        """Tells Optuna of the trials that were given out and have an end by now, seen or not; for a driver that stops."""
        for fingerprint in self._work.left():
            self.ended(fingerprint)

    def finished(self) -> bool:
        """Whether everything that was asked for has an end."""
        return not self.left() and all(self._end(prints) for prints, _ in self.baselines.values())

    def left(self) -> int:
        """Trials without an end, suggested or not; some may turn out to be done already."""
        running = len(self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
        return max(0, self.trials - self._counted()) + running

    def made(self) -> int:
        """Suggestions that were made in all, infeasible ones too."""
        return sum(examined(trial) for trial in self.study.get_trials(deepcopy=False))

    def unfinished(self) -> list[str]:
        """Identities of the trials that were given out and have no end: in their directory, or by this search's rule."""
        settings = [prints_of(t) for t in self.study.get_trials(deepcopy=False) if whole(t)]
        settings += [prints for prints, _ in self.baselines.values()]
        stopped = self.stopped()
        every = dict.fromkeys(f for prints in settings for f in prints if f not in stopped)
        return [f for f in every if self._status(f) in ("running", "stopped")]

    def record(self) -> SearchRecord:
        """The search as it stands."""
        return record_of(self.search, self.study, self.store, self.trials, self.precision, self.baselines)

    def _left_over(self, trials: list[FrozenTrial], retry_failed: bool) -> Iterator[bool]:
        """Begins baselines that are not done, then settings of an earlier driver that have no end; one with every step."""
        for prints, config in self.baselines.values():
            if self._end(prints) not in (("complete",) if retry_failed else ("complete", "failed")):
                self._begin(None, prints, config)
                yield True
        for trial in trials:
            if trial.state == TrialState.RUNNING:
                if STOPPED in trial.user_attrs:
                    self._stop(trial.number, prints_of(trial)[0], trial.user_attrs[STOPPED][0])
                elif not whole(trial):
                    self.study.tell(trial.number, state=TrialState.PRUNED if examined(trial) else TrialState.FAIL)
                elif self._begun(trial.number, trial.user_attrs):
                    yield True

    def _ask(self) -> bool:
        """Begins a new setting; False when there is nothing more to suggest."""
        rejected = 0
        while self._counted() < self.trials:
            model = self.search.sampler if rejected < MODEL_TRIES else "random"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.study.sampler = sampler(model, self.search.seed, self.made())
                trial = self.study.ask(self.space)
            problem = self._examined(trial)
            if problem:
                self.study.tell(trial, state=TrialState.PRUNED)
                rejected += 1
                if rejected == TRIES:
                    self.gave_up = f"{TRIES} suggestions in a row were infeasible, the last one because {problem}"
                    return False
                continue
            rejected = 0
            if self._begun(trial.number, trial.user_attrs):
                return True
        return False

    def _examined(self, trial: optuna.Trial) -> str:
        """Makes the suggestion's config and its costs, and keeps both with it; why it is infeasible, if it is."""
        try:
            prints, config = self._identified(self.search.config(trial.params))
        except ValueError as error:
            trial.set_user_attr("reason", str(error))
            return str(error)
        trial.set_user_attr(READ, self.search.read(trial.params))
        trial.set_user_attr("quantities", shown(config))
        for quantity, excess in excesses(self.search, config).items():
            trial.set_constraint(quantity, excess)
        if problems := beyond(self.search, config):
            trial.set_user_attr("reason", "; ".join(problems))
            return "; ".join(problems)
        trial.set_user_attr("config", to_dict(config))
        trial.set_user_attr(PRINTS, prints)  # last: from here on the suggestion can be run again
        return ""

    def _identified(self, config: TrialConfig) -> tuple[list[str], TrialConfig]:
        """The identities of a setting's trials, and the setting with its precision resolved, after a check of its data."""
        resolved = config.resolved(self.precision)
        check_trial(resolved)
        return [trial_fingerprint(trial) for trial in self.search.seeded(resolved)], resolved

    def _begun(self, number: int, attributes: Mapping[str, Any]) -> bool:
        """Begins the setting of a suggestion; not where it has an end, which is told, or is already in work."""
        prints = attributes[PRINTS]
        if self._work.joined(number, prints):
            return False
        end = self._end(prints)
        if end == "complete":
            self._complete(number, prints)
        elif end == "failed" and RETRY not in attributes:
            self.study.tell(number, state=TrialState.FAIL)
        elif epoch := self.stopped().get(prints[0]):
            self._stop(number, prints[0], epoch)
        else:
            self._begin(number, prints, from_dict(TrialConfig, attributes["config"]))
            return True
        return False

    def _begin(self, number: int | None, prints: Sequence[str], config: TrialConfig) -> None:
        trials = map(Suggestion, repeat(number), prints, self.search.seeded(config))
        self._work.begin(number, prints, [trial for trial in trials if self._status(trial.fingerprint) != "complete"])

    def _complete(self, number: int, prints: Sequence[str]) -> None:
        config = from_dict(TrialConfig, self.study.get_trials(deepcopy=False)[number].user_attrs["config"])
        means, spreads = self._objectives(prints, config)
        mark(self.study, number, SPREADS, spreads)
        self.study.tell(number, means)

    def _objectives(self, prints: Sequence[str], config: TrialConfig) -> tuple[list[float], list[float]]:
        return objectives(self.search, [self.store.trial(fingerprint) for fingerprint in prints], config)

    def _stop(self, number: int, fingerprint: str, epoch: int) -> None:
        """Tells that a trial was stopped early. The mark comes first, so that a driver that dies in between can go on here."""
        mark(self.study, number, STOPPED, [epoch, name_of(self.search.stopping)])
        report(self.study, number, self._curve(fingerprint)[:epoch])
        self.study.tell(number, state=TrialState.PRUNED)

    def _curve(self, fingerprint: str) -> list[float]:
        return reached(self.store.trial(fingerprint).epochs(), self.search.objectives[0].quantity)

    def _end(self, prints: Sequence[str]) -> str:
        """Of a setting: "failed" where a trial has failed, "complete" where all are; else it has none, and this is empty."""
        states = {self._status(fingerprint) for fingerprint in prints}
        return "failed" if "failed" in states else "complete" if states == {"complete"} else ""

    def _status(self, fingerprint: str) -> str:
        run = self.store.trial(fingerprint).run()
        return run.status if run else "new"

    def _enqueue_failed(self, trials: list[FrozenTrial]) -> None:
        retried = self._retried()
        for trial in trials:
            if trial.state == TrialState.FAIL and whole(trial) and trial.number not in retried:
                self.study.enqueue_trial(trial.params, user_attrs={RETRY: trial.number})

    def _retried(self) -> set[int]:
        """Numbers of the failed trials that were suggested once more."""
        trials = self.study.get_trials(deepcopy=False)
        return {trial.user_attrs[RETRY] for trial in trials if RETRY in trial.user_attrs}

    def _counted(self) -> int:
        found = {trial.number for trial in self.study.get_trials(deepcopy=False) if whole(trial)}
        return len(found - self._retried())
