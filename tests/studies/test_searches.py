"""The searches of this folder, and the command that runs one: real Ray, real SQLite, kill -9."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import pytest

from rdun.config import TrialConfig, to_dict
from rdun.data import trial_fingerprint
from rdun.plan import Measurement, add_probes, keys
from rdun.plan.reconstructed import reconstructed
from rdun.results import Attempt, Folder, RunInfo, Runs, SearchRecord, SearchState, SearchTrial
from rdun.search import Search, Values
from rdun.tuning import DATABASE, Suggestions
from studies.loading import changed_search, load, names
from studies.run_search import run_search
from studies.session import asked_for, machine
from tests.buckets import Bucket
from tests.studies import tiny_search
from tests.studies.command import run, run_here, scores, started
from tests.tuning.conftest import leave

pytestmark = pytest.mark.usefixtures("no_cluster")
TINY = str(Path(__file__).with_name("tiny_search.py"))
SEARCHES = [name for name in names() if name.startswith("search_")]


@pytest.mark.parametrize("scale", ["pocket", "full"])
@pytest.mark.parametrize("name", SEARCHES)
def test_search_is_complete(name: str, scale: str) -> None:
    """Every corner of its space is a config, and a network is built for it."""
    search = load(name, scale)
    assert isinstance(search, Search)
    assert search.name == f"{name.replace('_', '-')}-{scale}"
    assert search.question.endswith("?")
    assert search.baselines
    smallest, largest = (search.config(values).recursion.train for values in list(search.corners())[:2])
    assert smallest != largest


def record(runs: Runs) -> SearchRecord:
    return SearchRecord.load(runs.folder("tiny-search"))


def suggestions_tracked(tmp_path: Path) -> list[str]:
    """Numbers of the suggestions in the tracker, one for each run; none of them is left running."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("tiny-search").experiment_id])
    assert "RUNNING" not in {run.info.status for run in runs}
    (top,) = (run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    assert "report.html" in {file.path for file in client.list_artifacts(top.info.run_id)}
    return sorted(run.data.tags["rdun.suggestion"] for run in runs if run is not top)


def test_a_search_is_killed_continued_extended_and_shown(
    images: Path, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an object store, and from the second command on by a machine that has no copy of it."""
    runs = Runs(f"{bucket.url}/search")
    words = (TINY, "--runs", runs.place, "--cpus", "1")
    monkeypatch.setenv("MPLCONFIGDIR", matplotlib.get_configdir())  # else each machine looks for its fonts
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "first"))
    driver = started(*words, images=images, tmp_path=tmp_path, runs=runs.place)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "second"))
    before = record(runs)
    early = scores(runs.place)
    assert early

    done = run(*words, "--price", "36 EUR", images=images, tmp_path=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d tried, \S+ core-hours \(\S+ EUR\) \| trial ", done.stdout, re.MULTILINE), done.stdout
    assert "; at 36 EUR each, " in runs.folder("tiny-search").read("report.md").decode()
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    after = record(runs)
    assert [t.values for t in after.trials][: len(before.trials)] == [t.values for t in before.trials]
    kept = [t for t in after.trials if t.state in ("complete", "duplicate")]
    assert len(kept) == 4 == len(after.trials) - sum(t.state == "infeasible" for t in after.trials)
    assert after.provenance["earlier runs"]
    now = scores(runs.place)
    assert {name: now[name] for name in early} == early
    assert set(now) == {t.fingerprint for t in kept} | {f for prints in after.baselines.values() for f in prints}

    more = run_here(*words, "--trials", "+1", images=images, tmp_path=tmp_path)
    assert more.exit_code == 0, more.stdout + more.stderr
    longer = record(runs)
    assert longer.trials[: len(after.trials)] == after.trials
    assert sum(t.state != "infeasible" for t in longer.trials) == 5
    plain = run_here(*words, images=images, tmp_path=tmp_path)
    assert plain.exit_code == 0, plain.stdout + plain.stderr
    assert (record(runs).wanted, record(runs).trials) == (5, longer.trials)

    tracked = suggestions_tracked(tmp_path)
    assert tracked == sorted([*(str(t.number) for t in longer.trials), "baseline unrolled"])
    shown = run_here(*words, "--report-only", "--sync", images=images, tmp_path=tmp_path)
    assert shown.exit_code == 0, shown.stderr
    assert suggestions_tracked(tmp_path) == tracked
    for trial in longer.best():
        assert f"trial {trial.number}: " in shown.stdout
    home = runs.folder("tiny-search")
    assert "Answer:  " in more.stdout and home.read("report.html").decode().count("<svg") == 1
    answer = (
        next(line for line in more.stdout.splitlines() if line.startswith("Answer:")).removeprefix("Answer:").strip()
    )
    complete = sum(t.state == "complete" for t in longer.trials)
    assert answer.startswith(f"{len(longer.best())} of {complete} complete settings are Pareto-optimal")
    assert f"**{answer}" in home.read("report.md").decode()

    wide = tmp_path / "wide.py"
    space = '{"layers": Int(1, 3), "high": Int(1, 2), "model.channels": Choice((4, 8))}'
    wide.write_text(
        "from rdun.search import Choice, Int\nfrom tests.studies import tiny_search\n\n\n"
        f"def search():\n    return tiny_search.search(name='wide', space={space}, trials={complete})\n"
    )
    begin = (str(wide), "--runs", runs.place, "--learn-from")
    refused = run_here(*begin, "tiny", images=images, tmp_path=tmp_path)
    assert refused.exit_code == 2 and "has no such search; choose one of tiny-search" in refused.stderr
    learned = run_here(*begin, "tiny-search", images=images, tmp_path=tmp_path)
    assert learned.exit_code == 0, learned.stdout + learned.stderr
    assert f"Learned: {complete} of the {complete} complete trials of tiny-search" in learned.stdout
    found = SearchRecord.load(runs.folder("wide"))
    assert {t.fingerprint: t.objectives for t in found.trials} == {
        t.fingerprint: t.objectives for t in longer.trials if t.state == "complete"
    }
    other = run_here(*begin, "tiny-search", "--set", "optim.lr=1e-3", images=images, tmp_path=tmp_path)
    assert other.exit_code == 2 and "is a setting of 'wide-" in other.stderr, other.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--seeds", "0,x"), "--seeds '0,x' is not a list of whole numbers"),
        (("--seeds", "2,2"), "search seeds=(2, 2) are not possible"),
        (("--set", "seed=3"), "give --seeds 3"),
        (("--report-only",), "has no results in"),
        (("--set", "optim.lrr=1"), "unknown field 'optim.lrr'"),
        (("--scale", "full"), "has one scale only"),
        (("--trials", "0"), "--trials '0' is not possible; write for example --trials 48, or --trials +20 for 20 more"),
        (("--trials", "+3"), "has no trials in"),
        (("--stopping", "asha"), "search stopping needs validation_psnr or validation_ssim as its only objective"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    words: tuple[str, ...], message: str, images: Path, tmp_path: Path
) -> None:
    done = run_here(TINY, *words, "--runs", str(tmp_path / "runs"), images=images, tmp_path=tmp_path)
    assert done.exit_code == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_more_trials_are_added_to_a_finished_search_only(tmp_path: Path) -> None:
    search = load("search_budget")
    assert isinstance(search, Search)
    with pytest.raises(ValueError, match=r"--trials \+20: search .* has no trials in"):
        asked_for(search, Runs(tmp_path), 20)
    values: dict[str, Any] = dict.fromkeys(("title", "question", "method", "expectation", "scale", "sampler"), "")
    values |= {
        "name": search.name,
        "space": {},
        "objectives": [],
        "constraints": [],
        "seed": 0,
        "seeds": [0],
        "wanted": 2,
    }
    states: list[SearchState] = ["complete", "infeasible", "stopped early"]
    trials = [
        SearchTrial(number=n, values={}, fingerprints=[f"f{n}"], state=state, objectives=[], quantities={})
        for n, state in enumerate(states)
    ]
    home = Folder(tmp_path / "studies" / search.name)
    SearchRecord(trials=trials, **values).save(home)
    assert asked_for(search, Runs(tmp_path), 20).trials == 22
    for unfinished in (trials[:2], [*trials[:2], replace(trials[2], state="running")]):
        SearchRecord(trials=unfinished, **values).save(home)
        assert asked_for(search, Runs(tmp_path), 20).trials == 2
    SearchRecord(trials=trials, **(values | {"wanted": 1})).save(home)
    assert asked_for(search, Runs(tmp_path), 20).trials == 22


@pytest.fixture
def left_behind(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Search:
    """A tiny search of four trials, whose networks all take an hour, and of which eight were asked for and tried: one is running,
    one failed, and two are complete.
    """
    monkeypatch.setenv("IMAGES", str(images))
    search = tiny_search.search()
    place = machine(search.resources, 1)
    for config in map(search.config, search.corners()):
        costs: dict[str, Any] = {"step": 300.0, "evaluations": 1.0, "epoch": 0.0, "scoring": 0.0, "memory_mib": 1.0}
        costs["reconstructed"] = reconstructed(config)
        known = Measurement(
            source="probe", **keys(config)._asdict(), device=place.device, threads=1, gpu_memory_mib=0.0, **costs
        )
        add_probes(Folder(tmp_path), [known])
    states: list[SearchState] = ["complete", "stopped early", "duplicate", "failed", "infeasible", "running"]
    states += ["stopped early", "stopped early", "complete"]
    trials = [
        SearchTrial(number=n, values={}, fingerprints=[f"f{n}"], state=state, objectives=[], quantities={})
        for n, state in enumerate(states)
    ]
    values: dict[str, Any] = dict.fromkeys(("title", "question", "method", "expectation", "scale", "sampler"), "")
    found = SearchRecord(
        name=search.name, space={}, objectives=[], constraints=[], seed=0, seeds=[0], wanted=8, trials=trials, **values
    )
    found.save(Folder(tmp_path / "studies" / search.name))
    return search


@pytest.mark.parametrize(("retry_failed", "left"), [(False, 1), (True, 2)])
def test_a_plan_is_of_the_trials_without_an_end_of_all_that_were_asked_for(
    left_behind: Search, retry_failed: bool, left: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = asked_for(left_behind, Runs(tmp_path))
    run_search(search, Runs(tmp_path), 1, dry_run=True, retry_failed=retry_failed, keep="all")
    shown = capsys.readouterr().out
    assert "Trials:  8, as an earlier run was asked for, not 4" in shown
    assert "8 trials by random" in shown
    assert f"for {left} trials and 1 of baselines" in shown
    run_search(replace(left_behind, trials=10), Runs(tmp_path), 1, dry_run=True, retry_failed=retry_failed, keep="all")
    assert f"for {left + 2} trials" in capsys.readouterr().out
    run_search(replace(search, seeds=(0, 1)), Runs(tmp_path), 1, dry_run=True, retry_failed=retry_failed, keep="all")
    assert f"for {2 * left} trials and 2 of baselines" in capsys.readouterr().out


def test_a_plan_and_its_budget_hold_the_baselines(
    left_behind: Search, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until they are complete."""
    (baseline,) = left_behind.baselines.values()

    def least(search: Search) -> float:
        capsys.readouterr()
        run_search(search, Runs(tmp_path), 1, dry_run=True, retry_failed=False, keep="all")
        shown = capsys.readouterr().out
        assert ("Baselines, trained first: unrolled\n" in shown) == bool(search.baselines)
        found = re.search(r"; (\S+) to \S+ core-hours", shown)
        assert found, shown
        return float(found[1])

    alone, together = least(replace(left_behind, baselines={})), least(left_behind)
    assert together > alone + 0.01
    short = replace(left_behind, resources=replace(left_behind.resources, budget=(alone + together) / 2))
    with pytest.raises(ValueError, match="trials and 1 of baselines take at least"):
        least(short)
    fingerprint = trial_fingerprint(baseline)
    leave(Runs(tmp_path).store, fingerprint)
    assert least(short) == alone


def test_the_budget_of_a_cluster_with_other_machines_is_checked_later(
    left_behind: Search, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The times that are known are those of this processor, and say nothing of GPUs that the nodes may have."""
    search = replace(left_behind, trials=10, resources=replace(left_behind.resources, budget=0.001))
    with pytest.raises(ValueError, match="is exceeded"):
        run_search(search, Runs(tmp_path), 1, dry_run=True, retry_failed=False, keep="all")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    run_search(search, Runs(tmp_path), 1, dry_run=True, retry_failed=False, keep="all")
    assert "The budget is checked when the cluster is connected" in capsys.readouterr().err


@pytest.mark.usefixtures("left_behind")
def test_a_number_of_trials_that_is_asked_for_is_what_is_wanted(images: Path, tmp_path: Path) -> None:
    for words, wanted in (((), 8), (("--trials", "5"), 5), (("--trials", "9"), 9)):
        done = run_here(TINY, *words, "--dry-run", "--runs", str(tmp_path), images=images, tmp_path=tmp_path)
        assert done.exit_code == 0 and f"{wanted} trials by random" in done.stdout, done.stdout + done.stderr


def test_a_damaged_checkpoint_stops_a_search_before_any_compute(
    left_behind: Search, images: Path, tmp_path: Path
) -> None:
    """Of a trial that goes on; one that failed goes on with --retry-failed only."""
    trials = Runs(tmp_path).store
    for fingerprint, status in (("f5", "stopped"), ("f3", "failed")):
        trials.trial(fingerprint).write_run(RunInfo(fingerprint=fingerprint, status=status))  # type: ignore[arg-type]
    for damaged, words, code in (("f3", (), 0), ("f3", ("--retry-failed",), 2), ("f5", (), 2)):
        trials.trial(damaged).write("checkpoint.pt", b"damaged")
        done = run_here(TINY, "--dry-run", *words, "--runs", str(tmp_path), images=images, tmp_path=tmp_path)
        assert done.exit_code == code, done.stdout + done.stderr
        assert (f"{damaged}/checkpoint.pt cannot be read" in done.stderr) == bool(code)


def test_a_search_that_was_begun_in_another_precision_says_so(
    left_behind: Search, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    search, folder = (
        replace(left_behind, base=replace(left_behind.base, precision="auto")),
        Runs(tmp_path).folder("tiny-search"),
    )
    replace(SearchRecord.load(folder), precision="fp32").save(folder)
    for here, warned in (("bf16", True), ("fp32", False)):
        monkeypatch.setattr("studies.run_search.precision", lambda here=here: here)
        run_search(search, Runs(tmp_path), 1, dry_run=True, retry_failed=False, keep="all")
        shown = capsys.readouterr()
        assert ("precision=auto goes on as fp32" in shown.err) == warned
        assert "Estimate: " in shown.out  # of the networks in fp32, which alone were measured


def test_a_search_that_goes_on_with_other_code_is_warned_of(
    left_behind: Search, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Runs(tmp_path).store.trial("f0")
    folder.write_json("config.json", to_dict(left_behind.base))
    values: dict[str, Any] = dict.fromkeys(("started", "host", "device", "revision"), "")
    trained = Attempt(**values, threads=1, versions={}, resumed_at_epoch=0, code="0" * 16)
    folder.write_run(RunInfo(fingerprint="f0", status="complete", attempts=(trained,)))
    run_search(left_behind, Runs(tmp_path), 1, dry_run=True, retry_failed=False, keep="all")
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "other code" in line)
    assert line.startswith(
        "Warning: 1 of the trials that count as done or go on, such as f0, were trained by other code"
    )


def test_another_rule_has_a_name_of_its_own() -> None:
    search = load("search_budget")
    assert isinstance(search, Search)
    assert changed_search(search, (), stopping="asha") == search
    other = changed_search(search, (), stopping="none")
    assert (other.name, other.stopping) == ("search-budget-pocket-none", None)


def test_dry_run_shows_the_space(images: Path, tmp_path: Path) -> None:
    done = run_here(TINY, "--runs", str(tmp_path / "runs"), "--dry-run", images=images, tmp_path=tmp_path)
    assert done.exit_code == 0, done.stderr
    assert "Settings: 8; 4 trials by random" in done.stdout
    assert "parameters: 966 to 7,316 at the bounds of the space, at most 2,500" in done.stdout
    first, *settings = re.findall(r"^ [0-9a-f]{6,16} +(\S.*?)  .* new *$", done.stdout, re.MULTILINE)
    assert first == "unrolled" and 1 <= len(settings) <= 4
    assert all(re.match(r"\d+: layers [12], ", setting) for setting in settings), settings
    assert not (tmp_path / "runs").exists()


def test_dry_run_refuses_what_the_search_would_refuse(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything starts: here, that it was begun with another seed."""
    monkeypatch.setenv("IMAGES", str(images))
    runs = Runs(tmp_path)
    search = tiny_search.search()
    Suggestions(search, tmp_path / "studies" / search.name / DATABASE, runs.store, "fp32", 4)
    with pytest.raises(ValueError, match=r"was begun with seed=1, now it is 2; .* or remove its search.db"):
        run_search(replace(search, seed=2), runs, 1, dry_run=True, retry_failed=False, keep="all")


def test_dry_run_tells_values_that_do_not_fit_together(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def build(base: TrialConfig, values: Values) -> TrialConfig:
        if values["layers"] < values["high"]:
            raise ValueError("high is above layers")
        return tiny_search.build(base, values)

    monkeypatch.setenv("IMAGES", str(images))
    run_search(tiny_search.search(build=build), Runs(tmp_path), 1, dry_run=True, retry_failed=False, keep="all")
    shown = capsys.readouterr().out
    where = "layers 1, high 2, model.channels 4: high is above layers"
    assert f"bounds of the space whose values do not fit together, and are never trained: 1 ({where})" in shown
