"""What the command lines share."""

from __future__ import annotations

import os
from collections.abc import Callable

import click


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


def _use_data_folder(_context: click.Context, option: click.Parameter, folder: str | None) -> None:
    if folder:
        os.environ[str(option.envvar)] = folder
