"""Strict reading of foreign PyTorch checkpoints: tensors by name, and nothing else of what a pickle may hold."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

MOST_BYTES = 2**28
"""Larger files are refused unread; the published ones have 4 MiB."""


class _Ignored:
    """Takes the place of a numpy array in a checkpoint (loss histories): accepts its parts and keeps none of them."""

    def __init__(self, *_parts: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        pass


_STAND_INS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_Ignored, name)
    for name in (
        "_codecs.encode",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct",
        "numpy.ndarray",
        "numpy.dtype",
    )
]


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, on the CPU: a state dictionary, or the one under "model".

    Only PyTorch's weights-only reader is used; the numpy arrays that the published files hold besides are not even built (a
    stand-in takes their place), and a file that names anything else is refused.

    Raises:
        ValueError: not such a checkpoint; names the file, the reason and a remedy.
        OSError: the file cannot be read.
    """
    path = Path(path)
    size = path.stat().st_size
    if not 0 < size <= MOST_BYTES:
        what = "is empty" if size == 0 else f"has {size:,} bytes, more than the {MOST_BYTES:,} that are read"
        raise ValueError(f"{path} {what}; a published checkpoint has a few MiB: download it again")
    content = path.read_bytes()
    try:
        if content[:2] == b"PK":
            _check_archive(content)
        with torch.serialization.safe_globals(_STAND_INS), warnings.catch_warnings(action="ignore"):
            found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # the reader raises many types for a damaged file
        raise ValueError(
            f"{path} is not a readable checkpoint: {_reason(error)}; download it again, or convert it to safetensors "
            "where it was made"
        ) from None
    return _state(found, path, size)


def _check_archive(content: bytes) -> None:
    """Refuses archives that unpack to more than they hold (PyTorch never compresses), or whose checksums do not fit."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if any(e.compress_type != zipfile.ZIP_STORED for e in entries) or sum(e.file_size for e in entries) > len(
            content
        ):
            raise ValueError("its archive is compressed, which PyTorch's never are")
        if damaged := archive.testzip():
            raise ValueError(f"the checksum of its part {damaged[:80]!r} does not fit")


def _state(found: Any, path: Path, size: int) -> dict[str, Tensor]:
    state = found["model"] if isinstance(found, dict) and isinstance(found.get("model"), dict) else found
    if not isinstance(state, dict) or not state:
        raise ValueError(f"{path} holds {type(found).__name__}, not a dictionary of tensors; save model.state_dict()")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ValueError(
                f"{path} holds {type(value).__name__} under {str(name)[:80]!r} where a named tensor should be; "
                "save model.state_dict()"
            )
        if not _stored(value, size):
            raise ValueError(
                f"{path} holds under {name[:80]!r} a tensor whose numbers are not in the file one by one (sparse, nested or "
                "expanded); save model.state_dict()"
            )
    return dict(state)


def _stored(tensor: Tensor, size: int) -> bool:
    """Whether every number of a tensor lies in a file of `size` bytes, so that reading the tensor costs no more than the file."""
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_nested
    return plain and tensor.numel() * tensor.element_size() <= size


def _reason(error: Exception) -> str:
    """One short line of an error's text, which PyTorch fills with advice to load the file unsafely."""
    text = " ".join(str(error).split())
    if named := re.search(r"GLOBAL ([\w.]+)", text):
        return f"it asks to run {named[1]!r}, which weights never need (the file may be hostile)"
    text = re.sub(r"^.*WeightsUnpickler error: | Check the documentation.*$", "", text)
    return f"{type(error).__name__}: {text[:120]}" if text else type(error).__name__
