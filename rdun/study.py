"""A study: a question, the arms that answer it, the seeds, and what is expected. Standard library only."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rdun.config import TrialConfig, Typed, canonical, conditions, last_name


@dataclass(frozen=True, kw_only=True)
class Arm(Typed):
    """One thing to be compared.

    Attributes:
        name: unique in the study.
        configs: one config, or several that join into one row (one network per sampling ratio, say). Their seed is replaced.
        factors: what distinguishes the arm, for tables and colours: {"system": "COAST", "variant": "recursive"}.
        compare_to: name of the arm it is paired with, seed by seed; None for a base.
        published: where this arm stands in the published tables (analysis/reference/*.csv): the table and values of its
            columns, such as {"table": "table1", "model": "COAST", "configuration": "base", "fraction": "1"}; empty if it
            was not published.
    """

    name: str
    configs: tuple[TrialConfig, ...]
    factors: Mapping[str, str] = field(default_factory=dict)
    compare_to: str | None = None
    published: Mapping[str, str] = field(default_factory=dict)

    @property
    def trained(self) -> bool:
        """Whether any of it is; else weights are tested as they are."""
        return any(config.optim.epochs for config in self.configs)

    def seeded(self, seed: int) -> tuple[TrialConfig, ...]:
        """The arm's trials for one seed of the study."""
        return tuple(replace(config, seed=seed) for config in self.configs)


METRICS = ("psnr", "ssim", "gap", "time")
"""What claims may be about."""
NO_TESTS = {"gap": "training and validation blocks", "time": "trainings"}
"""Those that are about no test, and what they are about instead."""


@dataclass(frozen=True, kw_only=True)
class Claim(Typed):
    """An expectation: the mean of metric(arm) - metric(versus) over seeds and test images is at least `at_least`.

    Attributes:
        metric: "psnr" (dB), "ssim", or "gap": the PSNR that an arm gains on its training blocks less what it gains on the
            validation blocks, in dB; the larger, the more it overfits; or "time": the part of the training time that the arm
            saves, 100 (1 - seconds(arm) / seconds(versus)) in %, in place of a difference. The last two have no test set and
            no single ratios.
        dataset: the test set that it is about, by the last name of its folder; None: every one, each with a verdict of its own.
        ratios: the sampling ratios that are averaged; empty: all that the arms are tested at.
        beyond: a second pair of arms whose difference is taken off, so that the claim is about the difference in differences
            metric(arm) - metric(versus) - (metric(beyond[0]) - metric(beyond[1])): "recursion gains more with few data".
        answers: whether it is what the study's question asks, so that it is the report's answer.
    """

    text: str
    arm: str
    versus: str
    metric: str = "psnr"
    at_least: float = 0.0
    dataset: str | None = None
    ratios: tuple[float, ...] = ()
    beyond: tuple[str, str] | None = None
    answers: bool = False

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """What is compared: one pair of arms, or two."""
        return ((self.arm, self.versus), *([self.beyond] if self.beyond else []))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.metric not in METRICS:
            raise ValueError(f"claim {self.text!r} has metric={self.metric!r}; choose one of {', '.join(METRICS)}")
        if self.metric in NO_TESTS and (self.dataset is not None or self.ratios):
            raise ValueError(
                f"claim {self.text!r} of metric={self.metric!r} is about {NO_TESTS[self.metric]}; leave out dataset and ratios"
            )
        if len(set(self.ratios)) < len(self.ratios):
            raise ValueError(f"claim {self.text!r} has ratios={self.ratios}; name each once")
        if not math.isfinite(self.at_least):
            raise ValueError(f"claim {self.text!r} has at_least={self.at_least}; use a finite difference, such as 0")


GPU_SHARE = 0.25
"""Part of a GPU that a trial takes where neither the study nor a measurement says."""


@dataclass(frozen=True)
class Price(Typed):
    """Of one GPU-hour, or core-hour where no GPU is used. There is no default: only the user knows it."""

    amount: float
    currency: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.amount < float("inf"):
            raise ValueError(f"price={self.amount} is not possible; use 0 or more")

    @staticmethod
    def parse(text: str) -> Price:
        """An amount with or without a currency: `2.5`, `2.5 EUR`, `2.5EUR`.

        Raises:
            ValueError: none of these.
        """
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([^\d\s.,-]\S{0,9})?\s*", text)
        if not found:
            raise ValueError(f"price={text!r} is not an amount with a currency; write for example '2.5 EUR'")
        return Price(float(found[1]), found[2] or "")

    def of(self, hours: float) -> str:
        """What hours cost, as text: "1,250.00 EUR"."""
        return f"{self.amount * hours:,.2f} {self.currency or '(in the currency of the price)'}"


@dataclass(frozen=True, kw_only=True)
class Resources(Typed):
    """What one trial takes.

    Attributes:
        threads: CPU cores and PyTorch threads; recorded, and kept by a resume.
        gpus: GPUs or a fraction of one; None: by the memory that the training is known to take, a quarter where that is not
            known; none where the cluster has no GPU.
        recompute: train with the memory of one stage application instead of all, for a third more time; same results.
        retries: restarts from the checkpoint after a crash or a lost node. Diverged training is not retried.
        budget: GPU-hours (core-hours where no GPU is used) that the plan's estimate of what is left may not exceed, and at which
            a run ends.
        price: of one such hour.
    """

    threads: int = 1
    gpus: float | None = None
    recompute: bool = False
    retries: int = 2
    budget: float | None = None
    price: Price | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.threads < 1:
            raise ValueError(f"resources.threads={self.threads} is not possible; use at least 1")
        if self.gpus is not None and not (0 <= self.gpus <= 1 or (self.gpus > 1 and float(self.gpus).is_integer())):
            raise ValueError(f"resources.gpus={self.gpus} is not possible; use a fraction up to 1, or whole GPUs")
        if self.retries < 0:
            raise ValueError(f"resources.retries={self.retries} is not possible; use 0 or more")
        if self.budget is not None and not 0 < self.budget < float("inf"):
            raise ValueError(f"resources.budget={self.budget} is not possible; use a positive number of hours, or none")

    def gpu_share(self, gpus: float) -> float:
        """GPUs that a trial takes where there are this many and nothing is known of it."""
        return self.gpus if self.gpus is not None else GPU_SHARE if gpus else 0.0


@dataclass(frozen=True, kw_only=True)
class Study(Typed):
    """A question with its arms and seeds; checked when it is made.

    Attributes:
        name: of a-z, A-Z, 0-9, "-" and "_"; names the folder and the tracker's parent run.
        question, method, expectation, scale: sentences for the report; `scale` says how small or large the study is.
        as_published: whether the arms are trained and tested as in the publication, so that its values may be set beside theirs.

    Raises:
        ValueError: duplicate or unknown names, equal arms, no seeds, or several for a comparison that they do not change.
    """

    name: str
    title: str
    question: str
    method: str
    expectation: str
    scale: str
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    claims: tuple[Claim, ...] = ()
    resources: Resources = Resources()
    as_published: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("study", self.name)
        if not self.arms:
            raise ValueError(f"study {self.name!r} has no arms; give at least one")
        check_trial_seeds("study", self.seeds)
        _check_names(self.arms)
        _check_comparisons(self.arms)
        _check_distinct(self.arms)
        _check_claims(self.arms, self.claims)
        _check_chance(self)

    def cells(self) -> Iterator[tuple[Arm, int, tuple[TrialConfig, ...]]]:
        """Every (arm, seed) cell with its trials; seeds outermost, so that a cut-off study has whole seeds."""
        for seed in self.seeds:
            for arm in self.arms:
                yield arm, seed, arm.seeded(seed)


def check_name(what: str, name: str) -> None:
    """Raises ValueError for a name that cannot be that of a folder everywhere."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise ValueError(
            f"{what} name={name!r} is not possible; use up to 64 of a-z, A-Z, 0-9, '-' and '_', the first a letter or digit"
        )


def check_trial_seeds(what: str, seeds: tuple[int, ...]) -> None:
    """Raises ValueError for seeds with which nothing could be trained."""
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise ValueError(f"{what} seeds={seeds} are not possible; name at least one, each once, 0 or more")


def _check_names(arms: Sequence[Arm]) -> None:
    seen: set[str] = set()
    for arm in arms:
        if not arm.name or arm.name in seen:
            raise ValueError(f"arm name={arm.name!r} is empty or used twice; give every arm a name of its own")
        if not arm.configs:
            raise ValueError(f"arm {arm.name!r} has no configs; give at least one")
        seen.add(arm.name)


def _check_comparisons(arms: Sequence[Arm]) -> None:
    by_name = {arm.name: arm for arm in arms}
    for arm in arms:
        if arm.compare_to is None:
            continue
        if arm.compare_to not in by_name or arm.compare_to == arm.name:
            known = ", ".join(name for name in by_name if name != arm.name)
            raise ValueError(f"arm {arm.name!r} has compare_to={arm.compare_to!r}; name one of {known}, or None")
        _check_fair(arm, by_name[arm.compare_to])


def _check_claims(arms: Sequence[Arm], claims: Sequence[Claim]) -> None:
    by_name = {arm.name: arm for arm in arms}
    for claim in claims:
        for name in (name for pair in claim.pairs for name in pair):
            if name not in by_name:
                raise ValueError(f"claim {claim.text!r} names arm {name!r}; the arms are {', '.join(sorted(by_name))}")
        for arm, versus in claim.pairs:
            if arm == versus:
                raise ValueError(f"claim {claim.text!r} compares arm {arm!r} with itself; name two arms")
        if claim.beyond and set(claim.beyond) == {claim.arm, claim.versus}:
            raise ValueError(
                f"claim {claim.text!r} has beyond={claim.beyond}, its own arms; name another pair, or None"
            )
        try:
            for name in dict.fromkeys(name for pair in claim.pairs for name in pair if name != claim.arm):
                _check_fair(by_name[claim.arm], by_name[name])
        except ValueError as error:
            raise ValueError(f"claim {claim.text!r}: {error}") from None
        _check_tested(claim, by_name[claim.arm])
        untrained = [name for pair in claim.pairs for name in pair if not by_name[name].trained]
        if claim.metric in NO_TESTS and untrained:
            raise ValueError(
                f"claim {claim.text!r} of metric={claim.metric!r} is about {NO_TESTS[claim.metric]}, but arm {untrained[0]!r} is "
                "only tested (optim.epochs=0); use psnr or ssim, or other arms"
            )


def _check_tested(claim: Claim, arm: Arm) -> None:
    """What the claim is about is tested, by its arm and so by the other one, which is tested alike."""
    sets = dict.fromkeys(last_name(name) for config in arm.configs for name in config.data.test)
    if claim.dataset is not None and claim.dataset not in sets:
        raise ValueError(
            f"claim {claim.text!r} has dataset={claim.dataset!r}; its arms are tested on {', '.join(sets)}: name one of these, "
            "or None for all"
        )
    ratios = sorted(_conditions(arm))
    if unknown := [ratio for ratio in claim.ratios if ratio not in ratios]:
        raise ValueError(
            f"claim {claim.text!r} has ratios={claim.ratios}; its arms are not tested at {', '.join(map(str, unknown))}: name "
            f"some of {', '.join(map(str, ratios))}, or none for all"
        )


def _check_fair(arm: Arm, base: Arm) -> None:
    """Arms that are compared are tested on the same images, with the same measurements, by the same protocol."""
    ours, theirs = _conditions(arm), _conditions(base)
    if set(ours) != set(theirs):
        raise ValueError(
            f"arm {arm.name!r} has task.ratios {sorted(ours)}, arm {base.name!r} {sorted(theirs)}; "
            "give arms that are compared the same ratios"
        )
    for ratio, found in ours.items():
        wanted = theirs[ratio]
        for name in dict.fromkeys([*wanted, *found]):
            if found.get(name) != wanted.get(name):
                raise ValueError(
                    f"arm {arm.name!r} is tested with {name}={found.get(name)!r}, arm {base.name!r} with "
                    f"{wanted.get(name)!r}; give arms that are compared the same value, or do not compare them"
                )


def _conditions(arm: Arm) -> dict[float, dict[str, object]]:
    return {ratio: found for config in arm.configs for ratio, found in conditions(config).items()}


def _check_chance(study: Study) -> None:
    """Weights that are only tested score the same whatever the seed: several would pass one difference off as a sure one."""
    tested = {arm.name for arm in study.arms if not arm.trained}
    pairs = [(arm.name, arm.compare_to) for arm in study.arms] + [p for c in study.claims for p in c.pairs]
    for arm, base in pairs:
        if len(study.seeds) > 1 and {arm, base} <= tested:
            raise ValueError(
                f"study seeds={study.seeds} are not possible: arms {arm!r} and {base!r} are only tested (optim.epochs=0), and "
                "each seed would count the same difference again; use one, such as seeds=(0,)"
            )


def _check_distinct(arms: Sequence[Arm]) -> None:
    seen: dict[tuple[TrialConfig, ...], str] = {}
    for arm in arms:
        key = tuple(canonical(replace(config, seed=0)) for config in arm.configs)
        if key in seen:
            raise ValueError(
                f"arm {arm.name!r} is the same training as arm {seen[key]!r} (equal configs in normal form); "
                "change a field that has an effect, or drop one of them"
            )
        seen[key] = arm.name
