"""Published values beside the study's own: quality, cost, and validation quality of the published checkpoints."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from analysis.frames import StudyFrames
from analysis.numbers import DIGITS, GAP, listed, plural
from analysis.reference import sources
from analysis.reference.checkpoints import checkpoint_cells
from analysis.reference.costs import costs
from analysis.reference.verdicts import TOLERANCE, Coverage, QualityCell, coverage, quality_cells
from analysis.statistics.paired import Images
from analysis.tables.table import Number, Pair, Table, Text

NAN = float("nan")
RULE = (
    f"Reproduced: |difference| of at most {TOLERANCE['psnr']:.2f}\u00a0dB and {TOLERANCE['ssim']:.3f} in SSIM at the digits "
    "shown; else it deviates."
)


def published_table(images: Images) -> Table:
    """Table 1 of the paper: PSNR and SSIM of every arm that stands in it, ratio by ratio and their mean."""
    cells = quality_cells(images)
    return Table(
        name="published",
        title=f"Published and measured quality on {listed(list(dict.fromkeys(c.dataset for c in cells)))}",
        caption=f"{_summary(coverage(images))} {RULE} {_scale(images.frames)}Measured: checkpoint with the best validation PSNR, "
        "mean ± standard deviation over seeds. Average: mean of the ratios.",
        frame=pd.DataFrame([_quality_row(c) for c in cells]),
        columns=(
            Text(key="at", header="Ratio", align="right"),
            *(_number(metric, kind) for metric in DIGITS for kind in ("published", "measured", "difference")),
            Text(key="verdict", header="Verdict"),
        ),
        group="arm",
        gaps={(i, "verdict"): c.reason for i, c in enumerate(cells) if c.reason}
        | {(i, "psnr measured"): c.measured.lacking for i, c in enumerate(cells) if c.measured and c.measured.lacking},
        notes=sources([c.remark for c in cells]),
    )


def _number(metric: str, kind: str) -> Number:
    head = f"{metric.upper()} {kind}"
    spread = f"{metric} spread" if kind == "measured" else ""
    unit = "dB" if metric == "psnr" else ""
    signed = kind == "difference"
    return Number(key=f"{metric} {kind}", header=head, unit=unit, digits=DIGITS[metric], signed=signed, spread=spread)


def _quality_row(cell: QualityCell) -> dict[str, object]:
    row: dict[str, object] = {"arm": cell.arm, "dataset": cell.dataset, "at": cell.at, "verdict": cell.verdict}
    for metric, published in cell.published.items():
        measured = cell.measured.mean[metric] if cell.measured else NAN
        row |= {f"{metric} published": published, f"{metric} measured": measured}
        row |= {f"{metric} spread": cell.measured.spread[metric] if cell.measured else NAN}
        row |= {f"{metric} difference": measured - published}
    return row


def published_cost_table(frames: StudyFrames) -> Table:
    """Table 2 of the paper: parameters, hours of training, images per second, and the devices of both sides."""
    found = costs(frames)
    return Table(
        name="published-cost",
        title="Published and measured cost",
        caption="Each cell: published / measured. Parameters are compared exactly. Times depend on the device and on how they "
        "were taken, which was not published: they stand side by side without a verdict. "
        f"{_scale(frames)}Measured: mean over seeds.",
        frame=pd.DataFrame([c._asdict() | {"devices": f"{c.published_device} / {c.device or GAP}"} for c in found]),
        columns=(
            Text(key="arm", header="Arm"),
            _pair("parameters", "Parameters", digits=0),
            Text(key="parameters_verdict", header="Verdict"),
            _pair("hours", "Training", "h"),
            _pair("rate", "Reconstruction", "images/s"),
            Text(key="devices", header="Devices"),
            Text(key="times_verdict", header="Times"),
        ),
        gaps={
            (i, "times_verdict" if c.times_verdict == "not run" else "hours"): c.reason
            for i, c in enumerate(found)
            if c.reason
        },
        notes=sources([c.remark for c in found]),
    )


def _pair(key: str, header: str, unit: str = "", digits: int = 2) -> Pair:
    published = Number(key=f"published_{key}", header="Published", digits=digits)
    return Pair(first=published, second=Number(key=key, header="Measured", digits=digits), header=header, unit=unit)


def published_checkpoints_table(frames: StudyFrames) -> Table:
    """Best validation PSNR of the published checkpoints and of the arms that name one."""
    cells = checkpoint_cells(frames)
    counts = Counter(c.verdict for c in cells)
    summary = _summary(Coverage(counts["reproduced"], counts["deviates"], counts["not run"]))
    rows = [c._asdict() | {"difference": c.measured - c.published} for c in cells]
    return Table(
        name="published-checkpoints",
        title="Published and measured validation quality",
        caption=f"{summary} Best PSNR on the validation images during training. Reproduced: |difference| of at most "
        f"{TOLERANCE['psnr']:.2f}\u00a0dB. {_scale(frames)}Measured: mean over seeds.",
        frame=pd.DataFrame(rows),
        columns=(
            Text(key="arm", header="Arm"),
            Text(key="dataset", header="Validation set"),
            Text(key="at", header="Ratio", align="right"),
            Number(key="published", header="Published", unit="dB"),
            Number(key="measured", header="Measured", unit="dB"),
            Number(key="difference", header="Difference", unit="dB", signed=True),
            Text(key="verdict", header="Verdict"),
        ),
        gaps={(i, "verdict"): c.reason for i, c in enumerate(cells) if c.reason},
        notes=sources([c.remark for c in cells]),
    )


def _summary(found: Coverage) -> str:
    """`Coverage(2, 1, 0)` -> "Of 3 published values 2 are reproduced, 1 deviates and 0 are not run."."""
    total = plural(sum(found), "published value")
    parts = [
        f"{found.reproduced} {'is' if found.reproduced == 1 else 'are'} reproduced",
        f"{found.deviates} {'deviates' if found.deviates == 1 else 'deviate'}",
        f"{found.not_run} {'was' if found.not_run == 1 else 'were'} not run",
    ]
    return f"Of {total}, {parts[0]}, {parts[1]} and {parts[2]}."


def _scale(frames: StudyFrames) -> str:
    if frames.plan.as_published:
        return ""
    return "This study does not train as published, so that nothing is compared here. "
