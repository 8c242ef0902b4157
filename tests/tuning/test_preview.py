"""What a plan of a search shows is what the search then does, in whatever order its trials end."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from rdun.config import with_values
from rdun.results import Store
from rdun.search import SAMPLERS, Search
from rdun.tuning import Preview, Suggestions, preview
from tests.tuning.conftest import START, Open, leave, worked_off

pytestmark = pytest.mark.usefixtures("early")


def ahead(search: Search, store: Store, database: Path, most: int = 60, *, retry_failed: bool = False) -> Preview:
    return preview(search, database, store, "fp32", {}, retry_failed=retry_failed, most=most)


def settings_run(suggestions: Suggestions, store: Store, at_once: int) -> list[str]:
    """First trials of the settings in the order in which they begin, so many at a time; they end in any order."""
    chance, running, begun = random.Random(0), list[str](), list[str]()
    while True:
        while len(running) < at_once and (found := suggestions.next()):
            running.append(found.fingerprint)
            if found.config.seed == suggestions.search.seeds[0]:
                begun.append(found.fingerprint)
        if not running:
            return begun
        ended = running.pop(chance.randrange(len(running)))
        leave(store, ended, psnr=chance.uniform(20, 30))
        suggestions.ended(ended)


@pytest.mark.parametrize("at_once", [1, 3])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_settings_shown_are_those_that_begin(
    sampler: str, at_once: int, search: Search, store: Store, opened: Open, tmp_path: Path
) -> None:
    unrolled = with_values(search.base, {"model.layers": 3})
    asked = replace(search, sampler=sampler, trials=6, seeds=(0, 1), baselines={"unrolled": unrolled})
    shown = ahead(asked, store, tmp_path / "search.db")
    assert not (tmp_path / "search.db").exists()
    suggestions = opened(asked)
    begun = settings_run(suggestions, store, at_once)
    assert [setting.fingerprint for setting in shown.settings] == begun[: len(shown.settings)]
    assert shown.settings[0].name == "unrolled" and not shown.settings[0].values
    independent = sampler in ("random", "qmc")
    assert len(shown.settings) == len(begun) if independent else 2 <= len(shown.settings) <= START + 1
    assert shown.more != independent
    record = suggestions.record()
    values = {str(trial.number): trial.values for trial in record.trials}
    for setting in shown.settings[1:]:
        assert setting.values.items() <= values[setting.name].items()
    last = len(record.trials) if independent else int(shown.settings[-1].name)
    assert list(shown.infeasible) == [trial.reason for trial in record.trials[:last] if trial.state == "infeasible"]


def test_a_search_goes_on_with_what_is_shown_and_nothing_is_changed(
    search: Search, store: Store, opened: Open, tmp_path: Path
) -> None:
    asked = replace(search, sampler="tpe", trials=12)
    suggestions = opened(asked)
    worked_off(suggestions, store, 7)
    left = [found.fingerprint for found in (suggestions.next(), suggestions.next()) if found]
    database = tmp_path / "search.db"
    before = database.read_bytes()
    shown = ahead(asked, store, database)
    assert database.read_bytes() == before
    assert [setting.fingerprint for setting in shown.settings][:2] == left
    assert len(shown.settings) == 3, "what was left, and the one suggestion that waits for nothing"
    assert shown.more
    assert settings_run(opened(asked), store, 3)[:3] == [setting.fingerprint for setting in shown.settings]
    assert ahead(asked, store, database) == Preview((), False, (), "")
    longer = ahead(replace(asked, trials=14), store, database)
    assert len(longer.settings) == 1 and longer.more
    assert len(ahead(replace(asked, trials=14), store, database, most=0).settings) == 0


def test_failed_settings_are_shown_where_they_are_tried_again(
    search: Search, store: Store, opened: Open, tmp_path: Path
) -> None:
    asked = replace(search, trials=1)
    suggestions = opened(asked)
    found = suggestions.next()
    assert found
    leave(store, found.fingerprint, status="failed", reason="it broke")
    suggestions.ended(found.fingerprint)
    database = tmp_path / "search.db"
    assert not ahead(asked, store, database).settings
    assert [s.fingerprint for s in ahead(asked, store, database, retry_failed=True).settings] == [found.fingerprint]


def test_a_database_whose_driver_died_at_once_is_as_good_as_none(search: Search, store: Store, tmp_path: Path) -> None:
    database = tmp_path / "search.db"
    shown = ahead(search, store, database)
    database.touch()
    assert ahead(search, store, database) == shown
    assert len(shown.settings) >= 2


def test_a_space_without_feasible_settings_says_why(
    search: Search, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rdun.tuning.suggestions.TRIES", 12)
    tight = replace(search, constraints=(replace(search.constraints[0], at_most=1),))
    shown = ahead(tight, store, tmp_path / "search.db")
    assert not shown.settings
    assert "parameters is" in shown.gave_up and len(shown.infeasible) == 12
