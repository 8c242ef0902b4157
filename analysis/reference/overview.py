"""Which of the paper's claims hold here: one line each, from the values that the rest of the page of the reproduction shows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from analysis.numbers import GAP, number
from analysis.reference import published
from analysis.reference.cells import NOT_RUN, Network, Timed

SYSTEMS = ("COAST", "ISTA-Net+")


class Claimed(NamedTuple):
    """A claim of a study, and what came of it.

    Attributes:
        study, claim, difference: its title, the claim, and what minus what was measured.
        dataset: on which test set.
        metric: what of, with its unit.
        mean: in the metric's own digits; `measured` has the interval too, and one digit more.
    """

    study: str
    claim: str
    verdict: str
    difference: str
    metric: str
    mean: str
    measured: str
    at_least: str
    dataset: str


class PaperClaim(NamedTuple):
    """A claim of the paper: what networks of full size say of it, what the pocket studies do, and where to read on."""

    claim: str
    full: str
    pocket: str
    links: Sequence[str]

    @property
    def more(self) -> list[tuple[str, str]]:
        """The heads to read on, each with a word for it."""
        return [(WORDS[title], title) for title in self.links]


def overview(
    networks: Sequence[Network],
    timed: Sequence[Timed],
    claims: Sequence[Claimed],
    tables: Mapping[tuple[str, str], pd.DataFrame],
) -> list[PaperClaim]:
    """The claims of the paper's abstract, tables and text, in this order.

    Args:
        networks, timed: the rows of its Tables 1 and 2.
        claims: of all studies.
        tables: of the studies, by title and name; what is not there was not run.
    """

    def outcome(study: str, claim: str) -> str:
        found = [c for c in claims if (c.study, c.claim) == (study, claim) and c.mean != GAP]
        each = [f"{c.verdict} ({c.mean} {c.metric.rpartition(', ')[2]})" for c in found]
        if len(each) < 2:
            return each[0] if each else NOT_RUN
        return ", ".join(f"{one} on {c.dataset}" for one, c in zip(each, found, strict=True))

    def both(claim: str, study: str = TABLE1) -> str:
        return "; ".join(f"{s}: {outcome(study, f'{s}{claim}')}" for s in SYSTEMS)

    return [
        PaperClaim("75 % fewer parameters", f"{_fewer(timed)} (counted)", "–", [CELLS]),
        PaperClaim(
            f"… at nearly the same quality (Table 1, average: {_published('1')})",
            f"{_recursive_coast(networks, '100 %')}. After a short training by a fast recipe, at most 0.2 dB behind the unrolled "
            f"one: {both(NEAR, FAST)}",
            f"At most 0.2 dB behind the unrolled one: {both(f', 100 % of the data{NEAR}')}",
            [CELLS, FAST, TABLE1],
        ),
        PaperClaim(
            f"With few data, recursive networks match the unrolled ones or pass them (3 %: {_published('0.03')})",
            _recursive_coast(networks, "3 %"),
            f"At most 0.2 dB behind the unrolled one: {both(f', 3 % of the data{NEAR}')}. "
            f"Better beside it than with all data: {both(FEW)}",
            [CELLS, TABLE1, SIZE],
        ),
        PaperClaim(
            f"Random counts make training shorter, by {' and '.join(f'{_saved(s)} % ({s})' for s in SYSTEMS)}",
            NOT_RUN,
            f"At least as much: {'; '.join(f'{s}: {outcome(TABLE2, _shorter(s))}' for s in SYSTEMS)}. "
            f"Random counts at most 0.1 dB behind fixed ones: "
            f"{outcome(RANGES, 'Counts from 1 to 4 are at most 0.1 dB behind fixed ones')}; less behind in a longer training: "
            f"{outcome(LENGTH, 'Random counts lose less in 4800 steps than in 1200 steps')}",
            [TABLE2, RANGES, LENGTH],
        ),
        PaperClaim(
            f"Reconstruction takes no longer for COAST (images/s: {_speed(timed, 'published')})",
            f"{_speed(timed, 'measured')} on a processor",
            "–",
            [CELLS],
        ),
        PaperClaim(
            "The RFMU improves quality",
            f"{_weights(tables, 'R-COAST 5x4', 1)} for the authors' weights with it instead of without",
            f"RFMU minus scaling by the ratio: {outcome(RFMU, GAINS)}",
            [WEIGHTS, RFMU],
        ),
        PaperClaim(
            "More recursions per layer improve quality, with diminishing returns",
            f"{_weights(tables, 'COAST 5x1', -1)} for the authors' weights with 4 instead of 1 per layer, without RFMU",
            f"4 better than 1: {outcome(RETURNS, 'Four recursions per layer are better than one')}; 8 at least as good as 4: "
            f"{outcome(RETURNS, 'Eight recursions per layer are at least as good as four')}, with fixed counts "
            f"{outcome(RETURNS, 'Eight recursions per layer are at least as good as four where counts are fixed')}",
            [WEIGHTS, RETURNS],
        ),
    ]


CELLS = "Every published cell"
WEIGHTS = "The published checkpoints"
FAST = "Unrolled and recursive networks at full size, after a short training"
TABLE1 = "Unrolled and recursive networks, with all and with few training data"
TABLE2 = "Training time, reconstruction speed and parameters"
SIZE = "Size of the training set and overfitting"
RANGES = "Ranges of random recursion counts"
LENGTH = "Random counts and the length of training"
RFMU = "The recursion feature modulation unit and its inputs"
RETURNS = "Recursions per layer"
"""Heads of the page: titles of studies, and one of its own."""
WORDS = {
    CELLS: "tables",
    WEIGHTS: "checkpoints",
    FAST: "short training",
    TABLE1: "Table 1, pocket",
    TABLE2: "times, pocket",
    SIZE: "sizes",
    RANGES: "ranges",
    LENGTH: "length",
    RFMU: "RFMU",
    RETURNS: "recursions",
}
NEAR = ": the recursive network is at most 0.2 dB behind the unrolled one"
FEW = ": with 3 % of the data the recursive network stands better beside the unrolled one than with all"
GAINS = "The RFMU gains over COAST's scaling by the ratio"


def anchor(title: str) -> str:
    """The address of a heading within a Markdown page, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _published(fraction: str) -> str:
    """Recursive minus unrolled, in the average over ratios."""
    rows = published("table1")
    rows = rows[(rows["ratio"] == "average") & (rows["fraction"] == fraction)]
    psnr = {(r.model, r.configuration): float(str(r.psnr)) for r in rows.itertuples()}
    return ", ".join(f"{s} {number(psnr[s, 'recursive'] - psnr[s, 'base'], signed=True)} dB" for s in SYSTEMS)


def _recursive_coast(networks: Sequence[Network], trained_on: str) -> str:
    """What is known of a difference of which the published weights are one half."""
    verdicts = [c.verdict for n in networks if n.weights and n.trained_on == trained_on for c in n.cells]
    return (
        f"Recursive COAST: {verdicts.count('reproduced')} of {len(verdicts)} cells reproduced with the authors' weights; "
        "unrolled COAST and ISTA-Net+ not run by the paper's recipe, so that no published difference is checked"
    )


def _pairs(timed: Sequence[Timed]) -> list[tuple[str, Timed, Timed]]:
    """Each system's unrolled and recursive row of Table 2."""
    rows = {s: [row for row in timed if row.name.removeprefix("R-").startswith(s)] for s in SYSTEMS}
    return [(system, unrolled, recursive) for system, (unrolled, recursive) in rows.items()]


def _fewer(timed: Sequence[Timed]) -> str:
    known = [(s, *(row.counted.replace(",", "") for row in rows)) for s, *rows in _pairs(timed)]
    return ", ".join(
        f"{system} {100 * (1 - int(own) / int(base)):.1f} % fewer"
        if base.isdigit() and own.isdigit()
        else f"{system} {NOT_RUN}"
        for system, base, own in known
    )


def _speed(timed: Sequence[Timed], which: str) -> str:
    """Images per second against the unrolled network."""
    return ", ".join(f"{system} {getattr(recursive, which)} ×" for system, _, recursive in _pairs(timed))


def _saved(system: str) -> str:
    """The part of the training time that the recursive network saves by the paper's Table 2, in %."""
    rows = published("table2").set_index(["model", "configuration"])["training_hours"].astype(float)
    return f"{100 * (1 - rows[system, 'recursive'] / rows[system, 'base']):.0f}"


def _shorter(system: str) -> str:
    """The claim of the study of times."""
    return (
        f"{system}: recursion with random counts saves at least the published {_saved(system)} % of the training time"
    )


def _weights(tables: Mapping[tuple[str, str], pd.DataFrame], arm: str, sign: int) -> str:
    """The mean difference of published weights to COAST 5x4 without RFMU (or, with sign -1, theirs to it) on each test set."""
    found = []
    for dataset, name in (("bsd68", "BSD68"), ("set11", "Set11")):
        rows = tables.get((WEIGHTS, f"differences-{dataset}"))
        if rows is not None:
            mean = float(rows.set_index("arm")["mean"][arm])
            found.append(f"{number(sign * mean, signed=True)} dB on {name}")
    return f"{', '.join(found)} (average over ratios; one training each, no interval)" if found else NOT_RUN
