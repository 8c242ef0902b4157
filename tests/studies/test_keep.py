"""Weights that are not to be kept go while a run goes on, not only at its end."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rdun.config import TrialConfig, with_values
from rdun.data import trial_fingerprint
from rdun.plan import Plan, Room
from rdun.progress import Progress
from rdun.results import TRAINED_IN, Runs, SearchRecord, SearchTrial, Store
from rdun.study import Arm
from rdun.trial import run_trial
from rdun.tuning import Capacity, Halted
from rdun.tuning.trials import repeats_last
from studies.planning import Asked
from studies.run_search import _clear
from studies.run_study import run_study
from studies.session import Weights
from tests.databases import empty_database
from tests.results.test_keeping import left
from tests.tracking.servers import free_port
from tests.tuning.conftest import one_arm

BEST = "best.safetensors"


def with_weights(store: Store, names: Sequence[str]) -> set[str]:
    return {name for name in names if store.trial(name).exists(BEST)}


def test_of_an_arm_only_the_best_trial_so_far_has_weights(tmp_path: Path) -> None:
    store, rivals = Store(tmp_path), [["a0", "a1", "a2"]]
    weights = Weights(store, "best")
    found = []
    for fingerprint, psnr in {"a0": 20.0, "a1": 22.0, "a2": 21.0}.items():
        left(store, fingerprint, psnr)
        weights.clear(rivals[0], rivals)
        found.append(with_weights(store, rivals[0]))
    assert found == [{"a0"}, {"a1"}, {"a1"}]
    assert weights.removed == 5000


def test_what_another_arm_keeps_is_not_removed(tmp_path: Path) -> None:
    """ "both" belongs to two arms, and is the best of the other one; that has a third which is worse, and not asked about."""
    store, rivals = Store(tmp_path), [["a", "both"], ["both", "c"]]
    for fingerprint, psnr in {"a": 30.0, "both": 29.0, "c": 28.0}.items():
        left(store, fingerprint, psnr)
    Weights(store, "best").clear(rivals[0], rivals)
    assert with_weights(store, ["a", "both", "c"]) == {"a", "both", "c"}
    Weights(store, "all").clear(rivals[1], rivals)
    assert with_weights(store, ["a", "both", "c"]) == {"a", "both", "c"}
    Weights(store, "best").clear(rivals[1], rivals)
    assert with_weights(store, ["a", "both", "c"]) == {"a", "both"}
    Weights(store, "none").clear(rivals[0], rivals)
    assert with_weights(store, ["a", "both", "c"]) == set()


def test_of_a_search_only_trials_that_no_other_is_better_than_have_weights(tmp_path: Path) -> None:
    store, weights, held = Store(tmp_path), Weights(Store(tmp_path), "best"), list[str]()
    values: dict[str, Any] = {
        **dict.fromkeys(("name", "title", "question", "method", "expectation", "scale", "sampler"), ""),
        "seed": 0,
        "seeds": [0],
        "wanted": 3,
        "space": {},
        "constraints": [],
        "baselines": {"first": ["base"]},
        "objectives": [{"quantity": "validation_psnr", "direction": "maximize"}],
    }
    record = SearchRecord(trials=[], **values)
    found, trials = [], list[SearchTrial]()
    for number, (fingerprint, psnr) in enumerate({"base": 25.0, "a": 20.0, "b": 22.0, "c": 21.0}.items()):
        left(store, fingerprint, psnr)
        if fingerprint != "base":
            known: dict[str, Any] = {
                "fingerprints": [fingerprint],
                "objectives": [psnr],
                "values": {},
                "quantities": {},
            }
            trials.append(SearchTrial(number=number, state="complete", **known))
        record = replace(record, trials=trials)
        held = _clear(record, weights, [fingerprint, *held])
        found.append(with_weights(store, ["base", "a", "b", "c"]))
    assert found == [{"base"}, {"base", "a"}, {"base", "b"}, {"base", "b"}]


def test_checkpoints_of_trials_that_were_stopped_early_go_unless_all_weights_stay(tmp_path: Path) -> None:
    store = Store(tmp_path)
    left(store, "behind", 20.0, "stopped", "stopped")
    run = store.trial("behind").run()
    assert run is not None
    store.trial("behind").write_run(replace(run, reason="stopped early at epoch 1 by asha"))
    found = []
    for keep in ("all", "best"):
        Weights(store, keep).drop(["behind"])
        found.append(store.trial("behind").exists("checkpoint.pt"))
    assert found == [True, False]


@pytest.mark.usefixtures("rough_figures")
@pytest.mark.parametrize("at_once", [1, 2])
def test_weights_stay_until_the_trials_that_take_them_over_are_complete(
    at_once: int,
    tiny: TrialConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of a run that ends after the training, and of one that goes on with its tests; afterwards they are gone.

    While the first one runs, another command has the tests in work, and the tracker is away.
    """
    configs = {"a": tiny, "b": with_values(tiny, {"recursion.sweep": (5,)})}
    study = replace(one_arm(tiny), arms=tuple(Arm(name=name, configs=(config,)) for name, config in configs.items()))
    runs = Runs(tmp_path)

    def some(plan: Plan, store: Store, progress: Progress, *_: object) -> None:
        for trial in repeats_last(plan.missing())[:at_once]:
            progress.started(trial.fingerprint)
            run_trial(trial.config, store.trial(trial.fingerprint).path)
            progress.ended(trial.fingerprint)
        if plan.refreshed(store).missing():
            raise Halted("the budget is used up")

    shutil.copyfile(empty_database(), tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr("rdun.tuning.cluster", lambda cpus: nullcontext(Capacity((Room(1, 0.0),), "local")))
    monkeypatch.setattr("rdun.tuning.run_trials", some)
    first, second = (runs.store.trial(trial_fingerprint(config)) for config in configs.values())
    for last in (False, True)[at_once - 1 :]:
        with monkeypatch.context() as patch:
            if not last:
                second.write_json("lock.json", {"heartbeat": 9e12})
                patch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
            with nullcontext() if last else pytest.raises(SystemExit, match="1"):
                run_study(study, runs, 1, Asked(), dry_run=False, retry_failed=False, keep="none")
        told = capsys.readouterr().err
        said = (
            "is not up to date (connection refused)",
            "Another command has 1 of the missing",
            "Stopped: the budget is used up.",
        )
        assert [text in told for text in said] == [not last] * 3, told
        second.remove("lock.json")
    info = second.run()
    assert info is not None and info.facts[TRAINED_IN] == first.name
    assert not with_weights(runs.store, [first.name, second.name])
