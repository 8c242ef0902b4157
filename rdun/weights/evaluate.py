"""Scores of weights from a file on any images, with seeded matrices or with a given one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from rdun.config import BlockSensingTask, Precision, RowRule, TaskConfig, TrialConfig
from rdun.data import image_set, training_blocks
from rdun.evaluation import Picture, Protocols, Reconstructor, ScoreLabels, reconstructions
from rdun.evaluation.reconstruct import CHUNK, levels
from rdun.models import Unfolding, check_precision
from rdun.operators import GivenMatrixTask, Task, TestOperator, make_task, nominal_ratio
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
            chosen = _tested(config.task, self)
            moment = _moment(config, chosen.block) if chosen.initial == "linear" else None
            return make_task(chosen, moment, device)
        if self.ratios or self.rows or self.seeds:
            raise ValueError("--matrix fixes the measurements; leave out --ratio, --rows and --matrix-seed")
        check_initial(config, self.estimator)
        matrix = read_sampling_matrix(self.matrix)
        estimator = read_estimator(self.estimator, matrix) if self.estimator else None
        return GivenMatrixTask(self.matrix.stem, nominal_ratio(*matrix.shape), matrix, estimator, device)


def check_initial(config: TrialConfig, estimator: Path | None) -> None:
    """Raises ValueError where a network that starts from a linear estimate has none for a matrix from a file."""
    if config.task.initial == "linear" and estimator is None:
        raise ValueError("this network starts from a linear estimate; give the matrix's own file (--initial)")


def _moment(config: TrialConfig, block: int) -> np.ndarray:
    try:
        return training_blocks(image_set(config.data.train), config.data, block).moment
    except ValueError as error:
        raise ValueError(
            f"they start from a linear estimate, which is computed from their training images: {error}; or give a matrix "
            "with its own (--matrix, --initial)"
        ) from None


def scored(
    network: Unfolding,
    config: TrialConfig,
    task: Task,
    pictures: Sequence[Picture],
    *,
    dataset: str,
    recursions: int | None = None,
    device: torch.device | None = None,
    precision: Precision = "fp32",
) -> Iterator[tuple[Picture, TestOperator, np.ndarray, list[Score]]]:
    """Each image with each test operator: the reconstruction `(H, W)` in [0, 255], its PSNR and its SSIM, by the protocol of
    `rdun.evaluation`.

    Args:
        recursions: applications of each stage; None: as the config tests.
        precision: of the network's convolutions.

    Raises:
        ValueError: a precision that the device does not have.
    """
    where = device or torch.device("cpu")
    reconstruct = _reconstructor(network, config, recursions, where, precision)
    labels = ScoreLabels("file", "test", dataset, protocols(config, task, precision).hashes)
    for picture in pictures:
        for test, x in reconstructions(reconstruct, task, picture, where):
            yield picture, test, x, labels.image_scores(reconstruct, test, picture, x)


def recovered(
    network: Unfolding,
    config: TrialConfig,
    task: GivenMatrixTask,
    measurements: np.ndarray,
    shape: tuple[int, int],
    *,
    recursions: int | None = None,
    device: torch.device | None = None,
    precision: Precision = "fp32",
) -> np.ndarray:
    """An image `(H, W)` in [0, 255] from its measurements.

    Args:
        measurements: `(B, M)`, a row for each block of the image (raster order, zero-padded at the bottom and right to whole
            blocks), A times its pixels in [0, 1], row by row.
        shape: (H, W).
        precision: of the network's convolutions.

    Raises:
        ValueError: not as many measurements as the image has, or a precision that the device does not have.
    """
    where = device or torch.device("cpu")
    blocks, rows = -(-shape[0] // task.patch) * -(-shape[1] // task.patch), len(task.matrix)
    if measurements.shape != (blocks, rows):
        raise ValueError(
            f"the measurements are {measurements.shape[0]}x{measurements.shape[1]}, and an image of {shape[0]}x{shape[1]} pixels "
            f"has {blocks} blocks of {task.patch}x{task.patch} with {rows} each: give {blocks}x{rows}, or another --size"
        )
    reconstruct = _reconstructor(network, config, recursions, where, precision)
    operator = reconstruct.operators(task, shape)[0].operator
    y = torch.from_numpy(measurements.astype(np.float32)).to(where)
    parts = [y[None]] if reconstruct.deblock else torch.split(y[:, None], CHUNK)
    return levels(reconstruct.recovered(operator, parts, shape))


def _reconstructor(
    network: Unfolding, config: TrialConfig, recursions: int | None, device: torch.device, precision: Precision
) -> Reconstructor:
    check_precision(precision, device)
    counts = config.test_counts if recursions is None else (recursions,) * config.model.layers
    return Reconstructor(network.place(device), counts, config.model.deblock, precision)


def protocols(config: TrialConfig, task: Task, precision: Precision = "fp32") -> Protocols:
    """How `scored` measures: the records behind the hashes."""
    ratios = dict.fromkeys(t.ratio for t in task.test_operators((task.patch, task.patch)))
    return Protocols.of(task, ratios, deblock=config.model.deblock, precision=precision)


def _tested(task: TaskConfig, asked: Measurement) -> TaskConfig:
    if asked.rows:
        if not isinstance(task, BlockSensingTask):
            raise ValueError("these weights do not measure blocks with matrices; leave out --rows")
        task = replace(task, rows=asked.rows)
    return task.with_tests(asked.ratios, asked.seeds)
