"""Weights that are not to be kept go while a run goes on, not only at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rdun.results import SearchRecord, SearchTrial, Store
from studies.run_search import _clear
from studies.session import Weights
from tests.results.test_keeping import left

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
