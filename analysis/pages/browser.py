"""A Chromium that is installed, run without a window: it prints the report, and opens it in tests and benchmarks."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
QUIET = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-extensions",
    "--no-first-run",
    "--no-pings",
    "--mute-audio",
    "--hide-scrollbars",
)
SECONDS = 120
"""A browser that takes longer is ended."""


class BrowserError(Exception):
    """No browser, or one that did not do its work; the message is one line with the remedy."""


def wanted() -> bool:
    """Whether a browser may be used: an empty RDUN_BROWSER says no."""
    return os.environ.get("RDUN_BROWSER") != ""


def browser() -> str:
    """Path of a Chromium: that of the environment variable RDUN_BROWSER, else the first known name on the PATH.

    Raises:
        BrowserError: there is none.
    """
    named = os.environ.get("RDUN_BROWSER")
    if found := shutil.which(named) if named is not None else next(filter(None, map(shutil.which, NAMES)), None):
        return found
    if named is not None:
        raise BrowserError(f"RDUN_BROWSER={named!r} is no program; name a Chromium or Chrome, or unset it")
    raise BrowserError("no Chromium or Chrome was found; install one, or name it in RDUN_BROWSER")


def browse(page: Path, *options: str, seconds: float = SECONDS) -> str:
    """Opens a local page with further options, in a profile of its own, and returns what the browser prints.

    Raises:
        BrowserError: no browser, a failure, or more than `seconds`.
    """
    program = browser()
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()  # Chromium refuses to run as root with its sandbox
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, *QUIET, *sandbox, f"--user-data-dir={profile}", *options, page.resolve().as_uri()]
        return _output(command, seconds)


def _output(command: list[str], seconds: float) -> str:
    program = command[0]
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
    except OSError as error:
        raise BrowserError(f"{program} cannot be run: {error.strerror or error}") from None
    with process:
        try:
            out, messages = process.communicate(timeout=seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)  # its helper processes too: they hold the pipes
            if isinstance(error, subprocess.TimeoutExpired):
                raise BrowserError(f"{program} did not end within {seconds:g} s") from None
            raise
    if process.returncode:
        last = (messages.strip().splitlines() or ["no message"])[-1]
        raise BrowserError(f"{program} failed with status {process.returncode}: {last}")
    return out
