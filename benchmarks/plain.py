"""The reference of the speed benchmarks: training and reconstruction as the published code does it, from the papers' equations.

Its habits are those of the authors' loops, on purpose: float32 in PyTorch's default layout; the product P = A^T A of each matrix
made beforehand, so that a gradient step is x - step (x P - b); the modulation evaluated per iteration, for a batch of equal
conditions that is made anew on the CPU; every intermediate estimate kept; batches from a DataLoader with workers; Adam without
fusion; the loss copied to a table at every step. None of rdun's own networks are used; `take_over` copies their weights, so that
both can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from rdun.models import Unfolding

SIDE = 33


class Blocks(Dataset[Tensor]):
    """Training blocks as float32 vectors in [0, 1]."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.values = torch.from_numpy(pixels.astype(np.float32) / 255)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> Tensor:
        return self.values[index]


def batches(pixels: np.ndarray, size: int, workers: int) -> Iterator[Tensor]:
    """Shuffled batches `(size, 1089)` without end."""
    loader = DataLoader(Blocks(pixels), batch_size=size, num_workers=workers, shuffle=True, drop_last=True)
    while True:
        yield from loader


def blocks_of(image: Tensor) -> Tensor:
    """The blocks `(B, 1089)` of an image `(1, 1, H, W)`, padded with zeros."""
    height, width = image.shape[-2:]
    padded = F.pad(image, (0, -width % SIDE, 0, -height % SIDE))
    return F.unfold(padded, SIDE, stride=SIDE)[0].T.contiguous()


def assembled(blocks: Tensor, shape: tuple[int, int]) -> Tensor:
    """The image `(1, 1, H, W)` of its blocks."""
    canvas = tuple(side + -side % SIDE for side in shape)
    return F.fold(blocks.T[None], canvas, SIDE, stride=SIDE)[..., : shape[0], : shape[1]].contiguous()


@torch.no_grad()
def reconstruct(network: Coast, image: Tensor, matrix: Tensor, counts: Sequence[int]) -> Tensor:
    """Measures an image `(1, 1, H, W)` in [0, 1] block by block and reconstructs it, the CNN on the assembled image."""
    shape = (int(image.shape[-2]), int(image.shape[-1]))
    measured = torch.mm(blocks_of(image), matrix.T)
    estimates = network(measured, matrix, torch.mm(matrix.T, matrix), counts, shape)
    return assembled(estimates[-1], shape).clamp(0, 1)


class CoastPhase(nn.Module):
    """A phase of COAST on vectors `(B, 1089)`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.step = nn.Parameter(torch.tensor([0.5]))
        self.head = nn.Conv2d(1, channels, 3, padding=1)
        self.conv1 = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3))
        self.conv2 = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3))
        self.tail = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(
        self, x: Tensor, product: Tensor, back: Tensor, scale: Tensor, shape: tuple[int, int] | None = None
    ) -> Tensor:
        x = x - self.step * torch.mm(x, product) + self.step * back
        image = assembled(x, shape) if shape else x.view(-1, 1, SIDE, SIDE)
        features = self.head(image)
        for conv1, conv2 in zip(self.conv1, self.conv2, strict=True):
            features = features + conv2(F.relu(conv1(features))) * scale
        image = image + self.tail(features)
        return blocks_of(image) if shape else image.reshape(-1, SIDE * SIDE)


class Coast(nn.Module):
    """COAST, or R-COAST with the RFMU where `longest` is given."""

    def __init__(self, layers: int, channels: int, longest: int | None) -> None:
        super().__init__()
        self.longest = longest
        self.phases = nn.ModuleList(CoastPhase(channels) for _ in range(layers))
        if longest:
            self.unit: nn.Module = nn.Sequential(nn.Linear(3, channels), nn.ReLU(), nn.Linear(channels, channels))
        else:
            self.unit = nn.Linear(1, channels)

    def forward(
        self,
        measured: Tensor,
        matrix: Tensor,
        product: Tensor,
        counts: Sequence[int],
        shape: tuple[int, int] | None = None,
    ) -> list[Tensor]:
        """Every estimate, the last one last; of the blocks of one image of this shape, or of separate blocks."""
        back = torch.mm(measured, matrix)
        estimates, ratio, total, t = [back], len(matrix) / matrix.shape[1], sum(counts), 0
        for phase, count in zip(self.phases, counts, strict=True):
            for _ in range(count):
                t += 1
                row = [2 * ratio, total / self.longest, t / self.longest] if self.longest else [ratio]
                condition = torch.tensor([row] * (1 if shape else len(measured))).to(measured.device)
                scale = self.unit(condition)[:, :, None, None]
                estimates.append(phase(estimates[-1], product, back, scale, shape))
        return estimates


class IstaPhase(nn.Module):
    """A phase of ISTA-Net+ on vectors; the recursive one scales the outputs of both transforms."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.step = nn.Parameter(torch.tensor([0.5]))
        self.threshold = nn.Parameter(torch.tensor([0.01]))
        shapes = [(1, channels), (channels, 1), *[(channels, channels)] * 4]
        self.d, self.g, self.a1, self.a2, self.b1, self.b2 = (
            nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in shapes
        )

    def forward(
        self, x: Tensor, product: Tensor, back: Tensor, scales: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        x = x - self.step * torch.mm(x, product) + self.step * back
        image = x.view(-1, 1, SIDE, SIDE)
        lifted = self.d(image)
        forward = self.a2(F.relu(self.a1(lifted)))
        if scales:
            forward = forward * scales[0]
        shrunk = torch.mul(torch.sign(forward), F.relu(torch.abs(forward) - self.threshold))
        change, mirrored = (self.b2(F.relu(self.b1(value))) for value in (shrunk, forward))
        if scales:
            change, mirrored = change * scales[1], mirrored * scales[1]
        return (image + self.g(change)).view(-1, SIDE * SIDE), mirrored - lifted


class IstaNetPlus(nn.Module):
    """ISTA-Net+, or the recursive one with two RFMUs where `longest` is given."""

    def __init__(self, layers: int, channels: int, longest: int | None) -> None:
        super().__init__()
        self.longest = longest
        self.phases = nn.ModuleList(IstaPhase(channels) for _ in range(layers))
        self.units = nn.ModuleList(
            nn.Sequential(nn.Linear(2, channels), nn.ReLU(), nn.Linear(channels, channels))
            for _ in range(2 if longest else 0)
        )

    def forward(
        self, start: Tensor, back: Tensor, product: Tensor, counts: Sequence[int]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Every estimate, and what breaks the symmetry in every iteration."""
        estimates, asymmetries, total, t = [start], [], sum(counts), 0
        for phase, count in zip(self.phases, counts, strict=True):
            for _ in range(count):
                t += 1
                scales = None
                if self.longest:
                    condition = torch.tensor([[total / self.longest, t / self.longest]] * len(start)).to(start.device)
                    first, second = (unit(condition)[:, :, None, None] for unit in self.units)
                    scales = first, second
                x, asymmetry = phase(estimates[-1], product, back, scales)
                estimates.append(x)
                asymmetries.append(asymmetry)
        return estimates, asymmetries


class Trainer:
    """One of the plain networks with its optimizer."""

    def __init__(self, network: Coast | IstaNetPlus, lr: float = 1e-4) -> None:
        self.network = network.train()
        self.optimizer = torch.optim.Adam(network.parameters(), lr=lr)
        self.table: list[float] = []

    def step(self, x: Tensor, matrix: Tensor, product: Tensor, estimator: Tensor | None, counts: Sequence[int]) -> None:
        """One step on a batch `(B, 1089)`; the loss goes to `table`."""
        measured = torch.mm(x, matrix.T)
        if isinstance(self.network, Coast):
            estimates = self.network(measured, matrix, product, counts)
            loss = torch.mean((estimates[-1] - x) ** 2)
        else:
            assert estimator is not None
            back, start = torch.mm(measured, matrix), torch.mm(measured, estimator.T)
            estimates, asymmetries = self.network(start, back, product, counts)
            loss = torch.mean((estimates[-1] - x) ** 2)
            constraint = torch.mean(asymmetries[0] ** 2)
            for asymmetry in asymmetries[1:]:
                constraint = constraint + torch.mean(asymmetry**2)
            loss = loss + 0.01 * constraint
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.table.append(float(loss.detach()))


def take_over(network: Coast | IstaNetPlus, ours: Unfolding) -> None:
    """Copies the weights of rdun's network of the same layout, whose parameters come in the same order."""
    for mine, theirs in zip(network.parameters(), ours.parameters(), strict=True):
        mine.data.copy_(theirs.detach().reshape(mine.shape))
