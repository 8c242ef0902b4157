"""Probes: a real one in a process of its own, and the file that remembers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import rdun.plan
from rdun.config import OptimConfig, TrialConfig, with_values
from rdun.plan import Estimator, Machine, Measurement, add_probes, keys, probe, read_probes, unmeasured
from rdun.plan.probe import STEPS, shortened
from rdun.plan.reconstructed import Reconstructed, reconstructed
from rdun.results import Folder, Store
from rdun.trial import run_trial
from studies.planning import measured
from tests.plan.conftest import MACHINE


def test_a_probe_measures_and_is_remembered(tiny: TrialConfig, tmp_path: Path) -> None:
    lines: list[str] = []
    found = probe(tiny, MACHINE, lines.append)
    assert lines == ["probe: 40 steps of coast, 2 layers, batch 8"]
    assert found.step is not None and 0 < found.step < 1
    assert found.evaluations == 2
    assert found.epoch is not None and found.epoch > 0
    assert 100 < found.memory_mib < 4000
    runs = Folder(tmp_path)
    add_probes(runs, [found])
    add_probes(runs, [replace(found, step=2.0), replace(found, device="Another", step=9.0)])
    known = read_probes(runs)
    assert len(known) == 2
    estimate = Estimator(known, MACHINE).estimate(tiny)
    amount = reconstructed(tiny)
    assert estimate.seconds == pytest.approx(18 * 2.0 + found.epoch * (3 + amount.scoring / amount.validation))
    assert (estimate.source, estimate.validation, estimate.scoring) == ("probe", True, True)


def test_a_probe_of_weights_that_are_only_tested(tiny: TrialConfig, tmp_path: Path) -> None:
    """Its steps are of one block, and are no training's."""
    run_trial(tiny, str(tmp_path / "trained"))
    tested = replace(tiny, weights=str(tmp_path / "trained" / "best.safetensors"), optim=OptimConfig(epochs=0))
    lines: list[str] = []
    found = probe(tested, MACHINE, lines.append)
    assert lines == ["probe: 40 steps of coast, 2 layers, batch 1"]
    assert found.step is None and found.epoch is not None
    runs = Folder(tmp_path)
    add_probes(runs, [replace(found, step=1.0)])
    add_probes(runs, [found])
    known = read_probes(runs)
    assert unmeasured([tested], known) == []
    amount = reconstructed(tested)
    estimate = Estimator(known, MACHINE).estimate(tested)
    assert estimate.seconds == pytest.approx(found.epoch * amount.scoring / amount.validation)


def test_a_probe_that_fails_says_why(tiny: TrialConfig) -> None:
    broken = with_values(tiny, {"data.train": "no-such-set"})
    with pytest.raises(
        ValueError, match=r"the probe of model='coast' failed \(.*no-such-set.*\); plan without --probe"
    ):
        probe(broken, MACHINE, lambda line: None)


def test_one_probe_for_each_training(tiny: TrialConfig) -> None:
    """Seeds, rates and epochs share one; depth, batch, average and supervision do not; what is measured needs none."""
    averaged = [with_values(tiny, {"optim.ema": decay}) for decay in (0.99, 0.9)]
    supervised = [with_values(tiny, {"optim.deep_supervision": weight}) for weight in (0.5, 0.1)]
    assert unmeasured([tiny, *averaged, *supervised], []) == [tiny, averaged[-1], supervised[-1]]
    same = [
        with_values(tiny, {"seed": 3}),
        with_values(tiny, {"optim.lr": 0.1}),
        with_values(tiny, {"optim.epochs": 9}),
    ]
    others = [with_values(tiny, {"model.layers": 3}), with_values(tiny, {"optim.batch": 4})]
    tested = replace(tiny, weights="w", optim=replace(tiny.optim, epochs=0))
    assert len(unmeasured([tiny, *same, *others], [])) == 3
    known = Measurement(
        source="probe", network=keys(tiny).network, stage="", tested="", device="d", threads=1, step=1, evaluations=2,
        epoch=1, scoring=None, reconstructed=Reconstructed(1, 1), memory_mib=1, gpu_memory_mib=0,
    )  # fmt: skip
    assert unmeasured([tiny, *same, *others], [known]) == others
    assert unmeasured([tested], [known]) == [tested] and not unmeasured(
        [tested], [replace(known, tested=keys(tiny).tested)]
    )


def test_a_probe_makes_few_matrices_and_steps_as_the_training_does(tiny: TrialConfig) -> None:
    recipe = {"optim.ema": 0.99, "optim.deep_supervision": 0.5, "optim.warmup": 3, "optim.decay": "cosine"}
    short = shortened(with_values(tiny, {"task.matrices": 50} | recipe))
    assert (short.optim.ema, short.optim.deep_supervision, short.optim.epochs, short.optim.warmup) == (0.99, 0.5, 3, 0)
    assert short.data.epoch_samples == STEPS * tiny.optim.batch
    assert getattr(short.task, "matrices", None) == 1


def test_measurements_with_and_without_recomputation_do_not_mix(tiny: TrialConfig) -> None:
    known = Measurement(
        source="probe", **keys(tiny)._asdict(), device=MACHINE.device, threads=1, step=1, evaluations=2, epoch=1, scoring=1,
        reconstructed=None, memory_mib=1, gpu_memory_mib=0, recompute=True,
    )  # fmt: skip
    assert Estimator([known], MACHINE).estimate(tiny).memory_mib is None
    assert Estimator([known], replace(MACHINE, recompute=True)).estimate(tiny).memory_mib == 1


def test_a_probe_without_recomputation_is_none_of_a_study_with_it(
    tiny: TrialConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each way of training is measured once, and then remembered."""
    place, made = replace(MACHINE, recompute=True), list[bool]()

    def measure(config: TrialConfig, machine: Machine, say: Callable[[str], None]) -> Measurement:
        made.append(machine.recompute)
        return Measurement(
            source="probe", **keys(config)._asdict(), device=machine.device, threads=1, step=1, evaluations=2, epoch=1,
            scoring=None, reconstructed=reconstructed(config), memory_mib=1, gpu_memory_mib=0, recompute=machine.recompute,
        )  # fmt: skip

    monkeypatch.setattr(rdun.plan, "probe", measure)
    for machine in (MACHINE, place, place, MACHINE):
        known = measured([tiny], store, machine, probe=True)
        assert Estimator(known, machine).estimate(tiny).seconds
    assert made == [False, True]


def test_a_damaged_file_of_probes(tmp_path: Path) -> None:
    (tmp_path / "probes.json").write_text('[{"step": 1}]')
    with pytest.raises(ValueError, match=r"probes.json cannot be read .*; delete it and probe again"):
        read_probes(Folder(tmp_path))
