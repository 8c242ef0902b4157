"""The identity of a trial does not depend on where its files are looked for from."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdun.config import TrialConfig, with_values
from rdun.data import from_anywhere, trial_fingerprint


@pytest.mark.parametrize("weights", ["own-weights.safetensors", "weights-by-name.pkl"])
def test_a_trial_with_whole_paths_is_the_same(
    weights: str, tiny: TrialConfig, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sets" / "weights").mkdir(parents=True)
    (tmp_path / "pictures").symlink_to(images)
    (tmp_path / "own-weights.safetensors").write_bytes(b"own")
    (tmp_path / "sets" / "weights" / "weights-by-name.pkl").write_bytes(b"by name")
    monkeypatch.setenv("RDUN_DATA", str(tmp_path / "sets"))
    monkeypatch.chdir(tmp_path)
    named = {"data.train": "pictures/train/", "data.validation": "photographs-validation", "data.test": "pictures/test"}
    config = with_values(tiny, named | {"weights": weights})
    whole, before = from_anywhere(config), trial_fingerprint(config)
    monkeypatch.chdir(images)
    assert trial_fingerprint(whole) == before
    assert whole.data.validation == "photographs-validation"
    assert whole.weights in (str(tmp_path / "own-weights.safetensors"), "weights-by-name.pkl")


def test_weights_that_are_written_anew_are_others(tiny: TrialConfig, tmp_path: Path) -> None:
    """In one process: their first hash was kept, and what the old weights had scored counted as done."""
    file, seen = tmp_path / "own.safetensors", set[str]()
    for content in (b"first", b"second", b"first"):
        file.write_bytes(content)
        seen.add(trial_fingerprint(with_values(tiny, {"weights": str(file)})))
    assert len(seen) == 2
