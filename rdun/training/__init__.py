"""Training: a generator of epochs and the state it can be resumed from."""

from rdun.training.batches import Batches
from rdun.training.divergence import Diverged, diagnose
from rdun.training.graphs import GraphedStep
from rdun.training.loop import fit, learning_rate, train_step
from rdun.training.state import CHECKPOINT, TrainState, read_checkpoint

__all__ = [
    "CHECKPOINT",
    "Batches",
    "Diverged",
    "GraphedStep",
    "TrainState",
    "diagnose",
    "fit",
    "learning_rate",
    "read_checkpoint",
    "train_step",
]
