"""Scores of weights from a file on any images, with seeded matrices or with a given one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from rdun.config import BlockSensingTask, DenoisingTask, InpaintingTask, RowRule, TaskConfig, TrialConfig
from rdun.data import image_set, training_blocks
from rdun.evaluation import Picture, Protocols, Reconstructor, ScoreLabels, score_images
from rdun.models import Unfolding
from rdun.operators import GivenMatrixTask, Task, make_task, nominal_ratio
from rdun.results import Score
from rdun.weights.matrices import read_estimator, read_sampling_matrix


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What the images are measured with; empty fields leave what the weights' config says.

    Attributes:
        ratios: sampling ratios.
        rows: rule for the number of measurements per ratio.
        seeds: seeds of the test matrices `gauss-sK` (masks, noise).
        matrix: a .mat file with a sampling matrix, instead of both.
        estimator: a .mat file with the matrix of its linear initial estimate.
    """

    ratios: tuple[float, ...] = ()
    rows: RowRule | None = None
    seeds: tuple[int, ...] = ()
    matrix: Path | None = None
    estimator: Path | None = None

    def task(self, config: TrialConfig, device: torch.device) -> Task:
        """The test task. A linear initial estimate that is not given is computed from the config's training images.

        Raises:
            ValueError: a combination that is not possible, or files that cannot be used.
        """
        if self.matrix is None:
            if self.estimator is not None:
                raise ValueError("--initial belongs to a matrix from a file; give that too (--matrix)")
            chosen = _seeded(config.task, self)
            moment = None
            if chosen.initial == "linear":
                moment = training_blocks(image_set(config.data.train), config.data, chosen.block).moment
            return make_task(chosen, moment, device)
        if self.ratios or self.rows or self.seeds:
            raise ValueError("--matrix fixes the measurements; leave out --ratio, --rows and --matrix-seed")
        if config.task.initial == "linear" and self.estimator is None:
            raise ValueError("this network starts from a linear estimate; give the matrix's own file (--initial)")
        matrix = read_sampling_matrix(self.matrix)
        estimator = read_estimator(self.estimator, matrix) if self.estimator else None
        return GivenMatrixTask(self.matrix.stem, nominal_ratio(*matrix.shape), matrix, estimator, device)


def scores(
    network: Unfolding,
    config: TrialConfig,
    task: Task,
    pictures: Sequence[Picture],
    *,
    dataset: str,
    recursions: int | None = None,
    device: torch.device | None = None,
) -> list[Score]:
    """PSNR and SSIM of every image with every test operator, by the protocol of `rdun.evaluation`.

    Args:
        recursions: applications of each stage; None: as the config tests.
    """
    counts = config.test_counts if recursions is None else (recursions,) * config.model.layers
    where = device or torch.device("cpu")
    reconstruct = Reconstructor(network.place(where), counts, config.model.deblock)
    labels = ScoreLabels("file", "test", dataset, protocols(config, task).hashes)
    return score_images(reconstruct, task, pictures, labels, where)


def protocols(config: TrialConfig, task: Task) -> Protocols:
    """How `scores` measures: the records behind the hashes."""
    ratios = dict.fromkeys(t.ratio for t in task.test_operators((task.patch, task.patch)))
    return Protocols.of(task, ratios, deblock=config.model.deblock)


def _seeded(task: TaskConfig, asked: Measurement) -> TaskConfig:
    ratios, seeds = asked.ratios, asked.seeds
    if asked.rows and not isinstance(task, BlockSensingTask):
        raise ValueError("these weights do not measure blocks with matrices; leave out --rows")
    match task:
        case BlockSensingTask():
            chosen = replace(task, ratios=ratios or task.ratios, rows=asked.rows or task.rows)
            return replace(chosen, test_matrices="unseen", test_matrix_seeds=seeds) if seeds else chosen
        case InpaintingTask():
            return replace(task, ratios=ratios or task.ratios, test_mask_seeds=seeds or task.test_mask_seeds)
        case DenoisingTask():
            if ratios:
                raise ValueError("a denoising network measures every pixel; leave out --ratio")
            return replace(task, test_noise_seeds=seeds or task.test_noise_seeds)
