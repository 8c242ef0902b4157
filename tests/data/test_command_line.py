"""`python -m rdun.data`, and the programs that need data: what they fetch, and what they say when it is missing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rdun.config import TrialConfig, to_dict
from rdun.data import DATA_VARIABLE, image_set, registry
from rdun.data.__main__ import main
from studies.run_ablation import main as run_ablation
from tests.data.server import CONTENT, Server

TINY = str(Path(__file__).parents[1] / "studies" / "tiny_study.py")


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def study(images: Path, tmp_path: Path, *words: str) -> Result:
    options = ("--set", "data.test=tiny-set", "--runs", str(tmp_path / "runs"))
    return CliRunner(env={"IMAGES": str(images)}).invoke(run_ablation, (TINY, *options, *words))


def test_every_set_has_one_address_that_cannot_change() -> None:
    for entry in registry().values():
        assert bool(entry.package) != bool(entry.url)
        assert all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256 in entry.files.values())
        if entry.url:
            assert re.fullmatch(
                r"https://raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/[\w/]+/\{file\}", entry.url
            )


def test_list_says_where_sets_are_and_how_to_get_the_others(server: Server, data_folder: Path) -> None:
    before = run("list")
    assert before.exit_code == 0
    lines = {line.split()[0]: line for line in before.output.splitlines()}
    assert set(lines) == set(registry())
    assert lines["photographs-test"].endswith("skimage/data: complete")
    missing = f"3 files in {data_folder}/tiny-set: 3 missing; get it with: python -m rdun.data get tiny-set --data {data_folder}"
    assert lines["tiny-set"].endswith(missing)
    assert run("get", "tiny-set").exit_code == 0
    assert f"3 files in {data_folder}/tiny-set: complete" in run("list").output
    assert server.requests == list(CONTENT)


def test_get_prints_where_the_set_is(server: Server, data_folder: Path) -> None:
    done = run("get", "tiny-set", "photographs-test")
    assert done.exit_code == 0
    first, second = done.stdout.splitlines()
    assert first == f"tiny-set: 3 files in {data_folder}/tiny-set, verified"
    assert second.startswith("photographs-test: 4 files in ")


def test_the_folder_is_the_option_then_the_variable_then_a_cache(
    server: Server, data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("get", "tiny-set")
    run("get", "tiny-set", "--data", str(tmp_path / "option"))
    assert image_set("tiny-set").paths[0] == tmp_path / "option" / "tiny-set" / "a.png"  # the option set the variable
    monkeypatch.delenv(DATA_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(ValueError, match=r"get it with: python -m rdun.data get tiny-set$"):
        image_set("tiny-set")
    run("get", "tiny-set")
    folders = {data_folder, tmp_path / "option", Path(registry()["tiny-set"].location()).parent}
    assert len(folders) == 3
    assert [len(list((folder / "tiny-set").iterdir())) for folder in folders] == [3, 3, 3]
    assert server.requests == list(CONTENT) * 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("get", "tiny-sett"),
            "'tiny-sett' is not registered; did you mean 'tiny-set'? registered are photographs-train",
        ),
        (("get",), "Missing argument 'NAME...'"),
        (("get", "tiny-set", "--data", TINY), "is a file"),
        (("get", "tiny-set"), "a.png cannot be fetched: the server answers 404"),
    ],
)
def test_bad_input_is_one_line(server: Server, data_folder: Path, words: tuple[str, ...], message: str) -> None:
    server.faults["a.png"] = [404]
    done = run(*words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert sum(line.startswith("Error: ") for line in done.stderr.splitlines()) == 1


def test_a_study_fetches_its_sets_before_it_plans(
    server: Server, data_folder: Path, images: Path, tmp_path: Path
) -> None:
    done = study(images, tmp_path, "--dry-run", "--data", str(tmp_path / "option"))
    assert done.exit_code == 0, done.output
    assert "4 new trials" in done.stdout
    assert server.requests == list(CONTENT)
    assert len(list((tmp_path / "option" / "tiny-set").iterdir())) == 3
    assert not data_folder.exists()


def test_a_study_whose_data_cannot_be_fetched_writes_nothing(
    server: Server, data_folder: Path, images: Path, tmp_path: Path
) -> None:
    server.faults["b.png"] = [404]
    done = study(images, tmp_path)
    assert done.exit_code == 2
    lines = done.stderr.splitlines()
    assert lines[0].startswith("tiny-set: 3 files from")
    assert lines[1].startswith(f"Error: http://127.0.0.1:{server.port}/b.png cannot be fetched")
    assert (len(lines), done.stdout) == (2, "")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("words", [("--report-only",), ("--sync",), ("--list",), ("--help",), ("--seeds", "x")])
def test_only_plans_fetch(
    server: Server, data_folder: Path, images: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    study(images, tmp_path, *words)
    assert server.requests == []


def test_a_trial_never_downloads(server: Server, data_folder: Path, tiny: TrialConfig, tmp_path: Path) -> None:
    from rdun.trial.__main__ import main as trial

    values = to_dict(replace(tiny, data=replace(tiny.data, test=("tiny-set",))))
    (tmp_path / "config.json").write_text(json.dumps(values))
    words = [str(tmp_path / "config.json"), "--workdir", str(tmp_path / "trial"), "--data", str(tmp_path / "option")]
    done = CliRunner().invoke(trial, words)
    assert (done.exit_code, server.requests) == (2, [])
    (line,) = done.stderr.splitlines()
    assert line.endswith(f"get it with: python -m rdun.data get tiny-set --data {tmp_path}/option")
    assert run("get", "tiny-set", "--data", str(tmp_path / "option")).exit_code == 0
    done = CliRunner().invoke(trial, words)
    assert done.exit_code == 0, done.output
    assert "tiny-set a.png at 0.25" in done.stdout


def test_weights_are_evaluated_on_a_registered_set(
    server: Server, data_folder: Path, tiny: TrialConfig, tmp_path: Path
) -> None:
    from rdun.models import build_model
    from rdun.weights import save_model
    from rdun.weights.__main__ import main as weights

    save_model(build_model(tiny), tiny, tmp_path / "tiny.safetensors")
    words = ["evaluate", str(tmp_path / "tiny.safetensors"), "tiny-set", "--data", str(tmp_path / "option")]
    done = CliRunner().invoke(weights, words)
    assert (done.exit_code, server.requests) == (2, [])
    assert done.stderr.endswith(f"get it with: python -m rdun.data get tiny-set --data {tmp_path}/option\n")
    run("get", "tiny-set", "--data", str(tmp_path / "option"))
    done = CliRunner().invoke(weights, words)
    assert done.exit_code == 0, done.output
    assert "3 images" in done.stdout
