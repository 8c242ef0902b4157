"""Test protocols: refused where they are mixed within a family, told apart between families."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from analysis.frames.protocols import Group, protocol_groups
from analysis.pages.document import tables_of
from analysis.pages.drawings import figures_of
from analysis.report import file_name, write_report
from analysis.statistics import check_claims, compare_arms, main_effects
from analysis.statistics.paired import Images
from analysis.tables import overfitting_table
from analysis.words.answer import answer
from rdun.config import BlockSensingTask
from rdun.evaluation import Protocols
from rdun.operators import make_task
from rdun.results import ClaimRecord, Folder, PlanRecord
from tests.analysis.conftest import load
from tests.analysis.synthetic import PROTOCOL, Truth, write_study

VARIANTS = ("unrolled", "recursive")


def _record(seeds: tuple[int, ...] = (0,), *, deblock: bool = True) -> dict[str, Any]:
    """What a trial at 10 % records about its protocol."""
    task = make_task(BlockSensingTask(ratios=(0.1,), block=8, test_matrix_seeds=seeds), None, torch.device("cpu"))
    return dict(Protocols.of(task, (0.1,), deblock=deblock).records[0.1])


DEBLOCKED, BLOCKWISE = _record(), _record(deblock=False)
CLAIM = ClaimRecord(
    text="across", arm="COAST, unrolled, 10 %", versus="ISTA-Net+, unrolled, 10 %", metric="psnr", at_least=0.0
)
MIXED = Truth(
    sizes={"100 %": 1.0, "10 %": 0.1}, effects={"unrolled": 0.0, "recursive": -0.4}, seeds=(0, 1), epochs=2,
    images=("a.png", "b.png"), sweep=(4,), records={PROTOCOL: DEBLOCKED, "ffff": BLOCKWISE},
    protocols={(f"ISTA-Net+, {v}, {s}", seed): "ffff" for v in VARIANTS for s in ("10 %", "100 %") for seed in (0, 1)},
    claims=(CLAIM,),
)  # fmt: skip


def _groups(
    rows: list[tuple[str, float, str]],
    records: Mapping[str, Any] | None = None,
    kinds: Mapping[str, object] | None = None,
) -> tuple[Group, ...]:
    """Groups of arms that are families of their own; rows of (arm, ratio, protocol)."""
    table = pd.DataFrame(rows, columns=["arm", "ratio", "protocol"]).assign(dataset="d", seed=0)
    families = {a: a for a in [*dict.fromkeys(table["arm"]), *(kinds or {})]}
    return protocol_groups(table, families, kinds or {}, records or {})


def test_protocols_may_differ_between_ratios() -> None:
    assert _groups([("a", 0.1, "x"), ("a", 0.5, "y"), ("b", 0.5, "y")]) == (Group("", ("a", "b")),)
    assert _groups([]) == (Group("", ()),)


def test_families_that_differ_at_a_ratio_are_apart() -> None:
    rows = [("a", 0.1, "x"), ("b", 0.1, "z"), ("c", 0.1, "x"), ("a", 0.5, "y"), ("b", 0.5, "y")]
    assert _groups(rows) == (Group("protocol x", ("a", "c")), Group("protocol z", ("b",)))


@pytest.mark.parametrize(
    ("one", "other", "names"),
    [
        (DEBLOCKED, BLOCKWISE, ("deblocked", "block by block")),
        (DEBLOCKED, _record((1, 2)), ("matrix gauss-s0", "matrices gauss-s1, gauss-s2")),
        (
            DEBLOCKED,
            _record((1, 2), deblock=False),
            ("deblocked, matrix gauss-s0", "block by block, matrices gauss-s1, gauss-s2"),
        ),
        (DEBLOCKED, _record(tuple(range(1, 9))), ("matrix gauss-s0", "8 matrices, gauss-s1 to gauss-s8")),
        (DEBLOCKED, DEBLOCKED | {"clipping": "none"}, (f"clipping {DEBLOCKED['clipping']}", "clipping none")),
        (DEBLOCKED, DEBLOCKED, ("protocol x", "protocol y")),  # what differs was not recorded
    ],
)
def test_groups_are_named_after_what_differs(
    one: dict[str, Any], other: dict[str, Any], names: tuple[str, ...]
) -> None:
    groups = _groups([("a", 0.1, "x"), ("b", 0.1, "y")], {"x": one, "y": other})
    assert tuple(g.name for g in groups) == names


def test_a_family_without_scores_joins_its_like() -> None:
    rows = [("a", 0.1, "x"), ("b", 0.1, "y")]
    groups = _groups(rows, kinds={"a": True, "b": False, "c": False, "d": True})
    assert [g.families for g in groups] == [("a", "d"), ("b", "c")]


def test_a_family_of_two_protocols_is_refused(tmp_path: Path) -> None:
    truth = replace(MIXED, protocols={("COAST, recursive, 10 %", 1): "ffff"})
    message = (
        r"protocol='0123456789abcdef' \(arm 'COAST, unrolled, 10 %', seed 0\) and protocol='ffff' "
        r"\(arm 'COAST, recursive, 10 %', seed 1\) on photographs-test at 25.%; run the older trials again"
    )
    with pytest.raises(ValueError, match=message):
        write_report(*write_study(tmp_path, truth))


@pytest.mark.usefixtures("rough_figures")
def test_every_group_has_its_own_tables_and_figures(tmp_path: Path) -> None:
    frames = load(write_study(tmp_path, MIXED))
    images, parts = Images(frames), [Images(p) for p in frames.parts()]
    comparisons = [c for part in parts for c in compare_arms(part)]
    effects = main_effects(frames, comparisons)
    tables = {file_name(t.table.name): t.table for t in tables_of(images, parts, comparisons, effects, [])}
    figures = {file_name(f.name) for f in figures_of(frames, parts, comparisons)}
    for kind in ("deblocked", "block-by-block"):
        names = ("quality", "differences", "effects", "recursions")
        assert {f"{n}-photographs-test-{kind}" for n in names} <= set(tables)
        names = ("quality-parameters", "differences", "images", "recursions")
        assert {f"{n}-photographs-test-{kind}" for n in names} <= figures
        assert f"reconstructions-photographs-test-{kind}-1" in figures
    assert {"overfitting", "timing"} <= set(tables) and "gap" in figures  # blocks were scored alike
    words = answer(images, comparisons, effects, []).effects
    for system, kind in (("COAST", "deblocked"), ("ISTA-Net+", "block by block")):
        own = [line for line in words if f"({kind})" in line]
        assert own and all(line.startswith(f"{system}, “") for line in own), "over which settings an average is"
    quality = tables["quality-photographs-test-block-by-block"]
    assert quality.title.endswith("on photographs-test (block by block)")
    assert set(quality.frame["family"]) == {"ISTA-Net+ · 10 %", "ISTA-Net+ · 100 %"}
    assert set(tables["quality-photographs-test-deblocked"].frame["family"]) == {"COAST · 10 %", "COAST · 100 %"}


def test_blocks_scored_by_different_protocols_are_apart(tmp_path: Path) -> None:
    folder, store = write_study(tmp_path, replace(MIXED, pictures=False))
    for cell in PlanRecord.load(Folder(folder)).cells:
        if cell.arm.startswith("ISTA"):
            trial = store.trial(cell.fingerprints[0])
            trial.write_scores([replace(s, protocol="ffff") for s in trial.scores()])
    names = [overfitting_table(part).name for part in load((folder, store)).block_parts()]
    assert names == ["overfitting (deblocked)", "overfitting (block by block)"]


def test_a_claim_across_protocols_is_undecided(tmp_path: Path) -> None:
    frames = load(write_study(tmp_path, replace(MIXED, pictures=False)))
    (result,) = check_claims(Images(frames), frames.plan.claims)
    assert (result.verdict, result.reason) == (
        "undecided",
        "tested by different protocols (deblocked and block by block)",
    )


def test_claims_name_their_test_set_where_there_are_several(tmp_path: Path) -> None:
    """What is about no test, such as training time, names none."""
    quality = replace(CLAIM, versus="COAST, recursive, 10 %", answers=True)
    claims = (quality, replace(quality, metric="time"))
    images = Images(load(write_study(tmp_path, replace(MIXED, pictures=False, claims=claims))))
    told = answer(images, [], [], check_claims(images, claims))
    name = "“COAST, unrolled, 10 %” minus “COAST, recursive, 10 %” on photographs-test (deblocked): "
    assert f"Measured, {name}" in told.claims[0] and "“across” on photographs-test (deblocked): " in told.headline
    assert "“across”: " in told.headline and " on " not in told.claims[1]


def test_a_group_gives_the_numbers_it_would_give_alone(tmp_path: Path) -> None:
    mixed = load(write_study(tmp_path / "mixed", replace(MIXED, pictures=False)))
    alone = load(write_study(tmp_path / "alone", replace(MIXED, pictures=False, systems=("ISTA-Net+",))))
    found = compare_arms(Images(mixed.parts()[1]))
    assert [replace(c, dataset="photographs-test") for c in found] == compare_arms(Images(alone))
    assert mixed.data_set(found[0].dataset) == "photographs-test"
