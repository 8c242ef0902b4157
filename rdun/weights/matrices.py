"""The ISTA-Net authors' .mat files: a sampling matrix, and the matrix of its linear initial estimate."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np

MOST_NUMBERS = 2**24
MOST_BYTES = 8 * MOST_NUMBERS + 2**20
"""Larger files, and smaller ones that unpack to more, are refused; the published ones have 3 MiB."""
ORTHONORMAL = 1e-5
"""Largest entry of |A A^T - I| and |A Q - I| that is accepted: float32 files pass, the published ones have 1e-12."""


def read_sampling_matrix(path: str | Path) -> np.ndarray:
    """A, `(M, N)` float64 with orthonormal rows and N a square number, from the variable `phi`.

    Raises:
        ValueError: not such a file; names the file, the reason and a remedy. OSError: it cannot be read.
    """
    matrix = _variable(Path(path), "phi")
    rows, pixels = matrix.shape
    if rows > pixels or round(pixels**0.5) ** 2 != pixels:
        raise ValueError(
            f"{path}: phi is {rows}x{pixels}; it needs one column per pixel of a square block and fewer rows"
        )
    error = float(np.abs(matrix @ matrix.T - np.eye(rows)).max())
    if not error <= ORTHONORMAL:
        raise ValueError(
            f"{path}: the rows of phi are not orthonormal (|phi phi^T - I| is {error:.2g}); orthonormalise them, for "
            "instance with scipy.linalg.orth(phi.T).T"
        )
    return matrix


def read_estimator(path: str | Path, matrix: np.ndarray) -> np.ndarray:
    """Q, `(N, M)` float64, from the variable `Qinit`, checked against its sampling matrix: A Q = I.

    Raises:
        ValueError: not such a file, or one for another matrix. OSError: it cannot be read.
    """
    estimator = _variable(Path(path), "Qinit")
    rows, pixels = matrix.shape
    if estimator.shape != (pixels, rows):
        shape = f"{estimator.shape[0]}x{estimator.shape[1]}"
        raise ValueError(
            f"{path}: Qinit is {shape}, the sampling matrix needs {pixels}x{rows}; take the file of its ratio"
        )
    error = float(np.abs(matrix @ estimator - np.eye(rows)).max())
    if not error <= ORTHONORMAL:
        raise ValueError(
            f"{path}: Qinit belongs to another sampling matrix (|phi Qinit - I| is {error:.2g}); take the file of the same set"
        )
    return estimator


def _variable(path: Path, name: str) -> np.ndarray:
    """One finite real matrix of a .mat file; its declared size is checked before anything is unpacked."""
    from scipy.io import loadmat, whosmat

    size = path.stat().st_size  # OSError where there is no such file
    try:
        if size > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES:,} bytes")
        _check_unpacked(path.read_bytes())
        shapes = {found: shape for found, shape, _ in whosmat(path)}
        if name not in shapes:
            raise ValueError(f"it holds {', '.join(sorted(shapes)) or 'nothing'}, not {name!r}")
        if len(shapes[name]) != 2 or not 0 < np.prod(shapes[name], dtype=float) <= MOST_NUMBERS:
            raise ValueError(f"{name} has shape {shapes[name]}, not that of a sampling matrix")
        with warnings.catch_warnings(action="error"):
            value = np.asarray(loadmat(path, variable_names=[name])[name])
        if value.dtype.kind not in "fiu" or not np.isfinite(value).all():
            raise ValueError(f"{name} does not hold finite real numbers")
        return value.astype(np.float64)
    except Exception as error:  # scipy raises many types for a damaged file
        text = " ".join(str(error).split())[:160] or type(error).__name__
        raise ValueError(f"{path} ({size:,} bytes) is not a usable .mat file: {text}; download it again") from None


def _check_unpacked(content: bytes) -> None:
    """Refuses compressed variables (version 5 of the format) that unpack to far more than a sampling matrix has."""
    order, place, room = "<" if content[126:128] == b"IM" else ">", 128, MOST_BYTES
    while place + 8 <= len(content):
        kind, size = struct.unpack_from(order + "II", content, place)
        if kind not in (14, 15):  # neither a variable nor a compressed one: not of this version, or the end of the file
            return
        stream, packed = zlib.decompressobj(), content[place + 8 : place + 8 + size] if kind == 15 else b""
        while packed and not stream.eof:
            room -= len(stream.decompress(packed, 2**20))
            packed = stream.unconsumed_tail
            if room < 0:
                raise ValueError(f"it unpacks to more than {MOST_BYTES:,} bytes")
        place += 8 + size
