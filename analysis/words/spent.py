"""Hours that trials took, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.numbers import number

UNITS = {"core": "core-hours", "gpu": "GPU-hours"}


def taken(hours: Mapping[str, float], provenance: Mapping[str, Any]) -> tuple[str, str]:
    """Hours ("core", "gpu") as label and value with their price: GPU-hours where GPUs were used."""
    kind = "gpu" if hours.get("gpu") else "core"
    held = hours.get(kind, 0.0)
    return f"{UNITS[kind][:1].upper()}{UNITS[kind][1:]} of all trials", f"{number(held, 3)}{money(held, provenance)}"


def money(hours: float, provenance: Mapping[str, Any]) -> str:
    """`; at 2.5 EUR each, 3.08 EUR`, by the price that the record of a run has; empty where it has none."""
    amount, _, currency = str(provenance.get("price") or "").partition(" ")
    if not amount:
        return ""
    return f"; at {amount} {currency}".rstrip() + f" each, {number(float(amount) * hours)} {currency}".rstrip()
