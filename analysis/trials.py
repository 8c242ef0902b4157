"""One line per trial for the report's trials table."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from analysis.measures import AVERAGE, cell_means, timing_cells
from analysis.numbers import GAP, number, percent
from analysis.statistics.paired import Images

NAN = float("nan")

TRIAL_COLUMNS = (
    ("Arm", False),
    ("Seed", True),
    ("Ratios", False),
    ("Status", False),
    ("PSNR, dB", True),
    ("SSIM", True),
    ("Best epoch", True),
    ("Parameters", True),
    ("Training, s", True),
    ("Starts", True),
    ("Device", False),
    ("Fingerprint", False),
)
"""Heads, and whether the column holds numbers."""


class TrialRow(NamedTuple):
    """One line of the trials table; `anchor` is its id in the page, empty where the trial is already there."""

    anchor: str
    cells: list[dict[str, Any]]


def trial_rows(images: Images) -> list[TrialRow]:
    """Cells of the table, each with a text and a value to sort by; quality and time are those of the trial's (arm, seed) cell."""
    frames = images.frames
    means = cell_means(images.values)
    quality = _by_key(means[means["at"] == AVERAGE], ["arm", "seed", "metric"], "value")
    times = timing_cells(frames)
    seconds = _by_key(times, ["arm", "seed"], "train_seconds") if "train_seconds" in times else {}
    rows, named = [], {""}
    for t in frames.trials.to_dict("records"):
        key, facts, fingerprint = (t["arm"], t["seed"]), t["facts"], str(t["fingerprint"])
        anchor = "" if fingerprint in named else f"trial-{fingerprint}"
        named.add(fingerprint)
        rows.append(
            TrialRow(
                anchor,
                [
                    _text(t["arm"]),
                    _number(float(t["seed"]), 0),
                    _text(", ".join(percent(r) for r in t["ratios"])),
                    _text(t["status"] + (f": {t['reason']}" if t["reason"] not in ("", t["status"]) else "")),
                    _number(quality.get((*key, "psnr"), NAN), 2),
                    _number(quality.get((*key, "ssim"), NAN), 4),
                    _number(_fact(facts, "best_epoch"), 0),
                    _number(_fact(facts, "parameters"), 0),
                    _number(seconds.get(key, NAN), 1),
                    _number(float(t["attempts"]), 0),
                    _text(t["device"]),
                    _text(t["fingerprint"]),
                ],
            )
        )
    return rows


def _by_key(rows: pd.DataFrame, keys: list[str], value: str) -> dict[tuple[Any, ...], float]:
    """Means of a column by the values of others."""
    sums: dict[tuple[Any, ...], list[float]] = {}
    for key, v in zip(rows[keys].itertuples(index=False, name=None), rows[value], strict=True):
        sums.setdefault(key, []).append(float(v))
    return {key: sum(vs) / len(vs) for key, vs in sums.items()}


def _fact(facts: dict[str, Any], name: str) -> float:
    value = facts.get(name)
    return float(value) if isinstance(value, (int, float)) else float("nan")


def _text(value: object) -> dict[str, Any]:
    return {"text": str(value) or GAP, "sort": str(value), "number": False}


def _number(value: float, digits: int) -> dict[str, Any]:
    return {"text": number(value, digits), "sort": "" if value != value else repr(value), "number": True}
