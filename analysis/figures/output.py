"""Figures as files (PNG, SVG, PDF) and as SVG that lives inside the report and follows its light and dark colours."""

from __future__ import annotations

import io
import re
import warnings

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from analysis.figures.letters import has_lent
from analysis.figures.style import FAINT, HUES, INK, MUTED, PAPER, SEQUENCE, WIDTH, style

RESOLUTION = 200
"""Dots per inch of PNG files."""
_VARIABLES = (
    {INK: "--ink", MUTED: "--muted", FAINT: "--faint", PAPER: "--paper"}
    | {h: f"--hue{i}" for i, h in enumerate(HUES, 1)}
    | {s: f"--seq{i}" for i, s in enumerate(SEQUENCE, 1)}
)


def save_figure(figure: Figure) -> dict[str, bytes]:
    """{"png": ..., "svg": ..., "pdf": ...}; equal figures give equal bytes.

    The canvases write at once, where `savefig` would draw everything twice.
    """
    with style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # told once, by `boxes` of the report
        png, svg, pdf = io.BytesIO(), io.BytesIO(), io.BytesIO()
        figure.set_dpi(RESOLUTION)
        FigureCanvasAgg(figure).print_png(png)  # type: ignore[no-untyped-call]
        figure.set_layout_engine("none")  # the layout is settled; working it out again is slow
        FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
        if has_lent(figure):
            # as outlines: matplotlib declares an embedded OpenType font to be TrueType
            mpl.rcParams["pdf.fonttype"] = 3
        nothing = {"CreationDate": None, "Creator": None, "Producer": None}
        FigureCanvasPdf(figure).print_pdf(pdf, metadata=nothing)  # type: ignore[no-untyped-call]
    return {"png": png.getvalue(), "svg": _families(svg.getvalue().decode()).encode(), "pdf": pdf.getvalue()}


def _families(svg: str) -> str:
    """Names common sans-serif fonts first; the one the layout was measured with is wider than all of them."""
    return svg.replace("'DejaVu Sans', sans-serif", "'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif").replace(
        "'DejaVu Sans'", "'Helvetica Neue', Arial, 'DejaVu Sans'"
    )


def themed_svg(svg: bytes, name: str, description: str) -> str:
    """SVG text for inlining into HTML: colours become CSS variables, ids unique, and a description for screen readers.

    Comments, which repeat users' text, and the XML head are dropped.
    """
    text = re.sub(r"<!--.*?-->|<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>", "", svg.decode(), flags=re.S)
    text = re.sub(r"font(-family)?: ([^;\"]*?)'Helvetica Neue'[^;\"]*", r"font\1: \2var(--figure-font)", text)
    for colour, variable in _VARIABLES.items():
        text = re.sub(rf"(: ?){colour}\b", rf"\1var({variable})", text, flags=re.I)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'(href="|url\()#', rf"\1#{name}-", text)
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)
    assert size, "matplotlib writes a viewBox"
    share = min(float(size[1]) / (72 * WIDTH), 1)
    opening = (
        f'<svg class="figure" role="img" aria-label="{_attribute(description)}" viewBox="0 0 {size[1]} {size[2]}" '
        f'style="--share: {share:.0%}; --least: {44 * share:.0f}rem" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return re.sub(r"<svg\b[^>]*>", lambda _: opening, text, count=1).strip()


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
