"""Training and reconstruction time: the paper's Table 2, with the ratio to the base arm."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.frames import StudyFrames
from analysis.frames.measures import gap_reason, of_whole_cells
from analysis.numbers import listed, number
from analysis.statistics.times import compare_times, times
from analysis.tables.table import Column, Interval, Number, Table, Text
from analysis.words.spent import UNITS, money
from rdun.results import TRAINED_IN

NAN = float("nan")
COLUMNS = {
    "train_seconds": ("Training", "s", 1),
    "step_milliseconds": ("One step", "ms", 1),
    "images_per_second": ("Reconstruction", "images/s", 1),
}


def timing_table(frames: StudyFrames) -> Table:
    """Seconds of training, milliseconds per step, images per second, each a mean over seeds; ratios are paired by seed."""
    known = times(frames)
    names = [n for n in COLUMNS if any(n in own for own in known.cells.values())]
    drawn = of_whole_cells(frames, frames.epochs).groupby("arm", observed=True)["stage_evaluations"].mean()
    unit = "gpu" if frames.trials["gpu_hours"].any() else "core"
    spent = frames.trials.groupby("arm")[f"{unit}_hours"].sum()
    rows: list[dict[str, Any]] = []
    gaps: dict[tuple[int, str], str] = {}
    for line, arm in enumerate(frames.arms):
        own = known.cells.get(arm, pd.DataFrame())
        facts = frames.arms[arm]
        row: dict[str, Any] = {
            "family": facts.family,
            "arm": arm,
            "network": facts.treatment,
            "parameters": float(facts.parameters),
            "planned": float(facts.evaluations_train),
            "drawn": float(drawn.get(arm, NAN)),
            "hours": float(spent.get(arm, 0.0)),
        }
        for name in names:
            values = own[name].dropna() if name in own else pd.Series(dtype=float)
            row[name] = float(values.mean()) if len(values) else NAN
            row[f"{name} sd"] = float(values.std(ddof=1)) if len(values) > 1 else NAN
        if base := facts.compare_to:
            saved = compare_times(known, arm, base)
            row |= {
                "time ratio": 1 - saved.mean / 100,
                "time low": 1 - saved.high / 100,
                "time high": 1 - saved.low / 100,
            }
            row["step ratio"] = float(known.ratios(arm, base, "step_milliseconds").mean())
            if others := known.alike(arm, base)[1]:
                seeds = listed([str(s) for s in others])
                gaps[line, "time ratio"] = f"without seed {seeds}, on another device than the base arm's"
        rows.append(row)
        lacking = [(s, gap_reason(frames, arm, s)) for s in frames.plan.seeds if s not in own.index]
        if any(why for _, why in lacking):
            gaps[line, names[0] if names else "network"] = "; ".join(f"seed {s} {why}" for s, why in lacking if why)
    return Table(
        name="timing",
        title="Time",
        caption=_caption(frames),
        frame=pd.DataFrame(rows),
        columns=_columns(names, frames, unit),
        group="family" if any(frames.families()) else "",
        gaps=gaps,
        notes=(_total(frames, unit),),
    )


def _total(frames: StudyFrames, unit: str) -> str:
    """Hours of the whole study, and what they cost where the plan says what one does."""
    trials = frames.trials.drop_duplicates("fingerprint")
    hours = float(trials[f"{unit}_hours"].sum())
    return (
        f"The trials of this study took {number(hours, 3)} {UNITS[unit]} together, one that serves several arms counted "
        f"once{money(hours, frames.plan.provenance)}."
    )


def _caption(frames: StudyFrames) -> str:
    trials = frames.trials[frames.trials["status"] == "complete"]
    hosts = trials["host"].nunique()
    places = sorted(
        {
            f"{d} ({t} thread{'' if t == 1 else 's'})"
            for d, t in zip(trials["device"], trials["threads"], strict=True)
            if d
        }
    )
    where = f" Measured on {', '.join(places)}." if places else ""
    several = f" Trials ran on {hosts} machines: compare times with care." if hosts > 1 else ""
    resumed = int((trials["attempts"] > 1).sum())
    cut = f" {resumed} trial{'s were' if resumed != 1 else ' was'} interrupted and resumed." if resumed else ""
    taken = sum(TRAINED_IN in facts for facts in trials["facts"])
    elsewhere = (
        f" {taken} trial{'s' * (taken != 1)} only tested what trials of other tests had trained: hours without that."
    )
    return (
        "Mean ± standard deviation over seeds. Training: seconds in training steps, without validation and pauses, "
        "summed over the trials of an arm. Hours: cores or GPUs held by all attempts of an arm's trials, validation, tests and "
        "failures included. "
        "Stages per step: mean number of stage applications in a training step, as drawn. Ratios to the base arm "
        "are paired by seed, where both ran on the same kind of device with as many threads; the interval of the first is "
        "Student's t over the seeds. "
        "Trials that run at the same time share the machine." + where + several + cut + elsewhere * bool(taken)
    )


def _columns(names: list[str], frames: StudyFrames, unit: str) -> tuple[Column, ...]:
    columns: list[Column] = [
        Text(key="network", header="Network"),
        Number(key="parameters", header="Parameters", digits=0),
        Number(key="drawn", header="Stages per step", digits=2),
    ]
    columns += [
        Number(key=n, header=COLUMNS[n][0], unit=COLUMNS[n][1], digits=COLUMNS[n][2], spread=f"{n} sd") for n in names
    ]
    columns.append(Number(key="hours", header=UNITS[unit][:1].upper() + UNITS[unit][1:], unit="all seeds", digits=3))
    if frames.compares:
        training: tuple[Column, ...] = (
            Number(key="time ratio", header="Training / base", unit="×"),
            Interval(low="time low", high="time high", header="95\u00a0% interval", unit="×", signed=False),
        )
        step = (Number(key="step ratio", header="Step / base", unit="×"),)
        columns += training * ("train_seconds" in names) + step * ("step_milliseconds" in names)
    return tuple(columns)
