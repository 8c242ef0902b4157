"""Image sets, luminance and training blocks."""

from rdun.data.blocks import (
    TrainingBlocks,
    all_blocks,
    check_size,
    check_validation,
    count_blocks,
    dihedral,
    epoch_samples,
    grid_blocks,
    training_blocks,
)
from rdun.data.entry import DATA_VARIABLE, Entry, data_folder
from rdun.data.identity import from_anywhere, training_fingerprint, trial_fingerprint
from rdun.data.images import pixel_count, png, read_luminance, unit_range
from rdun.data.registry import ImageSet, image_hash, image_set, registry
from rdun.data.weights_file import weights_file, weights_hash

__all__ = [
    "DATA_VARIABLE",
    "Entry",
    "ImageSet",
    "TrainingBlocks",
    "all_blocks",
    "check_size",
    "check_validation",
    "count_blocks",
    "data_folder",
    "dihedral",
    "epoch_samples",
    "from_anywhere",
    "grid_blocks",
    "image_hash",
    "image_set",
    "pixel_count",
    "png",
    "read_luminance",
    "registry",
    "training_blocks",
    "training_fingerprint",
    "trial_fingerprint",
    "unit_range",
    "weights_file",
    "weights_hash",
]
