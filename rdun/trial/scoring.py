"""The scores, pictures and timings that a finished trial leaves behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from rdun.config import TrialConfig, canonical
from rdun.data import TrainingBlocks, image_set, png
from rdun.evaluation import (
    Picture,
    Protocols,
    Reconstructor,
    ScoreLabels,
    images_per_second,
    reconstructions,
    sample_blocks,
    score_blocks,
    spread,
    trace_images,
)
from rdun.models import Unfolding
from rdun.operators import Task
from rdun.results import EpochRecord, Score, Timing, Trace, TrialDirectory, picture_names
from rdun.training import TrainState
from rdun.trial.scored import Key, Scored
from rdun.trial.tested import Tested
from rdun.trial.trained import SPEED, of_training
from rdun.weights import encode_model

BLOCKS_SCORED = 256
"""Blocks of each split that the overfitting scores use."""
PICTURES_KEPT = 4
"""Test images of each set of which the reconstruction is kept as a file, and traced."""


@dataclass(frozen=True)
class Scorer:
    """Scores a trial's networks and writes the results into its directory.

    Attributes:
        validation, tests: the images; tests by name of the data set.
    """

    config: TrialConfig
    folder: TrialDirectory
    device: torch.device
    task: Task
    blocks: TrainingBlocks
    validation: Sequence[Picture]
    tests: Mapping[str, Sequence[Picture]]

    def reconstructor(self, network: Unfolding | None, recursions: int | None = None) -> Reconstructor:
        """The network as this trial tests it; None: the initial estimate.

        Args:
            recursions: applications of each layer; None: the config's test counts.
        """
        counts = self.config.test_counts if recursions is None else (recursions,) * self.config.model.layers
        return Reconstructor(network, counts, self.config.model.deblock)

    def protocols(self, *, deblock: bool) -> Protocols:
        """How this trial's scores are measured, of assembled images or of blocks."""
        ratios = dict.fromkeys(t.ratio for t in self.task.test_operators((self.task.patch, self.task.patch)))
        return Protocols.of(self.task, ratios, deblock=deblock)

    def finish(self, state: TrainState, where: str, before: Sequence[Tested] = ()) -> None:
        """Scores the last and the best weights and the initial estimate; the network is left with the best weights.

        Args:
            where: device and threads, for the timings.
            before: what has been tested already.
        """
        network, same = state.evaluated, state.best_epoch == state.epoch
        done = Scored(self.folder, encode_model(network, self.config))
        for other in before:
            done.learn(other.scores)
            other.give_pictures(self.folder)
        initial = self._scores(None, "best", done, keep="initial")
        scores = [*initial, *_relabelled(initial, "last")]
        if not same:
            scores += self._scores(network, "last", done)
        network.load_state_dict(state.best_weights)
        self.folder.write("best.safetensors", encode_model(network, self.config))
        best = self._scores(network, "best", done, keep="best")
        scores += [*best, *(_relabelled(best, "last") if same else [])]
        for count in canonical(self.config).recursion.sweep:
            scores += self._image_scores(self.reconstructor(network, count), "best", done)
        self.folder.write_traces(self._traces(network, before))
        self.folder.write_timings(self._timings(network, state.records, where))
        self.folder.write_scores(scores)
        done.done()

    def _scores(self, network: Unfolding | None, checkpoint: str, done: Scored, keep: str = "") -> list[Score]:
        """All scores of one network at the test counts; `keep` as in `_image_scores`."""
        reconstruct, data, side = self.reconstructor(network), self.config.data, self.task.patch
        single = self.protocols(deblock=False).hashes
        scores = self._image_scores(reconstruct, checkpoint, done, keep)
        splits = [("train", image_set(data.train).name, spread(self.blocks.pixels, BLOCKS_SCORED))]
        splits += [("validation", image_set(data.validation).name, sample_blocks(self.validation, side, BLOCKS_SCORED))]
        splits += [("test", name, sample_blocks(p, side, BLOCKS_SCORED)) for name, p in self.tests.items()]
        for split, name, blocks in splits:
            labels = ScoreLabels(checkpoint, split, name, single)
            scores += self._block_scores(reconstruct, blocks, labels, done)
        return scores

    def _block_scores(
        self, reconstruct: Reconstructor, blocks: np.ndarray, labels: ScoreLabels, done: Scored
    ) -> list[Score]:
        """Scores of pooled blocks, `(n, N)` uint8, with each test operator."""
        rows = done.of(Key(labels.checkpoint, labels.split, labels.dataset, "all", reconstruct.recursions))
        known = {(row.ratio, row.matrix) for row in rows}
        scores = [*rows]
        for test in self.task.test_operators((self.task.patch, self.task.patch)):
            if (test.ratio, test.matrix) not in known:
                scores.append(score_blocks(reconstruct, test, blocks, labels, self.device))
                done.add(scores[-1:])
        return scores

    def _image_scores(self, reconstruct: Reconstructor, checkpoint: str, done: Scored, keep: str = "") -> list[Score]:
        """Scores of the whole test images; with `keep`, the first reconstructions are written under that name."""
        hashes = self.protocols(deblock=self.config.model.deblock).hashes
        scores: list[Score] = []
        for name, pictures in self.tests.items():
            labels, called = ScoreLabels(checkpoint, "test", name, hashes), picture_names(p.name for p in pictures)
            for number, picture in enumerate(pictures):
                rows = done.of(Key(checkpoint, "test", name, picture.name, reconstruct.recursions))
                if not rows:
                    found = [*reconstructions(reconstruct, self.task, picture, self.device)]
                    rows = [s for test, x in found for s in labels.image_scores(reconstruct, test, picture, x)]
                    if keep and number < PICTURES_KEPT:
                        stem = f"reconstructions/{name}/{called[picture.name]}"
                        self.folder.write(f"{stem}-original.png", png(picture.pixels))
                        self.folder.write(f"{stem}-{keep}.png", png(found[0][1]))
                    done.add(rows)
                scores += rows
        return scores

    def _traces(self, network: Unfolding, before: Sequence[Tested]) -> list[Trace]:
        """Of the first images of each set."""
        traces: list[Trace] = []
        for count in (None, *canonical(self.config).recursion.sweep):
            reconstruct = self.reconstructor(network, count)
            for name, pictures in self.tests.items():
                known = next(filter(None, (o.traces_of(name, reconstruct.recursions) for o in before)), [])
                first = pictures[:PICTURES_KEPT]
                traces += known or trace_images(reconstruct, self.task, first, name, self.device)
        return traces

    def _timings(self, network: Unfolding, records: Sequence[EpochRecord], where: str) -> list[Timing]:
        pictures = [p for group in self.tests.values() for p in group]
        rate = images_per_second(self.reconstructor(network), self.task, pictures, self.device)
        detail = f"{len(pictures)} test images; {where}"
        speed = Timing(name=SPEED, value=rate, unit="1/s", detail=detail)
        taken_over = of_training(self.folder.timings())
        if not records or taken_over:
            return [*taken_over, speed]
        seconds, steps = records[-1].seconds, records[-1].step
        evaluations = float(np.mean([r.stage_evaluations for r in records]))
        return [
            Timing(name="train_seconds", value=seconds, unit="s", detail=f"{steps} steps; {where}"),
            Timing(name="step_milliseconds", value=1000 * seconds / steps, unit="ms", detail=where),
            Timing(name="stage_evaluations_per_step", value=evaluations, unit="1", detail="mean, as drawn"),
            speed,
        ]


def _relabelled(scores: Sequence[Score], checkpoint: str) -> list[Score]:
    return [replace(score, checkpoint=checkpoint) for score in scores]
