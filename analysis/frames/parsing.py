"""Many CSV files of one kind as one frame; what cannot be read is told apart from what can."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import numpy as np
import pandas as pd

TYPES: dict[str, Any] = {"str": "category", "int": np.int64, "float": np.float64}
"""pandas types of the record fields; text is stored once per distinct value, which is what makes large studies quick."""


def parse(contents: dict[str, bytes], row: type[Any]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Many CSV files of one kind as one frame with a `fingerprint` column, and what is wrong with those that cannot be read.

    Files are parsed in one go, which is what makes a thousand trials quick; one by one only if that fails.
    """
    types = {f.name: TYPES[str(f.type)] for f in dataclasses.fields(row)}
    by_header: dict[bytes, dict[str, bytes]] = {}
    for fingerprint, content in contents.items():
        if not header_problem(content, row, ""):
            head, _, body = content.partition(b"\n")
            by_header.setdefault(head, {})[fingerprint] = body if not body or body.endswith(b"\n") else body + b"\n"
    errors: dict[str, str] = {}
    frames = [_parse_alike(head, bodies, types, errors) for head, bodies in by_header.items()]
    types["fingerprint"] = "category"
    if not frames:
        return pd.DataFrame({n: pd.Series(dtype=t) for n, t in types.items()}), errors
    whole = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    return whole.astype({n: t for n, t in types.items() if t == "category"}), errors


def _parse_alike(head: bytes, bodies: dict[str, bytes], types: dict[str, Any], errors: dict[str, str]) -> pd.DataFrame:
    counts = [body.count(b"\n") for body in bodies.values()]
    try:
        frame = _read_csv(head + b"\n" + b"".join(bodies.values()), types)
        if sum(counts) == len(frame):
            names = pd.Categorical.from_codes(np.repeat(np.arange(len(counts)), counts), pd.Index(list(bodies)))
            return frame.assign(fingerprint=names)
    except ValueError:
        pass  # at least one file is damaged: find out which
    frames = [_read_csv(head + b"\n", types).assign(fingerprint="")]
    for fingerprint, body in bodies.items():
        try:
            frames.append(_read_csv(head + b"\n" + body, types).assign(fingerprint=fingerprint))
        except ValueError as error:
            errors[fingerprint] = first_line(error)
    return pd.concat(frames, ignore_index=True)


def _read_csv(content: bytes, types: dict[str, Any]) -> pd.DataFrame:
    numbers = {n: ["nan", ""] for n, t in types.items() if t is np.float64}
    return pd.read_csv(
        io.BytesIO(content),
        usecols=list(types),
        dtype=types,
        keep_default_na=False,
        na_values=numbers,
        float_precision="round_trip",
    )


def first_line(message: object) -> str:
    """The first line of a message, at most 300 characters."""
    return (str(message).strip().splitlines() or [""])[0][:300]


def header_problem(content: bytes, row: type[Any], name: str) -> str:
    """Why a file cannot be a table of these records; empty if it can."""
    expected = [f.name for f in dataclasses.fields(row)]
    found = content.split(b"\n", 1)[0].decode(errors="replace").strip().split(",") if content else []
    if not content:
        return f"{name} is missing or empty"
    lacking = [c for c in expected if c not in found]
    return f"{name} lacks the columns {', '.join(lacking)}" if lacking else ""
