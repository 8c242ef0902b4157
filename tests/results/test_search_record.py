"""How many trials of a search are done, and how many are to come."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdun.results import Folder, SearchRecord, SearchState, SearchTrial


def record(states: list[SearchState], retries: dict[int, int] | None = None, wanted: int = 6) -> SearchRecord:
    """A search whose suggestions all have one setting.

    Args:
        retries: number -> number of the failed suggestion that it tries again.
    """
    again = retries or {}
    trials = [
        SearchTrial(
            number=n, values={}, fingerprints=["f"], state=state, objectives=[], quantities={}, retry_of=again.get(n)
        )
        for n, state in enumerate(states)
    ]
    return SearchRecord(
        name="s", title="", question="", method="", expectation="", scale="", space={}, objectives=[], constraints=[],
        sampler="random", seed=0, seeds=[0], wanted=wanted, trials=trials,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("states", "retries", "untried"),
    [
        (["complete", "failed", "duplicate", "failed"], {}, 2),
        (["complete", "failed", "duplicate", "failed"], {3: 1}, 3),
        (["failed", "failed", "complete"], {1: 0, 2: 1}, 5),
        (["infeasible", "running", "stopped early"], {}, 4),
        (["complete"] * 8, {}, 0),
    ],
)
def test_a_failure_that_was_tried_again_is_no_trial_and_one_that_came_up_again_is(
    states: list[SearchState], retries: dict[int, int], untried: int
) -> None:
    assert record(states, retries).untried() == untried


def test_all_that_has_an_end_is_not_left() -> None:
    found = record(["complete", "failed", "duplicate", "stopped early", "infeasible", "running"])
    assert found.left(6, retry_failed=False) == 2
    assert found.left(6, retry_failed=True) == 3
    assert found.left(4, retry_failed=False) == 1
    assert found.left(20, retry_failed=False) == 16
    assert record(["failed", "complete"], {1: 0}).left(6, retry_failed=True) == 5


def test_what_was_tried_again_is_saved(tmp_path: Path) -> None:
    found = record(["failed", "complete"], {1: 0})
    found.save(Folder(tmp_path))
    assert SearchRecord.load(Folder(tmp_path)) == found
