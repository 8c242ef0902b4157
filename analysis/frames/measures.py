"""From rows of all trials to one value per arm, seed and image, and to the reasons where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.frames import Arm, StudyFrames
from analysis.numbers import percent

AVERAGE = "average"
SEVERAL = ", "
"""Between the ratios of a mean over some of them."""
NAN = float("nan")
KEYS = ["arm", "seed", "dataset", "metric"]
SPLITS = ("train", "validation", "test")
NO_NUMBER = "the reconstruction of some image is not a number"
LACKS_SCORES = "complete, but without finite scores for every image"
"""Why a seed of which all trials are complete has no value."""
LeftOut = tuple[tuple[str, str], ...]
"""Arms that a figure does not show, each with the reason."""
INITIAL = 0
"""Recursion count of rows scored before any network: the initial estimate."""


def network_scores(
    frames: StudyFrames, *, checkpoint: str = "best", split: str = "test", unit: str = "image"
) -> pd.DataFrame:
    """Scores of each network at the stage applications its arm is meant to be tested with."""
    rows = frames.scores
    counts = [frames.arms[a].evaluations_test if a in frames.arms else -1 for a in rows["arm"].cat.categories]
    own = rows["recursions"].to_numpy() == np.array(counts, dtype=np.int64)[rows["arm"].cat.codes]
    wanted: NDArray[np.bool_] = own & (rows["checkpoint"] == checkpoint).to_numpy() & _where(rows, split, unit)
    return rows[wanted]


def initial_scores(frames: StudyFrames, *, split: str = "test", unit: str = "image") -> pd.DataFrame:
    """Scores of the initial estimate, without any network; the same for every checkpoint."""
    rows = frames.scores
    rows = rows[(rows["recursions"] == INITIAL).to_numpy() & _where(rows, split, unit)]
    rows = rows.sort_values("checkpoint", kind="stable")
    return rows.drop_duplicates(["arm", "seed", "dataset", "image", "ratio", "matrix", "metric"])


def _where(rows: pd.DataFrame, split: str, unit: str) -> NDArray[np.bool_]:
    return ((rows["split"] == split) & (rows["unit"] == unit)).to_numpy()


def per_image(frames: StudyFrames, rows: pd.DataFrame) -> pd.DataFrame:
    """One value per arm, seed, dataset, metric, image and `at`: a ratio ("25 %") or "average".

    Values are means over test matrices. An average is there only where every ratio of the arm is, and a cell only where it
    has a finite number for every image that any arm has on that dataset: what is not one (nan; infinite for an image that is
    reconstructed without error) is left out of no mean.
    """
    by = [*KEYS, "ratio", "image"]
    values = rows.groupby(by, sort=False, observed=True)["value"].mean(skipna=False).reset_index()
    values = _whole_cells(values)
    expected = {a.name: len(a.ratios) for a in frames.arms.values()}
    grouped = values.groupby([*KEYS, "image"], sort=False, observed=True)["value"].agg(["mean", "size"]).reset_index()
    there = (grouped["size"] == grouped["arm"].astype(object).map(expected)).to_numpy()
    average = grouped[there].rename(columns={"mean": "value"}).drop(columns="size").assign(at=AVERAGE)
    heads = {r: percent(r) for r in values["ratio"].unique()}
    single = values.assign(at=values["ratio"].map(heads)).drop(columns="ratio")
    return pd.concat([single, average], ignore_index=True).astype({"at": "category"})


def _whole_cells(values: pd.DataFrame) -> pd.DataFrame:
    images = values.groupby(["dataset", "metric"], observed=True)["image"].transform("nunique")
    finite = values["value"].where(np.isfinite(values["value"]))
    there = finite.groupby([values[key] for key in (*KEYS, "ratio")], observed=True).transform("count")
    return values[(images == there).to_numpy()]


def cell_means(images: pd.DataFrame) -> pd.DataFrame:
    """Means over the images: one value per arm, seed, dataset, metric and `at`."""
    means = images.groupby([*KEYS, "at"], sort=False, observed=True)["value"].mean().reset_index()
    return means.astype(dict.fromkeys(("arm", "dataset", "metric", "at"), object))


Values = dict[int, float]
"""Seed -> value."""


def by_cell(cells: pd.DataFrame, dataset: str) -> dict[tuple[str, str, str], Values]:
    """Cell means of one test set: (arm, at, metric) -> values by seed."""
    rows = cells[cells["dataset"] == dataset]
    found: dict[tuple[str, str, str], Values] = {}
    for arm, at, metric, seed, value in rows[["arm", "at", "metric", "seed", "value"]].itertuples(
        index=False, name=None
    ):
        found.setdefault((arm, at, metric), {})[int(seed)] = float(value)
    return found


def mean_and_spread(values: Iterable[float]) -> tuple[float, float]:
    """Mean and standard deviation (n - 1); nan where there are too few values."""
    known = np.array(list(values), dtype=float)
    return (float(known.mean()) if len(known) else NAN), (float(known.std(ddof=1)) if len(known) > 1 else NAN)


def ratio_labels(arms: Iterable[Arm]) -> list[str]:
    """The ratios of all arms in rising order, as column heads."""
    return [percent(r) for r in sorted({r for a in arms for r in a.ratios})]


def mean_over(ratios: Iterable[float]) -> str:
    """The `at` of a mean over these ratios: "10 %", "10 %, 25 %"; over none of them, the average over all."""
    return SEVERAL.join(percent(r) for r in sorted(ratios)) or AVERAGE


def not_tested(arm: Arm, at: str, ratios: Iterable[str]) -> str:
    """Why an arm has no value at a ratio, or no average over `ratios`, by its plan: "not tested at 10 %"; empty if it has."""
    own = [percent(r) for r in arm.ratios]
    lacking = [r for r in (ratios if at == AVERAGE else [at]) if r not in own]
    return f"not tested at {', '.join(lacking)}" if lacking else ""


def without_averages(frames: StudyFrames) -> dict[str, str]:
    """Arms that lack ratios at which others of their family are tested, each with the reason: their averages would be others."""
    return _lacking((frames.members(family) for family in frames.families()), "tested", lambda arm: arm.ratios)


def without_block_averages(frames: StudyFrames) -> dict[str, str]:
    """The same among arms of one setting, whose training sets of all sizes are laid side by side."""
    arms = list(frames.arms.values())
    settings = dict.fromkeys(a.setting for a in arms)
    return _lacking(
        ([a for a in arms if a.setting == setting] for setting in settings), "tested", lambda arm: arm.ratios
    )


def without_validation(frames: StudyFrames) -> dict[str, str]:
    """Arms that are not validated at ratios at which others of their family are: a curve of theirs would be of something else."""
    return _lacking((frames.members(family) for family in frames.families()), "validated", lambda arm: arm.validated)


def _lacking(groups: Iterable[Sequence[Arm]], what: str, ratios: Callable[[Arm], tuple[float, ...]]) -> dict[str, str]:
    """Of arms that are compared, those that lack some ratio of the others."""
    found: dict[str, str] = {}
    for members in groups:
        every = sorted({r for arm in members for r in ratios(arm)})
        for arm in members:
            if lacking := [percent(r) for r in every if r not in ratios(arm)]:
                found[arm.name] = f"not {what} at {', '.join(lacking)}"
    return found


def gap_reason(frames: StudyFrames, arm: str, seed: int, at: str = AVERAGE) -> str:
    """Why an (arm, seed) cell has no value at a ratio; empty if all its trials are complete."""
    trials = frames.trials[(frames.trials["arm"] == arm) & (frames.trials["seed"] == seed)]
    for ratios, status, reason in zip(trials["ratios"], trials["status"], trials["reason"], strict=True):
        covers = at == AVERAGE or not ratios or any(percent(r) in at.split(SEVERAL) for r in ratios)
        if status != "complete" and covers:
            return describe_gap(str(status), str(reason))
    return ""


def describe_gap(status: str, reason: str) -> str:
    """`("failed", "out of memory")` -> "failed: out of memory"."""
    return status if reason in ("", status) else f"{status}: {reason}"


def missing_seeds(
    frames: StudyFrames, arm: str, at: str, there: Sequence[int], lacks: str = LACKS_SCORES
) -> list[tuple[int, str]]:
    """The plan's seeds that give no value for an arm at a ratio, each with its reason; `lacks`: that of complete trials."""
    return [(s, gap_reason(frames, arm, s, at) or lacks) for s in frames.plan.seeds if s not in there]


def of_whole_cells(frames: StudyFrames, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the cells (arm, seed) of which all trials are complete.

    Where an arm has a network per ratio, a mean over the ratios that are left would be a mean of something else.
    """
    complete = frames.trials["status"] == "complete"
    whole = complete.groupby([frames.trials["arm"], frames.trials["seed"]]).all()
    if whole.all() or rows.empty:
        return rows
    return rows[pd.MultiIndex.from_arrays([rows["arm"].astype(object), rows["seed"]]).isin(whole.index[whole])]


def timing_cells(frames: StudyFrames) -> pd.DataFrame:
    """One row per arm and seed, one column per timing name; seconds add up over the trials of a cell, rates are averaged.

    A cell is there only if all its trials are complete.
    """
    rows = of_whole_cells(frames, frames.timings)
    if rows.empty:
        return pd.DataFrame(columns=["arm", "seed"])
    by = ["arm", "seed", "fingerprint", "name"]
    plain = rows.astype(dict.fromkeys(("arm", "fingerprint", "name"), object))
    per_trial = plain.groupby(by, sort=False)["value"].mean().reset_index()
    wide = per_trial.pivot_table(index=["arm", "seed"], columns="name", values="value", aggfunc="mean", sort=False)
    totals = per_trial[per_trial["name"] == "train_seconds"].groupby(["arm", "seed"])["value"].sum()
    if "train_seconds" in wide:
        wide["train_seconds"] = totals.reindex(wide.index)
    return wide.reset_index()


def facts(frames: StudyFrames, name: str) -> dict[str, float]:
    """A number from run.json's facts for every arm, the mean over its complete cells; nan if none recorded it."""
    trials = of_whole_cells(frames, frames.trials)
    found: dict[str, list[float]] = {arm: [] for arm in frames.arms}
    for arm, recorded in zip(trials["arm"], trials["facts"], strict=True):
        if arm in found and isinstance(value := recorded.get(name), (int, float)):
            found[arm].append(float(value))
    return {arm: float(np.mean(values)) if values else NAN for arm, values in found.items()}


def overfitting_cells(frames: StudyFrames) -> pd.DataFrame:
    """Per arm and seed: block PSNR of each split, gains over the initial estimate, "gap" at the best and "gap last"
    at the last checkpoint.

    Values are means over ratios, matrices and data sets, nan where any of them is; a cell is there only if all its trials are
    complete.
    """
    best, last = _splits(frames, "best"), _splits(frames, "last")
    table = best.copy()
    complete = all(f"gain {s}" in table for s in ("train", "validation"))
    table["gap"] = table["gain train"] - table["gain validation"] if complete else float("nan")
    if "gain train" in last and "gain validation" in last:
        table["gap last"] = (last["gain train"] - last["gain validation"]).reindex(table.index)
    return table.reset_index()


def _splits(frames: StudyFrames, checkpoint: str) -> pd.DataFrame:
    columns: dict[str, pd.Series] = {}
    for split in SPLITS:
        scored = network_scores(frames, checkpoint=checkpoint, split=split, unit="block")
        network = _psnr(of_whole_cells(frames, scored))
        initial = _psnr(initial_scores(frames, split=split, unit="block"))
        if len(network):
            columns[split] = network
            columns[f"gain {split}"] = network - initial.reindex(network.index)
    index = pd.MultiIndex.from_arrays([[], []], names=["arm", "seed"])
    return pd.DataFrame(columns) if columns else pd.DataFrame(index=index)


def _psnr(rows: pd.DataFrame) -> pd.Series:
    rows = rows[rows["metric"] == "psnr"].astype({"arm": object})
    return rows.groupby(["arm", "seed"])["value"].mean(skipna=False)


def recursion_cells(frames: StudyFrames) -> pd.DataFrame:
    """Mean test quality per arm, seed, dataset, metric and number of stage applications (images, ratios and matrices
    averaged); a cell is there only if all its trials are complete, and nan where any of its scores is: with more applications
    than in training some images may leave all bounds."""
    rows = frames.scores
    network = ((rows["checkpoint"] == "best") & (rows["recursions"] != INITIAL)).to_numpy()
    rows = of_whole_cells(frames, rows[network & _where(rows, "test", "image")])
    means = rows.groupby([*KEYS, "recursions"], observed=True)["value"].mean(skipna=False).reset_index()
    return means.astype(dict.fromkeys(("arm", "dataset", "metric"), object))


def swept_arms(cells: pd.DataFrame) -> list[str]:
    """Arms that were tested with more than one count."""
    counts = cells.groupby("arm", sort=False, observed=True)["recursions"].nunique()
    return [str(a) for a in counts.index[counts > 1]]
