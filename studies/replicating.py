"""The best settings of a search as a study with new seeds: the winner is partly luck of those that chose it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count, islice

import click

from rdun.config import TrialConfig, canonical, digest, from_dict
from rdun.results import Runs, SearchRecord, SearchTrial, Store
from rdun.search import Search
from rdun.study import Arm, Resources, Study
from studies.loading import changed_search, load, seeds_of

SEEDS = 3
LONGEST_NAME = 64 - len("-best") - len("-012345")
"""Of a search, so that its study, also a changed one, has a name that a study may have."""


def replicated(name: str, scale: str | None, stopping: str | None, runs: Runs, most: int, seeds: str | None) -> Study:
    """The study of a search's best settings and its baselines.

    With one objective these are the best `most`; with several, of the settings that no other one is better than, the first
    `most` by the first objective. A setting that is a baseline's is not named twice. Each is compared with the first baseline,
    else with the best setting. The configs are those of the trial directories, so that it does not matter whether the search's
    file has changed since. Seeds are the first three that no trial of it had.

    Args:
        name, scale, stopping: of the search, as on the command line; or the name under which its record is kept.
        seeds: "1,2,3" instead of new ones; a warning is printed if the search's own is among them.

    Raises:
        ValueError: a study, no record, fewer complete settings, a trial directory without its config.
    """
    resources = Resources()
    record, store = SearchRecord.load_if_there(runs.folder(name)), runs.store
    if record is None:
        search = named_search(name, scale, stopping)
        resources = search.resources
        record = SearchRecord.load_if_there(runs.folder(search.name))
    if record is None:
        there = runs.searches()  # such as the same one with other seeds, a search of its own
        raise ValueError(
            f"--replicate {most}: search {search.name!r} has no results in {runs.place}; run it first, without --replicate"
            + (f", or name one that has: {', '.join(there)}" if there else "")
        )
    baselines = {label: _config(store, prints[0], label) for label, prints in record.baselines.items()}
    chosen = _chosen(record, store, most, [_apart_from_seed(config) for config in baselines.values()])
    used = set(record.seeds)
    wanted = seeds_of(seeds) if seeds else tuple(islice((seed for seed in count() if seed not in used), SEEDS))
    if again := sorted(used & set(wanted)):
        click.echo(
            f"Warning: these settings were chosen by seed {', '.join(map(str, again))}, whose results favour them; leave it out.",
            err=True,
        )
    return _study(record, chosen, baselines, resources, wanted)


def named_search(name: str, scale: str | None, stopping: str | None) -> Search:
    """The search of a name or file. Raises ValueError if it is a study."""
    found = load(name, scale)
    if isinstance(found, Study):
        raise ValueError(
            f"--replicate: {name!r} is a study, whose arms have all its seeds; leave it out, or name a search"
        )
    return changed_search(found, (), stopping=stopping)


def study_name(search: str) -> str:
    """The name of the study of a search: "NAME-best"; a long name is cut."""
    short = search if len(search) <= LONGEST_NAME else f"{search[: LONGEST_NAME - 7]}-{digest(search)[:6]}"
    return f"{short}-best"


def _study(
    record: SearchRecord,
    chosen: Sequence[tuple[SearchTrial, TrialConfig]],
    baselines: dict[str, TrialConfig],
    resources: Resources,
    seeds: tuple[int, ...],
) -> Study:
    first = next(iter(baselines), None)
    arms = [Arm(name=label, configs=(c,), factors={"setting": label}) for label, c in baselines.items()]
    for trial, config in chosen:
        label = f"trial {trial.number}"
        arms.append(Arm(name=label, configs=(config,), factors={"setting": label}, compare_to=first))
        first = first or arms[0].name
    several = len(record.objectives) > 1
    goals = " and ".join(f"{o['quantity']} ({o['direction']})" for o in record.objectives)
    trained = "one seed" if len(record.seeds) == 1 else f"{len(record.seeds)} seeds"
    settings = "; ".join(f"trial {trial.number} ({_values(trial)})" for trial, _ in chosen)
    return Study(
        name=study_name(record.name),
        title=f"{record.title}: its best settings with new seeds",
        question=f"Do the best settings hold with seeds that did not choose them? The search asked: {record.question}",
        method=f"{record.method} Replicated are of the search {record.name!r} "
        + (f"some that no other trial is better than by {goals}" if several else f"the best trials by {goals}")
        + f"{', and its baselines' if baselines else ''}: {settings}.",
        expectation=f"The search trained each setting with {trained}, and the best of many is favoured "
        f"by chance: expect less than it reported. Of the search: {record.expectation}",
        scale=record.scale,
        arms=tuple(arms),
        seeds=seeds,
        resources=resources,
    )


def _chosen(
    record: SearchRecord, store: Store, most: int, known: Sequence[TrialConfig]
) -> list[tuple[SearchTrial, TrialConfig]]:
    """The best settings with their configs, those of `known` left out."""
    complete = sum(trial.state == "complete" for trial in record.trials)
    if complete < most:
        raise ValueError(
            f"--replicate {most}: search {record.name!r} has {complete} complete settings; ask for at most as "
            "many, or let it run on"
        )
    found = ((trial, _config(store, trial.fingerprint, f"trial {trial.number}")) for trial in record.ranked())
    chosen = list(islice(((t, c) for t, c in found if _apart_from_seed(c) not in known), most))
    if not chosen:
        raise ValueError(
            f"--replicate {most}: the best of search {record.name!r} are its baselines; let it run on, or drop them"
        )
    return chosen


def _values(trial: SearchTrial) -> str:
    return ", ".join(
        f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {value}" for name, value in trial.values.items()
    )


def _config(store: Store, fingerprint: str, what: str) -> TrialConfig:
    folder = store.trial(fingerprint)
    if not folder.exists("config.json"):
        raise ValueError(
            f"--replicate: {what} has no config.json in {folder.path}; put the folder back, or name fewer settings"
        )
    return from_dict(TrialConfig, folder.read_json("config.json"))


def _apart_from_seed(config: TrialConfig) -> TrialConfig:
    return canonical(replace(config, seed=0))
