"""The hash of a network's code: what computes, with all that it imports of its package."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rdun.models import MODELS, code_of, source
from rdun.models.source import source_hash

STAGE = '''"""A stage."""

from room.layers import twice  # of this package


def stage(x: float) -> float:
    """Doubles."""
    return twice(x)
'''
LAYERS = '''"""Layers."""


def twice(x: float) -> float:
    return 2 * x
'''


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of a stage, what it imports, and another stage."""
    folder = tmp_path / "room"
    folder.mkdir()
    files = {"__init__": "from room.stage import stage\n", "stage": STAGE, "layers": LAYERS, "other": "x = 1\n"}
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.setattr(source, "ROOM", "room")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "room"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "old", "new", "counts"),
    [
        ("stage", "twice(x)", "twice(x) + 1", True),
        ("layers", "2 * x", "3 * x", True),
        ("other", "x = 1", "x = 2", False),
        ("stage", '"""Doubles."""', '"""Twice\n\n    as much."""', False),
        ("stage", "  # of this package", "  # own", False),
        ("layers", "\n\n\ndef", "\n\n\n# a line\n\n\ndef", False),
        ("layers", "return 2 * x", "return '# 2' * x", True),
    ],
)
def test_what_computes_counts(room: Path, name: str, old: str, new: str, counts: bool) -> None:
    before, path = source_hash("room.stage"), room / f"{name}.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert (source_hash("room.stage") != before) == counts
    path.write_text(path.read_text().replace(new, old))
    assert source_hash("room.stage") == before


def test_every_network_has_a_code_of_its_own() -> None:
    assert len({code_of(kind) for kind in MODELS}) == len(MODELS)
