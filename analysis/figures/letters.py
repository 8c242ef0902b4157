"""Letters that the figures' own font lacks, such as Chinese ones: each text that has some takes them from another installed font.

Figures without such letters stay as they are, byte for byte, whatever is installed.
"""

from __future__ import annotations

import contextlib
import logging
from functools import cache

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, findSystemFonts, fontManager, get_font
from matplotlib.text import Text

from analysis.figures.style import style

logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # a family without the very weight is no news

FIRST = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Hiragino Sans",
    "Yu Gothic",
    "Apple SD Gothic Neo",
    "Malgun Gothic",
)
"""Families that are asked first; all other installed ones follow by their names."""


def lend_letters(figure: Figure) -> str:
    """Gives every text the families that it needs besides its own; the letters that no installed font has."""
    unknown = set[str]()
    with style():
        for text in figure.findobj(Text):
            assert isinstance(text, Text)
            own = letters_of(findfont(text.get_fontproperties()))
            wanted = {c for c in text.get_text() if c.isprintable() and ord(c) not in own}
            if wanted:
                families, left = _families(frozenset(wanted), text.get_fontproperties())
                text.set_fontfamily([*text.get_fontfamily(), *families])
                unknown |= left
    return "".join(sorted(unknown))


@cache
def _families(letters: frozenset[str], like: FontProperties) -> tuple[list[str], frozenset[str]]:
    """Families that have letters in the weight of `like`; and the letters that none has."""
    found, left, like = list[str](), set(letters), like.copy()
    for name in _installed():
        if not left:
            break
        like.set_family(name)
        with contextlib.suppress(RuntimeError, OSError, ValueError):  # a font of pictures, or one that has gone
            own = letters_of(findfont(like, fallback_to_default=False))
            if there := {c for c in left if ord(c) in own}:
                found.append(name)
                left -= there
    return found, frozenset(left)


@cache
def letters_of(path: str) -> frozenset[int]:
    """Code points that a font file has."""
    return frozenset(get_font(path).get_charmap())


@cache
def _installed() -> list[str]:
    """All families, without those that come with matplotlib; with those that were installed after it had looked for fonts."""
    known = {font.fname for font in fontManager.ttflist}
    for path in findSystemFonts():
        if path not in known:
            with contextlib.suppress(Exception):  # as matplotlib does: fonts may be of any kind, or damaged
                fontManager.addfont(path)
    own = mpl.get_data_path()
    families = {font.name for font in fontManager.ttflist if not font.fname.startswith(own)}
    return [*(name for name in FIRST if name in families), *sorted(families - {*FIRST})]


def has_lent(figure: Figure) -> bool:
    """Whether some text of the figure has letters of other fonts."""
    return any(len(text.get_fontfamily()) > 1 for text in figure.findobj(Text) if isinstance(text, Text))
