"""Stand-ins for CUDA graphs on a processor: a capture notes the operations, a replay repeats them on the same tensors.

What a capture computes is destroyed, as a GPU computes nothing then; what would wait for the GPU is refused, as there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "is_pinned", "equal")
"""Operations that give the host what a GPU computes."""


class Graph:
    """Operations with the tensors that they read and write."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, Sequence[Any], Mapping[str, Any], list[Tensor]]] = []

    def replay(self) -> None:
        with torch.no_grad():
            for func, args, kwargs, made in self.calls:
                again = func(*args, **kwargs)
                for old, new in zip(made, _tensors(again) if made else (), strict=True):
                    old.copy_(new)


class Capture(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes what is dispatched while it is entered."""

    def __init__(self, graph: Graph, pool: object = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.graph = graph

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in WAITS:
            raise RuntimeError(f"CUDA error: operation not permitted when stream is capturing ({name})")
        out = func(*args, **(kwargs or {}))
        views = [r.alias_info is not None for r in func._schema.returns]
        self.graph.calls.append((func, args, kwargs or {}, [] if any(views) else _tensors(out)))
        return out

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        for _, _, _, made in self.graph.calls:
            for tensor in made:
                tensor.untyped_storage().fill_(255)  # type: ignore[attr-defined]  # not a number; unseen by autograd


class Stream:
    """There is only one."""

    def __init__(self, device: object = None) -> None: ...

    def wait_stream(self, other: Stream) -> None: ...


def record_graphs(patch: pytest.MonkeyPatch) -> None:
    """Puts the stand-ins in place."""
    for name, stand_in in {
        "CUDAGraph": Graph,
        "graph": Capture,
        "graph_pool_handle": lambda: None,
        "Stream": Stream,
        "current_stream": Stream,
        "stream": lambda stream: contextlib.nullcontext(),
    }.items():
        patch.setattr(torch.cuda, name, stand_in)


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]
