"""What can be known to go wrong before anything is trained: images, checkpoints, room on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from rdun.config import BlockSensingTask, DataConfig, TrialConfig, check_warmup, row_count
from rdun.data import check_size, check_validation, count_blocks, image_set, read_luminance, weights_hash
from rdun.data.blocks import subset_size
from rdun.results import Folder, TrialDirectory

SPACE_PER_TRIAL = 4_000_000
"""Bytes of records and pictures that a trial leaves, generously."""


def check_trial(config: TrialConfig) -> None:
    """Reads the images and weights of a trial, and counts whether its training blocks and steps can be enough.

    Raises:
        ValueError: as `check_data`, weights of another network, a warm-up that is longer than the training, or fewer blocks than
            a linear estimate without a ridge needs.
    """
    from rdun.plan.costs import steps  # which takes `check_data` from here

    task = config.task
    blocks = subset_size(config.data, check_data(config.data, task.block))
    check_warmup(config.optim, steps(config))
    if config.weights is not None:
        _check_weights(replace(config, data=DataConfig(), seed=0), weights_hash(config.weights))
    if not isinstance(task, BlockSensingTask) or task.initial == "adjoint" or task.ridge:
        return
    rows = max(row_count(ratio, task.block**2, task.rows) for ratio in task.ratios)
    if blocks < rows:
        raise ValueError(
            f"data.fraction={config.data.fraction} leaves {blocks} training blocks, which do not span the {rows} measurements of "
            "task.initial='linear' without task.ridge; use more blocks, or a positive task.ridge such as 1e-6"
        )


@cache
def _check_weights(config: TrialConfig, _content: str) -> None:
    """Loads the weights into the network, once for each: seeds and data share it."""
    from rdun.trial import first_network

    first_network(config)


@cache
def check_data(data: DataConfig, block: int) -> int:
    """Reads every image once; the number of training blocks available.

    Raises:
        ValueError: a set that is missing, an image that cannot be read or is too small, or a black one in the validation.
    """
    for name in (data.validation, *data.test):
        for path in image_set(name).paths:
            gray = read_luminance(path, "bt601")
            if min(gray.shape) < 7:
                raise ValueError(f"{path} is smaller than the 7x7 window of SSIM; remove or replace it")
            check_size(path, gray, block)
            if name == data.validation:
                check_validation(path, gray)
    return count_blocks(image_set(data.train), data, block)


def check_checkpoints(folders: Iterable[TrialDirectory]) -> None:
    """Reads every checkpoint that these trials, which are to run, will continue from.

    Raises:
        ValueError: one is damaged, or its disk fails; the message names it and what to do.
    """
    waiting = [folder for folder in folders if folder.exists("checkpoint.pt")]
    if not waiting:
        return
    import torch

    from rdun.training import read_checkpoint

    for folder in waiting:
        try:
            read_checkpoint(folder, torch.device("cpu"))
        except OSError as error:
            raise ValueError(
                f"{folder.path}/checkpoint.pt cannot be read now ({error}); see to the disk, then give the same command again"
            ) from None


def check_store(folder: str, parameters: Iterable[float], *, write: bool = True) -> None:
    """Makes sure that the folder of the runs can be written and has room for trials.

    Args:
        parameters: of the network of each trial that is to run.
        write: try it, which makes the folder; else only an existing folder's free space is looked at.

    Raises:
        ValueError: it cannot, or has not.
    """
    probe = Folder(folder)
    if write:
        try:
            probe.write("write-test", b"")
            probe.remove("write-test")
        except OSError as error:
            raise ValueError(f"--runs {folder!r} cannot be written ({error}); choose another folder") from None
    if not probe.is_local or not probe.exists():
        return
    need = sum(SPACE_PER_TRIAL + 28 * count for count in parameters)  # Adam state, best and last
    free = shutil.disk_usage(folder).free
    if free < need:
        raise ValueError(
            f"--runs {folder!r} has {free / 1e6:.0f} MB free, what is to run needs about {need / 1e6:.0f} MB; make room, or "
            "choose another folder"
        )
