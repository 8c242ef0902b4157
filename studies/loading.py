"""Finding studies: by name in this folder, or in a user's own file; and changing them from the command line."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rdun.config import digest, parse_value, with_values
from rdun.study import Study

NOT_STUDIES = {"__init__", "base", "loading", "run_ablation"}


def study_names() -> list[str]:
    """Names of the studies of this folder."""
    return sorted(p.stem for p in Path(__file__).parent.glob("*.py") if p.stem not in NOT_STUDIES)


def load_study(name: str, scale: str | None = None) -> Study:
    """The study of a name in this folder, or of a Python file.

    Args:
        scale: "pocket" or "full", for studies that have these scales; None: what the study takes by itself.

    Raises:
        ValueError: no such study or scale, or a file that does not define one.
    """
    if name in study_names():
        return _study_of(importlib.import_module(f"studies.{name}"), name, scale)
    path = Path(name)
    if path.suffix == ".py" and path.is_file():
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
            return _study_of(module, name, scale)
        except ValueError:
            raise
        except Exception as error:  # whatever a user's file may raise
            raise ValueError(
                f"STUDY={name!r} cannot be loaded: {type(error).__name__}: {error}{_line_in(path, error)}"
            ) from error
    near = difflib.get_close_matches(name, study_names(), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"STUDY={name!r} is not known; {hint}choose one of {', '.join(study_names())}, or give a .py file")


def _line_in(path: Path, error: Exception) -> str:
    """The last line of the user's own file in a traceback."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).name == path.name
    ]
    return f" (line {lines[-1]})" if lines else ""


def _study_of(module: Any, name: str, scale: str | None) -> Study:
    make = getattr(module, "study", None)
    if scale is not None and callable(make) and "scale" not in inspect.signature(make).parameters:
        raise ValueError(f"--scale {scale}: STUDY={name!r} has one scale only; leave --scale out")
    made = (make(scale) if scale is not None else make()) if callable(make) else None
    if not isinstance(made, Study):
        raise ValueError(f"STUDY={name!r} does not define a study; give the file a function `def study() -> Study`")
    return made


def changed(study: Study, changes: Sequence[str], seeds: str | None) -> Study:
    """The study with `FIELD=VALUE` changes in every config, under a name of its own, and with other seeds ("0,1,2").

    Raises:
        ValueError: not FIELD=VALUE, an unknown field, an impossible value, seeds that are not whole numbers.
    """
    for change in changes:
        field, equals, text = change.partition("=")
        if not equals:
            raise ValueError(f"--set {change!r} is not FIELD=VALUE; write for example --set optim.lr=3e-4")
        arms = []
        for arm in study.arms:
            configs = (with_values(c, {field: parse_value(c, field, text)}) for c in arm.configs)
            arms.append(replace(arm, configs=tuple(configs)))
        study = replace(study, arms=tuple(arms))
    if changes:
        note = f" Changed from the study's file: {', '.join(changes)}."
        study = replace(study, name=f"{study.name}-{digest(sorted(changes))[:6]}", scale=study.scale + note)
    if seeds is not None:
        try:
            numbers = tuple(int(part) for part in seeds.split(","))
        except ValueError:
            raise ValueError(
                f"--seeds {seeds!r} is not a list of whole numbers; write for example --seeds 0,1,2"
            ) from None
        study = replace(study, seeds=numbers)
    return study
