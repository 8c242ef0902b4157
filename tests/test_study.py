from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rdun.config import (
    CoastConfig,
    DenoisingTask,
    Fixed,
    InpaintingTask,
    RecursionConfig,
    TrialConfig,
    UniformRange,
    with_values,
)
from rdun.study import Arm, Claim, Price, Resources, Study

BASE = TrialConfig(model=CoastConfig(layers=4))
RECURSIVE = TrialConfig(model=CoastConfig(layers=2), recursion=RecursionConfig(train=Fixed(counts=(2,))))


def make(arms: tuple[Arm, ...], **changes: object) -> Study:
    study = Study(name="s", title="", question="", method="", expectation="", scale="", arms=arms)
    return replace(study, **changes)  # type: ignore[arg-type]


PAIR = (Arm(name="base", configs=(BASE,)), Arm(name="recursive", configs=(RECURSIVE,), compare_to="base"))


def test_cells_replace_the_seed_and_go_seed_by_seed() -> None:
    cells = [(arm.name, seed, configs[0].seed) for arm, seed, configs in make(PAIR, seeds=(3, 5)).cells()]
    assert cells == [("base", 3, 3), ("recursive", 3, 3), ("base", 5, 5), ("recursive", 5, 5)]


def test_equal_arms_are_refused_in_normal_form() -> None:
    same = replace(RECURSIVE, recursion=RecursionConfig(train=UniformRange(low=(2,), high=(2, 2))), seed=9)
    with pytest.raises(ValueError, match="'twin' is the same training as arm 'recursive'"):
        make((*PAIR, Arm(name="twin", configs=(same,))))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.deblock": False}, "model.deblock=False, arm 'base' with True"),
        ({"task.rows": "ista-net"}, "task.rows='ista-net'"),
        ({"task.test_matrices": "seen"}, "task.test_matrices='seen'"),
        ({"task.test_matrix_seeds": (0, 1)}, r"task.test_matrix_seeds=\(0, 1\)"),
        ({"task.block": 11}, "task.block=11"),
        ({"task.ratios": (0.1,)}, r"task.ratios \[0.1\]"),
        ({"task": InpaintingTask(ratios=BASE.task.ratios)}, "task.kind='inpainting'"),
    ],
)
def test_arms_that_are_compared_are_tested_alike(changes: dict[str, Any], message: str) -> None:
    other = Arm(name="other", configs=(with_values(RECURSIVE, changes),), compare_to="base")
    with pytest.raises(ValueError, match=message):
        make((PAIR[0], other))
    assert len(make((PAIR[0], replace(other, compare_to=None))).arms) == 2


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        (InpaintingTask(), {"task.test_mask_seeds": (0, 1)}, r"task.test_mask_seeds=\(0, 1\)"),
        (DenoisingTask(), {"task.sigma": 50.0}, "task.sigma=50.0"),
        (DenoisingTask(), {"task.test_noise_seeds": (0, 1)}, r"task.test_noise_seeds=\(0, 1\)"),
    ],
)
def test_arms_of_other_tasks_are_tested_alike_too(
    task: InpaintingTask | DenoisingTask, changes: dict[str, Any], message: str
) -> None:
    base, other = (replace(config, task=task) for config in (BASE, RECURSIVE))
    with pytest.raises(ValueError, match=message):
        make(
            (
                Arm(name="base", configs=(base,)),
                Arm(name="other", configs=(with_values(other, changes),), compare_to="base"),
            )
        )


def test_training_may_differ_between_arms() -> None:
    """Training matrices, ridge and initial estimate are part of what is compared, not of how it is tested."""
    changes = {"task.matrices": 3, "task.matrix_seed": 5, "task.initial": "linear"}
    make((PAIR[0], Arm(name="other", configs=(with_values(RECURSIVE, changes),), compare_to="base")))


def test_a_network_per_ratio_compares_with_one_for_all() -> None:
    ratios = BASE.task.ratios
    single = tuple(with_values(RECURSIVE, {"task.ratios": (r,)}) for r in ratios)
    make((PAIR[0], Arm(name="per ratio", configs=single, compare_to="base")))


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ((), "has no arms"),
        ((PAIR[0], PAIR[0]), "'base' is empty or used twice"),
        ((replace(PAIR[1], compare_to="bass"),), "compare_to='bass'"),
        ((replace(PAIR[0], compare_to="base"),), "compare_to='base'"),
        ((replace(PAIR[0], configs=()),), "no configs"),
        (
            (
                PAIR[0],
                Arm(name="b", configs=(replace(RECURSIVE, data=replace(BASE.data, test=("x",))),), compare_to="base"),
            ),
            "is tested with data.test=",
        ),
    ],
)
def test_bad_arms(arms: tuple[Arm, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(arms)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a/b"}, "name='a/b'"),
        ({"seeds": ()}, r"seeds=\(\)"),
        ({"seeds": (1, 1)}, r"seeds=\(1, 1\)"),
        ({"seeds": (-1,)}, r"seeds=\(-1,\)"),
        ({"claims": (Claim(text="t", arm="base", versus="nobody"),)}, "names arm 'nobody'"),
        ({"claims": (Claim(text="t", arm="base", versus="base"),)}, "compares arm 'base' with itself; name two arms"),
        (
            {"claims": (Claim(text="t", arm="recursive", versus="base", beyond=("recursive", "nobody")),)},
            "names arm 'nobody'",
        ),
        (
            {"claims": (Claim(text="t", arm="recursive", versus="base", beyond=("base", "base")),)},
            "compares arm 'base' with itself",
        ),
        (
            {"claims": (Claim(text="t", arm="recursive", versus="base", beyond=("base", "recursive")),)},
            r"beyond=\('base', 'recursive'\), its own arms; name another pair, or None",
        ),
    ],
)
def test_bad_studies(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(PAIR, **changes)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("threads", 0),
        ("retries", -1),
        *(("gpus", v) for v in (1.5, -0.1, -1, NAN, INF)),
        *(("budget", v) for v in (0, NAN, INF)),
    ],
)
def test_bad_resources(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"resources.{field}={value} is not possible; use"):
        Resources(**{field: value})


def test_a_price_is_an_amount_with_a_currency() -> None:
    assert Price.parse("2.5") == Price(2.5)
    assert Price.parse("2.5 EUR") == Price.parse("2.5EUR") == Price(2.5, "EUR")
    assert Price(2.5, "EUR").of(500) == "1,250.00 EUR"
    assert "currency of the price" in Price(1).of(1)
    for bad in ("EUR", "-1 EUR", "1,5 EUR", "1 2", "nan"):
        with pytest.raises(ValueError, match=r"price=.* write for example '2.5 EUR'"):
            Price.parse(bad)


def test_a_claim_compares_what_is_tested_alike() -> None:
    arms = tuple(Arm(name=f"{r}", configs=(with_values(BASE, {"task.ratios": (r,)}),)) for r in (0.1, 0.25))
    with pytest.raises(
        ValueError, match=r"claim 'better': arm '0\.25' has task\.ratios \[0\.25\], arm '0\.1' \[0\.1\]"
    ):
        make(arms, claims=(Claim(text="better", arm="0.25", versus="0.1"),))
    wider = tuple(replace(arm, name=f"{arm.name}, 3", configs=_of_three_layers(arm)) for arm in arms)
    with pytest.raises(
        ValueError, match=r"claim 'more': arm '0\.25' has task\.ratios \[0\.25\], arm '0\.1, 3' \[0\.1\]"
    ):
        make((*arms, *wider), claims=(Claim(text="more", arm="0.25", versus="0.25, 3", beyond=("0.1, 3", "0.1")),))


def _of_three_layers(arm: Arm) -> tuple[TrialConfig, ...]:
    changes = {"model.layers": 3, "recursion.train": Fixed(counts=(1,))}
    return tuple(with_values(config, changes) for config in arm.configs)


@pytest.mark.parametrize("bound", [NAN, INF])
def test_a_claim_has_a_finite_bound(bound: float) -> None:
    with pytest.raises(ValueError, match=rf"claim 'better' has at_least={bound}; use a finite difference"):
        Claim(text="better", arm="recursive", versus="base", at_least=bound)


def test_a_claim_names_a_metric_that_there_is() -> None:
    with pytest.raises(ValueError, match=r"claim 'better' has metric='pnsr'; choose one of psnr, ssim, gap, time"):
        Claim(text="better", arm="recursive", versus="base", metric="pnsr")


TWO_RATIOS = tuple(
    Arm(
        name=name,
        configs=(with_values(config, {"task.ratios": (0.1, 0.25), "data.test": ("set11", "shots/night/")}),),
    )
    for name, config in (("base", BASE), ("recursive", RECURSIVE))
)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (
            {"dataset": "bsd68"},
            r"claim 'c' has dataset='bsd68'; its arms are tested on set11, night: name one of these",
        ),
        ({"ratios": (0.1, 0.5)}, r"claim 'c' has ratios=\(0.1, 0.5\); .* not tested at 0.5: name some of 0.1, 0.25"),
        (
            {"metric": "gap", "dataset": "set11"},
            "claim 'c' of metric='gap' is about training and validation blocks; leave out",
        ),
        (
            {"metric": "gap", "ratios": (0.1,)},
            "claim 'c' of metric='gap' is about training and validation blocks; leave out",
        ),
        (
            {"metric": "time", "dataset": "set11"},
            "claim 'c' of metric='time' is about trainings; leave out",
        ),
        ({"ratios": (0.1, 0.1)}, r"claim 'c' has ratios=\(0.1, 0.1\); name each once"),
    ],
)
def test_a_claim_is_about_what_is_tested(about: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(TWO_RATIOS, claims=(Claim(text="c", arm="recursive", versus="base", **about),))


def test_a_claim_may_name_a_set_by_its_folder_and_some_ratios() -> None:
    claims = (Claim(text="c", arm="recursive", versus="base", dataset="night", ratios=(0.25,)),)
    assert make(TWO_RATIOS, claims=claims).claims == claims


def test_weights_that_are_only_tested_have_no_seeds() -> None:
    """Two files of weights were compared over three seeds: the same difference three times, and p below 0.001."""
    one, other = (with_values(BASE, {"optim.epochs": 0, "weights": name}) for name in ("one", "other"))
    tested = Arm(name="one", configs=(one,)), Arm(name="other", configs=(other,), compare_to="one")
    with pytest.raises(
        ValueError, match=r"seeds=\(0, 1, 2\).*arms 'other' and 'one' are only tested.*such as seeds=\(0,\)"
    ):
        make(tested)
    make(tested[:1])
    alone = tuple(replace(arm, compare_to=None) for arm in tested)
    claim = Claim(text="", arm="one", versus="other")
    with pytest.raises(ValueError, match="arms 'one' and 'other' are only tested"):
        replace(make(alone), claims=(claim,))
    one_seed = Study(name="s", title="", question="", method="", expectation="", scale="", arms=tested, seeds=(4,))
    assert replace(one_seed, claims=(claim,)).seeds == (4,)
    trained = Arm(name="base", configs=(BASE,))
    make((trained, replace(tested[0], compare_to="base")))  # the other one differs from seed to seed


def test_a_claim_about_trainings_is_of_arms_that_are_trained() -> None:
    tested = Arm(name="tested", configs=(with_values(BASE, {"optim.epochs": 0, "weights": "one"}),), compare_to="base")
    for metric in ("gap", "time"):
        claim = Claim(text="c", arm="tested", versus="base", metric=metric)
        with pytest.raises(ValueError, match=f"metric='{metric}' is about .*arm 'tested' is only tested"):
            make((PAIR[0], tested), claims=(claim,))
