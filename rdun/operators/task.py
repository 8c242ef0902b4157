"""A task: the operators that a network is trained for, and those it is tested on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from rdun.operators.base import Operator


@dataclass(frozen=True)
class TestOperator:
    """An operator of the test set, with the names that its scores carry."""

    __test__ = False  # not a pytest class

    ratio: float
    matrix: str
    operator: Operator


class Task(ABC):
    """Draws training operators and lists test operators."""

    patch: int
    """Side in pixels of a training image."""

    @abstractmethod
    def draw(self, generator: np.random.Generator) -> Operator:
        """A training operator for one mini-batch."""

    @abstractmethod
    def test_operators(self, image_shape: tuple[int, int]) -> list[TestOperator]:
        """Every operator to test with, for images of this shape."""

    @abstractmethod
    def protocol(self, ratio: float) -> dict[str, object]:
        """What fixes the test measurements at one ratio, JSON-ready: different records must not share a table."""
