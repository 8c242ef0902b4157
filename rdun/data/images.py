"""Image files to 8-bit luminance, by the two rules of the published protocols."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

Luminance = Literal["matlab", "bt601"]

_EIGHT_BIT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")


def read_luminance(path: Path, rule: Luminance) -> np.ndarray:
    """The luminance `(H, W)` of an image file as uint8.

    "matlab": rgb2gray, 0.298936 R + 0.587043 G + 0.114021 B, halves up (training images). "bt601": the Y of full-range BT.601
    in 14-bit integers, (4899 R + 9617 G + 1868 B + 8192) >> 14, as OpenCV computes it (test images); as there, a photograph is
    turned the way its EXIF data say. Gray files are taken as they are; an alpha channel is ignored.

    Raises:
        ValueError: the file cannot be read as an 8-bit image.
    """
    try:
        with Image.open(path) as image:
            mode = image.mode
            pixels = _decoded(image, rule) if mode in _EIGHT_BIT else None
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises many types for a damaged file
        raise ValueError(f"{path} cannot be read as an image ({error}); replace or remove it") from None
    if pixels is None:
        raise ValueError(f"{path} has pixels of mode {mode!r}; convert it to 8-bit gray or RGB")
    if pixels.ndim == 2:
        return pixels
    return _matlab(pixels) if rule == "matlab" else _bt601(pixels)


def _decoded(image: Image.Image, rule: Luminance) -> np.ndarray:
    """`(H, W)` of a gray image, else `(H, W, 3)`."""
    upright = ImageOps.exif_transpose(image) if rule == "bt601" else image
    return np.array(upright.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))


def _matlab(rgb: np.ndarray) -> np.ndarray:
    weights = np.array([0.298936021293775, 0.587043074451121, 0.114020904255103])
    gray: np.ndarray = np.floor(rgb @ weights + 0.5).astype(np.uint8)
    return gray


def _bt601(rgb: np.ndarray) -> np.ndarray:
    weights = np.array([4899, 9617, 1868], dtype=np.int64)
    luma: np.ndarray = ((rgb.astype(np.int64) @ weights + 8192) >> 14).astype(np.uint8)
    return luma


def pixel_count(path: Path) -> int:
    """Pixels of an image file, by its header."""
    with Image.open(path) as image:
        return image.width * image.height


def unit_range(pixels: np.ndarray) -> np.ndarray:
    """uint8 -> float32 in [0, 1], the quotient by 255 rounded once."""
    return pixels.astype(np.float32) / np.float32(255)


def png(pixels: np.ndarray) -> bytes:
    """A PNG file of gray levels `(H, W)`, rounded and clipped to 0..255; what is not a number is black."""
    buffer = io.BytesIO()
    levels = np.clip(np.rint(np.nan_to_num(pixels)), 0, 255).astype(np.uint8)
    Image.fromarray(levels).save(buffer, "PNG")
    return buffer.getvalue()
