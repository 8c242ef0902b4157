"""Values of wrong types in a user's file are refused by name before anything computes with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rdun.config import BlockSensingTask, CoastConfig, DataConfig, Fixed, OptimConfig, RecursionConfig, TrialConfig
from rdun.search import Choice, Int, Search
from rdun.study import Arm, Resources, Study

TEXTS: dict[str, Any] = {"name": "s", "title": "", "question": "", "method": "", "expectation": "", "scale": ""}
SEARCH: dict[str, Any] = TEXTS | {"base": TrialConfig(), "space": {"model.layers": Int(1, 2)}}
ARM = Arm(name="a", configs=(TrialConfig(),))


@pytest.mark.parametrize(
    ("make", "values", "message"),
    [
        (CoastConfig, {"layers": "2"}, "CoastConfig.layers='2' should be a whole number"),
        (CoastConfig, {"layers": 2.0}, "CoastConfig.layers=2.0 should be a whole number"),
        (CoastConfig, {"layers": np.int64(2)}, "CoastConfig.layers=np.int64(2) should be a whole number"),
        (CoastConfig, {"deblock": 1}, "CoastConfig.deblock=1 should be true or false"),
        (OptimConfig, {"epochs": True}, "OptimConfig.epochs=True should be a whole number"),
        (OptimConfig, {"lr": "1e-3"}, "OptimConfig.lr='1e-3' should be a number"),
        (DataConfig, {"train": Path("a")}, "DataConfig.train=PosixPath('a') should be text"),
        (DataConfig, {"test": "a"}, "DataConfig.test='a' should be a tuple, each item text; write ('a',)"),
        (DataConfig, {"epoch_samples": 1.5}, "DataConfig.epoch_samples=1.5 should be a whole number or None"),
        (Fixed, {"counts": [1, 2]}, "Fixed.counts=[1, 2] should be a tuple, each item a whole number; write (1, 2)"),
        (RecursionConfig, {"train": 4}, "RecursionConfig.train=4 should be Fixed or UniformRange"),
        (BlockSensingTask, {"ratios": 0.1}, "BlockSensingTask.ratios=0.1 should be a tuple, each item a number"),
        (Resources, {"threads": 1.5}, "Resources.threads=1.5 should be a whole number"),
        (Arm, {"name": "a", "configs": TrialConfig()}, "Arm.configs=TrialConfig("),
        (Arm, {"name": "a", "configs": (), "factors": {"a": 1}}, "each key text, each value text"),
        (Study, TEXTS | {"arms": (ARM,), "seeds": range(2)}, "Study.seeds=range(0, 2) should be a tuple"),
        (Study, TEXTS | {"arms": (ARM,), "seeds": (0, np.int64(1))}, "Study.seeds=(0, np.int64(1)) should be"),
        (Study, TEXTS | {"arms": (ARM,), "title": None}, "Study.title=None should be text"),
        (Int, {"low": 1, "high": 2.5}, "Int.high=2.5 should be a whole number"),
        (Choice, {"options": [1, 2]}, "Choice.options=[1, 2] should be a tuple"),
        (Search, SEARCH | {"space": {"model.layers": (1, 2)}}, "Search.space={'model.layers': (1, 2)} should be"),
        (Search, SEARCH | {"build": "mine"}, "Search.build='mine' should be a function or None"),
        (Search, SEARCH | {"seeds": 3}, "Search.seeds=3 should be a tuple, each item a whole number; write (3,)"),
    ],
)
def test_the_message_names_field_value_and_type(make: Callable[..., Any], values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        make(**values)
    assert message in str(refused.value)
    assert len(str(refused.value)) < 250


def test_whole_numbers_and_numpys_numbers_are_numbers() -> None:
    assert OptimConfig(lr=1).lr == 1
    assert BlockSensingTask(ratios=(np.float64(0.25), 1)).ratios == (0.25, 1)
