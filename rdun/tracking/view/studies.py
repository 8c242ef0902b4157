"""A study: parameters, metrics and tags of the study, its arms and its trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rdun.config import digest
from rdun.results import ArmRecord, PlanRecord
from rdun.tracking.files import TrialFiles
from rdun.tracking.view.names import Identity, clean, flatten
from rdun.tracking.view.notes import study_note


def arm_identity(study: Identity, arm: ArmRecord) -> Identity:
    """An arm of a study is its name and its configs, whatever its seeds: an arm that was changed is shown beside what it was."""
    configs = [{key: value for key, value in config.items() if key != "seed"} for config in arm.configs]
    return study._replace(arm=arm.name, fingerprint=digest(configs))


def arm_params(arm: ArmRecord) -> dict[str, str]:
    """Name, factors and layout of an arm."""
    own = {"arm": arm.name, "layout": arm.layout, "compare_to": arm.compare_to or "-"}
    return own | {f"factor.{clean(key)}": value or "-" for key, value in arm.factors.items()}


def arm_config(arm: ArmRecord) -> dict[str, str]:
    """The fields in which the configs of an arm agree, whatever their seed."""
    first, *others = [flatten(config) for config in arm.configs]
    agreed = {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
    agreed.pop("seed", None)
    return agreed


def arm_sizes(arm: ArmRecord) -> dict[str, float]:
    """Parameters and multiply-accumulates, as metrics, so that MLflow can plot against them."""
    return {"size/parameters": arm.parameters, "size/macs": arm.macs}


def study_tags(plan: PlanRecord, answer: str, place: str) -> dict[str, str]:
    """Question, answer, seeds and claims of a study, how it was made, and in which runs folder."""
    tags = {
        "rdun.title": plan.title,
        "rdun.question": plan.question,
        "rdun.seeds": ", ".join(map(str, plan.seeds)),
        "rdun.arms": ", ".join(arm.name for arm in plan.arms),
        "rdun.claims": "; ".join(claim.text for claim in plan.claims),
        "rdun.answer": answer,
        "mlflow.note.content": study_note(plan, answer, place),
    }
    return {key: value for key, value in tags.items() if value} | provenance_tags(plan.provenance)


def trial_tags(files: TrialFiles) -> dict[str, str]:
    """Where a trial stands and what it ran on."""
    tags = {
        "rdun.status": files.run.status,
        "rdun.reason": files.run.reason or "-",
        "rdun.attempts": str(len(files.run.attempts)),
    }
    tags |= {f"rdun.fact.{clean(key)}": _text(value) for key, value in files.run.facts.items()}
    for attempt in files.run.attempts[-1:]:
        tags |= {
            "rdun.host": attempt.host,
            "rdun.device": attempt.device,
            "rdun.threads": str(attempt.threads),
            "rdun.gpus": f"{attempt.gpus:g}",
        }
        tags |= made_tags(attempt.versions, attempt.revision)
    return tags


def provenance_tags(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Command, machine, versions, revision and data hashes of the driver's run."""
    told = {f"rdun.{key}": str(provenance[key]) for key in ("command", "machine", "cpu") if key in provenance}
    data = {f"rdun.data.{clean(name)}": str(facts["hash"]) for name, facts in provenance.get("datasets", {}).items()}
    return told | data | made_tags(provenance.get("versions", {}), str(provenance.get("revision", "")))


def made_tags(versions: Mapping[str, str], revision: str) -> dict[str, str]:
    """Versions and git revision, the latter also where MLflow looks for it."""
    tags = {
        "rdun.versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "rdun.revision": revision,
        "mlflow.source.git.commit": revision.partition("+")[0],
    }
    return {key: value for key, value in tags.items() if value}


def _text(value: object) -> str:
    """A fact; of records by hash, such as the protocols, the hashes."""
    return ", ".join(map(str, value)) if isinstance(value, Mapping) else str(value)
