"""A training that another trial has done already: a trial that only tests it otherwise takes it over."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence

from torch import Tensor

from rdun.config import TrialConfig
from rdun.data import training_fingerprint, trial_fingerprint
from rdun.results import RunInfo, Timing, Trainings, TrialDirectory
from rdun.results.keeping import BEST, LAST
from rdun.training import TrainState
from rdun.weights import decode_model

SPEED = "images_per_second"
"""The name of the only timing that is of the tests."""


def trained_before(folder: TrialDirectory, config: TrialConfig) -> TrialDirectory | None:
    """A trial of the same store that has done the training of this one and has its weights; None if it trains nothing."""
    index = _index(folder, config) if config.optim.epochs else None
    return index.find(training_fingerprint(config)) if index else None


def trials_of_training(folder: TrialDirectory, config: TrialConfig) -> Iterable[tuple[TrialDirectory, RunInfo]]:
    """The complete trials of the same store that have the training of this one; of a trial that trains nothing, its weights."""
    index = _index(folder, config)
    return index.complete(training_fingerprint(config)) if index else ()


def tell_of_training(folder: TrialDirectory, config: TrialConfig) -> None:
    """Lets other trials of the store find the training of a complete trial."""
    if index := _index(folder, config):
        with contextlib.suppress(OSError):  # the trial is complete all the same
            index.add(training_fingerprint(config), trial_fingerprint(config))


def _index(folder: TrialDirectory, config: TrialConfig) -> Trainings | None:
    """None: the trial lies in no store."""
    return Trainings.beside(folder, trial_fingerprint(config))


def take_over(folder: TrialDirectory, state: TrainState, other: TrialDirectory) -> None:
    """Makes the state at the start of a training that at its end, from a complete trial, and writes that trial's timings; the
    caller saves it.

    Weights and records are the other trial's, so that all scores are those that the trial itself would reach; what an optimizer
    needs to go on is not kept, and not needed.

    Raises:
        ValueError: a file of weights that cannot be read; the message names it.
        FileNotFoundError: a file of the other trial is gone; nothing was changed.
    """
    last, best, records, timings = _weights(other, LAST), _weights(other, BEST), other.epochs(), other.timings()
    if not records:  # the weights without their epochs would be where the training begins
        raise FileNotFoundError(f"{other.path}/epochs.csv")
    folder.write_timings(of_training(timings))
    for network in (state.network, state.evaluated):
        network.load_state_dict(last)
    for record in records:
        state.add(record)
    state.best_weights = {name: tensor.to(state.best_weights[name].device) for name, tensor in best.items()}


def of_training(timings: Sequence[Timing]) -> list[Timing]:
    """Without those of the tests."""
    return [timing for timing in timings if timing.name != SPEED]


def _weights(other: TrialDirectory, name: str) -> dict[str, Tensor]:
    path = f"{other.path}/{name}"
    try:
        return decode_model(other.read(name), path)[0].state_dict()
    except ValueError as error:
        raise ValueError(f"{error}; or delete {path}, and this trial trains anew") from None
