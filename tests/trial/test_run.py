"""One trial: what it leaves behind, and that a resumed one equals the uninterrupted one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from rdun.config import IstaNetPlusConfig, Rfmu, TrialConfig, UniformRange, to_dict, with_values
from rdun.data import trial_fingerprint
from rdun.results import EpochRecord, Lease, RunInfo, TrialDirectory
from rdun.training import Diverged
from rdun.trial import Circumstances, Stopped, resolve_precision, run_trial
from rdun.trial.__main__ import main

RANDOM = {
    "recursion.train": UniformRange(low=(1,), high=(3,)),
    "recursion.modulation": Rfmu(),
}
RECIPE = {"recursion.curriculum": 0.7, "optim.ema": 0.8, "optim.deep_supervision": 0.3}


BEST_OF_FIRST = ("best", "test0.png", "psnr")


def variants(tiny: TrialConfig) -> dict[str, TrialConfig]:
    ista = replace(tiny, model=IstaNetPlusConfig(layers=2, channels=4))
    return {
        "fixed": tiny,
        "random RFMU bf16": replace(with_values(tiny, RANDOM), precision="bf16"),
        "average, supervision, curriculum": with_values(tiny, RANDOM | RECIPE),
        "ISTA-Net+ random": with_values(ista, {"recursion.train": UniformRange(low=(1,), high=(2,))}),
    }


def files(folder: TrialDirectory) -> dict[str, bytes]:
    """What must be equal, byte for byte; epochs without their wall times."""
    kept = {name: folder.read(name) for name in ("scores.csv", "best.safetensors", "last.safetensors", "config.json")}
    records = [replace(record, seconds=0.0, timestamp=0) for record in folder.epochs()]
    return kept | {"epochs": repr(records).encode()}


@pytest.mark.parametrize("name", ["fixed", "random RFMU bf16", "average, supervision, curriculum", "ISTA-Net+ random"])
@pytest.mark.parametrize("stop_after", [1, 2])
def test_resume_equals_uninterrupted_bit_for_bit(tiny: TrialConfig, tmp_path: Path, name: str, stop_after: int) -> None:
    config = variants(tiny)[name]
    whole = run_trial(config, str(tmp_path / "whole"))

    def stop(record: EpochRecord) -> None:
        if record.epoch == stop_after:
            raise Stopped("test")

    first = run_trial(config, str(tmp_path / "parts"), stop)
    assert (first.status, first.reason) == ("stopped", "test")
    second = run_trial(config, str(tmp_path / "parts"))
    assert second.status == whole.status == "complete"
    assert second.attempts[-1].resumed_at_epoch == stop_after
    assert files(TrialDirectory(tmp_path / "parts")) == files(TrialDirectory(tmp_path / "whole"))


def test_recomputation_changes_nothing_but_the_memory(tiny: TrialConfig, tmp_path: Path) -> None:
    config = variants(tiny)["random RFMU bf16"]
    run_trial(config, str(tmp_path / "kept"))
    again = run_trial(config, str(tmp_path / "again"), circumstances=Circumstances(recompute=True))
    assert again.attempts[0].recompute
    assert files(TrialDirectory(str(tmp_path / "again"))) == files(TrialDirectory(str(tmp_path / "kept")))


def test_kill_at_random_moments_loses_nothing(tiny: TrialConfig, tmp_path: Path) -> None:
    """kill -9 of the real process, several times, then one run to the end."""
    config = replace(tiny, optim=replace(tiny.optim, epochs=8))
    run_trial(config, str(tmp_path / "whole"))
    (tmp_path / "config.json").write_text(json.dumps(to_dict(config)))
    command = [sys.executable, "-m", "rdun.trial", str(tmp_path / "config.json"), "--workdir", str(tmp_path / "parts")]
    parts, killed = TrialDirectory(tmp_path / "parts"), 0
    for target in (1, 4):
        process = subprocess.Popen([*command, "--device", "cpu"], stdout=subprocess.DEVNULL)
        while process.poll() is None and len(parts.epochs()) < target:
            time.sleep(0.01)
        killed += process.poll() is None
        process.kill()
        process.wait()
    assert killed >= 1
    done = subprocess.run([*command, "--device", "cpu"], capture_output=True, text=True, check=True)
    assert "complete; best epoch" in done.stdout
    assert files(parts) == files(TrialDirectory(tmp_path / "whole"))


def test_a_trial_says_that_it_is_complete_when_nothing_is_left_to_write(
    tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed while it tests has left no trial that counts as done."""
    folder, write_run, ends = TrialDirectory(tmp_path / "t"), TrialDirectory.write_run, list[set[str]]()

    def writing(self: TrialDirectory, run: RunInfo) -> None:
        if run.status == "complete":
            ends.append({*self.names()} - {"lock.json", "checkpoint.pt"})
        write_run(self, run)

    monkeypatch.setattr(TrialDirectory, "write_run", writing)
    run_trial(tiny, folder.path)
    assert ends == [{*folder.names()}] and "scores.csv" in ends[0]


def test_a_trial_that_another_process_finishes_meanwhile_is_not_run_again(
    tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the first look at the directory and the lease."""
    enter, path = Lease.__enter__, str(tmp_path / "t")

    def late(self: Lease) -> Lease:
        monkeypatch.setattr(Lease, "__enter__", enter)
        run_trial(tiny, path)
        return enter(self)

    monkeypatch.setattr(Lease, "__enter__", late)
    info = run_trial(tiny, path)
    assert (info.status, len(info.attempts)) == ("complete", 1)


def test_a_paused_process_that_lost_its_trial_writes_nothing_when_it_comes_back(
    tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paused beyond its lease; another process takes the trial over and finishes it; then the first one goes on."""
    config = replace(tiny, optim=replace(tiny.optim, epochs=40))
    run_trial(config, str(tmp_path / "whole"))
    (tmp_path / "config.json").write_text(json.dumps(to_dict(config)))
    words = ["-m", "rdun.trial", str(tmp_path / "config.json"), "--workdir", str(tmp_path / "t"), "--device", "cpu"]
    paused = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    folder = TrialDirectory(tmp_path / "t")
    while paused.poll() is None and not folder.epochs():
        time.sleep(0.01)
    paused.send_signal(signal.SIGSTOP)
    assert 1 <= len(folder.epochs()) < 40
    monkeypatch.setattr("rdun.results.lease.STALE_AFTER", 0.5)  # for the second process; the first one keeps its own
    time.sleep(0.6)
    assert run_trial(config, folder.path).status == "complete"
    left = contents(tmp_path / "t")
    paused.send_signal(signal.SIGCONT)
    _, errors = paused.communicate(timeout=60)
    assert (paused.returncode, len(errors.splitlines())) == (2, 1), errors
    assert "was taken over by a process that has ended since" in errors
    assert contents(tmp_path / "t") == left
    assert files(folder) == files(TrialDirectory(tmp_path / "whole"))
    assert folder.names() == TrialDirectory(tmp_path / "whole").names()


def contents(root: Path) -> dict[str, bytes]:
    """Every file; what a cut off write has begun belongs to nobody."""
    return {str(p): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file() and p.suffix != ".part"}


def test_what_a_trial_leaves_behind(tiny: TrialConfig, tmp_path: Path) -> None:
    folder = TrialDirectory(tmp_path / "t")
    seen: list[EpochRecord] = []
    info = run_trial(tiny, str(tmp_path / "t"), seen.append)
    assert info == folder.run()
    assert info.fingerprint == trial_fingerprint(tiny)
    assert seen == folder.epochs()
    assert [record.step for record in seen] == [6, 12, 18]
    assert not folder.exists("checkpoint.pt")
    assert not folder.exists("lock.json")
    scores = folder.scores()
    images = {s.image for s in scores if s.unit == "image"}
    assert images == {"test0.png", "test1.png"}
    assert {(s.split, s.unit) for s in scores} == {
        ("test", "image"),
        ("train", "block"),
        ("validation", "block"),
        ("test", "block"),
    }
    assert {s.recursions for s in scores} == {0, 2}
    assert {s.checkpoint for s in scores} == {"best", "last"}
    assert {s.protocol for s in scores} == set(info.facts["protocols"])
    records = {unit: info.facts["protocols"][p] for unit, p in {(s.unit, s.protocol) for s in scores}}
    assert {unit: record["network"] for unit, record in records.items()} == {
        "image": "assembled image",
        "block": "block by block",
    }
    measured = records["image"]["measurement"]
    assert (measured["block"], measured["measurements"], list(measured["matrices"])) == (12, 36, ["gauss-s0"])
    assert {t.name for t in folder.timings()} >= {"train_seconds", "images_per_second"}
    assert folder.system()
    traces = [t for t in folder.traces() if t.image == "test0.png"]
    assert [(t.application, t.layer, t.recursions) for t in traces] == [(0, 0, 2), (1, 1, 2), (2, 2, 2)]
    by_count = {s.recursions: s.value for s in scores if (s.checkpoint, s.image, s.metric) == BEST_OF_FIRST}
    assert [traces[0].psnr, traces[-1].psnr] == pytest.approx([by_count[0], by_count[2]], abs=1e-5)
    assert 0 < traces[0].residual < 0.1  # A Q y = y, but for the ridge
    assert len(folder.names("reconstructions")) == 1
    assert info.facts["parameters"] > 0
    before = folder.read("run.json")
    run_trial(tiny, str(tmp_path / "t"))  # a complete trial is not touched
    assert folder.read("run.json") == before


def test_training_beats_the_initial_estimate(tiny: TrialConfig, tmp_path: Path) -> None:
    config = with_values(tiny, {"optim.epochs": 20, "task.initial": "adjoint"})
    run_trial(config, str(tmp_path / "t"))
    psnr = {
        s.recursions: s.value
        for s in TrialDirectory(tmp_path / "t").scores()
        if (s.checkpoint, s.split, s.unit) == ("best", "train", "block")
    }
    assert psnr[2] > psnr[0] + 1


def test_arms_share_data_order_and_matrices(tiny: TrialConfig, tmp_path: Path) -> None:
    """The first loss of an identity start is that of the initial estimate, whatever the network: same blocks, same matrix."""
    one = replace(tiny, optim=replace(tiny.optim, epochs=1, lr=1e-30))
    other = with_values(one, {"model.channels": 8, "recursion.train.counts": (3,)})
    losses = []
    for name, config in (("one", one), ("other", other)):
        run_trial(config, str(tmp_path / name))
        losses.append(TrialDirectory(tmp_path / name).epochs()[0].train_loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


@pytest.mark.parametrize("damage", ["truncate", "garbage", "empty"])
def test_a_damaged_checkpoint_is_refused_and_kept(tiny: TrialConfig, tmp_path: Path, damage: str) -> None:
    def stop(record: EpochRecord) -> None:
        raise Stopped("test")

    run_trial(tiny, str(tmp_path / "t"), stop)
    path = tmp_path / "t" / "checkpoint.pt"
    content = path.read_bytes()
    path.write_bytes({"truncate": content[: len(content) // 2], "garbage": b"x" * 1000, "empty": b""}[damage])
    with pytest.raises(ValueError, match=r"checkpoint\.pt cannot be read \(.*\); delete it and run again"):
        run_trial(tiny, str(tmp_path / "t"))
    assert path.exists()
    info = TrialDirectory(tmp_path / "t").run()
    assert info is not None
    assert info.status == "failed"
    path.unlink()
    assert run_trial(tiny, str(tmp_path / "t")).status == "complete"


def test_a_hostile_checkpoint_runs_nothing(tiny: TrialConfig, tmp_path: Path) -> None:
    import pickle

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            import os

            return os.system, (f"touch {tmp_path}/owned",)

    folder = TrialDirectory(tmp_path / "t")
    folder.write("checkpoint.pt", pickle.dumps({"network": Hostile()}))
    with pytest.raises(ValueError, match="cannot be read"):
        run_trial(tiny, str(tmp_path / "t"))
    assert not (tmp_path / "owned").exists()


def test_validation_looks_at_the_chosen_ratios(tiny: TrialConfig, tmp_path: Path) -> None:
    """One training, validated at either ratio and at both: the mean of the two is what both give."""
    both = with_values(tiny, {"task.ratios": (0.1, 0.5)})
    found: list[list[float]] = []
    for ratios in ((0.1,), (0.5,), (0.1, 0.5)):
        folder = tmp_path / str(len(found))
        run_trial(with_values(both, {"data.validation_ratios": ratios}), str(folder))
        found.append([record.validation_psnr for record in TrialDirectory(folder).epochs()])
    low, high, mean = found
    assert all(a < b for a, b in zip(low, high, strict=True))
    assert mean == pytest.approx([(a + b) / 2 for a, b in zip(low, high, strict=True)])


def test_a_precision_of_gpus_is_refused_on_a_processor(tiny: TrialConfig) -> None:
    with pytest.raises(ValueError, match=r"precision='tf32' exists on GPUs only"):
        resolve_precision(replace(tiny, precision="tf32"), torch.device("cpu"))


@pytest.mark.parametrize(("bf16", "expected"), [(True, "bf16"), (False, "fp32")])
def test_auto_is_bf16_where_the_processor_has_it(
    tiny: TrialConfig, monkeypatch: pytest.MonkeyPatch, bf16: bool, expected: str
) -> None:
    monkeypatch.setattr("rdun.trial.precision.has_bf16", lambda: bf16)
    assert resolve_precision(replace(tiny, precision="auto"), torch.device("cpu")).precision == expected
    assert resolve_precision(replace(tiny, precision="fp32"), torch.device("cpu")).precision == "fp32"


def test_command_line_stops_in_time_and_goes_on(tiny: TrialConfig, tmp_path: Path) -> None:
    config, folder = tmp_path / "config.json", tmp_path / "trial"
    config.write_text(json.dumps(to_dict(tiny)))
    command = [sys.executable, "-m", "rdun.trial", str(config), "--workdir", str(folder)]
    first = subprocess.run([*command, "--minutes", "0"], capture_output=True, text=True, check=True).stdout
    assert "stopped after --minutes 0, 1 of 3 epochs; run again to go on" in first
    second = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "complete; best epoch" in second and len(TrialDirectory(folder).epochs()) == tiny.optim.epochs


@pytest.mark.parametrize("minutes", ["nan", "inf", "-1"])
def test_minutes_that_never_come_are_refused(minutes: str, tiny: TrialConfig, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(to_dict(tiny)))
    words = [str(tmp_path / "c.json"), "--workdir", str(tmp_path / "t"), "--minutes", minutes]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert (
        done.stderr
        == f"Error: --minutes={minutes} is no time to stop at; give 0 or more, or leave it out to train to the end\n"
    )
    assert not (tmp_path / "t").exists()


def test_a_warm_up_ends_within_the_training(tiny: TrialConfig, tmp_path: Path) -> None:
    """Of 18 steps."""
    run_trial(with_values(tiny, {"optim.warmup": 18}), str(tmp_path / "whole"))
    assert TrialDirectory(tmp_path / "whole").epochs()[-1].lr == tiny.optim.lr
    with pytest.raises(ValueError, match=r"optim\.warmup=19 is not possible; the training ends after 18 steps"):
        run_trial(with_values(tiny, {"optim.warmup": 19}), str(tmp_path / "longer"))
    assert not TrialDirectory(tmp_path / "longer").epochs()


def test_another_trial_in_the_same_folder_is_refused(tiny: TrialConfig, tmp_path: Path) -> None:
    run_trial(tiny, str(tmp_path / "t"))
    with pytest.raises(ValueError, match="belongs to trial"):
        run_trial(replace(tiny, seed=1), str(tmp_path / "t"))


def test_divergence_names_recursion_and_remedy(tiny: TrialConfig, tmp_path: Path) -> None:
    config = replace(tiny, optim=replace(tiny.optim, lr=1e30))
    with pytest.raises(Diverged, match=r"recursion \d of 2 \(layer \d\) is not finite.*lower optim\.lr"):
        run_trial(config, str(tmp_path / "t"))
    info = TrialDirectory(tmp_path / "t").run()
    assert info is not None
    assert info.status == "failed"
    assert "Diverged" in info.reason


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[1]", "should hold an object"),
        ('{"optim": {"lrr": 1}}', "unknown field 'optim.lrr'; did you mean 'optim.lr'"),
        ('{"model": {"kind": "coast", "layers": 0}}', "model.layers=0"),
        ('{"data": {"train": "nowhere"}}', "'nowhere' is neither registered nor a folder"),
    ],
)
def test_command_line_refuses_bad_configs(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "c.json").write_text(content)
    done = CliRunner().invoke(main, [str(tmp_path / "c.json"), "--workdir", str(tmp_path / "t")])
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "t").exists()
