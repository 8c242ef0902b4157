"""The answer of a study that trains nothing: what weights from files reach, and how much that depends on the test matrix."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.frames import StudyFrames
from analysis.frames.measures import AVERAGE, without_averages
from analysis.numbers import NBSP, listed, number
from analysis.statistics.matrices import matrix_scores, means_by_matrix
from analysis.statistics.paired import Images

NAMED = 4
"""Arms that the sentence names; the table of quality has all."""


def weights_answer(images: Images) -> str:
    """A sentence per data set; empty where anything is trained, or nothing was tested yet."""
    frames = images.frames
    if any(arm.steps for arm in frames.plan.arms):
        return ""
    cells = images.cells
    averaged = ~cells["arm"].isin(without_averages(frames))  # those over other ratios say nothing beside them
    cells = cells[(cells["metric"] == "psnr") & (cells["at"] == AVERAGE) & averaged]
    return " ".join(
        _sentence(frames, d, found) for d in images.datasets() if len(found := cells[cells["dataset"] == d])
    )


def _sentence(frames: StudyFrames, dataset: str, cells: pd.DataFrame) -> str:
    means = cells.groupby("arm", observed=True)["value"].mean()
    arms = [name for name in frames.arms if name in means.index]
    named = [f"“{frames.arms[name].treatment}” {number(means[name])}{NBSP}dB" for name in arms[:NAMED]]
    more = [f"{len(arms) - NAMED} more"] if len(arms) > NAMED else []
    text = (
        f"On {frames.data_set(dataset)} the weights reach, averaged over ratios and images: {listed([*named, *more])}."
    )
    if spread := _over_matrices(frames, dataset):
        text += f" From one test matrix to another the PSNR of a network at a ratio varies by {spread} (standard deviation)."
    return text


def _over_matrices(frames: StudyFrames, dataset: str) -> str:
    """The lowest and the highest standard deviation over the test matrices, of all arms and ratios; empty for one matrix."""
    spreads = [float(means_by_matrix(s).mean().std(ddof=1)) for s in matrix_scores(frames, dataset).values()]
    return f"{number(np.nanmin(spreads))} to {number(np.nanmax(spreads))}{NBSP}dB" if np.isfinite(spreads).any() else ""
