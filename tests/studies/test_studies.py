"""Every study of this folder can be made and says what it asks."""

from __future__ import annotations

import pytest

from rdun.config import CoastConfig, IstaNetPlusConfig
from rdun.study import Study
from studies.loading import load_study, study_names


@pytest.mark.parametrize("name", study_names())
def test_study_is_complete(name: str) -> None:
    study = load_study(name)
    assert isinstance(study, Study)
    assert study.name.replace("-", "_") == name or study.name == name
    assert study.question.endswith("?")
    assert study.method
    assert study.expectation
    assert study.scale


def test_quickstart_compares_at_equal_stage_evaluations() -> None:
    study = load_study("quickstart")
    assert {sum(arm.configs[0].test_counts) for arm in study.arms} == {4}
    assert {arm.configs[0].task.ratios for arm in study.arms} == {(0.25,)}
    assert len(study.seeds) >= 2
    assert {arm.factors["system"] for arm in study.arms} == {"COAST", "ISTA-Net+"}
    assert {arm.factors["variant"] for arm in study.arms} == {
        "unrolled",
        "recursive",
        "recursive, random",
        "recursive, random, RFMU",
    }
    assert len({arm.factors["data"] for arm in study.arms}) == 2
    assert all(arm.configs[0].task.initial == "linear" for arm in study.arms)
    models = [arm.configs[0].model for arm in study.arms]
    assert all(isinstance(m, CoastConfig | IstaNetPlusConfig) and m.start == "identity" for m in models)
    budgets = {(a.configs[0].optim, a.configs[0].data.epoch_samples, a.configs[0].task) for a in study.arms}
    assert len(budgets) == 1
