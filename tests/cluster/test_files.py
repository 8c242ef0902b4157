"""The cluster files against Ray's own schema; no cloud, no cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

FILES = sorted((Path(__file__).parents[2] / "clusters").glob("*.yaml"))


def test_there_are_files() -> None:
    assert [path.stem for path in FILES] == ["own-machines"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_valid_has_few_lines_to_edit_and_no_secret(path: Path) -> None:
    text = path.read_text()
    validate_config(prepare_config(yaml.safe_load(text)))
    assert text.count("# EDIT") <= 3
    assert "BEGIN" not in text and "password" not in text.lower()
    assert "/.ray/auth_token" in text and "RAY_AUTH_MODE=token" in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_schema_would_notice_a_mistake(path: Path) -> None:
    config = yaml.safe_load(path.read_text()) | {"max_wrkers": 3}
    with pytest.raises(Exception, match="max_wrkers"):
        validate_config(prepare_config(config))
