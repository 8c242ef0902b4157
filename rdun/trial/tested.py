"""Tests that other trials of the same weights have done: what they share is not tested again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rdun.config import TrialConfig, from_dict
from rdun.data import image_hash, image_set, trial_fingerprint
from rdun.models import code_of
from rdun.results import TRAINED_IN, RunInfo, Score, Trace, TrialDirectory
from rdun.trial.trained import trials_of_training


@dataclass(frozen=True)
class Tested:
    """What a complete trial with the same weights, tested on other images or with other counts, has in common with a trial.

    Attributes:
        sets: names of the test sets with the same images.
        scores: of these, and of the training and validation blocks.
        traces: of these.
    """

    folder: TrialDirectory
    sets: frozenset[str]
    scores: Sequence[Score]
    traces: Sequence[Trace]

    def traces_of(self, dataset: str, recursions: int) -> list[Trace]:
        return [trace for trace in self.traces if (trace.dataset, trace.recursions) == (dataset, recursions)]

    def give_pictures(self, folder: TrialDirectory) -> None:
        """Copies the kept reconstructions."""
        for below in (f"reconstructions/{name}" for name in sorted(self.sets)):
            for name in self.folder.names(below):
                folder.write(f"{below}/{name}", self.folder.read(f"{below}/{name}"))


def tested_before(folder: TrialDirectory, config: TrialConfig, known: RunInfo) -> Iterator[Tested]:
    """Trials of the same store that have tested the weights of this one, with the code that tests them now.

    Args:
        known: of this trial. Where it trains, weights are the same only if one trial has trained for both.
    """
    own = {image_set(name).name: image_hash(name) for name in config.data.test}
    for other, run in trials_of_training(folder, config):
        if other.name == folder.name or run.attempts[-1].code != code_of(config.model.kind):
            continue
        if config.optim.epochs and known.facts.get(TRAINED_IN) != run.facts.get(TRAINED_IN, run.fingerprint):
            continue
        try:
            theirs = _sets(other, run)
            sets = frozenset(name for name, content in own.items() if theirs.get(name) == content)
            scores = [score for score in other.scores() if score.split != "test" or score.dataset in sets]
            yield Tested(other, sets, scores, [trace for trace in other.traces() if trace.dataset in sets])
        except (ValueError, TypeError):  # damaged: measured again
            continue


def _sets(folder: TrialDirectory, run: RunInfo) -> dict[str, str]:
    """The test sets of a trial with the hashes of their images; none if they are not what they were.

    Raises:
        ValueError: some are gone.
    """
    config = from_dict(TrialConfig, folder.read_json("config.json"))
    names = config.data.test if trial_fingerprint(config) == run.fingerprint else ()
    return {image_set(name).name: image_hash(name) for name in names}
