"""Workers of a cluster that was started without the data folder still find it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdun.data import DATA_VARIABLE
from rdun.plan import make_plan
from rdun.results import EpochRecord, Outcome, Store
from rdun.tuning import cluster, run_trials
from studies.loading import changed, load_study

TINY = str(Path(__file__).parents[1] / "studies" / "tiny_study.py")


class Nobody:
    """A watcher that is not interested."""

    def started(self, fingerprint: str) -> None: ...

    def epoch(self, fingerprint: str, record: EpochRecord) -> None: ...

    def again(self, fingerprint: str, outcome: Outcome) -> None: ...

    def ended(self, fingerprint: str) -> None: ...

    def used(self, hours: float) -> None: ...

    def waiting(self, why: str) -> None: ...


def test_workers_use_the_data_folder_of_the_driver(
    data_root: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_environment: None
) -> None:
    monkeypatch.setenv("IMAGES", str(images))
    monkeypatch.setenv("EPOCHS", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(DATA_VARIABLE)
    store = Store(tmp_path / "trials")
    with cluster(cpus=1) as capacity:
        monkeypatch.setenv(DATA_VARIABLE, str(data_root))
        plan = make_plan(changed(load_study(TINY), ["data.validation=set11"], "0"), store, "fp32")
        run_trials(plan, store, Nobody(), capacity)
    assert plan.refreshed(store).counts()["complete"] == 2
