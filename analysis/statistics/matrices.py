"""PSNR by test matrix: how much quality depends on which one was drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.frames import StudyFrames
from analysis.frames.measures import network_scores


def matrix_scores(frames: StudyFrames, dataset: str) -> dict[tuple[str, float], pd.DataFrame]:
    """The PSNR scores of each arm and ratio that were tested with several matrices; in the order of the arms, ratios rising."""
    scores = network_scores(frames)
    scores = scores[(scores["dataset"] == dataset) & (scores["metric"] == "psnr")]
    counts = scores.groupby(["arm", "ratio"], observed=True)["matrix"].nunique()
    several = [(str(arm), float(ratio)) for arm, ratio in counts.index[counts > 1]]
    places = sorted(several, key=lambda place: (list(frames.arms).index(place[0]), place[1]))
    return {(arm, ratio): scores[(scores["arm"] == arm) & (scores["ratio"] == ratio)] for arm, ratio in places}


def means_by_matrix(scores: pd.DataFrame) -> pd.DataFrame:
    """Means over images, in dB: a row per seed, a column per matrix. Seeds without a finite mean for each have no row."""
    plain = scores.astype({"matrix": object}).groupby(["seed", "matrix"])["value"]
    by_seed = pd.DataFrame(plain.mean(skipna=False).unstack("matrix"))
    finite = np.isfinite(by_seed.to_numpy(dtype=float)).all(axis=1)
    return pd.DataFrame(by_seed[finite])
