"""What the command lines share."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator

import click

# A last search for cycles takes a third of a second with PyTorch, and finds what ends anyway.
atexit.register(gc.freeze)

interruption = threading.Event()
"""Whether this process was told to end: Python may raise a KeyboardInterrupt where it is lost, in a finalizer for instance."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Inside, Ctrl-C and SIGTERM both raise a KeyboardInterrupt, and are remembered; one that was lost is raised on entering."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if interruption.is_set():
            raise KeyboardInterrupt
        yield
    finally:
        interruption.clear()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: object) -> None:
    interruption.set()
    raise KeyboardInterrupt


class InputError(click.ClickException):
    """Bad input: printed as one line that names field, value and remedy; exit code 2."""

    exit_code = 2

    def __init__(self, error: BaseException | str) -> None:
        super().__init__(" ".join(str(error).split()))


class Commands(click.Group):
    """Turns the library's errors into one line and exit code 2."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (ValueError, OSError) as error:
            raise InputError(error) from None


def runs_option(more: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds `--runs FOLDER`, with `more` to say of it."""
    return click.option(
        "--runs",
        type=click.Path(),
        envvar="RDUN_RUNS",
        show_envvar=True,
        show_default="runs/",
        help=f"Folder of trials and reports{more}.",
    )


def data_option(command: Callable[..., None]) -> Callable[..., None]:
    """Adds `--data FOLDER`: sets RDUN_DATA in this process, which workers and sub-processes inherit."""
    return click.option(
        "--data",
        metavar="FOLDER",
        type=click.Path(file_okay=False, resolve_path=True),
        envvar="RDUN_DATA",
        show_envvar=True,
        expose_value=False,
        callback=_use_data_folder,
        help="Folder of the downloaded data sets; default: a cache of the user.",
    )(command)


def device_option(command: Callable[..., None]) -> Callable[..., None]:
    """Adds `--device`, as `device`: "cpu" or "cuda"."""
    return click.option(
        "--device",
        type=click.Choice(["cpu", "cuda"]),
        callback=_present,
        help="Default: cuda where there is a GPU.",
    )(command)


def _present(_context: click.Context, _option: click.Parameter, asked: str | None) -> str:
    import torch  # commands that have no such option do without

    found = torch.cuda.is_available()
    if asked == "cuda" and not found:
        raise InputError("--device=cuda, but PyTorch sees no GPU here; use --device cpu, or install a CUDA build")
    return asked or ("cuda" if found else "cpu")


def _use_data_folder(_context: click.Context, option: click.Parameter, folder: str | None) -> None:
    if folder:
        os.environ[str(option.envvar)] = folder
