"""`python -m rdun.trial config.json`: one trial on this machine; run again, it continues or says that it is done."""

from __future__ import annotations

import json
import math
import time
from functools import partial
from pathlib import Path

import click
import torch

from rdun.cli import InputError, data_option, device_option
from rdun.config import TrialConfig, from_dict, to_dict
from rdun.data import trial_fingerprint
from rdun.results import Busy, EpochRecord, TrialDirectory
from rdun.training import Diverged
from rdun.trial.policy import Circumstances, OutOfMemory
from rdun.trial.precision import resolve_precision
from rdun.trial.run import Stopped, run_trial


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--workdir", help="Trial directory or URL; default: runs/trials/FINGERPRINT.")
@device_option
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of PyTorch.")
@click.option(
    "--recompute", is_flag=True, help="Train with the memory of one stage application, a third slower; same results."
)
@click.option("--minutes", type=float, help="Stop after the epoch that reaches this time; run again to go on.")
@data_option
def main(config: Path, workdir: str | None, device: str, threads: int, recompute: bool, minutes: float | None) -> None:
    """Train and score the trial that the JSON file CONFIG describes; fields that it leaves out keep their defaults."""
    start = time.monotonic()
    if minutes is not None and not 0 <= minutes < math.inf:
        raise InputError(
            f"--minutes={minutes:g} is no time to stop at; give 0 or more, or leave it out to train to the end"
        )
    try:
        trial = resolve_precision(_read(config), torch.device(device))
        folder = workdir or f"runs/trials/{trial_fingerprint(trial)}"
        click.echo(f"trial {trial_fingerprint(trial)} in {folder}, {trial.precision} on {device}")
        around = Circumstances(recompute=recompute)
        info = run_trial(
            trial, folder, partial(_after_epoch, start, minutes), device=device, threads=threads, circumstances=around
        )
    except (ValueError, Busy, Diverged, OutOfMemory, OSError) as error:
        raise InputError(error) from error
    if info.status == "stopped":
        click.echo(
            f"stopped {info.reason}, {len(TrialDirectory(folder).epochs())} of {trial.optim.epochs} epochs; run again to go on"
        )
        return
    for score in TrialDirectory(folder).scores():
        if score.checkpoint == "best" and score.split == "test" and score.unit == "image" and score.metric == "psnr":
            what = f"{score.recursions} recursions" if score.recursions else "initial estimate"
            click.echo(f"{score.dataset} {score.image} at {score.ratio:g}, {what}: {score.value:.2f} dB")
    click.echo(f"{info.status}; best epoch {info.facts.get('best_epoch')}")


def _read(path: Path) -> TrialConfig:
    try:
        values = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON ({error}); start from {json.dumps(to_dict(TrialConfig()))}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} should hold an object with the fields task, model, recursion, data, optim, ...")
    return from_dict(TrialConfig, values)


def _after_epoch(start: float, minutes: float | None, record: EpochRecord) -> None:
    click.echo(
        f"epoch {record.epoch}: loss {record.train_loss:.3e}, training {record.train_psnr:.2f} dB, "
        f"validation {record.validation_psnr:.2f} dB / {record.validation_ssim:.4f}, {record.seconds:.1f} s"
    )
    if minutes is not None and time.monotonic() - start >= 60 * minutes:
        raise Stopped(f"after --minutes {minutes:g}")


if __name__ == "__main__":
    main()
