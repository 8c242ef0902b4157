"""Contrast of the page's colours by WCAG 2: 4.5:1 for text, 3:1 for what figures and controls are drawn with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import analysis

CSS = (Path(analysis.__file__).parent / "templates" / "report.css").read_text()
VARIABLES = re.compile(r"--([a-z]+\d?): (#[0-9a-f]{3,6});")


def themes() -> dict[str, dict[str, str]]:
    """Colour variables by theme: light, dark (chosen, or the system's), and print over light."""
    light = dict(VARIABLES.findall(CSS[: CSS.index(':root[data-theme="dark"]')]))
    dark = dict(VARIABLES.findall(_block(':root[data-theme="dark"] {')))
    system = dict(VARIABLES.findall(_block(':root:not([data-theme="light"]) {')))
    printed = light | dict(VARIABLES.findall(_block(':root, :root[data-theme="dark"] {')))
    return {"light": light, "dark": light | dark, "dark by the system": light | system, "print": printed}


def _block(head: str) -> str:
    start = CSS.index(head)
    return CSS[start : CSS.index("}", start)]


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2, of "#rgb" or "#rrggbb"."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_known_pairs() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("theme", ["light", "dark", "dark by the system", "print"])
def test_colours_can_be_told_from_the_paper(theme: str) -> None:
    colours = themes()[theme]
    assert len(colours) == 20
    for ground in ("paper", "wash"):
        for text in ("ink", "muted", "accent"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (theme, text, ground)
    for drawn in (*(f"hue{i}" for i in range(1, 8)), *(f"seq{i}" for i in range(1, 8))):
        assert contrast(colours[drawn], colours["paper"]) >= 3, (theme, drawn)


def test_both_ways_to_dark_are_the_same() -> None:
    assert themes()["dark"] == themes()["dark by the system"]


def test_text_has_a_text_colour() -> None:
    """Colours of figures are too pale for small letters: `color` takes text colours only, and no colour is written out."""
    used = set(re.findall(r"[{;\s]color: ([^;}]+)", CSS))
    assert used <= {"var(--ink)", "var(--muted)", "var(--accent)"}
