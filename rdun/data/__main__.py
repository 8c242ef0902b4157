"""`python -m rdun.data`: which image sets there are, and where; downloads of those that are missing."""

from __future__ import annotations

import click

from rdun.cli import Commands, data_option, interruptible
from rdun.data.registry import registry


@click.group(cls=Commands)
def main() -> None:
    """Registered image sets: those that come with packages, and those that are downloaded once."""


@main.command(name="list")
@data_option
def list_sets() -> None:
    """List the sets: files, and the folder where they are or belong."""
    for entry in registry().values():
        lacking = len(entry.lacking())
        state = f"{lacking} missing; {entry.remedy()}" if lacking else "complete"
        click.echo(f"{entry.name:23} {len(entry.files):>3} files in {entry.location()}: {state}")


@main.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@data_option
def get(names: tuple[str, ...]) -> None:
    """Download what the sets NAME... lack, and verify them. A file with other content is replaced.

    The environment variable RDUN_MIRROR may name a server of your own that has FOLDER/FILE of every set (http://host/path).
    """
    from rdun.data.download import download

    with interruptible():
        for name in names:
            folder = download(name)
            click.echo(f"{name}: {len(registry()[name].files)} files in {folder}, verified")


if __name__ == "__main__":
    main()
