"""What the command lines share."""

from __future__ import annotations

import click


class InputError(click.ClickException):
    """Bad input: printed as one line that names field, value and remedy; exit code 2."""

    exit_code = 2

    def __init__(self, error: BaseException | str) -> None:
        super().__init__(" ".join(str(error).split()))
