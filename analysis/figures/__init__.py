"""Each figure is two functions: `*_info` collects what is to be seen (a NamedTuple), `draw_*` draws it on a matplotlib Figure."""

from analysis.figures.forest import ForestInfo, draw_forest, forest_info
from analysis.figures.gap import GapInfo, draw_gap, gap_info
from analysis.figures.images import ImagesInfo, draw_images, images_info
from analysis.figures.interactions import InteractionsInfo, draw_interactions, interactions_info
from analysis.figures.learned import LearnedInfo, draw_learned, learned_infos
from analysis.figures.learning import LearningInfo, draw_learning, learning_info
from analysis.figures.output import save_figure, themed_svg
from analysis.figures.reconstructions import ReconstructionsInfo, draw_reconstructions, reconstructions_info
from analysis.figures.returns import ReturnsInfo, draw_returns, quality_returns, time_returns
from analysis.figures.style import Look, looks
from analysis.figures.sweep import SweepInfo, draw_sweep, sweep_info
from analysis.figures.traces import TracesInfo, draw_traces, traces_infos
from analysis.figures.tradeoff import TradeoffInfo, draw_tradeoff, tradeoff_info

__all__ = [
    "ForestInfo",
    "GapInfo",
    "ImagesInfo",
    "InteractionsInfo",
    "LearnedInfo",
    "LearningInfo",
    "Look",
    "ReconstructionsInfo",
    "ReturnsInfo",
    "SweepInfo",
    "TracesInfo",
    "TradeoffInfo",
    "draw_forest",
    "draw_gap",
    "draw_images",
    "draw_interactions",
    "draw_learned",
    "draw_learning",
    "draw_reconstructions",
    "draw_returns",
    "draw_sweep",
    "draw_traces",
    "draw_tradeoff",
    "forest_info",
    "gap_info",
    "images_info",
    "interactions_info",
    "learned_infos",
    "learning_info",
    "looks",
    "quality_returns",
    "reconstructions_info",
    "save_figure",
    "sweep_info",
    "themed_svg",
    "time_returns",
    "traces_infos",
    "tradeoff_info",
]
