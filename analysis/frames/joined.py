"""Several studies, or several revisions of one, as one study that a report can show: arms side by side, named after their study.

An arm that the first study has too, by name, is compared with the first study's: that is what two revisions are laid side by side
for. The others keep their own base. Arms that are compared are a family, so law 13 holds between studies as within one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from rdun.results import ArmRecord, CellRecord, PlanRecord, Store, TrialDirectory

FACTOR = "study"


class Part(NamedTuple):
    """A study and where its trials are."""

    plan: PlanRecord
    store: Store


class Stores(Store):
    """Trials of several stores: "FINGERPRINT@2" is that of the second one, where it may have been measured anew."""

    def __init__(self, stores: Sequence[Store]) -> None:
        super().__init__(stores[0].path)
        self.stores = {path: Store(path) for path in dict.fromkeys(s.path for s in stores)}

    def named(self, fingerprint: str, store: Store) -> str:
        """A fingerprint with the place of its store."""
        place = list(self.stores).index(store.path)
        return f"{fingerprint}@{place + 1}" if place else fingerprint

    def trial(self, fingerprint: str) -> TrialDirectory:
        name, _, place = fingerprint.partition("@")
        return list(self.stores.values())[int(place or 1) - 1].trial(name)


def join(parts: Sequence[Part]) -> Part:
    """All arms of the studies as one study, and the stores of their trials as one.

    Raises:
        ValueError: fewer than two studies, or one of them twice.
    """
    seen = Counter((p.plan.name, p.store.path, str(p.plan.cells)) for p in parts)
    twice = [name for (name, _, _), count in seen.items() if count > 1]
    if len(parts) < 2 or twice:
        raise ValueError(
            f"--compare {twice[0] if twice else ''}: a study cannot be compared with itself; name another one"
        )
    labels, store = _labels([p.plan for p in parts]), Stores([p.store for p in parts])
    plans = [p.plan for p in parts]
    common = {a.name: f"{labels[0]}: {a.name}" for a in plans[0].arms}
    arms = [_arm(a, label, common if i else {}) for i, (p, label) in enumerate(_of(plans, labels)) for a in p.arms]
    cells = [
        CellRecord(
            arm=f"{label}: {c.arm}", seed=c.seed, fingerprints=[store.named(f, part.store) for f in c.fingerprints]
        )
        for part, label in zip(parts, labels, strict=True)
        for c in part.plan.cells
    ]
    claims = [
        replace(
            c,
            text=f"{label}: {c.text}",
            arm=f"{label}: {c.arm}",
            versus=f"{label}: {c.versus}",
            beyond=[f"{label}: {arm}" for arm in c.beyond],
        )
        for p, label in _of(plans, labels)
        for c in p.claims
    ]
    plan = PlanRecord(
        name=" + ".join(labels),
        title=_several(p.title for p in plans),
        question=" ".join(dict.fromkeys(p.question for p in plans)),
        method=f"Studies compared: {', '.join(labels)}. An arm that {labels[0]} has too is compared with it, others with their "
        f"own base. {_by_label(plans, labels, 'method')}",
        expectation=_by_label(plans, labels, "expectation"),
        scale=_by_label(plans, labels, "scale"),
        seeds=sorted({s for p in plans for s in p.seeds}),
        arms=arms,
        cells=cells,
        claims=claims,
        as_published=all(p.as_published for p in plans),
        provenance=_provenance(plans, labels),
    )
    return Part(plan, store)


def _of(plans: Sequence[PlanRecord], labels: Sequence[str]) -> Iterable[tuple[PlanRecord, str]]:
    return zip(plans, labels, strict=True)


def _labels(plans: Sequence[PlanRecord]) -> list[str]:
    """Names of the studies; equal ones with the revision they were run at, and a number where that is the same too."""
    names = [p.name for p in plans]
    if len(set(names)) < len(names):
        revisions = [str(p.provenance.get("revision") or "")[:7] for p in plans]
        names = [
            f"{n} at {r or 'an unknown revision'}" if names.count(n) > 1 else n
            for n, r in zip(names, revisions, strict=True)
        ]
    return [f"{n} ({names[:i].count(n) + 1})" if names.count(n) > 1 else n for i, n in enumerate(names)]


def _arm(arm: ArmRecord, label: str, common: dict[str, str]) -> ArmRecord:
    own = f"{label}: {arm.compare_to}" if arm.compare_to else None
    factors = {FACTOR: label, **(arm.factors or {"arm": arm.name})}
    return replace(arm, name=f"{label}: {arm.name}", compare_to=common.get(arm.name, own), factors=factors)


def _several(titles: Iterable[str]) -> str:
    found = list(dict.fromkeys(titles))
    return f"{found[0]}, compared" if len(found) == 1 else " and ".join(found)


def _by_label(plans: Sequence[PlanRecord], labels: Sequence[str], field: str) -> str:
    """What all say, or what each says."""
    texts = [str(getattr(p, field)) for p in plans]
    if len(set(texts)) == 1:
        return texts[0]
    return " ".join(f"{label}: {text}" for label, text in zip(labels, texts, strict=True) if text)


def _provenance(plans: Sequence[PlanRecord], labels: Sequence[str]) -> dict[str, Any]:
    """Revision, time, device and PyTorch of each, and all data sets; one whose content differs is listed for each study."""
    made: dict[str, Any] = {label: _run(plan.provenance) for plan, label in _of(plans, labels)}
    datasets: dict[str, Any] = {}
    for plan, label in _of(plans, labels):
        for name, record in (plan.provenance.get("datasets") or {}).items():
            datasets[name if datasets.get(name, record) == record else f"{name} of {label}"] = record
    return {**made, "datasets": datasets}


def _run(record: dict[str, Any]) -> str:
    revision = str(record.get("revision") or "unknown")
    dirty = " with uncommitted changes" if record.get("dirty") else ""
    torch = (record.get("versions") or {}).get("torch")
    facts = [f"revision {revision}{dirty}", record.get("finished") or record.get("started"), record.get("device")]
    return ", ".join(str(f) for f in [*facts, f"torch {torch}" if torch else ""] if f)
