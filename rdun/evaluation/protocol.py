"""How a score was measured, as a record and its hash: scores with different hashes must not share a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rdun.config import PROTOCOL, Precision, digest
from rdun.operators import Task

Record = Mapping[str, object]


@dataclass(frozen=True)
class Protocols:
    """The protocol of every sampling ratio of a task, tested on assembled images or block by block.

    Attributes:
        records: ratio -> luminance, padding, clipping, metrics (`rdun.config.PROTOCOL`), the measurement (see `Task.protocol`),
            whether the network ran on the assembled image, and its precision where that is not float32.
        hashes: ratio -> the `protocol` column of its scores.
    """

    records: Mapping[float, Record]
    hashes: Mapping[float, str]

    @classmethod
    def of(cls, task: Task, ratios: Iterable[float], *, deblock: bool, precision: Precision = "fp32") -> Protocols:
        """The protocols of a task at its test ratios."""
        shared = {**PROTOCOL, "network": "assembled image" if deblock else "block by block"}
        if precision != "fp32":
            shared["precision"] = precision
        records = {r: shared | {"measurement": task.protocol(r)} for r in ratios}
        return cls(records, {ratio: digest(record) for ratio, record in records.items()})

    def by_hash(self) -> dict[str, Record]:
        """hash -> record, for the trial's facts."""
        return {self.hashes[ratio]: record for ratio, record in self.records.items()}
