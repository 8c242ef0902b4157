"""The network that a trial starts from."""

from __future__ import annotations

from rdun.config import Rfmu, TrialConfig
from rdun.data import weights_file
from rdun.models import Unfolding, build_model
from rdun.weights import load_any


def first_network(config: TrialConfig) -> Unfolding:
    """The seed's, or the one of a file.

    Raises:
        ValueError: the file's weights are of another network, of an RFMU with other inputs, or, tested as they are, are told
            other parts of T_max than in their training.
    """
    network = build_model(config)
    if config.weights is None:
        return network
    found, trained = load_any(weights_file(config.weights), max(config.high_counts))
    try:
        network.load_state_dict(found.state_dict())
    except RuntimeError as error:
        raise ValueError(
            f"weights={config.weights!r} do not fit the network of model and recursion ({' '.join(str(error).split())[:200]}); "
            "set model, recursion.train and recursion.modulation as in the file"
        ) from None
    modulation, own = config.recursion.modulation, trained.recursion.modulation
    if isinstance(modulation, Rfmu) and isinstance(own, Rfmu) and modulation.inputs != own.inputs:
        raise ValueError(
            f"weights={config.weights!r} have an RFMU that is told {own.inputs}, and recursion.modulation.inputs are "
            f"{modulation.inputs}; set them as in the file"
        )
    ours, theirs = sum(config.high_counts), sum(trained.high_counts)
    if not config.optim.epochs and isinstance(modulation, Rfmu) and ours != theirs:
        raise ValueError(
            f"weights={config.weights!r} have an RFMU that is told parts of {theirs} stage applications, and recursion.train "
            f"has {ours}; set it to the counts of their training, high={trained.high_counts}, and those to be tested as "
            "recursion.test or recursion.sweep"
        )
    return network
