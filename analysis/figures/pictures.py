"""Pictures as arrays: reading 8-bit PNGs of a trial, writing small gray or palette PNGs, choosing what to zoom into."""

from __future__ import annotations

import io
import struct
import zlib
from typing import NamedTuple

import matplotlib.image
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.float64]
Bytes = NDArray[np.uint8]


class Window(NamedTuple):
    """A square of a picture in pixels."""

    top: int
    left: int
    side: int

    def of(self, pixels: Gray) -> Gray:
        return pixels[self.top : self.top + self.side, self.left : self.left + self.side]


def read_gray(content: bytes) -> Gray:
    """An 8-bit PNG as gray levels 0-255, shape (H, W); colours are averaged."""
    pixels = np.asarray(matplotlib.image.imread(io.BytesIO(content), format="png"), dtype=np.float64)
    pixels = pixels[..., :3].mean(axis=-1) if pixels.ndim == 3 else pixels
    return np.round(pixels * 255)


def psnr(pixels: Gray, original: Gray) -> float:
    """20 log10(255 / rmse) in dB; infinite for equal pictures."""
    error = float(np.sqrt(np.mean((pixels - original) ** 2)))
    return 20 * float(np.log10(255 / error)) if error > 0 else float("inf")


def hardest_window(original: Gray, initial: Gray, part: float = 0.22) -> Window:
    """The square (`part` of the shorter side) in which the initial estimate has the largest squared error."""
    height, width = original.shape
    side = max(min(height, width, 24), int(min(height, width) * part))
    sums = np.pad(np.cumsum(np.cumsum((original - initial) ** 2, axis=0), axis=1), ((1, 0), (1, 0)))
    boxes = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    top, left = np.unravel_index(int(np.argmax(boxes)), boxes.shape)
    return Window(int(top), int(left), side)


def shrunk(pixels: Gray, longest: int = 320) -> Gray:
    """Means over k x k pixels, with the smallest k that brings the longer side to `longest` or below."""
    k = -(-max(pixels.shape) // longest)
    height, width = (n // k * k for n in pixels.shape)
    means: Gray = pixels[:height, :width].reshape(height // k, k, width // k, k).mean(axis=(1, 3))
    return means


def png(pixels: Gray, palette: Bytes | None = None) -> bytes:
    """An 8-bit PNG of gray levels 0-255, or of indices into a palette of shape (256, 3)."""
    levels = np.clip(np.round(pixels), 0, 255).astype(np.uint8)
    height, width = levels.shape
    above = np.vstack([np.zeros((1, width), np.uint8), levels[:-1]])
    rows = np.hstack([np.full((height, 1), 2, np.uint8), levels - above])  # filter 2: difference to the row above
    head = struct.pack(">IIBBBBB", width, height, 8, 0 if palette is None else 3, 0, 0, 0)
    chunks = [(b"IHDR", head)] + ([(b"PLTE", palette.tobytes())] if palette is not None else [])
    chunks += [(b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
