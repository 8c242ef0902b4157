"""A study file, and a study whose fields the command line changes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rdun.config import UniformRange
from rdun.search import Search
from rdun.study import Price, Resources
from studies.loading import load_study
from tests.studies.command import ROOT, TINY


def test_a_users_file_may_define_dataclasses(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGES", str(images))
    mine = tmp_path / "mine.py"
    extra = "from dataclasses import dataclass\n\n\n@dataclass\nclass Size:\n    layers: int = 1\n"
    mine.write_text("from __future__ import annotations\n\n" + TINY.read_text() + extra)
    before = set(sys.modules)
    assert load_study(str(mine)).name == "tiny"
    assert not {name for name in set(sys.modules) - before if "mine" in name}


def test_a_changed_study_is_not_the_published_one() -> None:
    from studies.loading import changed as change

    table1 = load_study("table1", "full")
    assert table1.as_published
    assert change(table1, ["data.test=set11"], "0,1").as_published
    assert not change(table1, ["data.test=set11", "data.fraction=0.01"], None).as_published
    assert change(table1, ["precision=bf16"], None).as_published
    assert not change(table1, ["precision=bf16", "optim.epochs=1"], None).as_published


def test_a_changed_study_has_its_own_name_and_says_so() -> None:
    from studies.loading import changed as change

    plain = load_study("quickstart")
    changed = change(plain, ["optim.lr=1e-3"], None)
    assert changed.name.startswith("quickstart-")
    assert "optim.lr=1e-3" in changed.scale
    assert changed.arms[0].configs[0].optim.lr == 1e-3
    assert change(plain, ["optim.lr=1e-3"], None).name == changed.name != change(plain, ["optim.lr=2e-4"], None).name
    assert change(plain, [], "0,1,2").name == "quickstart"


def test_changes_that_only_fit_together_may_come_in_any_order() -> None:
    from studies.loading import changed as change

    ways = (
        ["model.layers=3", "recursion.train=fixed", "recursion.train.counts=1,2,3"],
        ["recursion.train=fixed", "recursion.train.counts=1,2,3", "model.layers=3"],
    )
    first, second = (change(load_study("rfmu"), way, None) for way in ways)
    assert first.arms == second.arms
    assert {arm.configs[0].test_counts for arm in first.arms} == {(1, 2, 3)}
    with pytest.raises(ValueError, match=r"recursion\.train\.counts=\(1, 2, 3\) is not possible"):
        change(load_study("rfmu"), ways[0][1:], None)


def test_changes_are_checked_together_whatever_their_order(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each alone is not possible: the lowest count is above the default's highest, and three counts need three layers."""
    from studies.loading import changed as change

    monkeypatch.setenv("IMAGES", str(images))
    words = ["recursion.train.low=5", "recursion.train.high=8", "recursion.train=uniform_range"]
    one, other = (change(load_study(str(TINY)), order, None) for order in (words, words[::-1]))
    assert one.arms == other.arms and one.name == other.name
    assert one.arms[0].configs[0].recursion.train == UniformRange(low=(5,), high=(8,))
    plain = load_study(str(TINY))
    both = change(
        replace(plain, arms=plain.arms[:1], claims=()), ["model.layers=3", "recursion.train.counts=1,2,3"], None
    )
    assert change(both, ["model.layers=2", "recursion.train.counts=2,1"], None).arms[0].configs[0].high_counts == (2, 1)


def test_a_file_whose_function_returns_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def study():\n    pass\n")
    with pytest.raises(ValueError, match=r"its study\(\) returned None; return a Study or a Search"):
        load_study(str(tmp_path / "mine.py"))


def written(folder: Path, text: str, name: str = "mine.py") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_users_file_imports_the_modules_beside_it(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is called as a module of the command's own folder, which a script has first in its path."""
    monkeypatch.setenv("IMAGES", str(images))
    monkeypatch.setattr(sys, "path", [str(ROOT / "studies"), *sys.path])
    monkeypatch.setattr(sys, "modules", sys.modules | {"base": None})
    del sys.modules["base"]
    written(tmp_path, TINY.read_text(), "base.py")
    assert load_study(written(tmp_path, "from base import study\n")).name == "tiny"
    assert sys.path[-1] == str(tmp_path)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "def study():\n    a, b = (1, 2, 3)\n",
            r"NAME='mine.py' cannot be loaded: ValueError: too many values to unpack \(expected 2\) \(mine.py, line 2\)$",
        ),
        (
            "import json\n\ndef study():\n    return json.loads('')\n",
            r"NAME='.*' cannot be loaded: JSONDecodeError: Expecting value.*\(mine.py, line 4\)$",
        ),
        (
            "from rdun.config import OptimConfig\n\ndef study():\n    OptimConfig(lr=-1.0)\n",
            r"^optim.lr=-1.0 is not possible; use a positive learning rate.*\(mine.py, line 4\)$",
        ),
        ("def study():\n    import broken_beside\n", r"ZeroDivisionError: .*\(broken_beside.py, line 2\)$"),
        ("def study():\n    return (1, 2),\n", r"its study\(\) returned a tuple; return a Study or a Search$"),
        ("study = 3\n", "defines neither a study nor a search"),
        ("def study(): pass\n\ndef search(): pass\n", "has a study and a search; give each of them a file of its own"),
    ],
)
def test_an_error_in_a_users_file_tells_its_line(
    code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "\n1 / 0\n", "broken_beside.py")
    with pytest.raises(ValueError, match=message):
        load_study(Path(written(tmp_path, code)).name)


@pytest.mark.parametrize(
    "line", ["from rdun import search", "from re import search", "from studies.search_budget import search"]
)
def test_what_a_users_file_imports_is_not_what_it_defines(
    line: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGES", str(images))
    assert load_study(written(tmp_path, f"{TINY.read_text()}\n\n{line}\n")).name == "tiny"


def test_resources_are_changed_and_the_study_or_search_is_the_same() -> None:
    from studies.loading import changed as change
    from studies.loading import changed_search, load

    plain = replace(load_study("quickstart"), resources=Resources(retries=5, price=Price(2, "EUR")))
    words = ["resources.threads=4", "resources.gpus=0.5", "resources.recompute=true"]
    expected = Resources(threads=4, gpus=0.5, recompute=True, retries=5, price=Price(2, "EUR"))
    assert change(plain, words, None) == replace(plain, resources=expected)
    both = change(plain, [*words, "optim.lr=1e-3"], None)
    assert (both.name, both.resources) == (change(plain, ["optim.lr=1e-3"], None).name, expected)
    search = load("search_budget")
    assert isinstance(search, Search)
    assert changed_search(search, ["resources.retries=0"]) == replace(search, resources=Resources(retries=0))
