"""What the command line accepts and refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rdun.config import Precision, TrialConfig, from_dict
from rdun.data import trial_fingerprint
from rdun.results import Store
from rdun.study import Price
from studies.loading import load_study
from studies.run_study import _provenance, _warn_of_precision
from studies.session import print_elsewhere
from tests.studies.command import ROOT, TINY, run, run_here

SEARCH = Path(__file__).with_name("tiny_search.py")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("quickstrt",), "NAME='quickstrt' is not known; did you mean 'quickstart'"),
        ((str(TINY), "--set", "optim.lrr=1"), "unknown field 'optim.lrr'; did you mean 'optim.lr'"),
        ((str(TINY), "--set", "lr=1"), "unknown field 'lr'; did you mean 'optim.lr'"),
        ((str(TINY), "--set", "optim.lr"), "--set 'optim.lr' is not FIELD=VALUE"),
        (
            (str(TINY), "--set", "optim.lr=1e-3", "--set", "optim.lr=1e-4"),
            "--set optim.lr is given twice, as 1e-3 and as 1e-4; give it once",
        ),
        (
            (str(TINY), "--set", "seed=3"),
            "--set seed=3: the seeds of the study or search come in its place; give --seeds 3",
        ),
        (
            (str(TINY), "--set", "recursion.test.counts=3"),
            "recursion.test is None and has no fields; set recursion.test to fixed beside it",
        ),
        (
            ("search_budget", "--set", "optim.lr=1e-3"),
            "--set optim.lr=1e-3: the search chooses optim.lr from its space",
        ),
        (("no/such.py",), "NAME='no/such.py' is not there (looked for /"),
        (
            (str(TINY), "--set", "resources.thread=4"),
            "unknown field 'resources.thread'; did you mean 'resources.threads'",
        ),
        ((str(TINY), "--set", "threads=4"), "unknown field 'threads'; did you mean 'resources.threads'"),
        ((str(TINY), "--set", "resources.threads=0"), "resources.threads=0 is not possible; use at least 1"),
        (
            (str(TINY), "--dry-run", "--set", "resources.gpus=99"),
            "resources.gpus=99 per trial, but this machine has ",
        ),
        (
            (str(TINY), "--dry-run", "--set", "resources.threads=9999"),
            "resources.threads=9999 per trial, but this machine has ",
        ),
        (
            (str(TINY), "--dry-run", "--cpus", "1", "--set", "resources.threads=2"),
            "resources.threads=2 per trial, but this machine has 1; ask for less",
        ),
        ((str(TINY), "--dry-run", "--cpus", "9999"), "--cpus=9999, but this machine has "),
        (
            (str(SEARCH), "--dry-run", "--set", "resources.threads=9999"),
            "resources.threads=9999 per trial, but this machine has ",
        ),
        ((str(TINY), "--set", "resources.gpus=much"), "resources.gpus='much' is not a number"),
        ((str(TINY), "--set", "resources.price=2"), "a limit of the whole run, not of a trial; give --price 2"),
        ((str(TINY), "--budget", "0"), "resources.budget=0.0 is not possible"),
        ((str(TINY), "--budget", "5"), "cannot be checked: the time of 4 of 4 trials is unknown"),
        ((str(TINY), "--price", "much"), "price='much' is not an amount"),
        ((str(TINY), "--set", "model.layers=0"), "model.layers=0 is not possible"),
        ((str(TINY), "--set", "task.ratios=150"), "write 25 % as 0.25"),
        (
            (str(TINY), "--set", "optim.warmup=13"),
            "optim.warmup=13 is not possible; the training ends after 12 steps (optim.epochs=2), before it reaches "
            "optim.lr=0.002; warm up over fewer steps, or train longer",
        ),
        (
            (str(TINY), "--set", "data.test=no-such-set"),
            "'no-such-set' is neither registered nor a folder (looked for /",
        ),
        ((str(TINY), "--seeds", "a,b"), "--seeds 'a,b' is not a list of whole numbers"),
        ((str(TINY), "--seeds", "0,0"), "seeds=(0, 0)"),
        ((str(TINY), "--set", "model.layers=1"), "is the same training as arm"),
        ((str(TINY), "--report-only"), "has no results in"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    words: tuple[str, ...], message: str, images: Path, tmp_path: Path
) -> None:
    extra = ("--set", "recursion.train.counts=2") if words[-1] == "model.layers=1" else ()
    done = run_here(*words, *extra, "--runs", str(tmp_path / "runs"), images=images, tmp_path=tmp_path)
    assert done.exit_code == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_bad_input_ends_a_real_process_with_one_line(images: Path, tmp_path: Path) -> None:
    done = run(str(TINY), "--set", "optim.lrr=1", images=images, tmp_path=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: unknown field 'optim.lrr'") and len(done.stderr.splitlines()) == 1


def test_an_empty_image_folder_and_a_tiny_image(images: Path, tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    (tmp_path / "bad").mkdir()
    words = (str(TINY), "--set", f"data.train={tmp_path}/bad", "--runs", str(tmp_path / "runs"))
    done = run_here(*words, images=images, tmp_path=tmp_path)
    assert (done.exit_code, "holds no images" in done.stderr) == (2, True)
    Image.fromarray(np.zeros((5, 5), dtype=np.uint8)).save(tmp_path / "bad" / "small.png")
    done = run_here(*words, images=images, tmp_path=tmp_path)
    assert (done.exit_code, "small.png is 5x5 pixels" in done.stderr) == (2, True)
    assert not (tmp_path / "runs").exists()


def test_an_unreadable_image(images: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "broken.png").write_bytes(b"not an image")
    words = (str(TINY), "--set", f"data.validation={tmp_path}/bad", "--runs", str(tmp_path / "runs"))
    done = run_here(*words, images=images, tmp_path=tmp_path)
    assert (done.exit_code, "broken.png cannot be read as an image" in done.stderr) == (2, True)
    assert not (tmp_path / "runs").exists()


def test_no_space(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    (tmp_path / "runs").mkdir()
    for name, need in ((TINY, 16), (SEARCH, 20)):
        done = run_here(str(name), "--dry-run", "--runs", str(tmp_path / "runs"), images=images, tmp_path=tmp_path)
        assert done.exit_code == 2
        assert f"has 1 MB free, what is to run needs about {need} MB; make room" in done.stderr


@pytest.mark.parametrize("name", [TINY, SEARCH])
def test_a_folder_that_cannot_be_written(name: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = run_here(str(name), "--runs", str(tmp_path / "file" / "runs"), images=images, tmp_path=tmp_path)
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr and "choose another folder" in done.stderr


def test_help_answers_without_torch() -> None:
    code = (
        "import runpy, sys\nsys.argv = ['run_ablation.py', '--help']\n"
        f"try: runpy.run_path({str(ROOT / 'studies' / 'run_ablation.py')!r}, run_name='__main__')\n"
        "except SystemExit as end: print('exit', end.code, sorted({'torch', 'ray', 'mlflow', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "exit 0 []" in done.stdout
    assert "--dry-run" in done.stdout


def test_an_error_in_a_users_file_is_one_line(images: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from rdun.config import CoastConfig\n\n\ndef study():\n    CoastConfig(layer=3)\n"
    )
    done = run_here(str(tmp_path / "mine.py"), images=images, tmp_path=tmp_path)
    assert done.exit_code == 2
    assert "cannot be loaded: TypeError" in done.stderr
    assert "(mine.py, line 5)" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_trial_that_somebody_else_runs_is_left_alone_and_told(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rdun.plan import make_plan
    from rdun.results import Lease, RunInfo
    from rdun.tuning import mark_unfinished

    monkeypatch.setenv("IMAGES", str(images))
    store = Store(tmp_path / "trials")
    plan = make_plan(load_study(str(TINY)), store, "fp32")
    held, dead = (store.trial(trial.fingerprint) for trial in plan.trials[:2])
    for folder, trial in zip((held, dead), plan.trials, strict=False):
        folder.write_run(RunInfo(fingerprint=trial.fingerprint, status="running"))
    with Lease(held):
        mark_unfinished([trial.fingerprint for trial in plan.missing()], store, interrupted=True)
        print_elsewhere((trial.fingerprint for trial in plan.missing()), store)
    assert "Another command has 1 of the missing trials in work" in capsys.readouterr().err
    print_elsewhere((trial.fingerprint for trial in plan.missing()), store)
    assert not capsys.readouterr().err
    states = [folder.run() for folder in (held, dead)]
    assert [run.status for run in states if run] == ["running", "stopped"]


def test_arms_that_differ_in_nothing_that_is_read_are_refused(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rdun.plan import make_plan

    monkeypatch.setenv("IMAGES", str(images))
    study = load_study(str(TINY))
    auto = replace(study.arms[0], name="auto", configs=(replace(study.arms[0].configs[0], precision="auto"),))
    with pytest.raises(ValueError, match="'auto' trains exactly what arm 'unrolled' trains"):
        make_plan(replace(study, arms=(*study.arms, auto)), Store(tmp_path), "fp32")


def test_the_record_of_a_run_holds_the_price(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGES", str(images))
    from rdun.plan import make_plan

    study = load_study(str(TINY))
    for price, told in ((Price(2.5, "EUR"), "2.5 EUR"), (Price(3), "3"), (None, None)):
        plan = make_plan(replace(study, resources=replace(study.resources, price=price)), Store(tmp_path), "fp32")
        assert _provenance(plan, tmp_path).get("price") == told


def test_configs_are_the_same_trials_in_any_folder(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the study names its images from the folder that the command was given in."""
    (tmp_path / "pictures").symlink_to(images)
    words = (str(TINY), "--runs", "runs", "--write-configs", "the configs")
    done = run_here(*words, images=Path("pictures"), tmp_path=tmp_path, RDUN_DATA="sets")
    assert done.exit_code == 0, done.stdout + done.stderr
    assert f"for f in '{tmp_path}/the configs'/*.json; do " in done.stdout
    assert f"--workdir {tmp_path}/runs/trials/" in done.stdout and f"--data {tmp_path}/sets; done" in done.stdout
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    written = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "the configs").iterdir()}
    assert len(written) == 4
    for fingerprint, config in written.items():
        assert trial_fingerprint(from_dict(TrialConfig, config)) == fingerprint


def test_what_a_dry_run_cannot_know_of_a_cluster_is_told(images: Path, tmp_path: Path) -> None:
    words = (str(TINY), "--dry-run", "--runs", "runs", "--set", "resources.gpus=99")
    done = run_here(*words, images=images, tmp_path=tmp_path, RAY_ADDRESS="127.0.0.1:1")
    assert done.exit_code == 0, done.stderr
    assert "Warning: resources.gpus=99 per trial, but this machine has " in done.stderr
    assert "Whether the cluster has it is seen when it is connected." in done.stderr


@pytest.mark.parametrize(
    ("precision", "gpus", "warned"), [("auto", 1.0, True), ("auto", 0.0, False), ("fp32", 1.0, False)]
)
def test_a_machine_without_a_gpu_that_chooses_the_precision_of_a_cluster_says_so(
    precision: Precision,
    gpus: float,
    warned: bool,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from rdun.plan import Room, make_plan
    from rdun.tuning import Capacity

    monkeypatch.setenv("IMAGES", str(images))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    study = load_study(str(TINY))
    arms = tuple(replace(arm, configs=(replace(arm.configs[0], precision=precision),)) for arm in study.arms)
    plan = make_plan(replace(study, arms=arms), Store(tmp_path), "fp32")
    _warn_of_precision(plan, Capacity((Room(2, 0.0), Room(2, gpus)), "10.0.0.1:6379"))
    assert ("precision=auto is fp32, as this machine has no GPU" in capsys.readouterr().err) == warned


def test_a_place_in_the_published_tables_that_is_not_there(images: Path, tmp_path: Path) -> None:
    factors = 'factors={"variant": "unrolled"}'
    (tmp_path / "mine.py").write_text(TINY.read_text().replace(factors, f'{factors}, published={{"model": "Coast"}}'))
    done = run_here(str(tmp_path / "mine.py"), "--dry-run", images=images, tmp_path=tmp_path)
    assert done.exit_code == 2
    assert "arm 'unrolled': published model='Coast' is not in table1; choose one of" in done.stderr


@pytest.mark.parametrize("name", [TINY, SEARCH])
def test_what_a_probe_has_measured_is_known_from_then_on(
    name: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rdun.plan import Machine, Measurement, keys
    from rdun.plan.reconstructed import reconstructed

    probed: list[TrialConfig] = []

    def probe(config: TrialConfig, place: Machine, say: object) -> Measurement:
        probed.append(config)
        costs: dict[str, Any] = dict.fromkeys(("step", "evaluations", "epoch", "memory_mib", "gpu_memory_mib"), 1.0)
        costs |= {
            "device": place.device,
            "threads": place.threads,
            "scoring": None,
            "reconstructed": reconstructed(config),
        }
        return Measurement(source="probe", **keys(config)._asdict(), **costs)

    monkeypatch.setattr("rdun.plan.probe", probe)
    words = (str(name), "--dry-run", "--runs", str(tmp_path / "runs"))
    for options, known in (((), False), (("--probe",), True), ((), True), (("--probe",), True)):
        done = run_here(*words, *options, images=images, tmp_path=tmp_path)
        assert done.exit_code == 0, done.stderr
        assert ("Estimate: " in done.stdout) == known, done.stdout
        assert bool(probed) == known
        assert len({keys(config).network for config in probed}) == len(probed)


def test_dry_run_lists_arms_and_costs(images: Path, tmp_path: Path) -> None:
    done = run_here(str(TINY), "--runs", str(tmp_path / "runs"), "--dry-run", images=images, tmp_path=tmp_path)
    assert done.exit_code == 0
    assert "2 arms x 2 seeds, 4 new trials" in done.stdout
    for word in ("unrolled", "recursive", "2x1", "1x2", "parameters"):
        assert word in done.stdout
    assert not (tmp_path / "runs").exists()


def test_a_study_of_claims_alone_is_warned_of_too_few_seeds(images: Path, tmp_path: Path) -> None:
    text = TINY.read_text()
    (tmp_path / "claims.py").write_text(text.replace('compare_to="unrolled",', ""))
    words = (str(tmp_path / "claims.py"), "--dry-run", "--runs", str(tmp_path / "runs"))
    for seeds, warned in (("0", "1 seed gives no interval"), ("0,1", "2 seeds cannot reach significance")):
        done = run_here(*words, "--seeds", seeds, images=images, tmp_path=tmp_path)
        assert done.exit_code == 0 and f"Warning: {warned}" in done.stderr, done.stdout + done.stderr
