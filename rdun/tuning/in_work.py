"""The settings of a search that are in work: their trials, one per seed, and the suggestions that wait for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from rdun.config import TrialConfig


@dataclass(frozen=True)
class Suggestion:
    """A trial to be run: of which suggestion in the Optuna study (None: of a baseline), its identity and its config."""

    number: int | None
    fingerprint: str
    config: TrialConfig


@dataclass
class Setting:
    """A setting in work.

    Attributes:
        prints: fingerprints of all its trials, by the first of which it is known.
        numbers: the suggestions that wait for it; none for a baseline.
        left: fingerprints of the trials that are given out, or about to be.
        died: whether one of them was given up.
    """

    prints: Sequence[str]
    numbers: list[int]
    left: set[str]
    died: bool = False


class InWork:
    """The settings that were begun and have no end yet."""

    def __init__(self) -> None:
        self._settings: dict[str, Setting] = {}
        self._queue: deque[Suggestion] = deque()

    def begin(self, number: int | None, prints: Sequence[str], trials: Sequence[Suggestion]) -> None:
        """Takes those trials of a setting that are to be run."""
        numbers = [] if number is None else [number]
        self._settings[prints[0]] = Setting(prints, numbers, {trial.fingerprint for trial in trials})
        self._queue.extend(trials)

    def joined(self, number: int, prints: Sequence[str]) -> bool:
        """Lets a suggestion wait for a setting, if that is in work."""
        if setting := self._settings.get(prints[0]):
            setting.numbers.append(number)
        return setting is not None

    def next(self) -> Suggestion | None:
        """The trial to be given out next."""
        return self._queue.popleft() if self._queue else None

    def find(self, fingerprint: str) -> Setting | None:
        """The setting of a trial without an end."""
        return next((setting for setting in self._settings.values() if fingerprint in setting.left), None)

    def ended(self, setting: Setting, fingerprint: str, *, failed: bool) -> bool:
        """A trial is over; whether the setting is, too, and forgotten here.

        Args:
            failed: the setting will have no result: its trials that were not given out are not needed.
        """
        setting.left.remove(fingerprint)
        if failed:
            setting.left -= {trial.fingerprint for trial in self._queue}
            kept = [trial for trial in self._queue if trial.fingerprint not in setting.prints]
            self._queue = deque(kept)
        if not setting.left:
            del self._settings[setting.prints[0]]
        return not setting.left

    def left(self) -> list[str]:
        """Fingerprints of all trials without an end, given out or not."""
        return [fingerprint for setting in self._settings.values() for fingerprint in setting.left]
