"""The identity of a trial, with the contents of the files that it names."""

from __future__ import annotations

import os
from dataclasses import replace

from rdun.config import TrialConfig, fingerprint, without_tests
from rdun.data.registry import image_hash, registry
from rdun.data.weights_file import weights_hash


def trial_fingerprint(config: TrialConfig) -> str:
    """The identity of a trial whose precision is resolved (see `rdun.config.fingerprint`).

    Raises:
        ValueError: a folder of images or a file of weights that is not there.
    """
    names = {config.data.train, config.data.validation, *config.data.test}
    hashes = {name: image_hash(name) for name in names}
    if config.weights is not None:
        hashes[config.weights] = weights_hash(config.weights)
    return fingerprint(config, hashes, names - registry().keys())


def training_fingerprint(config: TrialConfig) -> str:
    """The identity of a trial's training: equal for trials that only test it on other images, or with other counts.

    Raises:
        ValueError: as `trial_fingerprint`.
    """
    return trial_fingerprint(without_tests(config))


def from_anywhere(config: TrialConfig) -> TrialConfig:
    """The same trial, by the same identity, with whole paths: it finds its folders of images and its weights from any folder of
    this machine. What has its place in the data folder keeps its name."""

    def whole(name: str) -> str:
        return name if name in registry() else os.path.abspath(name)

    data, weights = config.data, config.weights
    if weights is not None and os.path.isfile(weights):
        weights = os.path.abspath(weights)
    data = replace(data, train=whole(data.train), validation=whole(data.validation), test=tuple(map(whole, data.test)))
    return replace(config, data=data, weights=weights)
