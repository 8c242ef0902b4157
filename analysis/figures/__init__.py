"""Each figure is two functions: `*_info` collects what is to be seen (a NamedTuple), `draw_*` draws it on a matplotlib Figure."""

from analysis.figures.forest import ForestInfo, draw_forest, forest_info
from analysis.figures.gap import GapInfo, draw_gap, gap_info
from analysis.figures.images import ImagesInfo, draw_images, images_info
from analysis.figures.learning import LearningInfo, draw_learning, learning_info
from analysis.figures.output import save_figure, themed_svg
from analysis.figures.reconstructions import ReconstructionsInfo, draw_reconstructions, reconstructions_info
from analysis.figures.style import Look, looks
from analysis.figures.sweep import SweepInfo, draw_sweep, sweep_info
from analysis.figures.traces import TracesInfo, draw_traces, traces_infos
from analysis.figures.tradeoff import TradeoffInfo, draw_tradeoff, tradeoff_info

__all__ = [
    "ForestInfo",
    "GapInfo",
    "ImagesInfo",
    "LearningInfo",
    "Look",
    "ReconstructionsInfo",
    "SweepInfo",
    "TracesInfo",
    "TradeoffInfo",
    "draw_forest",
    "draw_gap",
    "draw_images",
    "draw_learning",
    "draw_reconstructions",
    "draw_sweep",
    "draw_traces",
    "draw_tradeoff",
    "forest_info",
    "gap_info",
    "images_info",
    "learning_info",
    "looks",
    "reconstructions_info",
    "save_figure",
    "sweep_info",
    "themed_svg",
    "traces_infos",
    "tradeoff_info",
]
