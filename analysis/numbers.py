"""How numbers are written in tables, captions and sentences: a true minus sign, units, no false digits."""

from __future__ import annotations

import math

from rdun.significance import LEVEL

GAP = "–"
MINUS = "\u2212"
NBSP = "\u00a0"
DIGITS = {"psnr": 2, "ssim": 4}
UNITS = {"psnr": "dB", "ssim": "", "time": "%"}
NAMES = {"psnr": "PSNR", "ssim": "SSIM"}


def number(value: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """`1234.5` -> "1,234.50", `-0.1` -> "−0.10" (true minus); a missing value is a dash, infinity is ∞."""
    if value is None or math.isnan(value):
        return GAP
    if math.isinf(value):
        return "∞" if value > 0 else MINUS + "∞"
    rounded = round(value, digits) + 0.0
    return f"{rounded:{'+' if signed and rounded != 0 else ''},.{digits}f}".replace("-", MINUS)


def with_unit(value: float, metric: str, digits: int | None = None, *, signed: bool = False) -> str:
    """`0.12` -> "+0.12 dB" for PSNR, "+0.0012" for SSIM, or with so many digits."""
    unit = UNITS.get(metric, "")
    return number(value, digits or DIGITS.get(metric, 3), signed=signed) + (NBSP + unit if unit else "")


def finer(metric: str) -> int:
    """Digits of a claim about a metric, one more than its own: its threshold may be as fine as the differences."""
    return DIGITS.get(metric, 0) + 1


def interval(low: float, high: float, digits: int = 2, *, signed: bool = False) -> str:
    """`(-0.1, 0.2)` -> "[−0.10, +0.20]"."""
    if math.isnan(low) or math.isnan(high):
        return GAP
    return f"[{number(low, digits, signed=signed)}, {number(high, digits, signed=signed)}]"


def percent(ratio: float) -> str:
    """`0.25` -> "25 %", `0.015` -> "1.5 %"."""
    return f"{ratio * 100:.4g}{NBSP}%"


def duration(seconds: float) -> str:
    """`75` -> "1 min 15 s", `4000` -> "1 h 7 min"."""
    if math.isnan(seconds):
        return GAP
    if seconds < 60:
        return f"{seconds:.1f}{NBSP}s" if seconds < 10 else f"{seconds:.0f}{NBSP}s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if whole < 3600:
        return f"{minutes}{NBSP}min {rest}{NBSP}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{NBSP}h {minutes}{NBSP}min"


def p_value(p: float) -> str:
    """`0.0004` -> "< 0.001"; what is below the level of significance is not rounded to it: `0.0499` -> "< 0.050"."""
    if math.isnan(p):
        return GAP
    if p < 0.001:
        return "< 0.001"
    return f"< {LEVEL:.3f}" if p < LEVEL <= round(p, 3) else f"{p:.3f}"


def plural(count: int, noun: str) -> str:
    """`(1, "seed")` -> "1 seed", `(2, "seed")` -> "2 seeds"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(words: list[str]) -> str:
    """`["a", "b", "c"]` -> "a, b and c"."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1] if words else ""
