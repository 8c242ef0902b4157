"""Finding studies and searches: by name here, or in a user's own file; and changing them from the command line."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from rdun.config import TrialConfig, digest, parse_value, with_values
from rdun.search import Search
from rdun.stopping import STOPPINGS
from rdun.study import Price, Resources, Study

HERE = Path(__file__).resolve().parent

OTHER = {
    "__init__",
    "base",
    "loading",
    "planning",
    "planning_search",
    "replay",
    "replicating",
    "run_ablation",
    "run_compare",
    "run_remote",
    "run_search",
    "run_study",
    "session",
}

LIMITS = ("budget", "price")
"""Resources with options of their own."""


def names() -> list[str]:
    """Names of the studies and searches of this folder; those of searches begin with "search_"."""
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem not in OTHER)


def study_names() -> list[str]:
    """Names of the studies of this folder."""
    return [name for name in names() if not name.startswith("search_")]


def load_study(name: str, scale: str | None = None) -> Study:
    """The study of a name or file, as `load`. Raises ValueError if it is a search."""
    found = load(name, scale)
    if not isinstance(found, Study):
        raise ValueError(f"NAME={name!r} is a search; name a study")
    return found


def load(name: str, scale: str | None = None) -> Study | Search:
    """The study or search of a name in this folder, or of a Python file.

    Args:
        scale: "pocket" or "full", where there are these scales; None: what the file takes by itself.

    Raises:
        ValueError: no such name or scale, or a file that defines neither.
    """
    if name in names():
        return _made_by(importlib.import_module(f"studies.{name}"), name, scale)
    path = Path(name)
    if path.suffix == ".py" and path.is_file():
        return _load_file(path, name, scale)
    if path.suffix == ".py":
        raise ValueError(
            f"NAME={name!r} is not there (looked for {path.absolute()}); give the path of a .py file that is"
        )
    near = difflib.get_close_matches(name, names(), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"NAME={name!r} is not known; {hint}choose one of {', '.join(names())}, or give a .py file")


def _load_file(path: Path, name: str, scale: str | None) -> Study | Search:
    """The study or search of a user's own file, which may import modules beside it."""
    path = Path(os.path.abspath(path))
    spec = importlib.util.spec_from_file_location(f"a study file.{path.stem}", path)  # a name that hides no module
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # while it is loaded: dataclasses look their module up there
    folder = path.parent  # last in the path, so that it hides nothing installed; a script's own folder would hide it
    others = [place for place in sys.path if place != str(HERE)]
    sys.path[:] = others if str(folder) in others else [*others, str(folder)]
    try:
        spec.loader.exec_module(module)
        return _made_by(module, name, scale)
    except Exception as error:  # whatever a user's file may raise
        line = _line_in(folder, error)
        if isinstance(error, ValueError) and _is_ours(error):
            raise ValueError(f"{error}{line}") from error
        raise ValueError(f"NAME={name!r} cannot be loaded: {type(error).__name__}: {error}{line}") from error
    finally:
        del sys.modules[module.__name__]


def _line_in(folder: Path, error: Exception) -> str:
    """The last line of a traceback that is in a file of the user's folder."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _parent(frame) == folder]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


def _is_ours(error: Exception) -> bool:
    """Whether it is a refusal of this project, which says by itself what is wrong, and none of the user's code."""
    raised = _parent(traceback.extract_tb(error.__traceback__)[-1])
    return raised == HERE or raised.is_relative_to(HERE.parent / "rdun")


def _parent(frame: traceback.FrameSummary) -> Path:
    return Path(frame.filename).parent  # "<string>" has no folder: the `__init__` of a dataclass


def _made_by(module: Any, name: str, scale: str | None) -> Study | Search:
    make = _function_of(module, name)
    if scale is not None and "scale" not in inspect.signature(make).parameters:
        raise ValueError(f"--scale {scale}: NAME={name!r} has one scale only; leave --scale out")
    made = make(scale) if scale is not None else make()
    if not isinstance(made, Study | Search):
        what = "None" if made is None else f"a {type(made).__name__}"
        raise ValueError(f"NAME={name!r}: its {make.__name__}() returned {what}; return a Study or a Search")
    return made


def _function_of(module: Any, name: str) -> Callable[..., object]:
    """Its `study` or `search`: what it defines, else what it has imported.

    Raises:
        ValueError: it has neither, or both.
    """
    named = (getattr(module, each, None) for each in ("study", "search"))
    found: list[Callable[..., object]] = [made for made in named if callable(made)]
    chosen = [made for made in found if made.__module__ == module.__name__] or found
    if not chosen:
        raise ValueError(
            f"NAME={name!r} defines neither a study nor a search; "
            "give the file a function `def study() -> Study` or `def search() -> Search`"
        )
    if len(chosen) > 1:
        raise ValueError(f"NAME={name!r} has a study and a search; give each of them a file of its own")
    return chosen[0]


def changed(study: Study, changes: Sequence[str], seeds: str | None) -> Study:
    """The study with `FIELD=VALUE` changes in every config, under a name of its own, and with other seeds ("0,1,2").

    Changes of `resources.` are those of its resources, and leave the name as it is.

    Raises:
        ValueError: not FIELD=VALUE, a field that is unknown, named twice or replaced by the seeds, an impossible value, seeds
            that are not whole numbers.
    """
    resources, changes = _with_resources(study.resources, changes)
    study = replace(study, resources=resources)
    if changes:
        arms = (replace(arm, configs=tuple(_with(config, changes) for config in arm.configs)) for arm in study.arms)
        study = replace(study, arms=tuple(arms))
        named, note = _named(study.name, changes), _note(changes)
        study = replace(
            study, name=named, scale=study.scale + note, as_published=study.as_published and _as_published(changes)
        )
    return study if seeds is None else replace(study, seeds=seeds_of(seeds))


def seeds_of(text: str) -> tuple[int, ...]:
    """`--seeds 0,1,2`. Raises ValueError for what is no list of whole numbers."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--seeds {text!r} is not a list of whole numbers; write for example --seeds 0,1,2") from None


def _as_published(changes: Sequence[str]) -> bool:
    """Whether published values may still stand beside: other test images, and the precision, which is the device's otherwise."""
    return _field_values(changes).keys() <= {"data.test", "precision"}


def trials_of(text: str | None) -> tuple[int | None, int]:
    """`--trials 48`: 48 in all, whatever was asked for before; `--trials +20`: as many as there are, and 20 more.

    Raises:
        ValueError: neither.
    """
    if text is None:
        return None, 0
    found = re.fullmatch(r"(\+?)([1-9]\d{0,8})", text)
    if not found:
        raise ValueError(
            f"--trials {text!r} is not possible; write for example --trials 48, or --trials +20 for 20 more"
        )
    number = int(found[2])
    return (None, number) if found[1] else (number, 0)


def changed_search(
    search: Search,
    changes: Sequence[str],
    trials: int | None = None,
    stopping: str | None = None,
    seeds: str | None = None,
) -> Search:
    """The search with `FIELD=VALUE` changes in its base and baselines, another rule of early stopping and other seeds ("0,1,2")
    of its trials, under a name of its own, and with as many trials.

    Raises:
        ValueError: as `changed`, or a field of the space.
    """
    resources, changes = _with_resources(search.resources, changes)
    search = replace(search, resources=resources)
    if changes:
        for name, value in _field_values(changes).items():
            if name in search.space:
                raise ValueError(f"--set {name}={value}: the search chooses {name} from its space; leave it out")
        baselines = {name: _with(config, changes) for name, config in search.baselines.items()}
        search = replace(search, base=_with(search.base, changes), baselines=baselines)
        search = replace(search, name=_named(search.name, changes), scale=search.scale + _note(changes))
    if stopping is not None and STOPPINGS[stopping] != search.stopping:
        search = replace(search, name=f"{search.name}-{stopping}", stopping=STOPPINGS[stopping])
    if seeds is not None and (own := seeds_of(seeds)) != search.seeds:
        search = replace(search, name=f"{search.name}-seeds-{'-'.join(map(str, own))}", seeds=own)
    return search if trials is None else replace(search, trials=trials)


def limited(resources: Resources, budget: float | None, price: str | None) -> Resources:
    """Resources with the budget and the price of the command line in the place of the file's.

    Raises:
        ValueError: not possible.
    """
    if budget is not None:
        resources = replace(resources, budget=budget)
    return replace(resources, price=Price.parse(price)) if price is not None else resources


@dataclass(frozen=True, kw_only=True)
class _Settable(TrialConfig):
    """What `--set` may name: the fields of a config, and what its trial takes."""

    resources: Resources = field(default_factory=Resources)


def _with_resources(resources: Resources, changes: Sequence[str]) -> tuple[Resources, list[str]]:
    """The resources with those of the changes that are theirs, and the other changes."""
    ours = {name: text for name, text in _field_values(changes).items() if name.partition(".")[0] == "resources"}
    for name, text in ours.items():
        if (limit := name.partition(".")[2]) in LIMITS:
            raise ValueError(f"--set {name}={text}: a limit of the whole run, not of a trial; give --{limit} {text}")
    whole = _Settable(resources=replace(resources, price=None))
    found = with_values(whole, {name: parse_value(whole, name, text) for name, text in ours.items()}).resources
    others = [change for change in changes if change.partition("=")[0].strip() not in ours]
    return replace(found, price=resources.price), others


def _with(config: TrialConfig, changes: Sequence[str]) -> TrialConfig:
    """The config with all changes, checked when all are made; the kind of a group before the fields that this kind has."""
    values: dict[str, Any] = {}
    for name, text in sorted(_field_values(changes).items()):
        whole = _Settable(**{each.name: getattr(config, each.name) for each in fields(config)})
        value = parse_value(whole, name, text)
        if isinstance(value, Mapping):
            config = with_values(config, {name: value})
        else:
            values[name] = value
    return with_values(config, values)


def _field_values(changes: Sequence[str]) -> dict[str, str]:
    """Changes as field -> the text of its value."""
    found: dict[str, str] = {}
    for change in changes:
        name, equals, text = (part.strip() for part in change.partition("="))
        if not equals:
            raise ValueError(f"--set {change!r} is not FIELD=VALUE; write for example --set optim.lr=3e-4")
        if name in found:
            raise ValueError(f"--set {name} is given twice, as {found[name]} and as {text}; give it once")
        if name == "seed":
            raise ValueError(f"--set {change}: the seeds of the study or search come in its place; give --seeds {text}")
        found[name] = text
    return found


def _named(name: str, changes: Sequence[str]) -> str:
    return f"{name}-{digest(sorted(changes))[:6]}"


def _note(changes: Sequence[str]) -> str:
    return f" Changed from the file: {', '.join(changes)}."
