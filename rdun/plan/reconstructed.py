"""How much a trial reconstructs to be validated and tested: what the time of that is proportional to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from rdun.config import TrialConfig, canonical
from rdun.data import image_set, pixel_count


class Reconstructed(NamedTuple):
    """Pixels times stage applications."""

    validation: float
    """After each epoch."""
    scoring: float
    """After the last one."""


def reconstructed(config: TrialConfig) -> Reconstructed:
    """Of all images and test operators, by what `rdun.trial.scoring` does: the last weights and the best, which may be the same,
    are tested on images and on pooled blocks; the best are also tested with other counts, traced and timed.

    Raises:
        ValueError: a set of images that is not there.
    """
    from rdun.trial.scoring import BLOCKS_SCORED, PICTURES_KEPT

    task, data, applications = config.task, config.data, sum(config.test_counts)
    validated, tested = pixels(data.validation), [pixels(name) for name in data.test]
    images = sum(map(sum, tested))
    splits = [BLOCKS_SCORED, *(min(BLOCKS_SCORED, sum(p) // task.block**2) for p in (validated, *tested))]
    networks, operators = 2 if config.optim.epochs else 1, len(task.ratios) * task.tests
    sweep = config.model.layers * sum(canonical(config).recursion.sweep)
    traced = len(task.ratios) * sum(sum(found[:PICTURES_KEPT]) for found in tested)
    return Reconstructed(
        validation=sum(validated) * (len(data.validation_ratios) or len(task.ratios)) * task.tests * applications,
        scoring=networks * (images + sum(splits) * task.block**2) * operators * applications
        + images * operators * sweep
        + traced * (applications + sweep)
        + images * applications,
    )


@cache
def pixels(name: str) -> Sequence[int]:
    """Pixels of each image of a set."""
    return [pixel_count(path) for path in image_set(name).paths]
