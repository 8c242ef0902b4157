"""The command line of replays: a recorded study or search once more, by other rules of early stopping, in seconds."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rdun.cli import InputError, runs_option
from rdun.stopping import STOPPINGS

if TYPE_CHECKING:
    from rdun.replay import Event, Recording

ROOT = Path(__file__).resolve().parent.parent


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("name")
@runs_option()
@click.option("--rules", default=",".join(STOPPINGS), show_default=True, help="Rules of early stopping to compare.")
@click.option("--at-once", default=4, type=click.IntRange(1, 64), show_default=True, help="Trials at once.")
@click.option(
    "--orders", default=1, type=click.IntRange(min=1), show_default=True, help="The record's, then random ones."
)
@click.option(
    "--out",
    type=click.Path(),
    help="Folder of table and reports.",
    show_default="RUNS/replays/NAME, or runs/replays/NAME",
)
@click.option(
    "--save", type=click.Path(), metavar="FOLDER", help="Write a compact copy of the record there; replay nothing."
)
def main(name: str, runs: str | None, rules: str, at_once: int, orders: int, out: str | None, save: str | None) -> None:
    """Replay the study or search NAME, that was run before, from its recorded curves.

    The rules are Ray Tune's own; only the training is taken from the record, and time is simulated. The table
    says what each rule would have spent and found. For the record's own order each rule gets the usual report.
    """
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    from rdun.replay import load_recording, save_recording
    from rdun.results import Runs

    try:
        place = Runs(runs or ROOT / "runs")
        recording = load_recording(place.folder(name), place.store)
        if save:
            save_recording(recording, str(Path(save).resolve()))
            click.echo(f"Record: {len(recording.curves) + len(recording.tested)} complete trials in {save}")
            return
        if not recording.curves:
            raise ValueError(f"{name!r} trains nothing that could be replayed; --save FOLDER keeps its record")
        home = Path(out).resolve() if out else (ROOT / "runs" if place.remote else Path(place.place)) / "replays" / name
        _replay(recording, _rules(recording, rules), at_once, orders, home)
    except (ValueError, OSError) as error:
        raise InputError(error) from error


def _rules(recording: Recording, text: str) -> list[str]:
    from rdun.results import PlanRecord

    names = list(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in STOPPINGS:
            raise ValueError(f"--rules {text}: {name!r} is not known; choose of {', '.join(STOPPINGS)}")
    record = recording.record
    kept = (
        "a study, whose arms all" if isinstance(record, PlanRecord) else "a search of several seeds, whose trials all"
    )
    if isinstance(record, PlanRecord) or len(record.seeds) > 1:
        if text != ",".join(STOPPINGS) and names != ["none"]:
            raise ValueError(f"--rules {text}: {record.name!r} is {kept} train to the end; use none")
        return ["none"]
    for name in names:
        if (rule := STOPPINGS[name]) is not None:
            rule.check(max(len(curve.epochs) for curve in recording.curves))
    return names


def _replay(recording: Recording, rules: Sequence[str], at_once: int, number: int, home: Path) -> None:
    from analysis.tables.render import to_markdown
    from analysis.tables.replay import replay_table
    from rdun import tuning
    from rdun.replay import Outcome, orders, outcome
    from rdun.results import Folder, to_csv

    record, start, outcomes = recording.record, time.monotonic(), list[Outcome]()
    for fingerprint, why in recording.gaps.items():
        click.echo(f"Left out: trial {fingerprint} ({why})", err=True)
    for rule in rules:
        for index, order in enumerate(orders(len(recording.curves), number)):
            curves = recording.chosen(order)
            events = tuning.replay(curves, STOPPINGS[rule], recording.quantity, at_once)
            outcomes.append(outcome(rule, index, curves, events, recording.quantity))
            if index == 0:
                _report(recording, events, rule, home / rule)
    Folder(home).write_text("replay.csv", to_csv(Outcome, outcomes))
    table = to_markdown(replay_table(outcomes, record.name, recording.quantity, at_once))
    Folder(home).write_text("replay.md", table)
    click.echo(f"{table}\n{len(outcomes)} replays in {time.monotonic() - start:.0f} s; table and reports: {home}")


def _report(recording: Recording, events: Sequence[Event], rule: str, folder: Path) -> None:
    """The study's own report of what the replay left behind."""
    from analysis.report import write_report
    from analysis.search_report import write_search_report
    from rdun.replay import write_replayed
    from rdun.results import SearchRecord, Store

    ends = {event.fingerprint: event.epoch for event in events}
    made = {
        "replayed": f"by {rule}, from the record",
        "command": " ".join(["python", "studies/replay.py", *sys.argv[1:]]),
    }
    write_replayed(recording, ends, rule, str(folder), made)
    write = write_search_report if isinstance(recording.record, SearchRecord) else write_report
    write(folder / "studies" / recording.record.name, Store(folder / "trials"))


if __name__ == "__main__":
    main()
