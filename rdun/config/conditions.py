"""How a trial is tested, as far as its config says: what arms that are compared must share."""

from __future__ import annotations

from rdun.config.identity import canonical
from rdun.config.schema import TrialConfig

Conditions = dict[str, object]


def conditions(config: TrialConfig) -> dict[float, Conditions]:
    """Dotted fields that fix the test measurements and the scoring, by sampling ratio; equal ones give comparable scores."""
    task = canonical(config).task
    common: Conditions = {
        "data.test": config.data.test,
        "task.kind": task.kind,
        "task.block": task.block,
        "model.deblock": config.model.deblock,
    }
    return {ratio: common | task.test_fields() for ratio in task.ratios}
