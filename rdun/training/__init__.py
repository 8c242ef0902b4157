"""Training: a generator of epochs and the state it can be resumed from."""

from rdun.training.batches import Batches
from rdun.training.diagnosis import first_non_finite
from rdun.training.divergence import Diverged, NonFinite
from rdun.training.graphs import GraphedStep
from rdun.training.loop import fit
from rdun.training.state import CHECKPOINT, TrainState, read_checkpoint
from rdun.training.steps import learning_rate, train_step

__all__ = [
    "CHECKPOINT",
    "Batches",
    "Diverged",
    "GraphedStep",
    "NonFinite",
    "TrainState",
    "first_non_finite",
    "fit",
    "learning_rate",
    "read_checkpoint",
    "train_step",
]
