"""Compare-and-swap on object stores."""

from __future__ import annotations

from fsspec import AbstractFileSystem


def swap_object(fs: AbstractFileSystem, path: str, content: bytes, expected: bytes | None) -> bool:
    """Writes an object only if it still holds `expected` (None: is not there); whether the object is now `content` by this call.

    S3 checks the condition itself (If-None-Match, If-Match). A write whose answer was lost is repeated by the client and then
    refused, so that a refusal is believed only if the object holds something else: `content` should be unique to the caller.
    Other stores compare, then write, unguarded.
    """
    if "s3" not in fs.protocol:
        return _compared(fs, path, content, expected)
    try:
        if expected is None:
            fs.pipe_file(path, content, mode="create")
            return True
        tag = fs.info(path)["ETag"]
        if fs.cat_file(path) != expected:
            return False
        fs.pipe_file(path, content, IfMatch=tag)
        return True
    except OSError:
        present = fs.cat_file(path) if fs.exists(path) else None
        if present == expected:  # nobody was faster: something else is wrong
            raise
        return bool(present == content)


def _compared(fs: AbstractFileSystem, path: str, content: bytes, expected: bytes | None) -> bool:
    present = fs.cat_file(path) if fs.exists(path) else None
    if present == expected:
        fs.pipe_file(path, content)
    return bool(present == expected)
