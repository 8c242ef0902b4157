"""A search is checked when it is made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rdun.config import TrialConfig, UniformRange, with_values
from rdun.search import Choice, Constraint, Int, Objective, Real, Search, Values
from rdun.stopping import Asha, HyperBand, Median
from studies.search_beyond_sensing import ranges, recursive

GOOD: dict[str, Any] = {
    "title": "",
    "question": "",
    "method": "",
    "expectation": "",
    "scale": "",
    "base": TrialConfig(),
    "space": {"model.layers": Int(1, 3)},
}

TWO = (Objective("validation_psnr", "maximize"), Objective("parameters", "minimize"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a/b"}, "name='a/b'"),
        ({"sampler": "genetic"}, "sampler='genetic' is not known; choose one of random, tpe, gp, qmc, nsga2"),
        ({"trials": 0}, "trials=0"),
        ({"seed": -1}, "seed=-1"),
        ({"space": {}}, "name at least one parameter"),
        ({"space": {"model.layers": Int(3, 1)}}, "low=3, high=1"),
        ({"space": {"model.layers": Int(0, 1)}}, "impossible value in {'model.layers': 0}"),
        ({"space": {"model.layrs": Int(1, 2)}}, "model.layrs"),
        ({"space": {"optim.lr": Real(0.0, 1e-3, log=True)}}, "has no logarithm"),
        ({"space": {"optim.lr": Real(float("nan"), 1e-3)}}, "low=nan"),
        ({"space": {"model.layers": Choice(())}}, "name at least one"),
        ({"space": {"model.layers": Choice((1, 1))}}, "each once"),
        ({"objectives": ()}, "objectives=[] are not possible"),
        ({"objectives": (Objective("parameters", "minimize"),)}, "and one of validation_psnr"),
        ({"objectives": (Objective("test_psnr", "maximize"),)}, "objective 'test_psnr' is not known"),
        ({"objectives": (Objective("validation_psnr", "up"),)}, "direction='up'"),  # type: ignore[arg-type]
        ({"space": {"seed": Int(0, 3)}}, "the luckiest seed is no finding"),
        (
            {"stopping": Asha(), "objectives": TWO},
            "stopping needs validation_psnr or validation_ssim as its only objective",
        ),
        ({"stopping": Asha(grace=400)}, "stopping grace=400 is not possible in 400 epochs; use 1 to 399"),
        ({"stopping": Asha(reduction=1)}, "stopping reduction=1"),
        ({"stopping": HyperBand(brackets=9)}, "stopping brackets=9 is not possible in 400 epochs; use 1 to 6"),
        ({"stopping": HyperBand(brackets=7)}, "stopping brackets=7"),
        ({"stopping": Median(others=0)}, "stopping others=0"),
        (
            {"stopping": Asha(), "objectives": (Objective("validation_psnr", "minimize"),)},
            "objective validation_psnr is minimized; maximize it",
        ),
        ({"constraints": (Constraint("validation_psnr", 3),)}, "is not known before training"),
        ({"constraints": (Constraint("macs", float("inf")),)}, "at_most=inf"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        Search(**({"name": "good"} | GOOD | changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("epochs", "most"), [(242, 5), (243, 6), (244, 6)])
def test_the_last_bracket_may_decide_at_the_last_epoch(epochs: int, most: int) -> None:
    """Also where the logarithm of a power is a little too small."""
    HyperBand(1, 3, most).check(epochs)
    with pytest.raises(ValueError, match=f"use 1 to {most}, or another grace"):
        HyperBand(1, 3, most + 1).check(epochs)


def test_size_counts_the_settings() -> None:
    search = Search(name="good", **GOOD)
    assert search.size() == 3
    more: dict[str, Any] = {"model.layers": Int(1, 3), "model.channels": Choice((4, 8))}
    assert replace(search, space=more).size() == 6
    assert replace(search, space={"optim.lr": Real(1e-4, 1e-3)}).size() is None


def test_corners_reach_every_bound() -> None:
    space: dict[str, Any] = {"model.layers": Int(1, 3), "model.channels": Choice((4, 8, 16))}
    corners = list(replace(Search(name="good", **GOOD), space=space).corners())
    assert {"model.layers": 3, "model.channels": 16} in corners
    assert {c["model.channels"] for c in corners} == {4, 8, 16}
    assert {c["model.layers"] for c in corners} == {1, 3}


def low_and_high(base: TrialConfig, values: Values) -> TrialConfig:
    """Refused where low is above high."""
    train = UniformRange(low=(values["low"],), high=(values["high"],))
    return with_values(base, {"recursion.train": train, "optim.epochs": 10 * values["high"]})


def test_values_that_do_not_fit_together_may_be_in_the_space() -> None:
    """Its corners are the possible ones, and every bound stands in one of them."""
    good = Search(name="good", **GOOD)
    search = replace(good, space={"low": Int(1, 4), "high": Int(1, 4)}, build=low_and_high)
    assert {(c["low"], c["high"]) for c in search.corners()} == {(1, 1), (4, 4), (1, 4)}
    assert search.epochs() == 40
    ((values, why),) = search.unfit()
    assert values == {"low": 4, "high": 1} and "keep every low at or below high" in why
    assert not good.unfit()
    with pytest.raises(ValueError, match=r"impossible value in \{'low': 4\}, with any others: recursion low"):
        replace(search, space={"low": Int(1, 4), "high": Int(1, 3)})


def test_a_bound_that_fits_to_no_bound_of_the_others_is_found_a_partner() -> None:
    def build(base: TrialConfig, values: Values) -> TrialConfig:
        if values["kind"] == "b" and values["size"] != 2:
            raise ValueError("b has size 2")
        return with_values(base, {"model.layers": values["size"], "optim.epochs": 5 if values["kind"] == "b" else 7})

    space: dict[str, Any] = {"size": Int(1, 3), "kind": Choice(("a", "b", "c"))}
    search = replace(Search(name="good", **GOOD), space=space, build=build)
    corners = list(search.corners())
    assert {"size": 2, "kind": "b"} in corners and corners == list(search.corners())
    with pytest.raises(ValueError, match=r"impossible value in \{'kind': 'b'\}, with any others: b has size 2"):
        replace(search, space={"size": Choice((1, 3)), "kind": Choice(("a", "b"))})


def test_what_a_setting_does_not_depend_on_is_not_read() -> None:
    """The ranges of layers that a network does not have; and the start of the learning rate where it is constant."""
    space: dict[str, Any] = {"layers": Int(1, 3), "optim.lr": Real(1e-4, 1e-3), **ranges(3, 40)}
    search = Search(**({"name": "good"} | GOOD | {"space": space, "build": recursive}))
    values = {"layers": 2, "optim.lr": 1e-3} | dict.fromkeys(ranges(3, 40), 2)
    assert search.read(values) == ["layers", "optim.lr", "from_1", "to_1", "from_2", "to_2"]
    assert search.read(values | {"layers": 3}) == list(space)
    assert "from_3" not in search.read(values | {"from_3": 40, "to_3": 1})


def test_parameters_on_which_nothing_depends() -> None:
    """One that `build` forgets; those of one value, and those of a layer that not every network has, are none."""
    space: dict[str, Any] = {"layers": Int(1, 3), "optim.lr": Choice((1e-3,)), **ranges(3, 4), "width": Choice((4, 8))}
    search = Search(**({"name": "good"} | GOOD | {"space": space, "build": recursive}))
    assert search.unread() == ["width"]
    assert not replace(search, space={name: space[name] for name in space if name != "width"}).unread()


def test_build_returns_a_config() -> None:
    with pytest.raises(TypeError, match=r"build returned None for \{'model.layers': 1\}; return a TrialConfig"):
        Search(**({"name": "good"} | GOOD | {"build": lambda base, values: None}))


def test_numbers_between_whole_ones_are_not_whole() -> None:
    """Otherwise 4 and 8 would be settings, and nothing that is drawn between them."""
    with pytest.raises(ValueError, match=r"impossible value in \{'model.channels': 4.0\}.*should be a whole number"):
        Search(**({"name": "good"} | GOOD | {"space": {"model.channels": Real(4, 8)}}))
