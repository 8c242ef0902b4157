"""Workers of a cluster that was started without the data folder still find it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdun.data import DATA_VARIABLE
from rdun.plan import make_plan
from rdun.results import Store
from rdun.tuning import Capacity, Silent, run_trials
from studies.loading import changed, load_study

TINY = str(Path(__file__).parents[1] / "studies" / "tiny_study.py")


def test_workers_use_the_data_folder_of_the_driver(
    data_root: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capacity: Capacity
) -> None:
    monkeypatch.setenv("IMAGES", str(images))
    monkeypatch.setenv("EPOCHS", "1")
    monkeypatch.setenv(DATA_VARIABLE, str(data_root))
    store = Store(tmp_path / "trials")
    plan = make_plan(changed(load_study(TINY), ["data.validation=set11"], "0"), store, "fp32")
    run_trials(plan, store, Silent(), capacity)
    assert plan.refreshed(store).counts()["complete"] == 2
