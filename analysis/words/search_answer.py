"""What a search found, in sentences."""

from __future__ import annotations

from collections import Counter

from analysis.frames.search import Baseline, SearchFrames, Tested
from analysis.numbers import listed, number, percent, plural
from analysis.words.certainty import several_codes
from analysis.words.search_words import quantity, reached, setting
from rdun.results import SearchTrial


def search_answer(frames: SearchFrames) -> list[str]:
    """The answer first; then each baseline; then what the numbers rest on."""
    record = frames.record
    by_number = {t.number: t for t in record.trials}
    best = [by_number[n] for n in frames.best]
    if not best:
        return [f"No trial is complete yet. {standing(frames)}"]
    times = f"{len(record.seeds)} seeds" if frames.several else "one run"
    once = f", and a baseline had {times}, too" if frames.baselines else ""
    caveat = (
        f"Selected among {plural(len(frames.complete()), 'setting')} with {times} each"
        f"{', by their means' if frames.several else ''}: the best value is favoured by chance{once}. A study with "
        f"{'new' if frames.several else 'several'} seeds decides small differences."
    )
    if len(record.objectives) == 1:
        head = f"Best by {quantity(frames.quantities[0]).name}: {_described(frames, best[0])}."
    else:
        goals = listed([f"{quantity(o['quantity']).name} ({o['direction'][:3]}.)" for o in record.objectives])
        head = f"{len(best)} of {plural(len(frames.complete()), 'complete setting')} {_are(len(best))} Pareto-optimal in {goals}."
    against = [_against(frames, b) for b in frames.baselines]
    first = [f"{head} {against[0]}" if against else head]
    if len(record.objectives) > 1:
        first += [f"Highest placed by {quantity(frames.quantities[0]).name}: {_described(frames, best[0])}."]
    return [*first, *against[1:], standing(frames), caveat, *_codes(frames)]


def _codes(frames: SearchFrames) -> list[str]:
    """A sentence for each kind of network that several versions of its code have trained."""
    kinds: dict[str, dict[tuple[str, ...], str]] = {}
    for (kind, code), count in frames.codes.items():
        kinds.setdefault(kind, {})[code] = plural(count, "trial")
    several = {kind: by for kind, by in kinds.items() if len({code for codes in by for code in codes}) > 1}
    return [several_codes(kind, by) for kind, by in several.items()]


def standing(frames: SearchFrames) -> str:
    """How many suggestions are in which state, and how many are still to be made."""
    states = Counter(t.state for t in frames.record.trials)
    besides = states.pop("infeasible", 0)
    words = [f"{count} {state}" for state, count in states.items() if state != "complete"]
    words += [f"{n} not suggested yet"] if (n := frames.record.untried()) else []
    return (
        f"{states['complete']} of {plural(frames.record.wanted, 'trial')} complete"
        + (f"; {listed(words)}" if words else "")
        + (
            f"; besides, {plural(besides, 'suggestion')} {'was' if besides == 1 else 'were'} infeasible."
            if besides
            else "."
        )
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _described(frames: SearchFrames, trial: SearchTrial) -> str:
    values = [
        f"{quantity(name).name} {reached(name, value)}"
        for name, value in zip(frames.quantities, trial.objectives, strict=True)
    ]
    return f"trial {trial.number} ({setting(trial)}) with {listed(values)}, {_test(frames.tested[trial.number])}"


def _test(tested: Tested) -> str:
    if not tested.psnr:
        return f"no test PSNR ({tested.reason})"
    return listed([f"test PSNR {number(v)}\u00a0dB on {name}" for name, v in tested.psnr.items()])


def _against(frames: SearchFrames, baseline: Baseline) -> str:
    """The cheapest trial that is at least as good as a baseline in the first maximized objective (in the first one, where none
    is maximized), or that none is."""
    goals = {o["quantity"]: o["direction"] for o in frames.record.objectives}
    first = next((q for q in frames.quantities if goals[q] == "maximize"), frames.quantities[0])
    place = frames.quantities.index(first)
    own = baseline.quantities.get(first)
    if own is None:
        return (
            f"The baseline {baseline.name} has no {quantity(first).name}: {baseline.tested.reason or 'not recorded'}."
        )
    sign = 1 if goals[first] == "maximize" else -1
    trials = [t for t in frames.record.trials if t.state == "complete" and sign * t.objectives[place] >= sign * own]
    level = f"as good in {quantity(first).name} as the baseline {baseline.name} ({reached(first, own)})"
    if not trials:
        return f"No trial is at least {level}."
    others = [q for q in [*frames.quantities, "parameters"] if q != first]
    cost = next((q for q in others if goals.get(q, "minimize") == "minimize"), "")
    known = [t for t in trials if _cost(frames, t, cost) is not None]
    if not known:
        return f"{plural(len(trials), 'trial')} {_are(len(trials))} at least {level}."
    cheapest = min(known, key=lambda t: (_cost(frames, t, cost) or 0.0, -sign * t.objectives[place], t.number))
    price, theirs = _cost(frames, cheapest, cost), baseline.quantities.get(cost)
    assert price is not None
    share = f", {percent(round(price / theirs, 3))} of the baseline's {reached(cost, theirs)}" if theirs else ""
    quality = f"{quantity(first).name} {reached(first, cheapest.objectives[place])}"
    return (
        f"The cheapest that is at least {level} is trial {cheapest.number} ({setting(cheapest)}): "
        f"{quantity(cost).name} {reached(cost, price)}{share}, {quality}, "
        f"{_test(frames.tested[cheapest.number])} (the baseline: {_test(baseline.tested)})."
    )


def _cost(frames: SearchFrames, trial: SearchTrial, name: str) -> float | None:
    known = dict(zip(frames.quantities, trial.objectives, strict=True)) | trial.quantities
    return known.get(name)
