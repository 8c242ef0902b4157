"""The published values, and what stands beside them here: verdicts, cells, checkpoints, costs."""

from analysis.reference.values import TABLES, PublishedTable, check_places, published, remark, rows_of, sources

__all__ = ["TABLES", "PublishedTable", "check_places", "published", "remark", "rows_of", "sources"]
