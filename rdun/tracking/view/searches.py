"""A search: parameters, metrics and tags of the search and its suggestions."""

from __future__ import annotations

from rdun.config import digest
from rdun.results import SearchRecord, SearchTrial
from rdun.tracking.view.names import Identity, clean
from rdun.tracking.view.notes import search_note
from rdun.tracking.view.studies import provenance_tags


def suggestion_identity(search: Identity, trial: SearchTrial) -> Identity:
    """Its number and its setting: a search that is begun anew is shown beside what it was."""
    setting = trial.fingerprint or digest(trial.values)
    return search._replace(suggestion=str(trial.number), fingerprint=setting)


def suggestion_params(trial: SearchTrial) -> dict[str, str]:
    """The chosen values as `space.NAME`, beside the whole config where there is one."""
    return {f"space.{clean(name)}": str(value) for name, value in trial.values.items()} | {"number": str(trial.number)}


def suggestion_sizes(trial: SearchTrial) -> dict[str, float]:
    """What its setting costs, as `size/NAME`."""
    return {f"size/{clean(name)}": value for name, value in trial.quantities.items()}


def suggestion_tags(record: SearchRecord, trial: SearchTrial, best: set[int]) -> dict[str, str]:
    """State, and whether it is the best or on the Pareto front; of a duplicate, whose."""
    tags = {"rdun.state": trial.state, "rdun.best": "yes" if trial.number in best else "no"}
    if trial.reason:
        tags["rdun.reason"] = trial.reason
    if trial.state == "duplicate":
        end = "complete" if trial.objectives else "stopped early"
        first = next(t for t in record.trials if t.fingerprint == trial.fingerprint and t.state == end)
        tags["rdun.duplicate_of"] = str(first.number)
    return tags


def objectives(record: SearchRecord, trial: SearchTrial) -> dict[str, float]:
    """What a suggestion reached, as `objective/NAME`, and how far its seeds are apart, as `objective_spread/NAME`."""
    names = [clean(objective["quantity"]) for objective in record.objectives]
    reached = {f"objective/{name}": value for name, value in zip(names, trial.objectives, strict=False)}
    return reached | {f"objective_spread/{name}": s for name, s in zip(names, trial.spreads, strict=False)}


def best_values(record: SearchRecord) -> dict[str, float]:
    """The best value of each objective by itself, and how many trials no other one beats."""
    done = [trial.objectives for trial in record.trials if trial.state == "complete"]
    if not done:
        return {}
    values: dict[str, float] = {"best/trials": len(record.best())}
    for objective, column in zip(record.objectives, zip(*done, strict=True), strict=True):
        choose = max if objective["direction"] == "maximize" else min
        values[f"best/{clean(objective['quantity'])}"] = choose(column)
    return values


def search_tags(record: SearchRecord, answer: str, place: str) -> dict[str, str]:
    """Question, answer, space, objectives and bounds of a search, how it was made, and in which runs folder."""
    tags = {
        "rdun.title": record.title,
        "rdun.question": record.question,
        "rdun.objectives": "; ".join(f"{o['direction']} {o['quantity']}" for o in record.objectives),
        "rdun.constraints": "; ".join(f"{c['quantity']} at most {c['at_most']:,.10g}" for c in record.constraints),
        "rdun.answer": answer,
        "mlflow.note.content": search_note(record, answer, place),
    }
    return {key: value for key, value in tags.items() if value} | provenance_tags(record.provenance)


def search_params(record: SearchRecord) -> dict[str, str]:
    """The space, the sampler and its seed, and the seeds of the trials."""
    space = {f"space.{clean(name)}": values for name, values in record.space.items()}
    seeds = ", ".join(map(str, record.seeds))
    return space | {"sampler": record.sampler, "sampler_seed": str(record.seed), "seeds": seeds}
