"""How many floating-point operations convolutions and matrix products take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts into `total` while it is entered, by the formulas of torch's `FlopCounterMode`.

    That counter gives the same number (a test), but loads torch's compiler, which takes longer than all else in a plan.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # True, the default, is what loads the compiler

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        out = func(*args, **given)
        formula: Callable[..., int] | None = flop_registry.get(func.overloadpacket)
        self.total += formula(*args, **given, out_val=out) if formula else 0
        return out
