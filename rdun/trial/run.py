"""The life of a trial in its directory: start or resume, train, score, and say how it ended."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from rdun import monitor
from rdun.allocator import keep_freed_memory
from rdun.config import TrialConfig, to_dict
from rdun.data import check_validation, image_set, training_blocks, trial_fingerprint
from rdun.evaluation import load_pictures, mean_quality
from rdun.models import Unfolding, code_of
from rdun.operators import make_task
from rdun.results import (
    SCORED_IN,
    TRAINED_IN,
    Attempt,
    EpochRecord,
    Lease,
    Lost,
    RunInfo,
    TrialDirectory,
)
from rdun.training import CHECKPOINT, Diverged, TrainState, first_non_finite, fit
from rdun.training.divergence import ValidationDiverged
from rdun.trial.account import ALONE, Account
from rdun.trial.policy import Circumstances, GivenUp
from rdun.trial.scoring import Scorer
from rdun.trial.tested import Tested, tested_before
from rdun.trial.trained import take_over, tell_of_training, trained_before
from rdun.trial.weights import first_network

OnEpoch = Callable[[EpochRecord], None]


@dataclass(frozen=True)
class Stopped(Exception):
    """Raised by an `on_epoch` to stop a trial after the epoch that was just saved."""

    reason: str


def run_trial(
    config: TrialConfig,
    workdir: str,
    on_epoch: OnEpoch | None = None,
    *,
    device: str = "cpu",
    threads: int = 1,
    circumstances: Circumstances | None = None,
) -> RunInfo:
    """Runs a trial, or the rest of it, in its directory; a complete one is returned at once.

    The directory holds a checkpoint after every epoch. A run that was cut off, at any moment, continues from it; on the CPU, with
    the same versions and threads, the result equals the uninterrupted run bit for bit. Where a complete trial beside it has done
    the same training and was only tested otherwise, that training and the tests in common are taken over (see
    `rdun.results.Trainings`).

    Args:
        config: with its precision resolved.
        workdir: the trial directory, local or any fsspec URL.
        on_epoch: called after each epoch is saved; may raise `Stopped`.
        device: "cpu" or "cuda".
        threads: threads of PyTorch and of the linear algebra library on the CPU.
        circumstances: of this attempt, under a scheduler.

    Raises:
        Busy: another process runs this trial.
        Lost: another process has taken it over from this one, which was paused or cut off; nothing was written since.
        ValueError: something in config or directory cannot be used.
        Diverged: the training is not finite; the message names where.
        OutOfMemory: there is not enough memory.
        GivenUp: the trial crashed too often.
    """
    circumstances = circumstances or Circumstances()
    keep_freed_memory()
    folder = TrialDirectory(workdir)
    known = _known(folder, config)
    if known.status == "complete":
        return known
    with Lease(folder, run=circumstances.run) as lease, threadpool_limits(limits=threads, user_api="blas"):
        folder = TrialDirectory(workdir, lease.check)
        torch.set_num_threads(threads)
        known = circumstances.settled(_known(folder, config))  # again: the last holder may have finished it
        if known.status == "complete":
            return known
        if circumstances.exhausted(known.attempts):
            raise _given_up(folder, known)
        return _Attempt(config, folder, known, torch.device(device), threads, circumstances).run(on_epoch)


def _given_up(folder: TrialDirectory, known: RunInfo) -> GivenUp:
    last = known.attempts[-1].outcome
    reason = {
        "died": "the process of this trial died, again and again (killed from outside?)",
        "out of memory": f"the process of this trial was killed for memory with {ALONE}",
    }.get(last, known.reason)
    folder.write_run(replace(known, status="failed", reason=reason))
    return GivenUp(reason)


def _known(folder: TrialDirectory, config: TrialConfig) -> RunInfo:
    identity = trial_fingerprint(config)
    known = folder.run() or RunInfo(fingerprint=identity, status="running")
    if known.fingerprint != identity:
        raise ValueError(f"{folder.path} belongs to trial {known.fingerprint}, not to {identity}; use another folder")
    return known


class _Attempt:
    """One stretch of running a trial."""

    def __init__(
        self,
        config: TrialConfig,
        folder: TrialDirectory,
        known: RunInfo,
        device: torch.device,
        threads: int,
        circumstances: Circumstances,
    ) -> None:
        self.config, self.folder, self.device, self.threads = config, folder, device, threads
        self.circumstances = circumstances
        attempt = Attempt(
            started=monitor.now(),
            host=monitor.host(),
            device=monitor.device_name(device),
            threads=threads,
            versions=monitor.versions(),
            revision=monitor.revision(),
            resumed_at_epoch=len(folder.epochs()) if folder.exists(CHECKPOINT) else 0,  # until the checkpoint is read
            gpus=float(device.type == "cuda") if circumstances.gpus is None else circumstances.gpus,
            run=circumstances.run,
            alone=circumstances.alone,
            recompute=circumstances.recompute,
            code=code_of(config.model.kind),
        )
        self.account = Account(folder, known, attempt, circumstances)

    def run(self, on_epoch: OnEpoch | None) -> RunInfo:
        """Trains and scores; run.json says how it ended, whatever happens."""
        self.folder.write_json("config.json", to_dict(self.config))
        self.account.mark("running")
        memory = monitor.PeakMemory(self.device)
        try:
            with monitor.SystemMonitor(self.folder, self.device):
                scorer, state = self._trained(on_epoch)
                scorer.finish(state, self.account.attempt.place, self._tested())
            whence = {name: fact for name, fact in self.account.info.facts.items() if name in (TRAINED_IN, SCORED_IN)}
            self.account.only(whence | _facts(scorer, state) | memory.facts())
            self.account.end("complete", "complete")
        except Stopped as stop:
            self.account.end("stopped", "stopped", stop.reason)
        except (KeyboardInterrupt, SystemExit):
            with contextlib.suppress(Lost):
                self.account.end("stopped", "stopped", "interrupted")
            raise
        except Lost:
            raise
        except Exception as error:
            found = self.account.failed(error, memory.facts())
            if found is error:
                raise
            raise found from error
        else:  # nothing from here on makes it less complete
            with contextlib.suppress(OSError):
                self.folder.remove(CHECKPOINT)
            tell_of_training(self.folder, self.config)
        return self.account.info

    def _trained(self, on_epoch: OnEpoch | None) -> tuple[Scorer, TrainState]:
        config, door = self.config, self.circumstances.admission
        blocks = training_blocks(image_set(config.data.train), config.data, config.task.block)
        sets, side = [image_set(name) for name in config.data.test], config.task.block
        chosen_by = image_set(config.data.validation)
        validation = load_pictures(chosen_by, side)
        for path, picture in zip(chosen_by.paths, validation, strict=True):
            check_validation(path, picture.pixels)
        tests = {images.name: load_pictures(images, side) for images in sets}
        with door or contextlib.nullcontext():  # from here on the device's memory is used
            moment = blocks.moment if config.task.initial == "linear" else None
            scorer = Scorer(
                config=config,
                folder=self.folder,
                device=self.device,
                task=make_task(config.task, moment, self.device),
                blocks=blocks,
                validation=validation,
                tests=tests,
            )
            state = self._resumed()
            if door:
                state.optimizer.register_step_post_hook(door.settled)
            self._train(scorer, state, on_epoch)
        return scorer, state

    def _resumed(self) -> TrainState:
        """The state to go on from, and what the directory says of it."""
        state = self._state()
        if not state.epoch:
            self._begin(state)
        if state.epoch:
            self.folder.write_epochs(state.records)
            self.account.resumed(state.epoch)
        return state

    def _begin(self, state: TrainState) -> None:
        """Forgets a training that was taken over and is gone; takes one over, if there is one and its weights stay."""
        self.account.only({name: fact for name, fact in self.account.info.facts.items() if name != TRAINED_IN})
        self.folder.remove("timing.csv")
        if other := trained_before(self.folder, self.config):
            with contextlib.suppress(FileNotFoundError):
                take_over(self.folder, state, other)
                self.account.learn({TRAINED_IN: other.name})
                self.account.mark("running")  # before there is a checkpoint, which is not this trial's own
                state.save(self.folder)

    def _tested(self) -> list[Tested]:
        """What other trials have tested of the same weights; run.json names them before a score is written."""
        found, facts = [*tested_before(self.folder, self.config, self.account.info)], dict(self.account.info.facts)
        earlier = facts.pop(SCORED_IN, ())
        names = {*(earlier if self.folder.scored() else ()), *(other.folder.name for other in found)}
        self.account.only(facts | ({SCORED_IN: sorted(names)} if names else {}))
        if names or earlier:
            self.account.mark("running")
        return found

    def _state(self) -> TrainState:
        """The state of the last checkpoint, else that of the start."""
        network = first_network(self.config).place(self.device)
        network.recompute = self.circumstances.recompute
        state = TrainState.start(self.config, network, self.device)
        if self.folder.exists(CHECKPOINT):
            state.load(self.folder, self.device)
        return state

    def _train(self, scorer: Scorer, state: TrainState, on_epoch: OnEpoch | None) -> None:
        def validate(network: Unfolding) -> tuple[float, float]:
            ratios = self.config.data.validation_ratios
            return mean_quality(scorer.reconstructor(network), scorer.task, scorer.validation, self.device, ratios)

        try:
            for record in fit(self.config, scorer.task, scorer.blocks, validate, state, self.device):
                state.save(self.folder)
                self.folder.write_epochs(state.records)
                if on_epoch:
                    on_epoch(record)
        except ValidationDiverged:  # there is no step to be found
            raise
        except Diverged as error:
            raise self._located(error, scorer) from error

    def _located(self, error: Diverged, scorer: Scorer) -> Diverged:
        """The error with the first value that is not finite, which also becomes a fact of the trial."""
        traceback.clear_frames(error.__traceback__)  # CUDA graphs hold the memory that the repeated epoch needs
        found = first_non_finite(self.config, scorer.task, scorer.blocks, self._state(), self.device)
        if found is None:
            return Diverged(f"{error}; repeated step by step, the epoch stays finite; lower optim.lr")
        self.account.learn({"non_finite": asdict(found)})
        return Diverged(str(found))


def _facts(scorer: Scorer, state: TrainState) -> dict[str, Any]:
    best = {"best_epoch": state.best_epoch, "best_validation_psnr": state.best_psnr} if state.records else {}
    protocols = {d: scorer.protocols(deblock=d).by_hash() for d in (scorer.config.model.deblock, False)}
    return {
        "parameters": state.network.parameter_count(),
        **best,
        "blocks": len(scorer.blocks.pixels),
        "blocks_available": scorer.blocks.available,
        "subset_hash": scorer.blocks.hash,
        "protocols": {key: dict(record) for records in protocols.values() for key, record in records.items()},
    }
