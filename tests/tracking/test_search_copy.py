"""A search in real MLflow: suggestions as runs, with their state, values and objectives, and the best among them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rdun.results import SearchState, Store
from rdun.tracking import Mirror, sync
from tests.tracking.seen import Seen, uri_of, wait_for
from tests.tracking.tracked_study import BEGAN, REPORT, saved, search_record, suggestion, write_report, write_trial

TOP = "The search q"


def write_search(store: Store) -> None:
    write_trial(store, "base")
    write_trial(store, "aa", level=26.0, gpus=0.5)
    write_trial(store, "bb", level=25.0)
    write_trial(store, "cc", status="failed", reason="Diverged: not finite", epochs=1)


TRIALS = [
    suggestion(0, "aa", "complete", 26.2, 3000),
    suggestion(1, "", "infeasible", size=5000),
    suggestion(2, "bb", "complete", 25.2, 2000),
    suggestion(3, "aa", "duplicate", 26.2, 3000),
    suggestion(4, "cc", "failed", size=1000),
]


def test_search_and_suggestions(root: Path, store: Store) -> None:
    write_search(store)
    home = saved(root, search_record("q", TRIALS))
    write_report(home)
    sync(home, store, uri_of(root), answer="Trial 0 is best.")
    seen = Seen(uri_of(root), "q").whole()
    assert set(seen.runs) == {TOP, "baseline: unrolled", *(f"trial {n}" for n in range(5))}
    assert {seen.parent(name) for name in seen.runs if name != TOP} == {TOP}
    states = {n: (seen.tag(f"trial {n}", "rdun.state"), seen.status(f"trial {n}")) for n in range(5)}
    assert states == {
        0: ("complete", "FINISHED"),
        1: ("infeasible", "KILLED"),
        2: ("complete", "FINISHED"),
        3: ("duplicate", "FINISHED"),
        4: ("failed", "FAILED"),
    }
    assert [seen.tag(f"trial {n}", "rdun.best") for n in range(5)] == ["yes", "no", "yes", "no", "no"]
    assert seen.tag("trial 3", "rdun.duplicate_of") == "0"
    assert seen.tag("trial 1", "rdun.reason") == "parameters is 5,000, above 4,000"
    first = seen.runs["trial 0"]
    assert (first.data.params["space.layers"], first.data.params["model.kind"]) == ("1", "coast")
    assert (first.data.metrics["objective/validation_psnr"], first.data.metrics["objective/parameters"]) == (26.2, 3000)
    assert seen.steps("trial 0", "epoch/validation_psnr") == [1, 2, 3, 4]
    assert first.data.metrics["cost/gpu_hours"] == pytest.approx(0.5 * 43 / 3600)
    assert (first.info.start_time, first.info.end_time) == (BEGAN, BEGAN + 43_000)
    assert "layers 1, model.channels 8, 3,000 parameters" in first.data.tags["mlflow.note.content"]
    never = {name: seen.runs[name].info.start_time - BEGAN for name in (TOP, "trial 1", "trial 3")}
    assert never == {TOP: 0, "trial 1": 1, "trial 3": 3}  # in the order of their numbers
    assert "objective/validation_psnr" not in seen.runs["trial 4"].data.metrics
    assert seen.steps("trial 3", "epoch/validation_psnr") == []


def test_the_run_of_the_search(root: Path, store: Store) -> None:
    write_search(store)
    home = saved(root, search_record("q", TRIALS))
    write_report(home)
    sync(home, store, uri_of(root), answer="Trial 0 is best.")
    seen = Seen(uri_of(root), "q")
    top = seen.runs[TOP].data
    assert (top.metrics["best/validation_psnr"], top.metrics["best/parameters"], top.metrics["best/trials"]) == (
        26.2,
        2000,
        2,
    )
    counts = {key: value for key, value in top.metrics.items() if key.startswith("trials_")}
    assert counts == {
        "trials_planned": 4,
        "trials_complete": 2,
        "trials_failed": 1,
        "trials_infeasible": 1,
        "trials_duplicate": 1,
    }
    assert top.metrics["cost/core_hours"] == pytest.approx((3 * 43 + 13) / 3600)
    assert top.params["space.layers"] == "1, 2, 3"
    assert (top.tags["rdun.data.photos"], top.tags["mlflow.source.git.commit"]) == ("77aa", "abc123")
    assert top.tags["rdun.objectives"] == "maximize validation_psnr; minimize parameters"
    assert "Trial 0 is best." in top.tags["mlflow.note.content"]
    assert "<layers>" not in top.tags["mlflow.note.content"]
    assert seen.artifacts(TOP) == {*REPORT, "search.json"}
    assert (seen.status(TOP), seen.runs[TOP].info.end_time) == ("FINISHED", BEGAN + 43_000)


def test_a_search_that_grows_is_cut_off_and_goes_on(root: Path, store: Store) -> None:
    uri = uri_of(root)
    running = [suggestion(0, "aa", "running", size=3000)]
    home = saved(root, search_record("q", running, baselines={}))
    write_trial(store, "aa", status="running", epochs=2)
    with Mirror(home, store, uri, period=0.1):
        wait_for(lambda: "trial 0" in Seen(uri, "q").runs)
        assert Seen(uri, "q").status("trial 0") == "RUNNING"
    first = Seen(uri, "q").whole()
    assert (first.status("trial 0"), first.status(TOP)) == ("KILLED", "KILLED")
    saved(root, search_record("q", [*running, suggestion(1, "", "infeasible", size=5000)], baselines={}))
    with Mirror(home, store, uri, period=0.1):
        wait_for(lambda: "trial 1" in Seen(uri, "q").runs)
        write_search(store)
        saved(root, search_record("q", TRIALS, baselines={}))
    second = Seen(uri, "q").whole()
    assert first.ids().items() <= second.ids().items()
    assert second.steps("trial 0", "epoch/train_loss") == [1, 2, 3, 4]
    assert set(second.points().values()) == {1}
    assert second.status(TOP) == "FINISHED"
    counts = {key: value for key, value in second.runs[TOP].data.metrics.items() if key.startswith("trials_")}
    assert (counts["trials_complete"], counts["trials_running"]) == (2, 0)
    before = second.points()
    sync(home, store, uri)
    assert Seen(uri, "q").whole().points() == before


@pytest.mark.parametrize(("first", "status"), [("failed", "FAILED"), ("stopped early", "KILLED")])
def test_a_setting_that_was_completed_when_it_came_up_again(
    first: SearchState, status: str, root: Path, store: Store
) -> None:
    """The directory belongs to the suggestion that completed it, as does what comes up once more; the first one stays as it was.

    One that failed was tried again, one that was stopped early has been trained by a study.
    """
    write_trial(store, "aa")
    ends: list[tuple[SearchState, float]] = [(first, 0.0), ("complete", 25.2), ("duplicate", 25.2)]
    trials = [suggestion(number, "aa", state, psnr, 3000) for number, (state, psnr) in enumerate(ends)]
    home = saved(root, search_record("q", trials, baselines={}, wanted=1))
    sync(home, store, uri_of(root))
    seen = Seen(uri_of(root), "q").whole()
    assert (seen.status("trial 0"), seen.status("trial 1")) == (status, "FINISHED")
    assert seen.steps("trial 0", "epoch/train_loss") == []
    assert seen.runs["trial 0"].info.end_time == BEGAN
    assert seen.tag("trial 2", "rdun.duplicate_of") == "1"
    assert seen.steps("trial 1", "epoch/train_loss") == [1, 2, 3, 4]


def test_settings_with_several_seeds_have_a_run_below_them_for_each(root: Path, store: Store) -> None:
    for fingerprint, level in {"a1": 26.0, "a2": 27.0, "b1": 25.0, "base1": 24.0, "base2": 24.5}.items():
        write_trial(store, fingerprint, level=level)
    write_trial(store, "b2", status="running", epochs=2)
    whole = suggestion(0, "a1", "complete", 26.7, 3000)
    trials = [
        replace(whole, fingerprints=["a1", "a2"], spreads=[0.7, 0.0]),
        replace(suggestion(1, "b1", "running", size=2000), fingerprints=["b1", "b2"]),
        replace(suggestion(2, "c1", "running", size=1000), fingerprints=["c1", "c2"]),
        replace(whole, number=3, state="duplicate", fingerprints=["a1", "a2"]),
    ]
    baselines = {"unrolled": ["base1", "base2"]}
    home = saved(root, search_record("q", trials, baselines=baselines, seeds=[4, 9]))
    sync(home, store, uri_of(root))
    seen = Seen(uri_of(root), "q").whole()
    below = {"trial 0": TOP, "trial 1": TOP, "trial 3": TOP, "baseline: unrolled": TOP}
    settings = ("trial 0", "trial 1", "baseline: unrolled")
    below |= {f"seed {seed}: {name}": name for name in settings for seed in (4, 9)}
    assert {name: seen.parent(name) for name in seen.runs if name != TOP} == below
    first = seen.runs["trial 0"].data
    one, two = (seen.runs[f"seed {seed}: trial 0"].data.metrics["result/best_test_psnr"] for seed in (4, 9))
    assert first.metrics["result/best_test_psnr"] == pytest.approx((one + two) / 2) and one < two
    assert (first.metrics["objective/validation_psnr"], first.metrics["objective_spread/validation_psnr"]) == (
        26.7,
        0.7,
    )
    assert seen.runs["baseline: unrolled"].data.metrics["seeds_averaged"] == 2
    notes = [seen.tag(name, "mlflow.note.content") for name in settings]
    assert ["means over 2 seeds" in note for note in notes] == [True, False, True]
    assert "result/best_test_psnr" not in seen.runs["trial 1"].data.metrics
    curves = {name: seen.steps(name, "epoch_spread/train_psnr") for name in settings}
    assert curves == {"trial 0": [1, 2, 3, 4], "trial 1": [], "baseline: unrolled": [1, 2, 3, 4]}
    assert seen.steps("seed 9: trial 0", "epoch/train_loss") == [1, 2, 3, 4]
    assert [seen.status(name) for name in settings] == ["FINISHED", "KILLED", "FINISHED"]
    assert [seen.tag(name, "rdun.level") for name in ("trial 0", "seed 4: trial 0")] == ["suggestion", "trial"]
    assert seen.runs[TOP].data.params["seeds"] == "4, 9"
    hours = {name: seen.runs[name].data.metrics["cost/core_hours"] for name in seen.runs if "trial 3" not in name}
    assert hours["trial 0"] == pytest.approx(hours["seed 4: trial 0"] + hours["seed 9: trial 0"])
    assert hours[TOP] == pytest.approx(sum(hours[name] for name in settings))
    before = seen.points()
    sync(home, store, uri_of(root))
    assert Seen(uri_of(root), "q").whole().points() == before


def test_a_setting_with_several_seeds_that_is_trained_elsewhere_goes_on(root: Path, store: Store) -> None:
    write_trial(store, "a1")
    held = write_trial(store, "a2", status="running", epochs=1)
    held.write_json("lock.json", {"heartbeat": 9e12})
    trial = replace(suggestion(0, "a1", "running", size=3000), fingerprints=["a1", "a2"])
    home = saved(root, search_record("q", [trial], baselines={}, seeds=[4, 9]))
    names = (TOP, "trial 0", "seed 9: trial 0")
    for status in ("RUNNING", "KILLED"):
        sync(home, store, uri_of(root))
        seen = Seen(uri_of(root), "q").whole()
        assert [seen.status(name) for name in names] == [status] * 3
        held.remove("lock.json")


def test_a_setting_that_a_baseline_has_trained_before(root: Path, store: Store) -> None:
    """The suggestion comes while the search runs, after its trial has been copied."""
    home, uri = saved(root, search_record("q", [])), uri_of(root)
    write_trial(store, "base")
    with Mirror(home, store, uri, period=0.1):
        wait_for(lambda: Seen(uri, "q").runs.get(TOP) is not None and "baseline: unrolled" in Seen(uri, "q").runs)
        saved(root, search_record("q", [suggestion(0, "base", "complete", 25.2, 3000)]))
    seen = Seen(uri, "q").whole()
    names = ("trial 0", "baseline: unrolled")
    assert [seen.steps(name, "epoch/train_loss") for name in names] == [[1, 2, 3, 4]] * 2
    assert {seen.runs[name].info.start_time for name in names} == {BEGAN}


def test_a_baseline_with_a_failed_seed_does_not_keep_a_search_open(root: Path, store: Store) -> None:
    write_trial(store, "aa")
    write_trial(store, "bb")
    write_trial(store, "base1", status="failed", reason="Diverged: not finite", epochs=1)
    done = replace(suggestion(0, "aa", "complete", 25.2, 3000), fingerprints=["aa", "bb"])
    home = saved(root, search_record("q", [done], baselines={"unrolled": ["base1", "base2"]}, seeds=[0, 1], wanted=1))
    sync(home, store, uri_of(root))
    seen = Seen(uri_of(root), "q").whole()
    assert (seen.status(TOP), seen.status("baseline: unrolled")) == ("FINISHED", "FAILED")


def test_a_search_that_is_begun_anew_shows_its_own_best(root: Path, store: Store) -> None:
    write_search(store)
    sync(saved(root, search_record("q", TRIALS)), store, uri_of(root))
    sync(saved(root, search_record("q", [suggestion(0, "bb", "complete", 25.2, 2000)])), store, uri_of(root))
    seen = Seen(uri_of(root), "q")
    top = seen.runs[TOP].data.metrics
    assert (top["best/validation_psnr"], top["best/trials"], top["trials_complete"], top["trials_failed"]) == (
        25.2,
        1,
        1,
        0,
    )
    assert seen.status(TOP) == "KILLED"  # one of four that are wanted
