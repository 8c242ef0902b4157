"""Each table of a report is a function that returns a `Table`; `render` writes it as Markdown, LaTeX, CSV or HTML."""

from analysis.tables.claims import claims_table
from analysis.tables.differences import differences_table, effects_table
from analysis.tables.gaps import gaps_table
from analysis.tables.latex import latex_text, to_latex
from analysis.tables.links import linked
from analysis.tables.matrices import matrices_table
from analysis.tables.means import means_table
from analysis.tables.overfitting import overfitting_table
from analysis.tables.paper import paper_table
from analysis.tables.published import published_checkpoints_table, published_cost_table, published_table
from analysis.tables.quality import quality_table
from analysis.tables.reaching import published_curve_table, reaching_table
from analysis.tables.recursions import designs_table, recursions_table
from analysis.tables.render import markdown_text, to_csv, to_html, to_markdown
from analysis.tables.sensitivity import sensitivity_table
from analysis.tables.table import Compared, Interval, Number, Pair, Probability, Span, Table, Text, anchor
from analysis.tables.timing import timing_table

__all__ = [
    "Compared",
    "Interval",
    "Number",
    "Pair",
    "Probability",
    "Span",
    "Table",
    "Text",
    "anchor",
    "claims_table",
    "designs_table",
    "differences_table",
    "effects_table",
    "gaps_table",
    "latex_text",
    "linked",
    "markdown_text",
    "matrices_table",
    "means_table",
    "overfitting_table",
    "paper_table",
    "published_checkpoints_table",
    "published_cost_table",
    "published_curve_table",
    "published_table",
    "quality_table",
    "reaching_table",
    "recursions_table",
    "sensitivity_table",
    "timing_table",
    "to_csv",
    "to_html",
    "to_latex",
    "to_markdown",
]
