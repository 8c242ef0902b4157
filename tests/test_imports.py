"""The import table of docs/design.md, held by reading every module's syntax tree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "design.md"
STANDARD = set(sys.stdlib_module_names)
HOUSES = ("rdun", "analysis")
"""Packages whose modules and packages are rooms of their own."""


def table() -> dict[str, set[str]]:
    """room -> what it may import, from the lines "- `room`: a, b, c" of the table in docs/design.md."""
    section = TABLE.read_text().split("<!-- import table -->")[1]
    rows = re.findall(r"^- `([\w.]+)`: (.*)$", section, flags=re.MULTILINE)
    return {room: {name.strip() for name in names.split(",")} - {"nothing"} for room, names in rows}


def rooms() -> dict[str, list[Path]]:
    """Every module or package of rdun and analysis, with its files."""
    found: dict[str, list[Path]] = {}
    for house in HOUSES:
        for path in sorted((ROOT / house).iterdir()):
            if path.is_dir() and (path / "__init__.py").is_file():
                found[f"{house}.{path.name}"] = sorted(path.rglob("*.py"))
            elif path.suffix == ".py" and path.stem != "__init__":
                found[f"{house}.{path.stem}"] = [path]
    return found


def imported(path: Path) -> set[str]:
    """Foreign top-level packages, and rooms of this project, that a file imports anywhere."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports are not used here"
            assert node.module is not None
            names |= {f"{node.module}.{a.name}" for a in node.names} if node.module in HOUSES else {node.module}
    return {room(name) for name in names} - STANDARD - {""}


def room(name: str) -> str:
    parts = name.split(".")
    if parts[0] in HOUSES:
        return "" if parts[-1] == "__version__" else ".".join(parts[:2])
    return parts[0]


@pytest.mark.parametrize("name", rooms())
def test_room_imports_only_what_the_table_allows(name: str) -> None:
    allowed = table()
    assert name in allowed, f"add {name} to the import table of docs/design.md"
    for path in rooms()[name]:
        extra = imported(path) - allowed[name] - {name}
        assert not extra, f"{path.relative_to(ROOT)} imports {sorted(extra)}; the table allows {sorted(allowed[name])}"


def test_table_has_no_dead_rows() -> None:
    assert set(table()) == set(rooms())


def test_nothing_imports_studies() -> None:
    for files in rooms().values():
        for path in files:
            assert "studies" not in imported(path), path


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("rdun.config", {"torch", "numpy", "ray", "mlflow"}),
        ("rdun.results", {"torch", "numpy", "ray", "mlflow"}),
        ("rdun.study", {"torch", "numpy", "ray", "mlflow"}),
        ("rdun.data.__main__", {"torch", "ray", "mlflow", "pandas", "pooch", "requests"}),
        ("rdun.data.download", {"torch", "pooch", "requests"}),
        ("rdun.weights.__main__", {"skimage", "scipy", "sympy", "torch._dynamo", "ray", "mlflow", "pandas"}),
        ("rdun.tracking", {"torch", "mlflow", "ray"}),
        ("rdun.remote", {"torch", "ray", "mlflow", "aiohttp"}),
        ("rdun.trial", {"ray", "mlflow", "pandas"}),
        ("analysis.report", {"torch", "ray", "mlflow"}),
        ("analysis.search_report", {"torch", "ray", "mlflow"}),
    ],
)
def test_what_an_import_really_loads(module: str, forbidden: set[str]) -> None:
    code = f"import sys, {module}; print(*sorted({forbidden!r} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert loaded.split() == []


def test_what_needs_a_gpu_is_tested_without_ray_and_without_a_tracker() -> None:
    """A machine that has one for minutes may have little more than PyTorch and pytest."""
    absent = dict.fromkeys(("ray", "mlflow", "optuna", "sqlalchemy"))
    code = f"import sys; sys.modules.update({absent}); import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    words = ["-q", "--collect-only", "-k", "cuda or gpu", "tests/training", "tests/test_weights.py"]
    found = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, cwd=ROOT)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "test_evaluate_on_a_gpu" in found.stdout and found.stdout.count("[cuda") > 20
