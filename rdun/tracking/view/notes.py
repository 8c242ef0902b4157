"""Descriptions of runs, in Markdown."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

from rdun.results import ArmRecord, PlanRecord, SearchRecord, SearchTrial
from rdun.tracking.files import TrialFiles
from rdun.tracking.view.metrics import HEADLINE, score_means

SHOWN = 10
CURVES = "Curves are their means at the epochs that all of them have, `epoch_spread/...` the standard deviations."


def trial_note(files: TrialFiles, title: str, about: str) -> str:
    """How a trial went.

    Args:
        title, about: what it is called and what it is, in words.
    """
    run, epochs = files.run, files.epochs
    text = f"**{safe(title)}**: {run.status}"
    text += f" ({safe(run.reason)}).\n" if run.reason else ".\n"
    if epochs:
        best = max(epochs, key=lambda e: e.validation_psnr)
        text += f"\n- best validation PSNR {best.validation_psnr:.2f} dB, at epoch {best.epoch} of {epochs[-1].epoch}"
    means = score_means(files)
    if HEADLINE in means:
        text += f"\n- test PSNR {means[HEADLINE]:.2f} dB, SSIM {means.get('result/best_test_ssim', math.nan):.4f}"
    if "result/initial_test_psnr" in means:
        text += f" (initial estimate: {means['result/initial_test_psnr']:.2f} dB)"
    return text + f"\n- {safe(about)}\n- trial directory `{run.fingerprint}`"


def arm_note(arm: ArmRecord, complete: int, cells: int, averaged: int) -> str:
    """What an arm is, how many of its cells are complete, and over how many its means are, maybe since an earlier run."""
    factors = "".join(f"\n- {safe(key)}: {safe(value)}" for key, value in arm.factors.items())
    versus = f"\n- compared to: {safe(arm.compare_to)}" if arm.compare_to else ""
    if complete == averaged == cells:
        means = f"Metrics are means over seeds. {CURVES}"
    elif averaged:
        means = f"Metrics are means over the seeds that were complete when a run last ended: {averaged}. {CURVES}"
    else:
        means = "Means follow when all seeds are complete, or the run has ended."
    return (
        f"**{safe(arm.name)}**: {complete} of {cells} seeds complete. {means}\n{factors}{versus}\n- layout: {safe(arm.layout)}"
        f"\n- {arm.parameters:,} parameters, {arm.macs / 1e6:,.1f} M multiply-accumulates per block"
    )


def study_note(plan: PlanRecord, answer: str, place: str) -> str:
    """Question, answer, claims, and where the trials lie."""
    lines = _paragraphs({"Question": plan.question, "Answer": answer, "Method": plan.method, "Scale": plan.scale})
    if plan.claims:
        lines.append("**Claims.**\n\n" + "\n".join(f"- {safe(claim.text)}" for claim in plan.claims))
    return "\n\n".join([*lines, _files(place)])


def search_note(record: SearchRecord, answer: str, place: str) -> str:
    """Question, answer, best trials, space, and where the trials lie."""
    lines = _paragraphs({"Question": record.question, "Answer": answer, "Method": record.method, "Scale": record.scale})
    best = record.best()
    if best:
        shown = "\n".join(
            f"- trial {t.number}: {safe(values_text(t.values))}: {reached(record, t)}" for t in best[:SHOWN]
        )
        more = f"\n- and {len(best) - SHOWN} more" if len(best) > SHOWN else ""
        lines.append(f"**{'Best trial' if len(best) == 1 else 'Trials that no other one beats'}.**\n\n{shown}{more}")
    space = "\n".join(f"- {safe(name)}: {safe(values)}" for name, values in record.space.items())
    return "\n\n".join([*lines, f"**Space**, searched by {safe(record.sampler)}.\n\n{space}", _files(place)])


def suggestion_note(record: SearchRecord, trial: SearchTrial) -> str:
    """A suggestion that has no trial directory of its own, or one for each of several seeds."""
    why = f" ({safe(trial.reason)})" if trial.reason else ""
    end = f": {reached(record, trial)}" if trial.objectives else ""
    seeds = f" {_over(trial.fingerprints)}" if trial.state == "complete" and len(trial.fingerprints) > 1 else ""
    return f"**trial {trial.number}**: {trial.state}{why}{end}.{seeds}\n\n- {safe(values_text(trial.values))}"


def baseline_note(name: str, fingerprints: Sequence[str], complete: bool) -> str:
    """A baseline of a search with several seeds."""
    end = f"complete. {_over(fingerprints)}" if complete else "not complete."
    return f"**baseline {safe(name)}**, outside the search: {end}"


def _over(fingerprints: Sequence[str]) -> str:
    return f"Metrics are means over {len(fingerprints)} seeds. {CURVES}"


def values_text(values: Mapping[str, object]) -> str:
    """The chosen values of a suggestion: "layers 2, channels 8"."""
    return ", ".join(f"{name} {value}" for name, value in values.items())


def reached(record: SearchRecord, trial: SearchTrial) -> str:
    """The objectives of a trial as text: "validation_psnr 27.31, parameters 1,234"."""
    names = [objective["quantity"] for objective in record.objectives]
    return ", ".join(f"{name} {value:,.6g}" for name, value in zip(names, trial.objectives, strict=False))


def _files(place: str) -> str:
    return f"The report is `report.html` among the artifacts of this run; runs folder `{safe(place)}`."


def _paragraphs(parts: Mapping[str, str]) -> list[str]:
    return [f"**{name}.** {safe(text)}" for name, text in parts.items() if text]


def safe(text: str) -> str:
    """One line without markup."""
    return html.escape(" ".join(text.split()), quote=False)
