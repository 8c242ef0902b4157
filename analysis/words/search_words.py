"""How a search's quantities and values are written."""

from __future__ import annotations

from typing import Any, NamedTuple

from analysis.numbers import NBSP, number
from rdun.results import SearchTrial


class Quantity(NamedTuple):
    """Name in sentences and heads, unit, digits, what its values are divided by, whether seeds differ in it, and whether a factor
    says more of it than a difference, as of all costs."""

    name: str
    unit: str = ""
    digits: int = 0
    divisor: float = 1.0
    measured: bool = False
    logarithmic: bool = True


QUANTITIES = {
    "validation_psnr": Quantity("validation PSNR", "dB", 2, measured=True, logarithmic=False),
    "validation_ssim": Quantity("validation SSIM", "", 4, measured=True, logarithmic=False),
    "train_seconds": Quantity("training time", "s", 1, measured=True),
    "parameters": Quantity("parameters"),
    "macs": Quantity("multiply-accumulates", "M", 2, 1e6),
    "stage_evaluations": Quantity("stage evaluations"),
    "steps": Quantity("steps"),
    "samples": Quantity("samples"),
}


def quantity(name: str) -> Quantity:
    """What is known of a quantity; one without an entry is written with four digits."""
    return QUANTITIES.get(name, Quantity(name, "", 4))


def reached(name: str, value: float) -> str:
    """`("validation_psnr", 30.123)` -> "30.12 dB"."""
    known = quantity(name)
    return number(value / known.divisor, known.digits) + (NBSP + known.unit if known.unit else "")


def chosen(value: Any) -> str:
    """A value of the space: floats with six digits, everything else as it is."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def setting(trial: SearchTrial) -> str:
    """`{"layers": 2, "high": 3}` -> "layers 2, high 3"."""
    return ", ".join(f"{name} {chosen(value)}" for name, value in trial.values.items())
