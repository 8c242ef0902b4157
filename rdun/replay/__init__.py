"""Recorded studies and searches, to be run again from their curves: what is recorded, what came of it, what it leaves behind."""

from rdun.replay.outcome import Event, Outcome, outcome
from rdun.replay.recording import Curve, Recording, load_recording, orders
from rdun.replay.written import save_recording, write_replayed

__all__ = [
    "Curve",
    "Event",
    "Outcome",
    "Recording",
    "load_recording",
    "orders",
    "outcome",
    "save_recording",
    "write_replayed",
]
