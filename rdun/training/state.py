"""Everything that a resume needs, saved and loaded as a whole."""

from __future__ import annotations

import io
import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from rdun.config import TrialConfig
from rdun.models import Unfolding
from rdun.results import EpochRecord, Folder
from rdun.streams import stream

CHECKPOINT = "checkpoint.pt"
MACHINE_FAILED = ("CUDA error", "can't allocate memory")
"""In messages of errors that have no type of their own, and say nothing of the file that was read."""


class MovingAverage(AveragedModel):
    """A copy that follows a network's parameters: at the first step equal to them, then an exponential moving average.

    torch's own update takes the number of steps to the device each time, and so waits for all that a GPU still has to do.
    """

    def __init__(self, network: Unfolding, decay: float) -> None:
        super().__init__(network)
        self.decay = decay

    def update_parameters(self, model: nn.Module) -> None:
        mine, theirs = ([p.detach() for p in each.parameters()] for each in (self.module, model))
        if self.n_averaged:
            torch._foreach_lerp_(mine, theirs, 1 - self.decay)
        else:
            torch._foreach_copy_(mine, theirs)
        self.n_averaged += 1


@dataclass
class TrainState:
    """A training run between two epochs.

    Attributes:
        recursions, matrices: streams of the recursion counts and of the training operators.
        average: moving average of the network's weights, where the config has one.
        best_weights: the weights with the highest validation PSNR so far (the earliest of equal ones); those of the start before
            the first epoch.
    """

    network: Unfolding
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    recursions: np.random.Generator
    matrices: np.random.Generator
    average: MovingAverage | None = None
    records: list[EpochRecord] = field(default_factory=list)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    best_psnr: float = -math.inf

    @classmethod
    def start(cls, config: TrialConfig, network: Unfolding, device: torch.device) -> TrainState:
        """The state before the first step; `network` already lies on `device`."""
        return cls(
            network=network,
            optimizer=torch.optim.Adam(network.parameters(), lr=config.optim.lr, fused=True),
            scaler=torch.amp.GradScaler(device.type, enabled=config.precision == "fp16"),
            recursions=stream(config.seed, "recursions"),
            matrices=stream(config.seed, "matrices"),
            average=MovingAverage(network, config.optim.ema) if config.optim.ema else None,
            best_weights=_copy(network),
        )

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return len(self.records)

    @property
    def evaluated(self) -> Unfolding:
        """The network that is validated and tested: the moving average, where there is one."""
        return cast(Unfolding, self.average.module) if self.average else self.network

    def step(self, clip: float) -> None:
        """One step of the optimizer, on gradients that are scaled down to the norm `clip` where they are longer (0: never)."""
        if clip:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def stepped(self) -> None:
        """After each optimizer step."""
        if self.average:
            self.average.update_parameters(self.network)

    def add(self, record: EpochRecord) -> None:
        """Takes the record of an epoch and keeps the weights if they are the best so far."""
        self.records.append(record)
        if record.validation_psnr > self.best_psnr:
            self.best_psnr, self.best_epoch = record.validation_psnr, record.epoch
            self.best_weights = _copy(self.evaluated)

    def save(self, folder: Folder) -> None:
        """Writes checkpoint.pt, atomically."""
        content: dict[str, Any] = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "scaler": self.scaler.state_dict(),
            "recursions": json.dumps(self.recursions.bit_generator.state),
            "matrices": json.dumps(self.matrices.bit_generator.state),
            "records": [asdict(record) for record in self.records],
            "best_weights": self.best_weights,
            "best_epoch": self.best_epoch,
            "best_psnr": self.best_psnr,
        }
        buffer = io.BytesIO()
        torch.save(content, buffer)
        folder.write(CHECKPOINT, buffer.getvalue())

    def load(self, folder: Folder, device: torch.device) -> None:
        """Takes over a saved state.

        Raises:
            ValueError: the file is damaged or belongs to another network.
            OSError, MemoryError, RuntimeError: as in `read_checkpoint`.
        """
        content = read_checkpoint(folder, device)
        try:
            self.network.load_state_dict(content["network"])
            self.optimizer.load_state_dict(content["optimizer"])
            if self.average:
                self.average.load_state_dict(content["average"])
            self.scaler.load_state_dict(content["scaler"])
            self.recursions.bit_generator.state = json.loads(content["recursions"])
            self.matrices.bit_generator.state = json.loads(content["matrices"])
            self.records = [EpochRecord(**record) for record in content["records"]]
            self.best_weights = content["best_weights"]
            self.best_epoch, self.best_psnr = content["best_epoch"], content["best_psnr"]
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            if _machine_failed(error):
                raise
            raise _unreadable(folder, error) from error


def _copy(network: Unfolding) -> dict[str, Tensor]:
    return {k: v.detach().clone() for k, v in network.state_dict().items()}


def read_checkpoint(folder: Folder, device: torch.device) -> dict[str, Any]:
    """The content of checkpoint.pt, read without running anything that it may hold.

    Raises:
        ValueError: the file is damaged, or not a checkpoint.
        OSError, MemoryError, RuntimeError: the disk or the device failed, or has no memory left; the file may be good.
    """
    saved = folder.read(CHECKPOINT)
    try:
        content = torch.load(io.BytesIO(saved), weights_only=True, map_location=device)
    except Exception as error:  # torch raises many types for a damaged file
        if _machine_failed(error):
            raise
        raise _unreadable(folder, error) from error
    if not isinstance(content, dict):
        raise _unreadable(folder, TypeError(f"it holds a {type(content).__name__}"))
    return content


def _machine_failed(error: Exception) -> bool:
    """Whether the disk, the device or its memory failed, not the file."""
    if isinstance(error, OSError | MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in MACHINE_FAILED)


def _unreadable(folder: Folder, error: Exception) -> ValueError:
    reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return ValueError(
        f"checkpoint {folder.path}/{CHECKPOINT} cannot be read ({reason}); delete it and run again to start this trial anew"
    )
