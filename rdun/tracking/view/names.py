"""Who an MLflow run is, and names that MLflow accepts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from rdun.config import digest

SOURCE = {"mlflow.source.name": "studies/run_ablation.py", "mlflow.source.type": "LOCAL"}


class Identity(NamedTuple):
    """What makes an MLflow run the run of this study, arm or trial, or of this search or suggestion; kept in its tags.

    Attributes:
        seed: of a trial; empty where a suggestion has one trial, and is its run.
        fingerprint: of the trial's directory; of an arm: digest of its configs; of a suggestion: of its first trial, without a
            trial digest of its values.
        suggestion: its number in the search, or "baseline NAME".
        store: id of the runs folder: two folders may hold the same study, each with trainings of its own.
    """

    study: str = ""
    arm: str = ""
    seed: str = ""
    fingerprint: str = ""
    search: str = ""
    suggestion: str = ""
    store: str = ""

    @property
    def level(self) -> str:
        if self.search:
            return "trial" if self.seed else "suggestion" if self.suggestion else "search"
        return "trial" if self.seed else "arm" if self.arm else "study"

    def tags(self) -> dict[str, str]:
        filled = {f"rdun.{key}": value for key, value in self._asdict().items() if value}
        return SOURCE | filled | {"rdun.level": self.level}

    @staticmethod
    def of(tags: Mapping[str, str]) -> Identity | None:
        """The inverse of `tags`; None for somebody else's run."""
        if "rdun.level" not in tags:
            return None
        return Identity(*(tags.get(f"rdun.{key}", "") for key in Identity._fields))


def clean(name: str) -> str:
    """A name that MLflow accepts for a metric, a parameter or a file on every platform; different names stay different."""
    plain = re.sub(r"[^\w.\- ]+", "_", name).strip(" .")[:80]
    return plain if plain and plain == name else f"{plain or 'unnamed'}-{digest(name)[:6]}"


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A nested config as dotted names and texts: `{"optim.lr": "0.0001", "task.ratios": "0.1, 0.2"}`."""
    out: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{clean(str(key))}"
        if isinstance(value, Mapping):
            out |= flatten(value, f"{name}.")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
            out[name] = text or "-"
    return out
