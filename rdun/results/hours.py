"""What a trial took of its machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from rdun.results.records import Attempt, EpochRecord, RunInfo, SystemSample


def hours(run: RunInfo, epochs: Sequence[EpochRecord], system: Sequence[SystemSample]) -> dict[str, float]:
    """Core-hours and GPU-hours of all attempts; one that was cut off counts up to its last sign of life."""
    signs = [*(e.timestamp for e in epochs), *(s.timestamp for s in system)]
    spans = [(attempt, _length(run, number, signs)) for number, attempt in enumerate(run.attempts)]
    return {
        "core": sum(span * attempt.threads for attempt, span in spans) / 3_600_000,
        "gpu": sum(span * attempt.gpus for attempt, span in spans) / 3_600_000,
    }


def with_ends(run: RunInfo, epochs: Sequence[EpochRecord], system: Sequence[SystemSample]) -> RunInfo:
    """The same with the last sign of life as the end of attempts that were cut off, so that its hours no longer need signs."""
    signs = [*(e.timestamp for e in epochs), *(s.timestamp for s in system)]

    def ended(number: int, attempt: Attempt) -> str:
        moment = milliseconds(attempt.started) + _length(run, number, signs)
        return attempt.ended or datetime.fromtimestamp(moment / 1000, UTC).isoformat()

    return replace(run, attempts=tuple(replace(a, ended=ended(number, a)) for number, a in enumerate(run.attempts)))


def _length(run: RunInfo, number: int, signs: Sequence[int]) -> int:
    """Of an attempt, in milliseconds."""
    attempt, following = run.attempts[number], run.attempts[number + 1 :]
    began = milliseconds(attempt.started)
    until = milliseconds(following[0].started) if following else None
    moments = [m for m in signs if m >= began and (until is None or m < until)]
    return max([*moments, milliseconds(attempt.ended or attempt.started)]) - began


def milliseconds(iso: str) -> int:
    """ISO 8601 to milliseconds since 1970; times without a zone are UTC."""
    moment = datetime.fromisoformat(iso)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
