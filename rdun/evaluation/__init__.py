"""Quality of reconstructions: metrics, scores with their protocol, and traces of single reconstructions."""

from rdun.evaluation.metrics import psnr, ssim
from rdun.evaluation.pictures import Picture, load_pictures, sample_blocks, spread
from rdun.evaluation.protocol import Protocols
from rdun.evaluation.reconstruct import Reconstructor, images_per_second, reconstructions
from rdun.evaluation.scores import ScoreLabels, mean_quality, score_blocks
from rdun.evaluation.traces import trace_images

__all__ = [
    "Picture",
    "Protocols",
    "Reconstructor",
    "ScoreLabels",
    "images_per_second",
    "load_pictures",
    "mean_quality",
    "psnr",
    "reconstructions",
    "sample_blocks",
    "score_blocks",
    "spread",
    "ssim",
    "trace_images",
]
