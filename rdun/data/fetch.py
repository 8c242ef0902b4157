"""Fetches files of a registered set one by one, each verified before it gets its name.

A file that is there with the right content is never asked for again. No file is larger than half a megabyte; a cut one is fetched
again from its first byte.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pooch
import requests
from rich.console import Console
from rich.progress import Progress

from rdun.cli import interruption
from rdun.data.entry import Entry, file_hash

RETRIES = 3
"""Further attempts for a file after a cut connection or a busy server, 1, 2 and 3 seconds apart."""
TIMEOUT = 30.0
"""Seconds without a byte from the server that count as a cut connection."""
PASSING = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses after which the same request may succeed."""


class _FinalError(Exception):
    """The same request would end the same way."""


def fetch(entry: Entry, folder: Path, files: list[str], address: str) -> None:
    """Fetches these files of a set into a folder.

    Args:
        address: where the set's files are, with `{file}` for a file's name.

    Raises:
        ValueError: a file that cannot be fetched, or a folder that takes no files.
    """
    pooch.get_logger().setLevel("WARNING")
    sums = {file: f"sha256:{entry.files[file]}" for file in files}
    urls = {file: address.replace("{file}", file) for file in files}
    store = pooch.Pooch(folder, base_url="", registry=sums, urls=urls, retry_if_failed=RETRIES)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        for file in progress.track(files, description=entry.name):
            try:
                store.fetch(file, downloader=partial(_attempt, sha256=entry.files[file]))
            except (_FinalError, requests.RequestException) as error:
                raise ValueError(
                    f"{urls[file]} cannot be fetched: {_reason(error)}; try again later (what is there stays), or put "
                    f"{file} into {folder} yourself"
                ) from error
            except OSError as error:
                raise ValueError(
                    f"{folder} takes no {file}: {error.strerror or 'it cannot be written'}; make room, or choose another folder "
                    "with --data"
                ) from error


def _attempt(url: str, target: str, _: object, *, sha256: str) -> None:
    """One attempt to fetch a file, in the form that pooch calls; it tries again after any `requests.RequestException`.

    Raises:
        KeyboardInterrupt: once more where the first one was lost, and the attempt before ended otherwise.
    """
    if interruption.is_set():
        raise KeyboardInterrupt
    try:
        pooch.HTTPDownloader(chunk_size=1 << 16, timeout=TIMEOUT)(url, target, None)
    except requests.HTTPError as error:
        if error.response.status_code in PASSING:
            raise
        raise _FinalError(_reason(error)) from error
    found = file_hash(Path(target))
    if found != sha256:
        raise _FinalError(f"its sha256 is {found[:16]}..., not the registered {sha256[:16]}...")
    Path(target).chmod(0o644)  # temporary files are private; a data folder may be shared


def _reason(error: Exception) -> str:
    match error:
        case requests.HTTPError():
            return f"the server answers {error.response.status_code}"
        case requests.Timeout():
            return "the server does not answer"
        case requests.exceptions.ChunkedEncodingError():
            return "the connection was cut"
        case requests.ConnectionError():
            return f"no connection to the server ({type(error).__name__})"
    return str(error)
