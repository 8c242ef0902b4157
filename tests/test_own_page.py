"""What docs/own.md tells to write works as it stands: the study file anywhere, the rest in a copy of this checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from rdun.config import TrialConfig, to_dict
from studies.loading import load_study

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "own.md").read_text()
COPIED = ("rdun", "tests/contracts", "tests/__init__.py", "tests/conftest.py", "pyproject.toml")


def code(section: str) -> list[str]:
    """The Python blocks of a section."""
    text = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (found,) = [part for part in text if part.startswith(f"{section}\n")]
    return re.findall(r"```python\n(.*?)```", found, flags=re.DOTALL)


def case(text: str) -> str:
    """A case of a `match`, as a sentence of the page writes it."""
    found = re.search(rf"`(case {text}\(\): .*?)`", PAGE, flags=re.DOTALL)
    assert found
    return f"        {' '.join(found[1].split())}\n"


def test_the_study_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(code("A study file")[0])
    study = load_study(str(tmp_path / "mine.py"))
    assert [arm.compare_to for arm in study.arms] == [None, "unrolled"]
    assert study.arms[0].configs[0].data.train == str(tmp_path / "images" / "train")


class Checkout:
    """A copy of this checkout, to be changed as the page says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in COPIED:
            source, target = ROOT / name, root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)

    def change(self, file: str, place: str, text: str, *, after: bool = False) -> None:
        """Puts a text before a place of a file, or after it."""
        path = self.root / file
        content = path.read_text()
        assert content.count(place) == 1, (file, place)
        path.write_text(content.replace(place, place + text if after else text + place))

    def config(self, file: str, union: str, name: str, text: str) -> None:
        """Settings of a new kind: their class, a member of the union, and a name of the package."""
        path = f"rdun/config/{file}.py"
        self.change(path, f"\n{union} = ", f"\n{text}\n")
        self.change(path, f"\n{union} = ", f"{name} | ", after=True)
        self.change("rdun/config/__init__.py", "\n__all__ = [", f"from rdun.config.{file} import {name}\n")
        self.change("rdun/config/__init__.py", "\n__all__ = [", f'\n    "{name}",', after=True)

    def case(self, group: str, name: str, text: str) -> None:
        """A line of the contract suites."""
        file = "tests/contracts/cases.py"
        path = self.root / file
        (place,) = re.findall(rf"^{group}: .* = {{\n", path.read_text(), flags=re.MULTILINE)
        self.change(file, place, f'    "{name}": {text},\n', after=True)

    def run(self, words: Sequence[str]) -> str:
        """What a Python command prints there."""
        environment = os.environ | {"PYTHONPATH": str(self.root)}
        done = subprocess.run(
            [sys.executable, *words], cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """With a stage, a schedule, a modulation and a measurement of one's own."""
    made = Checkout(tmp_path_factory.mktemp("checkout"))

    settings, stage = code("A stage")
    made.config("models", "ModelConfig", "GatedConfig", settings)
    (made.root / "rdun/models/gated.py").write_text(stage)
    made.change(
        "rdun/models/__init__.py",
        "MODELS: dict",
        "from rdun.config import GatedConfig\nfrom rdun.models.gated import gated_stages\n\n",
    )
    made.change("rdun/models/__init__.py", "    CoastConfig.kind:", "    GatedConfig.kind: gated_stages,\n")
    made.case("MODELS", "gated", "config.GatedConfig(layers=LAYERS, channels=8)")

    settings, helper, draw, mean = code("A schedule of recursion counts")
    made.config("schema", "Schedule", "SkewedRange", settings)
    made.change("rdun/models/recursion.py", "def draw_counts", f"from rdun.config import SkewedRange\n\n\n{helper}\n\n")
    made.change("rdun/models/recursion.py", "    return tuple(int(r)", draw)
    made.change("rdun/models/recursion.py", "    return float(high) if", mean)
    made.case("SCHEDULES", "skewed", "config.SkewedRange(low=(1,), high=(3,), factor=2.0)")

    settings, modulation = code("A modulation")
    made.config("schema", "ModulationConfig", "ScaleTable", settings)
    made.change(
        "rdun/models/modulation.py", "def make_modulation", f"from rdun.config import ScaleTable\n\n\n{modulation}\n\n"
    )
    made.change("rdun/models/modulation.py", "        case Rfmu():", case("ScaleTable"))
    made.case("MODULATIONS", "table", "config.ScaleTable()")

    settings, operator = code("A measurement")
    made.config("tasks", "TaskConfig", "CosineTask", settings)
    (made.root / "rdun/operators/cosine.py").write_text(operator)
    made.change(
        "rdun/operators/__init__.py",
        "def make_task",
        "from rdun.config import CosineTask\nfrom rdun.operators.cosine import CoefficientTask\n\n\n",
    )
    made.change("rdun/operators/__init__.py", "        case DenoisingTask():", case("CosineTask"))
    made.case("OPERATORS", "cosine", "lambda shape, _: Cosine(torch.from_numpy(pixel_mask(0.4, shape, 5)))")
    made.case("TASKS", "cosine", "config.CosineTask(ratios=(0.2, 0.5), block=BLOCK, test_seeds=(0, 1))")

    made.change(
        "tests/contracts/cases.py", "BLOCK = 8", "from rdun import config\nfrom rdun.operators.cosine import Cosine\n\n"
    )
    return made


def test_the_suites_hold_for_it(checkout: Checkout) -> None:
    """Of the network only what none of the others' kinds take part in; the rest takes as long as the suites of this checkout."""
    words = (
        "gated and rfmu or skewed and not (gated or ista or dpdnn or coast) or table and coast or cosine and not dpdnn"
    )
    done = checkout.run(
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contracts", "-k", f"{words} or test_registry or strips"]
    )
    assert " passed" in done


def test_a_trial_with_it(checkout: Checkout, tiny: TrialConfig) -> None:
    """Trained, with a sweep of recursion counts and recomputation, then tested once more from its file."""
    config = to_dict(tiny) | {
        "task": {"kind": "cosine", "block": 12, "ratios": [0.3]},
        "model": {"kind": "gated", "layers": 2, "channels": 4},
        "recursion": {
            "train": {"kind": "skewed_range", "low": [1], "high": [3]},
            "modulation": {"kind": "table"},
            "sweep": [1, 5],
        },
    }
    weights, images = "trial/best.safetensors", tiny.data.test[0]
    tested = config | {"weights": weights, "optim": {"epochs": 0}}
    (checkout.root / "mine.json").write_text(json.dumps(config))
    (checkout.root / "tested.json").write_text(json.dumps(tested))
    commands = [
        ("trial", ["mine.json", "--workdir", "trial", "--recompute"]),
        ("trial", ["tested.json", "--workdir", "tested"]),
        ("weights", ["evaluate", weights, images, "--ratio", "0.5", "--matrix-seed", "4"]),
    ]
    done = checkout.run(
        [
            "-c",
            "import rdun.trial.__main__ as trial, rdun.weights.__main__ as weights\n"
            f"for room, words in {commands!r}:\n"
            "    print('room', room)\n"
            "    globals()[room].main(words, standalone_mode=False)",
        ]
    )
    _, trained, again, evaluated = done.split("room ")
    scores = [line for line in trained.splitlines() if " recursions: " in line]
    assert {int(count) for line in scores for count in re.findall(r"(\d+) recursions", line)} == {2, 6, 10}
    assert scores == [line for line in again.splitlines() if " recursions: " in line]
    assert "0.5 cosine-s4" in evaluated


def test_its_settings_are_part_of_the_identity(checkout: Checkout) -> None:
    """Also of counts that are drawn between bounds, but not uniformly."""
    done = checkout.run(
        [
            "-c",
            "from rdun.config import RecursionConfig, SkewedRange, TrialConfig, canonical\n"
            "trains = [SkewedRange(low=(1,), high=(high,), factor=3.0) for high in (1, 4)]\n"
            "print(*(canonical(TrialConfig(recursion=RecursionConfig(train=train))).recursion.train.kind for train in trains))",
        ]
    )
    assert done.split() == ["fixed", "skewed_range"]
