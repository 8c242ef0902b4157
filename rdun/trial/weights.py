"""The network that a trial starts from."""

from __future__ import annotations

from rdun.config import TrialConfig
from rdun.data import weights_file
from rdun.models import Unfolding, build_model
from rdun.weights import load_any


def first_network(config: TrialConfig) -> Unfolding:
    """The seed's, or the one of a file.

    Raises:
        ValueError: the file's weights are of another network.
    """
    network = build_model(config)
    if config.weights is None:
        return network
    found, _ = load_any(weights_file(config.weights), max(config.high_counts))
    try:
        network.load_state_dict(found.state_dict())
    except RuntimeError as error:
        raise ValueError(
            f"weights={config.weights!r} do not fit the network of model and recursion ({' '.join(str(error).split())[:200]}); "
            "set model and recursion.modulation as in the file"
        ) from None
    return network
