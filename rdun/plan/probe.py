"""Probes: some steps of a training in a process of its own, for trials that no past run tells about."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from rdun.config import BlockSensingTask, InpaintingTask, TrialConfig, to_dict
from rdun.plan.machine import Machine
from rdun.plan.measurements import Measurement, keys
from rdun.plan.reconstructed import reconstructed

STEPS = 20
"""Optimizer steps of a probe, after as many that are not counted."""


def unmeasured(configs: Iterable[TrialConfig], known: Iterable[Measurement]) -> list[TrialConfig]:
    """One config of each training that is not measured, and of each kind of stages that are only tested and not measured."""
    measured = [*known]
    seen = {m.network for m in measured if m.step is not None} | {m.tested for m in measured if m.reconstructed}
    found = {keys(config).network if config.optim.epochs else keys(config).tested: config for config in configs}
    return [config for key, config in found.items() if key not in seen]


def probe(config: TrialConfig, machine: Machine, say: Callable[[str], None] = print) -> Measurement:
    """Trains 2 x STEPS steps and validates twice, in a fresh process, so that its memory is its own.

    Of weights that are only tested, the steps are of one block each, and not told.

    Raises:
        ValueError: it ended with an error; the message has its last line.
    """
    short = shortened(config)
    say(f"probe: {2 * STEPS} steps of {config.model.kind}, {config.model.layers} layers, batch {short.optim.batch}")
    with tempfile.TemporaryDirectory(prefix="rdun-probe-") as scratch:
        path = Path(scratch) / "config.json"
        path.write_text(json.dumps(to_dict(short)))
        how = [machine.kind, str(machine.threads), "recompute" if machine.recompute else "keep"]
        words = ["-m", "rdun.plan.probe_process", str(path), f"{scratch}/trial", *how]
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        if done.returncode:
            last = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
            raise ValueError(f"the probe of model={config.model.kind!r} failed ({last}); plan without --probe")
        measured = json.loads(done.stdout.splitlines()[-1])
    if not config.optim.epochs:
        measured |= {"step": None, "evaluations": 0.0}
    return Measurement(
        source="probe",
        **keys(config)._asdict(),
        device=machine.device,
        threads=machine.threads,
        recompute=machine.recompute,
        scoring=None,
        reconstructed=reconstructed(short),
        **measured,
    )


def shortened(config: TrialConfig) -> TrialConfig:
    """The same training per step, with epochs of STEPS steps, and one matrix or mask per ratio: making them is no step."""
    task = config.task
    if isinstance(task, BlockSensingTask):
        task = replace(task, matrices=1, test_matrix_seeds=task.test_matrix_seeds[:1])
    elif isinstance(task, InpaintingTask):
        task = replace(task, masks=1)
    batch = config.optim.batch if config.optim.epochs else 1
    optim = replace(config.optim, batch=batch, epochs=3, decay="constant", warmup=0)
    return replace(config, task=task, optim=optim, data=replace(config.data, epoch_samples=STEPS * batch))
