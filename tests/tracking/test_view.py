"""Names, metrics and descriptions, without MLflow."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rdun.results import Store, hours, is_held, milliseconds
from rdun.tracking import tracking_uri, view
from rdun.tracking.client import cause, without_password
from rdun.tracking.database import sqlite_file
from rdun.tracking.files import read_trial
from rdun.tracking.view import Identity
from tests.tracking.tracked_study import BEGAN, arm_record, plan_record, write_trial

NAMES = [
    "bsd68",
    "a/b",
    "a_b",
    "../x",
    "<script>alert(1)</script>",
    "ünï cödé",
    "",
    " ",
    ".",
    "50 %",
    "50 #",
    "x" * 300,
]


def test_clean_names_are_legal_and_different() -> None:
    cleaned = [view.clean(name) for name in NAMES]
    assert len(set(cleaned)) == len(NAMES)
    for name in cleaned:
        assert name == name.strip(" .")
        assert 0 < len(name) <= 100
        assert not set(name) & set('/<>%#?:*"|\\')
    assert view.clean("bsd68") == "bsd68"
    assert view.clean("ünï cödé") == "ünï cödé"


def test_identity_survives_tags() -> None:
    study = [Identity("s"), Identity("s", "an <arm>", "", "ff"), Identity("s", "a", "0", "aa", store="0f")]
    search = [Identity(search="q"), Identity(search="q", suggestion="0", fingerprint="aa")]
    assert [i.level for i in study + search] == ["study", "arm", "trial", "search", "suggestion"]
    for identity in study + search:
        assert Identity.of(identity.tags()) == identity
    assert Identity.of({"mlflow.runName": "somebody else's"}) is None


def test_arm_identity_follows_the_config_and_not_the_seed() -> None:
    base, seeded, other = (arm_record("a", **change) for change in ({}, {"seed": 3}, {"optim.lr": 0.5}))
    study = Identity("s", store="0f")
    first, second, third = (view.arm_identity(study, arm) for arm in (base, seeded, other))
    assert first == second != third
    assert first._replace(arm="", fingerprint="") == study


def test_flatten() -> None:
    values = {"optim": {"lr": 1e-4}, "task": {"ratios": [0.1, 0.2], "none": None, "empty": []}}
    expected = {"optim.lr": "0.0001", "task.ratios": "0.1, 0.2", "task.none": "None", "task.empty": "-"}
    assert view.flatten(values) == expected


def test_best_values_appear_where_they_improve(tmp_path: Path) -> None:
    records = write_trial(Store(tmp_path), "aa", epochs=4).epochs()
    rows = {record.epoch: {p.key: p.value for p in points} for record, points in view.epoch_points(records)}
    assert [rows[e]["epoch/validation_psnr"] for e in (1, 2, 3, 4)] == pytest.approx([25.1, 25.2, 25.2, 25.1])
    assert [e for e in rows if "result/best_validation_psnr" in rows[e]] == [1, 2]
    assert [rows[e].get("result/best_epoch") for e in (1, 2, 3, 4)] == [1, 2, None, None]
    assert [e for e in rows if "result/best_train_loss" in rows[e]] == [1, 2, 3, 4]


def test_load_samples_stand_at_seconds_since_the_start(tmp_path: Path) -> None:
    samples = write_trial(Store(tmp_path), "aa", epochs=2).system()
    rows = view.system_points(samples, BEGAN)
    found = [(sample.timestamp, {(point.timestamp, point.step) for point in points}) for sample, points in rows]
    assert found == [(BEGAN + 5000 * n, {(BEGAN + 5000 * n, 5 * n)}) for n in range(4)]
    on_gpu = [replace(sample, gpu_memory_mib=7.0) for sample in samples]
    told = [{point.key: point.value for point in points} for _, points in view.system_points(on_gpu, BEGAN)]
    assert told[1] == {"system/cpu_percent": 91.0, "system/memory_mib": 501.0, "system/gpu_memory_mib": 7.0}


def test_other_recursion_counts_are_not_among_the_means(tmp_path: Path) -> None:
    folder = write_trial(Store(tmp_path), "aa", level=30.0)
    run = folder.run()
    assert run is not None
    before = read_trial(folder, run)
    swept = [replace(s, recursions=2 * s.recursions, value=7.0) for s in before.scores if s.recursions]
    assert swept and "result/best_test_psnr" in view.summary(before)
    assert view.summary(replace(before, scores=(*before.scores, *swept))) == view.summary(before)


def test_summary_means_over_images_and_per_ratio(tmp_path: Path) -> None:
    folder = write_trial(Store(tmp_path), "aa", level=30.0)
    run = folder.run()
    assert run is not None
    values = view.summary(read_trial(folder, run))
    assert values["result/best_test_psnr"] == pytest.approx(30 + 0.3 + 1.5 + 1)
    assert values["result/last_test_psnr"] == pytest.approx(30 + 0.3 + 1.5)
    assert values["result/best_test_psnr/ratio_0.5"] == pytest.approx(30 + 0.5 + 1.5 + 1)
    assert values["result/last_validation_psnr"] == pytest.approx(30.1)
    assert values["result/best_validation_psnr"] == pytest.approx(30.2)
    assert values["time/train_seconds"] == 7.5


def test_scores_of_several_data_sets_and_of_blocks(tmp_path: Path) -> None:
    folder = write_trial(Store(tmp_path), "aa", level=30.0)
    run = folder.run()
    assert run is not None
    files = read_trial(folder, run)
    other = [replace(score, dataset="other", value=score.value + 10) for score in files.scores]
    blocks = [replace(score, split="train", unit="block", value=1.0) for score in files.scores]
    values = view.summary(replace(files, scores=(*files.scores, *other, *blocks)))
    best = 30 + 0.3 + 1.5 + 1
    assert values["result/best_test_psnr"] == pytest.approx(best + 5)
    assert values["result/best_test_psnr/other"] == pytest.approx(best + 10)
    assert values["result/initial_test_psnr/photos"] == pytest.approx(best - 0.5)  # that of both checkpoints
    assert values["result/best_train_block_psnr"] == 1.0 and "result/best_train_block_psnr/photos" not in values


def test_a_description_of_a_trial_tells_how_it_went(tmp_path: Path) -> None:
    folder = write_trial(Store(tmp_path), "aa", level=30.0)
    run = folder.run()
    assert run is not None
    note = view.trial_note(read_trial(folder, run), "A, seed 0", "5 layers")
    assert "- best validation PSNR 30.20 dB, at epoch 2 of 4\n" in note
    assert "- test PSNR 32.80 dB, SSIM 0.9000 (initial estimate: 32.30 dB)\n- 5 layers\n" in note


def test_the_parameters_of_an_arm_are_those_in_which_its_configs_agree() -> None:
    arm = arm_record("a")
    other = {**arm.configs[0], "seed": 3, "model": {**arm.configs[0]["model"], "layers": 6}}
    agreed = view.arm_config(replace(arm, configs=[*arm.configs, other]))
    assert (agreed.get("model.layers"), agreed.get("seed"), agreed["optim.epochs"]) == (None, None, "4")
    alone = view.arm_config(arm)
    assert alone["model.layers"] == "5" and "seed" in arm.configs[0] and "seed" not in alone


def test_hours_of_all_attempts(tmp_path: Path) -> None:
    """43 s on half a GPU with one thread; before that an attempt that was cut off, last seen in its second epoch."""
    folder = write_trial(Store(tmp_path), "aa", gpus=0.5)
    run = folder.run()
    assert run is not None
    cut = replace(run.attempts[0], started="2025-12-31T23:00:00+00:00", ended=None, threads=2, gpus=1.0)
    early = [replace(e, timestamp=milliseconds(cut.started) + 10_000 * e.epoch) for e in folder.epochs()[:2]]
    folder.write_epochs([*early, *folder.epochs()[2:]])
    files = read_trial(folder, replace(run, attempts=(cut, *run.attempts)))
    spent = hours(files.run, files.epochs, files.system)
    assert spent == {"core": pytest.approx((2 * 20 + 43) / 3600), "gpu": pytest.approx((20 + 0.5 * 43) / 3600)}


def test_costs_are_summed_and_never_averaged() -> None:
    trials = [{"result/a": 1.0, "cost/gpu_hours": 2.0}, {"result/a": 3.0, "cost/gpu_hours": 4.0}]
    assert view.cell_means(trials) == {"result/a": 2.0, "cost/gpu_hours": 6.0}
    assert view.seed_means([{"cost/gpu_hours": 2.0}, {"cost/gpu_hours": 4.0}]) == {}
    assert view.total_costs([*trials, {}]) == {"cost/gpu_hours": 6.0}


def test_a_trial_of_several_attempts(tmp_path: Path) -> None:
    """It began with the first and ended with the last one, which its tags are of; one that was cut off, with its last epoch."""
    folder = write_trial(Store(tmp_path), "aa")
    run = folder.run()
    assert run is not None
    (first,) = run.attempts
    last = replace(first, started="2026-01-02T00:00:00+00:00", ended="2026-01-02T01:00:00+00:00", host="another")
    files = read_trial(folder, replace(run, attempts=(first, last)))
    assert (files.started, files.ended) == (BEGAN, BEGAN + 25 * 3_600_000)
    assert (view.trial_tags(files)["rdun.host"], view.trial_tags(files)["rdun.attempts"]) == ("another", "2")
    cut = read_trial(folder, replace(run, attempts=(first, replace(last, ended=None))))
    assert cut.ended == BEGAN + 40_000


def test_what_a_stopped_trial_has_come_to(tmp_path: Path) -> None:
    """Its tests had begun: their means are of some images only."""
    write_trial(Store(tmp_path), "aa", epochs=3)
    folder = write_trial(Store(tmp_path), "aa", status="stopped", epochs=3)
    assert folder.scores() and folder.timings()
    run = folder.run()
    assert run is not None
    values = view.summary(read_trial(folder, run))
    assert values["result/best_validation_psnr"] == 25.2
    assert values["result/last_train_loss"] == pytest.approx(1 / 3)
    assert not {"result/best_test_psnr", "time/train_seconds"} & set(values)


def test_how_a_trial_and_a_study_were_made(tmp_path: Path) -> None:
    folder = write_trial(Store(tmp_path), "aa")
    run = folder.run()
    assert run is not None
    facts = {"protocols": {"0123": {"block": 33}, "4567": {"block": 33}}}
    tags = view.trial_tags(read_trial(folder, replace(run, facts=facts)))
    assert (tags["rdun.fact.protocols"], tags["rdun.revision"]) == ("0123, 4567", "abc123+changes")
    made = {"versions": {"torch": "2.13"}, "revision": "abc", "datasets": {"photos": {"hash": "77aa"}}, "machine": "m"}
    plan = plan_record("s", {("A", 0): ["aa"]}, provenance=made)
    expected = {
        "rdun.versions": "torch 2.13",
        "rdun.revision": "abc",
        "mlflow.source.git.commit": "abc",
        "rdun.data.photos": "77aa",
        "rdun.machine": "m",
    }
    assert expected.items() <= view.study_tags(plan, "", "/runs").items()


def test_seed_means_leave_out_what_a_seed_lacks() -> None:
    means = view.seed_means([{"result/a": 1.0, "time/t": 2.0, "only": 3.0}, {"result/a": 3.0, "time/t": 2.0}])
    assert means == {"result/a": 2.0, "time/t": 2.0, "spread/a": pytest.approx(2**0.5)}
    assert view.seed_means([{"result/a": 1.0}]) == {"result/a": 1.0}


def test_descriptions_escape_markup() -> None:
    plan = plan_record("s", {("<script>x</script>", 0): ["aa"]})
    texts = [view.study_tags(plan, "A & B", "/<b>")["mlflow.note.content"], view.arm_note(plan.arms[0], 0, 1, 0)]
    assert not [text for text in texts if "<script>" in text or "<b>" in text]
    assert "Is &lt;b&gt;A&lt;/b&gt; better than B &amp; C?" in texts[0]


def test_lock_with_a_recent_sign_of_life(tmp_path: Path) -> None:
    folder = write_trial(Store(tmp_path), "aa", status="running")
    assert not is_held(folder)
    folder.write_json("lock.json", {"heartbeat": 1.0})
    assert not is_held(folder)
    folder.write_json("lock.json", {"heartbeat": 9e12})
    assert is_held(folder)


def test_times() -> None:
    assert milliseconds("2026-01-01T00:00:00+00:00") == milliseconds("2026-01-01T01:00:00+01:00") == BEGAN
    assert milliseconds("2026-01-01T00:00:00") == BEGAN


def test_tracking_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    assert tracking_uri(tmp_path) == "http://tracker:5000"


def test_the_file_of_a_database() -> None:
    assert sqlite_file("sqlite:////data/mlflow.db?timeout=20") == Path("/data/mlflow.db")
    assert sqlite_file("sqlite:///mlflow.db") == Path.cwd() / "mlflow.db"
    assert sqlite_file("postgresql://tracker/sqlite:///x") is None


def test_no_password_in_messages() -> None:
    assert without_password("https://me:secret@host/x") == "https://***@host/x"
    assert cause(RuntimeError("postgresql://me:secret@db/x is gone")) == "postgresql://***@db/x is gone"
    assert cause(RuntimeError("... [Errno 111] Connection refused')")) == "connection refused"


def test_a_tracker_whose_name_is_wrong_is_told_in_words() -> None:
    with pytest.raises(socket.gaierror) as caught:
        socket.getaddrinfo("tracker.invalid", 5000, flags=socket.AI_NUMERICHOST)  # without asking anybody
    offline = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    assert [cause(error) for error in (caught.value, offline)] == ["unknown host name"] * 2


def test_import_is_cheap() -> None:
    code = "import sys, rdun.tracking; print(sorted({'mlflow', 'torch', 'numpy', 'pandas', 'ray'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
