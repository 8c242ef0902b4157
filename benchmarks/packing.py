"""Training steps per second of K networks: one after another, in K processes at once, or packed into one by torch.func.vmap.

    python benchmarks/packing.py packing.csv                    # on the processor, pocket and full size
    python benchmarks/packing.py packing.csv --device cuda

The most favourable case for packing: K seeds of one arm, fixed recursion counts, one matrix, so that all K apply the same stages
to measurements of one size. (Random counts or several ratios differ from seed to seed, and cannot be packed without computing
what is then thrown away.) A step is forward, backward and Adam, in bf16 (`--precision`). On a GPU each way replays a CUDA graph
of the whole step. "processes" share the device, with one thread each. Packed gradients are compared with those of the networks
alone first. OUT grows with each number of networks.
"""

from __future__ import annotations

import queue
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import click
import torch
import torch.multiprocessing as processes
import torch.nn.functional as F
from torch import Tensor

from benchmarks.record import write_rows
from rdun.config import Fixed, Precision, TrialConfig, with_values
from rdun.models import Unfolding, autocast, build_model, convolutions
from rdun.operators import Operator, make_task
from studies.base import R_COAST, R_ISTA_NET_PLUS, pocket

Step = Callable[[], object]
WINDOW = 4
PATIENCE = 120.0
"""Seconds that processes wait for the others to begin."""


def _configs(precision: Precision) -> dict[str, TrialConfig]:
    found = {}
    for name, system in {"COAST 5x4": R_COAST, "ISTA-Net+ 3x3": R_ISTA_NET_PLUS}.items():
        for size, config in {"full": system, "pocket": pocket(system)}.items():
            changes = {"task.ratios": (0.1,), "task.matrices": 1, "task.initial": "adjoint", "task.ridge": 0.0}
            fixed = {"recursion.train": Fixed(counts=config.test_counts), "recursion.test": None}
            found[f"{name}, {size}"] = replace(with_values(config, {**changes, **fixed}), precision=precision)
    return found


def _network(config: TrialConfig, seed: int, device: torch.device) -> Unfolding:
    network = build_model(replace(config, seed=seed)).to(device).train()
    return cast(Unfolding, network.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


def _operator(config: TrialConfig, device: torch.device) -> Operator:
    side = config.task.block
    return make_task(config.task, None, device).test_operators((side, side))[0].operator


def _blocks(config: TrialConfig, seed: int, device: torch.device) -> Tensor:
    noise = torch.Generator().manual_seed(seed)
    side = config.task.block
    return torch.rand(config.optim.batch, 1, side, side, generator=noise).to(device)


def _loss(
    network: Callable[..., Any], x: Tensor, operator: Operator, config: TrialConfig, device: torch.device
) -> Tensor:
    with autocast(config.precision, device):
        output = network(operator.measure(x), operator, config.test_counts)
    loss: Tensor = F.mse_loss(output.x.float(), x) + output.penalty
    return loss


def _adam(parameters: list[Tensor]) -> torch.optim.Adam:
    on_gpu = parameters[0].is_cuda
    return torch.optim.Adam(parameters, lr=1e-4, fused=True, capturable=on_gpu)


def _alone(config: TrialConfig, seed: int, device: torch.device) -> Step:
    """A step of one network."""
    network, x, operator = _network(config, seed, device), _blocks(config, seed, device), _operator(config, device)
    optimizer = _adam(list(network.parameters()))

    def step() -> None:
        optimizer.zero_grad(set_to_none=False)
        _loss(network, x, operator, config, device).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return _captured(step, device)


def _one_after_another(config: TrialConfig, count: int, device: torch.device) -> Step:
    steps = [_alone(config, seed, device) for seed in range(count)]
    return lambda: [step() for step in steps]


def _stacked(networks: list[Unfolding]) -> dict[str, Tensor]:
    names = [name for name, _ in networks[0].named_parameters()]
    return {n: torch.stack([k.get_parameter(n).detach() for k in networks]).requires_grad_() for n in names}


def _packed_loss(
    network: Unfolding,
    stacked: Mapping[str, Tensor],
    x: Tensor,
    operator: Operator,
    config: TrialConfig,
    device: torch.device,
) -> Tensor:
    """The sum of the K losses; its gradient holds each network's own, since they share nothing. `network`: any of them."""

    def one(parameters: dict[str, Tensor], blocks: Tensor) -> Tensor:
        def run(*inputs: Any) -> Any:
            return torch.func.functional_call(network, parameters, inputs)

        return _loss(run, blocks, operator, config, device)

    return torch.func.vmap(one)(dict(stacked), x).sum()


def _packed(config: TrialConfig, count: int, device: torch.device) -> Step:
    networks = [_network(config, seed, device) for seed in range(count)]
    x = torch.stack([_blocks(config, seed, device) for seed in range(count)])
    stacked, operator = _stacked(networks), _operator(config, device)
    optimizer = _adam(list(stacked.values()))

    def step() -> None:
        optimizer.zero_grad(set_to_none=False)
        _packed_loss(networks[0], stacked, x, operator, config, device).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return _captured(step, device)


def _difference(config: TrialConfig, count: int, device: torch.device) -> float:
    """Largest difference of a gradient in float32, packed and alone, relative to the largest entry of its parameter."""
    exact = replace(config, precision="fp32")
    networks = [_network(exact, seed, device) for seed in range(count)]
    blocks = [_blocks(exact, seed, device) for seed in range(count)]
    stacked, operator, worst = _stacked(networks), _operator(exact, device), 0.0
    _packed_loss(networks[0], stacked, torch.stack(blocks), operator, exact, device).backward()  # type: ignore[no-untyped-call]
    for k, network in enumerate(networks):
        _loss(network, blocks[k], operator, exact, device).backward()  # type: ignore[no-untyped-call]
        for name, parameter in network.named_parameters():
            own, packed = parameter.grad, stacked[name].grad
            assert own is not None and packed is not None
            worst = max(worst, float((packed[k] - own).abs().max() / own.abs().max().clamp(min=1e-12)))
    return worst


def _captured(step: Callable[[], None], device: torch.device) -> Step:
    """The step; on a GPU as one CUDA graph."""
    if device.type == "cpu":
        return step
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()

    return partial(_replay, graph, step)


def _replay(graph: torch.cuda.CUDAGraph, _: Step) -> None:
    """Runs the graph; the step is kept because the graph reads the memory of its networks."""
    graph.replay()


def _seconds(step: Step, device: torch.device, seconds: float) -> float:
    """The median time of a step, over windows."""

    def window() -> float:
        start = time.perf_counter()
        for _ in range(WINDOW):
            step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - start) / WINDOW

    window()
    found: list[float] = []
    end = time.perf_counter() + seconds
    while len(found) < 3 or time.perf_counter() < end:
        found.append(window())
    return statistics.median(found)


def _worker(config: TrialConfig, seed: int, kind: str, seconds: float, barrier: Any, results: Any) -> None:
    torch.set_num_threads(1)
    device = torch.device(kind)
    with convolutions(device, tf32=False, benchmark=True):
        step = _alone(config, seed, device)
        barrier.wait()
        results.put(_seconds(step, device, seconds))


def _processes(config: TrialConfig, count: int, device: torch.device, seconds: float) -> float:
    """Seconds in which K processes do one step each, all running at once."""
    context = processes.get_context("spawn")
    barrier, results = context.Barrier(count, timeout=PATIENCE), context.Queue()
    workers = [
        context.Process(target=_worker, args=(config, seed, device.type, seconds, barrier, results), daemon=True)
        for seed in range(count)
    ]
    for worker in workers:
        worker.start()
    try:
        rates: list[float] = [1 / results.get(timeout=PATIENCE + 10 * seconds) for _ in workers]
    except queue.Empty:
        raise click.ClickException(f"one of {count} processes of {config.model.kind} ended without a time") from None
    for worker in workers:
        worker.join()
    return count / sum(rates)


@click.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--device", "kind", default="cpu", show_default=True, type=click.Choice(["cpu", "cuda"]))
@click.option("--counts", default="2,4", show_default=True, help="Networks at once.")
@click.option("--precision", default="bf16", show_default=True, type=click.Choice(["fp32", "bf16"]))
@click.option("--seconds", default=3.0, show_default=True, help="For each measurement.")
@click.option("--only", default="", help="Systems whose name contains this text.")
def main(out: Path, kind: str, counts: str, precision: Precision, seconds: float, only: str) -> None:
    """Writes one row per system, number of networks and way to OUT."""
    device, rows = torch.device(kind), []
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")
    for system, config in _configs(precision).items():
        if only not in system:
            continue
        with convolutions(device, tf32=False, benchmark=True):
            for count in map(int, counts.split(",")):
                off = _difference(config, count, device)
                alone = _seconds(_one_after_another(config, count, device), device, seconds)
                packed = _seconds(_packed(config, count, device), device, seconds)
                together = _processes(config, count, device, seconds)
                for way, took in (("one after another", alone), ("processes", together), ("packed", packed)):
                    row = {"system": system, "networks": count, "way": way, "precision": precision}
                    row |= {"ms": round(1000 * took, 2), "times_reference": round(alone / took, 2)}
                    rows.append(row | {"gradient_difference": f"{off:.1e}" if way == "packed" else ""})
                    click.echo("  ".join(f"{value!s:<18}" for value in rows[-1].values()))
                write_rows(out, rows, device)


if __name__ == "__main__":
    main()
