"""The TrialConfig tree: frozen, keyword-only dataclasses that describe one training run completely.

Every class checks its own values when it is made; a ValueError names the field, the value and the remedy.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from rdun.config.checks import Typed, check
from rdun.config.models import CoastConfig, ModelConfig
from rdun.config.tasks import BlockSensingTask, TaskConfig

Precision = Literal["auto", "fp32", "tf32", "bf16", "fp16"]
Condition = Literal["ratio", "total", "current"]
Start = Literal["default", "identity"]


MOST_RECURSIONS = 10_000  # of a layer; DPDNN has a pair of parameters for each


def _check_counts(name: str, counts: Sequence[int]) -> None:
    ok = len(counts) > 0 and all(1 <= count <= MOST_RECURSIONS for count in counts)
    check(ok, name, counts, f"give one count of at least 1 and at most {MOST_RECURSIONS:,} per layer")


@dataclass(frozen=True, kw_only=True)
class Fixed(Typed):
    """The same recursion counts in every batch: one per layer, or a single one for all layers."""

    kind: ClassVar[str] = "fixed"
    counts: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_counts("recursion counts", self.counts)


@dataclass(frozen=True, kw_only=True)
class UniformRange(Typed):
    """Counts drawn per batch and layer, independently and uniformly from {low, ..., high}; one pair per layer or for all."""

    kind: ClassVar[str] = "uniform_range"
    low: tuple[int, ...] = (1,)
    high: tuple[int, ...] = (4,)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_counts("recursion low", self.low)
        _check_counts("recursion high", self.high)
        same = len(self.low) == len(self.high) or 1 in (len(self.low), len(self.high))
        check(same, "recursion low", self.low, f"give as many values as high={self.high}, or one for all layers")
        longest = max(len(self.low), len(self.high))
        pairs = zip(broadcast(self.low, longest), broadcast(self.high, longest), strict=True)
        check(all(a <= b for a, b in pairs), "recursion low", self.low, f"keep every low at or below high={self.high}")


Schedule = Fixed | UniformRange


def lowest(schedule: Schedule) -> tuple[int, ...]:
    """Counts that a curriculum starts from: those of `low`, or 1."""
    return (1,) * len(schedule.counts) if isinstance(schedule, Fixed) else schedule.low


def highest(schedule: Schedule) -> tuple[int, ...]:
    """The highest counts of a schedule."""
    return schedule.counts if isinstance(schedule, Fixed) else schedule.high


@dataclass(frozen=True, kw_only=True)
class NoModulation(Typed):
    """Features are not scaled."""

    kind: ClassVar[str] = "none"


@dataclass(frozen=True, kw_only=True)
class RatioScale(Typed):
    """COAST's own modulation: channel scales that are an affine function of the sampling ratio. `start` as in `Rfmu`."""

    kind: ClassVar[str] = "ratio"
    start: Start = "default"


@dataclass(frozen=True, kw_only=True)
class Rfmu(Typed):
    """Recursion feature modulation unit: scales from a two-layer perceptron.

    Attributes:
        inputs: any of "ratio" (2 M/N), "total" (T/T_max), "current" (t/T_max).
        start: "default": the framework's initialisation, as the authors'. "identity": all scales start at one.
        beyond: what a pass longer than any of training is told: its T/T_max and t/T_max as they are ("extrapolate", as the
            authors'), or at most 1 ("clamp").
    """

    kind: ClassVar[str] = "rfmu"
    inputs: tuple[Condition, ...] = ("ratio", "total", "current")
    start: Start = "default"
    beyond: Literal["extrapolate", "clamp"] = "extrapolate"

    def __post_init__(self) -> None:
        super().__post_init__()
        check(
            len(self.inputs) > 0, "recursion.modulation.inputs", self.inputs, 'name some of "ratio", "total", "current"'
        )
        check(len(set(self.inputs)) == len(self.inputs), "recursion.modulation.inputs", self.inputs, "name each once")


ModulationConfig = NoModulation | RatioScale | Rfmu


@dataclass(frozen=True, kw_only=True)
class RecursionConfig(Typed):
    """How often each stage is applied, and what tells it so.

    Attributes:
        train: the schedule of training.
        test: counts of validation and test; None: the highest counts of `train`.
        modulation: scales of the features, computed once per forward pass.
        sweep: recursions per layer, the same in all layers, that the finished network is tested with besides `test`.
        curriculum: part of training over which the highest count of each layer rises, in equal times, from the lowest of
            `train` (`Fixed`: from 1) to its own; 0: all counts from the start.
    """

    train: Schedule = field(default_factory=Fixed)
    test: Fixed | None = None
    modulation: ModulationConfig = field(default_factory=NoModulation)
    sweep: tuple[int, ...] = ()
    curriculum: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        ok = 0 <= self.curriculum <= 1
        check(ok, "recursion.curriculum", self.curriculum, "a part of training lies in [0, 1]: write 30 % as 0.3")
        ok = all(1 <= count <= MOST_RECURSIONS for count in self.sweep) and len(set(self.sweep)) == len(self.sweep)
        check(
            ok, "recursion.sweep", self.sweep, f"give counts of at least 1 and at most {MOST_RECURSIONS:,}, each once"
        )


@dataclass(frozen=True, kw_only=True)
class DataConfig(Typed):
    """Images and the training blocks cut from them.

    Attributes:
        train, validation, test: names of the registry, or folders of images.
        validation_ratios: those of the task's ratios that validation, and so the choice of the best epoch, looks at; empty: all.
        stride: step in pixels between training blocks.
        augment: use the 8 rotations and reflections of each training image.
        fraction: part of the training blocks that is used, a prefix of one seeded order: 3 % lies inside 10 %.
        subset_seed: seed of that order.
        epoch_samples: blocks drawn per epoch, the subset being repeated as needed; None: as many as the whole set has, so that
            a smaller subset takes as many optimizer steps.
    """

    train: str = "t91"
    validation: str = "set11"
    test: tuple[str, ...] = ("bsd68",)
    validation_ratios: tuple[float, ...] = ()
    stride: int = 20
    augment: bool = True
    fraction: float = 1.0
    subset_seed: int = 0
    epoch_samples: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("train", "validation"):
            check(bool(getattr(self, name)), f"data.{name}", getattr(self, name), "name a data set or a folder")
        check(len(self.test) > 0 and all(self.test), "data.test", self.test, "name at least one data set or folder")
        names = [last_name(name) for name in self.test]  # what scores and files are called after
        ok = len(set(names)) == len(names)
        check(ok, "data.test", self.test, "give every folder a last name of its own, and each set once")
        ok = len(set(self.validation_ratios)) == len(self.validation_ratios)
        check(ok, "data.validation_ratios", self.validation_ratios, "name each ratio once")
        check(self.stride >= 1, "data.stride", self.stride, "use at least 1 pixel")
        check(0 < self.fraction <= 1, "data.fraction", self.fraction, "a fraction lies in (0, 1]: write 3 % as 0.03")
        check(self.subset_seed >= 0, "data.subset_seed", self.subset_seed, "use 0 or more")
        ok = self.epoch_samples is None or self.epoch_samples >= 1
        check(ok, "data.epoch_samples", self.epoch_samples, "use at least 1, or none for the whole set")


@dataclass(frozen=True, kw_only=True)
class OptimConfig(Typed):
    """Adam (betas 0.9, 0.999, no weight decay) and its learning rate.

    Attributes:
        lr: peak learning rate.
        batch: blocks per mini-batch.
        epochs: passes of `data.epoch_samples` blocks; 0: no training, the weights of `weights` are tested as they are.
        decay: "constant" (the papers), or "cosine" from `lr` to zero over the steps after the warm-up.
        warmup: steps of linear rise to `lr`; no more than the training has.
        ema: decay of an exponential moving average of the weights, a <- ema a + (1 - ema) w after each step from the first one's
            weights; validated, chosen and tested is the average. 0: the weights themselves.
        deep_supervision: weight of the mean squared error of the estimates before the last one, averaged over them, in the loss.
        clip: largest Euclidean norm of the gradient of all parameters together, g <- g min(1, clip / |g|) before each step; one
            batch on which a recursion amplifies its errors then does not spoil Adam's averages for thousands of steps. 0: none.
    """

    lr: float = 1e-4
    batch: int = 64
    epochs: int = 400
    decay: Literal["constant", "cosine"] = "constant"
    warmup: int = 0
    ema: float = 0.0
    deep_supervision: float = 0.0
    clip: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.lr < float("inf"), "optim.lr", self.lr, "use a positive learning rate (the papers: 1e-4)")
        check(self.batch >= 1, "optim.batch", self.batch, "use at least 1")
        check(self.epochs >= 0, "optim.epochs", self.epochs, "use at least 1, or 0 to test weights as they are")
        check(self.warmup >= 0, "optim.warmup", self.warmup, "use 0 or more steps")
        check(0 <= self.ema < 1, "optim.ema", self.ema, "a decay lies in [0, 1), such as 0.999; 0 for none")
        ok = 0 <= self.deep_supervision < float("inf")
        check(ok, "optim.deep_supervision", self.deep_supervision, "use 0 or a positive weight")
        check(0 <= self.clip < float("inf"), "optim.clip", self.clip, "use 0 for none, or a positive norm, such as 0.1")


@dataclass(frozen=True, kw_only=True)
class TrialConfig(Typed):
    """One training run: what is measured, which network recovers it, from which images, how it is optimised.

    Attributes:
        precision: arithmetic of the CNN in training (measurements and evaluation stay fp32); "auto" is resolved by the plan.
            "tf32", 10 bits of mantissa in convolutions, exists on GPUs only.
        seed: seed of initialisation, batch order, matrix draws and recursion draws, each through a stream of its own.
        weights: file that training starts from, a path or a name in $RDUN_DATA/weights: published weights, or ours as
            safetensors. None: the seed's initialisation. Where they are tested as they are and have an RFMU, `recursion.train`
            says how they were trained, too: it is told parts of the longest pass of training.
    """

    task: TaskConfig = field(default_factory=BlockSensingTask)
    model: ModelConfig = field(default_factory=CoastConfig)
    recursion: RecursionConfig = field(default_factory=RecursionConfig)
    data: DataConfig = field(default_factory=DataConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    precision: Precision = "auto"
    seed: int = 0
    weights: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.seed >= 0, "seed", self.seed, "use 0 or more")
        check(self.weights != "", "weights", self.weights, "name a file, or none")
        trained = self.optim.epochs > 0 or self.weights is not None
        check(trained, "optim.epochs", self.optim.epochs, "use at least 1 epoch, or name the weights to be tested")
        unknown = [ratio for ratio in self.data.validation_ratios if ratio not in self.task.ratios]
        check(
            not unknown,
            "data.validation_ratios",
            unknown,
            f"choose among task.ratios={self.task.ratios}, or none for all",
        )
        train, test = self.recursion.train, self.recursion.test
        named = {"recursion.test.counts": test.counts} if test else {}
        if isinstance(train, Fixed):
            named["recursion.train.counts"] = train.counts
        else:
            named |= {"recursion.train.low": train.low, "recursion.train.high": train.high}
        for name, counts in named.items():
            ok = len(counts) in (1, self.model.layers)
            check(ok, name, counts, f"give 1 value, or one for each of model.layers={self.model.layers}")
        self._check_sweep()

    def _check_sweep(self) -> None:
        """Scores tell counts apart by their sum, the applications of stages in all."""
        own, layers = self.test_counts, self.model.layers
        for count in self.recursion.sweep:
            told_apart = count * layers != sum(own) or set(own) == {count}
            remedy = (
                f"leave it out: the test counts {own} also apply {sum(own)} stages, and scores are told apart by that"
            )
            check(told_apart, "recursion.sweep", count, remedy)

    def resolved(self, precision: Precision) -> TrialConfig:
        """With this precision, where it says "auto"."""
        return replace(self, precision=precision) if self.precision == "auto" else self

    @property
    def high_counts(self) -> tuple[int, ...]:
        """Highest recursion count of each layer in training."""
        return broadcast(highest(self.recursion.train), self.model.layers)

    @property
    def test_counts(self) -> tuple[int, ...]:
        """Recursion count of each layer in validation and test."""
        test = self.recursion.test
        return broadcast(test.counts, self.model.layers) if test else self.high_counts


def broadcast(counts: tuple[int, ...], layers: int) -> tuple[int, ...]:
    """One count per layer: a single value is repeated `layers` times."""
    return counts * layers if len(counts) == 1 else counts


def last_name(folder: str) -> str:
    """What a data set is called in scores: the last part of its path, "photos" for "2024/photos/". A link keeps its own name."""
    return os.path.basename(os.path.abspath(folder))
