"""Files of a sampling matrix, the matrix of its linear initial estimate, measurements: .mat as the ISTA-Net authors', or .npy."""

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
DEPENDENT = 1e-9
"""Largest ratio of what a row adds to the others, the least by the most, at which rows are taken for dependent."""


def read_sampling_matrix(path: str | Path) -> np.ndarray:
    """A, `(M, N)` float64 with orthonormal rows and N a square number, from the variable `phi` or a .npy file.

    Raises:
        ValueError: not such a file; names the file, the reason and a remedy. OSError: it cannot be read.
    """
    matrix = _sampling(Path(path))
    error = float(np.abs(matrix @ matrix.T - np.eye(len(matrix))).max())
    if not error <= ORTHONORMAL:
        raise ValueError(
            f"{path}: the rows of phi are not orthonormal (|phi phi^T - I| is {error:.2g}); orthonormalise them, for "
            "instance with scipy.linalg.orth(phi.T).T"
        )
    return matrix


def read_measurements(
    path: str | Path, matrix: str | Path, estimator: str | Path | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Measurements by any matrix of full rank, as those by one with orthonormal rows: these `(B, M)`, that matrix `(M, N)` and
    its estimator `(N, M)`, float64.

    With A^T = U R, y = A x means R^-T y = U^T x, and x0 = Q y is Q R^T times that.

    Args:
        path: y, a row for each block: the variable `y` of a .mat file, or a .npy file.
        matrix: A, the variable `phi` of a .mat file, or a .npy file.
        estimator: Q, as in `read_estimator`.

    Raises:
        ValueError: not such files; names the file, the reason and a remedy. OSError: they cannot be read.
    """
    sampling, y = _sampling(Path(matrix)), _variable(Path(path), "y")
    if y.shape[1] != len(sampling):
        turned = "; turn it over, a row for each block" if len(y) == len(sampling) else ""
        raise ValueError(
            f"{path}: y is {y.shape[0]}x{y.shape[1]}, and {matrix} measures {len(sampling)} numbers{turned}"
        )
    basis, triangle = np.linalg.qr(sampling.T)
    size = np.abs(np.diag(triangle))
    if size.min() <= DEPENDENT * size.max():
        raise ValueError(f"{matrix}: rows of phi depend on each other; leave those out, with their measurements")
    initial = read_estimator(estimator, sampling) @ triangle.T if estimator else None
    return np.linalg.solve(triangle.T, y.T).T, basis.T, initial


def read_estimator(path: str | Path, matrix: np.ndarray) -> np.ndarray:
    """Q, `(N, M)` float64, from the variable `Qinit` or a .npy file, checked against its sampling matrix: A Q = I.

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


def _sampling(path: Path) -> np.ndarray:
    """A, `(M, N)` float64, N a square number, M <= N."""
    matrix = _variable(path, "phi")
    rows, pixels = matrix.shape
    if rows > pixels or round(pixels**0.5) ** 2 != pixels:
        raise ValueError(
            f"{path}: phi is {rows}x{pixels}; it needs one column per pixel of a square block and fewer rows"
        )
    return matrix


def _variable(path: Path, name: str) -> np.ndarray:
    """One finite real matrix of a .mat file, or that of a .npy file; its declared size is checked before it is unpacked."""
    size, numpy = path.stat().st_size, path.suffix == ".npy"  # OSError where there is no such file
    try:
        if size > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES:,} bytes")
        value = np.load(path, mmap_mode="r", allow_pickle=False) if numpy else _of_mat(path, name)
        _check_shape(name, value.shape)
        if value.dtype.kind not in "fiu" or not np.isfinite(value).all():
            raise ValueError(f"{name} does not hold finite real numbers")
        return value.astype(np.float64)
    except Exception as error:  # scipy and numpy raise many types for a damaged file
        text = " ".join(str(error).split())[:160] or type(error).__name__
        what, remedy = (".npy", "write it again with numpy.save") if numpy else (".mat", "download it again")
        raise ValueError(f"{path} ({size:,} bytes) is not a usable {what} file: {text}; {remedy}") from None


def _of_mat(path: Path, name: str) -> np.ndarray:
    from scipy.io import loadmat, whosmat

    _check_unpacked(path.read_bytes())
    shapes = {found: shape for found, shape, _ in whosmat(path)}
    if name not in shapes:
        raise ValueError(f"it holds {', '.join(sorted(shapes)) or 'nothing'}, not {name!r}")
    _check_shape(name, shapes[name])
    with warnings.catch_warnings(action="error"):
        return np.asarray(loadmat(path, variable_names=[name])[name])


def _check_shape(name: str, shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or not 0 < np.prod(shape, dtype=float) <= MOST_NUMBERS:
        raise ValueError(f"{name} has shape {shape}, not that of a sampling matrix")


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
