"""Weights in files: our own (safetensors with the config inside) and the authors' published checkpoints."""

from pathlib import Path

from rdun.config import TrialConfig
from rdun.models import Unfolding
from rdun.weights.checkpoint import read_tensors
from rdun.weights.matrices import read_estimator, read_measurements, read_sampling_matrix
from rdun.weights.published import KnownFile, known_files, load_published
from rdun.weights.store import assemble, decode_model, encode_model, load_model, save_model


def load_any(path: str | Path, recursions: int | None = None) -> tuple[Unfolding, TrialConfig]:
    """A model and its config from a file of ours (`*.safetensors`) or a published checkpoint (any other name)."""
    return load_model(path) if Path(path).suffix == ".safetensors" else load_published(path, recursions)


__all__ = [
    "KnownFile",
    "assemble",
    "decode_model",
    "encode_model",
    "known_files",
    "load_any",
    "load_model",
    "load_published",
    "read_estimator",
    "read_measurements",
    "read_sampling_matrix",
    "read_tensors",
    "save_model",
]
