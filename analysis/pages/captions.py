"""The captions of a study's figures: what is drawn, of what, and how to read it."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.figures import ImagesInfo, InteractionsInfo, ReconstructionsInfo, SweepInfo, TracesInfo
from analysis.frames import StudyFrames
from analysis.frames.measures import LeftOut, of_whole_cells
from analysis.numbers import listed, percent, plural
from analysis.statistics import Comparison


def traces_caption(info: TracesInfo) -> str:
    """Of traces, with or without modulation."""
    below = ", and the largest modulation scale; both logarithmic." if info.modulated else ", logarithmic."
    return TRACES + below + not_shown(info.left_out)


def forest_caption(found: Sequence[Comparison]) -> str:
    """Of the differences to the base arms."""
    seeds = max(len(c.seeds) for c in found)
    if seeds < 2:
        return (
            "Difference of test PSNR, paired by image; one seed, so that there is no interval and nothing is decided."
        )
    return (
        "Mean difference of test PSNR, paired by seed and image. Bar: 95\u00a0% t-interval over up to "
        f"{plural(seeds, 'seed')}; "
        "an arrow means that it goes on. Small ticks: single seeds. A filled marker is a decided difference (see "
        "the table of differences), an open one is undecided."
    )


def measured(frames: StudyFrames, dataset: str) -> str:
    """ " Test: 11 images, sampling ratio 25 %.", or over which ratios means are."""
    scores = frames.scores[(frames.scores["dataset"] == dataset) & (frames.scores["unit"] == "image")]
    ratios = [percent(ratio) for ratio in sorted(scores["ratio"].unique())]
    over = f"sampling ratio {ratios[0]}" if len(ratios) == 1 else f"mean over the sampling ratios {listed(ratios)}"
    return f" Test: {plural(scores['image'].nunique(), 'image')}, {over}."


TRADEOFF = (
    "Test PSNR, mean over seeds (large markers) and single seeds (dashes). Broken line: Pareto front, the networks "
    "that no other one beats in both cost and mean."
)
SWEEP = (
    "The same weights tested with other numbers of stage applications. Mean over seeds; the band runs from the "
    "smallest to the largest seed. Large marker: the arm's own number."
)
TRACES = (
    "The same weights after each stage application t of one pass; t = 0 is the initial estimate. Each line is a test with "
    "another number of applications in all, written at its end; thick: the arm's own number. Means over the first images "
    "of the test set, ratios and seeds; first matrix, best checkpoint. What lies far below the initial estimate is cut off. "
    "Below: the part of the measurements that the estimate does not explain"
)
GAP = (
    "Gain over the initial estimate on training blocks minus that on validation blocks, best checkpoint. Lines: "
    "mean over seeds; dashes: single seeds. Markers at one size stand side by side so that they can be told apart."
)
LEARNING = (
    "Validation PSNR after every epoch, against optimizer steps (above) and seconds of training (below). Lines: "
    "mean over seeds; the band runs from the smallest to the largest seed. Early epochs far below the rest are cut "
    "off."
)
NETWORKS = " Of an arm with several networks, one per ratio: the mean of them, also of their steps and seconds."
RETURNS = (
    "Arms that differ in nothing but their recursions, joined by a line: mean over seeds (large markers) and single seeds "
    "(dashes). A network that applies each layer once belongs to every line. A line that flattens shows diminishing returns."
)
TIMES = (
    "The same arms: seconds of training, mean over seeds (large markers) and single seeds (dashes), as measured on whatever "
    "ran beside them."
)
LEARNED = (
    "Scalars of the best checkpoint: mean over seeds (lines) and single seeds (dashes). Arms stand side by side at each "
    "place."
)
START = " Broken line: the value before training."


def not_shown(left_out: LeftOut) -> str:
    """ " Not shown: A (not tested at 10 %)."; empty where every arm is."""
    arms: dict[str, list[str]] = {}
    for arm, why in left_out:
        arms.setdefault(why, []).append(arm)
    return "".join(f" Not shown, {why}: {listed(names)}." for why, names in arms.items())


def fewer_seeds(frames: StudyFrames) -> str:
    """ " Means over 2 of 3 seeds: A and B."; empty where every arm that has begun has all."""
    whole = of_whole_cells(frames, frames.trials).groupby("arm", sort=False)["seed"].nunique()
    planned = len(frames.plan.seeds)
    arms: dict[int, list[str]] = {}
    for arm, seeds in whole.items():
        if seeds < planned:
            arms.setdefault(int(seeds), []).append(str(arm))
    return "".join(f" Means over {n} of {planned} seeds: {listed(names)}." for n, names in sorted(arms.items()))


def devices(frames: StudyFrames) -> str:
    """What seconds are of, where trials ran on several kinds of device; else empty."""
    trials = frames.trials[frames.trials["attempts"] > 0]
    found = sorted(
        {f"{d} ({plural(int(t), 'thread')})" for d, t in zip(trials["device"], trials["threads"], strict=True) if d}
    )
    return f" Seconds are of several kinds of device, {listed(found)}: compare those of one." if len(found) > 1 else ""


def breaks(info: SweepInfo) -> str:
    """What a line without some count means."""
    lines = [line for panel in info.panels for line in panel.lines]
    broken = any(value != value for line in lines for value in line.mean)
    return " A line breaks where the reconstruction of some image is not a number." if broken else ""


def interactions_caption(info: InteractionsInfo) -> str:
    """Of pairs of factors, with the seeds."""
    return (
        "Test PSNR for every combination of two factors, mean over all other factors and over the seeds that all arms have "
        f"({', '.join(map(str, info.seeds))}); bars run from the smallest to the largest seed. Parallel lines: what one "
        "factor does, does not depend on the other."
    )


def images_caption(info: ImagesInfo) -> str:
    """Of the differences image by image: few are named, of many each arm has a curve."""
    if info.few:
        return (
            "Difference of PSNR to the base arm for each test image: mean over seeds, and a bar from the smallest to the "
            "largest seed. Images are sorted by their mean difference over all arms."
        )
    return (
        f"Difference of PSNR to the base arm on the {len(info.images)} test images, mean over seeds. Each curve is sorted by "
        "itself, so that one place is not one image: it shows the part of the images on which an arm gains, and how much. "
        "Marker: the median image."
    )


def pictures_caption(info: ReconstructionsInfo) -> str:
    """Of reconstructions, with the seed and the image."""
    return (
        f"Seed {info.seed}, at {info.at}, first test measurement, checkpoint with the best validation PSNR. "
        f"“{info.image}” has the median gain over the initial estimate of the test images whose pictures are kept, the first of "
        "the set. "
        "The square marks where the initial estimate errs most; it is shown enlarged below, and below it "
        "the absolute error in gray levels "
        f"(black: none, white: {info.scale:.0f} of 255 or more). PSNR of the whole 8-bit picture."
    )
