"""The best settings of a search as a study, and the trials of a study run one by one without Ray."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rdun.config import to_dict
from rdun.results import Folder, PlanRecord, Runs, SearchRecord, SearchTrial, Store
from rdun.search import Objective, Search
from studies.loading import changed
from studies.replicating import replicated, study_name
from tests.studies import tiny_search
from tests.studies.command import ROOT, environment, run_here, scores

TINY = str(Path(__file__).with_name("tiny_search.py"))
ONE = (Objective("validation_psnr", "maximize"),)
SETTINGS: list[dict[str, Any]] = [
    {"layers": 1, "high": 2, "model.channels": 4},
    {"layers": 2, "high": 2, "model.channels": 4},
    {"layers": 2, "high": 1, "model.channels": 4},  # the baseline's setting
    {"layers": 1, "high": 1, "model.channels": 8},
    {"layers": 1, "high": 1, "model.channels": 4},
]
REACHED = [(26.0, 966.0), (28.0, 1932.0), (29.0, 1932.0), (27.0, 3658.0), (25.0, 900.0)]
"""Of two objectives, quality and parameters; no other setting is better than 2, 0 and 4."""


def ended(runs: Path, search: Search) -> SearchRecord:
    """A search with five complete settings and one more that failed, as it is left on the disk."""
    store, number = Store(runs / "trials"), len(search.objectives)
    trials = []
    for n, (values, reached) in enumerate(zip(SETTINGS, REACHED, strict=True)):
        store.trial(f"f{n}").write_json("config.json", to_dict(search.config(values)))
        trials.append(
            SearchTrial(
                number=n,
                values=values,
                fingerprints=[f"f{n}"],
                state="complete",
                objectives=list(reached[:number]),
                quantities={},
            )
        )
    trials.append(replace(trials[0], number=5, state="failed", objectives=[]))
    baselines = {}
    for name, config in search.baselines.items():
        baselines[name] = [f"b-{name}"]
        store.trial(f"b-{name}").write_json("config.json", to_dict(config))
    record = SearchRecord(
        name=search.name,
        title=search.title,
        question=search.question,
        method=search.method,
        expectation=search.expectation,
        scale=search.scale,
        space={},
        objectives=[{"quantity": o.quantity, "direction": o.direction} for o in search.objectives],
        constraints=[],
        sampler="random",
        seed=1,
        seeds=list(search.seeds),
        wanted=6,
        trials=trials,
        baselines=baselines,
    )
    record.save(Folder(runs / "studies" / search.name))
    return record


@pytest.fixture
def tiny(images: Path, monkeypatch: pytest.MonkeyPatch) -> Search:
    monkeypatch.setenv("IMAGES", str(images))
    return tiny_search.search()


def best(folder: Path, most: int, seeds: str | None = None) -> Any:
    return replicated("tiny-search", None, None, Runs(folder), most, seeds)


def test_the_best_of_one_objective_are_compared_with_the_baseline_on_new_seeds(tiny: Search, tmp_path: Path) -> None:
    search = replace(tiny, objectives=ONE, constraints=())
    ended(tmp_path, search)
    study = best(tmp_path, 2)
    assert (study.name, study.seeds) == ("tiny-search-best", (1, 2, 3))
    assert [arm.name for arm in study.arms] == [
        "unrolled",
        "trial 1",
        "trial 3",
    ]
    assert "trial 1 (layers 2, high 2, model.channels 4); trial 3 (" in study.method
    assert [arm.compare_to for arm in study.arms] == [None, "unrolled", "unrolled"]
    assert [arm.configs[0] for arm in study.arms[1:]] == [search.config(SETTINGS[1]), search.config(SETTINGS[3])]


def test_of_several_objectives_only_what_no_other_is_better_than(tiny: Search, tmp_path: Path) -> None:
    ended(tmp_path, replace(tiny, baselines={}))
    study = best(tmp_path, 4)
    assert [arm.name for arm in study.arms] == ["trial 2", "trial 0", "trial 4"]
    assert [arm.compare_to for arm in study.arms] == [None, study.arms[0].name, study.arms[0].name]
    assert [arm.name for arm in best(tmp_path, 2).arms] == ["trial 2", "trial 0"]


def test_the_seed_of_the_search_is_warned_of(tiny: Search, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = replace(tiny, seeds=(0, 2))
    ended(tmp_path, search)
    assert best(tmp_path, 1).seeds == (1, 3, 4)
    assert best(tmp_path, 1, "5,6").seeds == (5, 6)
    assert capsys.readouterr().err == ""
    assert best(tmp_path, 1, "1,2").seeds == (1, 2)
    assert "Warning: these settings were chosen by seed 2, whose results favour them" in capsys.readouterr().err


def test_names_of_studies_of_searches_are_possible(tiny: Search, tmp_path: Path) -> None:
    """Also of long ones, and changed; long ones that differ at their end have different studies."""
    ended(tmp_path, tiny)
    study = best(tmp_path, 1)
    for long in ("n" * 64, "n" * 63 + "m"):
        assert changed(replace(study, name=study_name(long)), ["optim.lr=1e-3"], None).name != study.name
    assert study_name("n" * 64) != study_name("n" * 63 + "m")


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        (
            TINY,
            ("--replicate", "6"),
            "--replicate 6: search 'tiny-search' has 5 complete settings; ask for at most as many",
        ),
        (TINY, ("--replicate", "1", "--seeds", "a"), "--seeds 'a' is not a list of whole numbers"),
        (TINY, ("--replicate", "1", "--trials", "3"), "--trials=3: "),
        (TINY, ("--replicate", "1", "--set", "optim.lrr=1"), "unknown field 'optim.lrr'"),
        ("search_budget", ("--replicate", "1"), "run it first, without --replicate, or name one that has: tiny-search"),
        ("quickstart", ("--replicate", "1"), "--replicate: 'quickstart' is a study"),
    ],
)
def test_bad_input_is_one_line(
    name: str, words: tuple[str, ...], message: str, tiny: Search, images: Path, tmp_path: Path
) -> None:
    ended(tmp_path / "runs", tiny)
    done = run_here(name, *words, "--runs", str(tmp_path / "runs"), images=images, tmp_path=tmp_path)
    assert done.exit_code == 2, done.stdout + done.stderr
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_a_replication_runs_without_ray_and_is_then_found_complete(tiny: Search, images: Path, tmp_path: Path) -> None:
    """Its configs are written, the printed command trains them, and the ordinary one reports."""
    ended(tmp_path / "runs", tiny)
    words = (
        TINY,
        "--replicate",
        "1",
        "--seeds",
        "1",
        "--runs",
        str(tmp_path / "runs"),
        "--set",
        "resources.recompute=true",
    )
    place = tmp_path / "the configs"
    written = run_here(*words, "--write-configs", str(place), images=images, tmp_path=tmp_path)
    assert written.exit_code == 0, written.stdout + written.stderr
    assert len(list(place.glob("*.json"))) == 2 and not (tmp_path / "runs" / "studies" / "tiny-search-best").exists()
    again = run_here(*words, "--write-configs", str(place), images=images, tmp_path=tmp_path)
    assert again.exit_code == 2 and "is not an empty folder" in again.stderr

    (loop,) = (line.strip() for line in written.stdout.splitlines() if line.strip().startswith("for f in "))
    assert "--threads 1 --recompute" in loop
    env = environment(images, tmp_path, PYTHONPATH=str(ROOT))
    shell = f'python() {{ {shlex.quote(sys.executable)} "$@"; }}; set -e; {loop}'
    subprocess.run(["bash", "-c", shell], check=True, cwd=tmp_path, env=env, timeout=200, capture_output=True)
    assert set(scores(tmp_path / "runs")) == {path.stem for path in place.glob("*.json")}

    plan = run_here(*words, "--dry-run", images=images, tmp_path=tmp_path)
    assert "2 arms x 1 seeds, 2 complete trials" in plan.stdout, plan.stdout + plan.stderr
    done = run_here(*words, images=images, tmp_path=tmp_path)
    assert done.exit_code == 0, done.stdout + done.stderr
    assert "2 of 2 trials complete, 0 failed." in done.stdout
    home = tmp_path / "runs" / "studies" / "tiny-search-best"
    assert "Do the best settings hold" in (home / "report.md").read_text()
    assert {cell.seed for cell in PlanRecord.load(Folder(home)).cells} == {1}
    rest = run_here(*words, "--write-configs", str(tmp_path / "none"), images=images, tmp_path=tmp_path)
    assert "no trial is to run" in rest.stdout and not (tmp_path / "none").exists()
    shown = run_here(*words, "--report-only", images=images, tmp_path=tmp_path)
    assert shown.exit_code == 0 and "Report:  " in shown.stdout, shown.stdout + shown.stderr


def test_configs_are_of_a_study_only(tiny: Search, images: Path, tmp_path: Path) -> None:
    done = run_here(TINY, "--write-configs", str(tmp_path / "c"), images=images, tmp_path=tmp_path)
    assert done.exit_code == 2 and "--write-configs=" in done.stderr and not (tmp_path / "c").exists()
