"""Downloads from a real HTTP server that cuts connections, lies, is busy, or is not there."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rdun.cli import interruption
from rdun.data import DATA_VARIABLE, image_set, registry
from rdun.data.download import MIRROR_VARIABLE, download, provide
from rdun.data.fetch import RETRIES
from tests.data.server import CONTENT, Server


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden and temporary ones included."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())} if folder.is_dir() else {}


def test_a_set_is_fetched_verified_and_usable_at_once(
    server: Server, data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match=r"lacks 3 of 3 files .*: python -m rdun.data get tiny-set --data /"):
        image_set("tiny-set")
    assert download("tiny-set") == data_folder / "tiny-set"
    assert content(data_folder / "tiny-set") == CONTENT
    assert image_set("tiny-set").paths == tuple(data_folder / "tiny-set" / name for name in CONTENT)
    assert {path.stat().st_mode & 0o777 for path in image_set("tiny-set").paths} == {0o644}
    written = capsys.readouterr()
    assert (written.out, written.err) == ("", f"tiny-set: 3 files from a test to {data_folder}/tiny-set\n")


def test_a_mirror_is_asked_instead_and_verified_alike(
    server: Server, data_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = replace(server.entry(), url="http://127.0.0.1:1/{file}")
    monkeypatch.setitem(registry(), "tiny-set", gone)
    mirror = f"http://127.0.0.1:{server.port}/mirror"
    monkeypatch.setenv(MIRROR_VARIABLE, mirror + "/")
    server.faults["b.png"] = ["wrong"]
    with pytest.raises(ValueError, match=f"{mirror}/tiny-set/b.png cannot be fetched: its sha256 is"):
        download("tiny-set")
    download("tiny-set")
    assert content(data_folder / "tiny-set") == CONTENT
    assert f"2 files from {mirror} to" in capsys.readouterr().err


def test_a_complete_set_makes_no_request_and_says_nothing(
    server: Server, data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    download("tiny-set")
    server.requests.clear()
    capsys.readouterr()
    download("tiny-set")
    assert server.requests == []
    assert capsys.readouterr().err == ""


def test_only_missing_and_changed_files_are_requested(server: Server, data_folder: Path) -> None:
    folder = data_folder / "tiny-set"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(CONTENT["a.png"])
    (folder / "b.png").write_bytes(CONTENT["b.png"][:-1])
    download("tiny-set")
    assert server.requests == ["b.png", "c.png"]
    assert content(folder) == CONTENT


@pytest.mark.parametrize("fault", ["cut", 503, 500, 429])
def test_passing_faults_are_tried_again(
    server: Server, data_folder: Path, waits: list[float], fault: int | str
) -> None:
    server.faults["b.png"] = [fault, fault]
    download("tiny-set")
    assert server.requests == ["a.png", "b.png", "b.png", "b.png", "c.png"]
    assert waits == [1, 2]
    assert content(data_folder / "tiny-set") == CONTENT


@pytest.mark.parametrize(
    ("fault", "attempts", "message"),
    [
        ("always cut", 1 + RETRIES, "the connection was cut"),
        ("wrong", 1, r"its sha256 is [0-9a-f]{16}..., not the registered [0-9a-f]{16}..."),
        (404, 1, "the server answers 404"),
        (403, 1, "the server answers 403"),
    ],
)
def test_lasting_faults_are_one_line_and_leave_no_part(
    server: Server, data_folder: Path, waits: list[float], fault: int | str, attempts: int, message: str
) -> None:
    server.faults["b.png"] = [fault]
    where = (
        rf"http://127.0.0.1:{server.port}/b.png cannot be fetched: {message}; .*put b.png into {data_folder}/tiny-set"
    )
    with pytest.raises(ValueError, match=where) as caught:
        download("tiny-set")
    assert "\n" not in str(caught.value)
    assert server.requests == ["a.png"] + ["b.png"] * attempts
    assert content(data_folder / "tiny-set") == {"a.png": CONTENT["a.png"]}
    server.faults.clear()
    download("tiny-set")
    assert content(data_folder / "tiny-set") == CONTENT


def test_a_wrong_download_leaves_the_file_that_was_there(server: Server, data_folder: Path) -> None:
    folder = data_folder / "tiny-set"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(b"the user's own")
    server.faults["a.png"] = ["wrong"]
    with pytest.raises(ValueError, match="its sha256 is"):
        download("tiny-set")
    assert content(folder) == {"a.png": b"the user's own"}


def test_a_busy_server_and_a_silent_one_are_given_up(
    server: Server, data_folder: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.faults["a.png"] = [503] * (1 + RETRIES)
    with pytest.raises(ValueError, match="the server answers 503"):
        download("tiny-set")
    assert waits == [1, 2, 3]
    monkeypatch.setattr("rdun.data.fetch.TIMEOUT", 0.1)
    server.faults["a.png"] = ["stall"] * (1 + RETRIES)
    with pytest.raises(ValueError, match="no connection to the server"):
        download("tiny-set")
    assert content(data_folder / "tiny-set") == {}


def test_no_network(server: Server, data_folder: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    server.port = 1  # nothing listens there
    monkeypatch.setitem(registry(), "tiny-set", server.entry())
    with pytest.raises(ValueError, match=r"a.png cannot be fetched: no connection to the server \(ConnectionError\)"):
        download("tiny-set")


def test_a_folder_that_cannot_be_made(server: Server, data_folder: Path) -> None:
    data_folder.write_text("a file")
    with pytest.raises(
        ValueError, match=r"tiny-set takes no a.png: .*; make room, or choose another folder with --data"
    ):
        download("tiny-set")


@contextmanager
def unprivileged() -> Iterator[None]:
    """Without root's right to write anywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_read_only_folder(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv(DATA_VARIABLE, folder)
        for path in (Path(folder) / "tiny-set", Path(folder)):
            path.mkdir(exist_ok=True)
            path.chmod(0o555)
        where = (
            f"{folder}/tiny-set takes no a.png: it cannot be written; make room, or choose another folder with --data"
        )
        with unprivileged(), pytest.raises(ValueError, match=where):
            download("tiny-set")
        assert server.requests == []


def test_a_full_disk(server: Server, data_folder: Path) -> None:
    """A limit on the size of files, in a process of its own: the write fails in the middle of a body."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    done = subprocess.run([*server.program(limit), "get", "tiny-set"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "takes no a.png: File too large; make room" in done.stderr
    assert content(data_folder / "tiny-set") == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_download_goes_on(server: Server, data_folder: Path, number: signal.Signals) -> None:
    server.faults["c.png"] = ["stall"]
    process = subprocess.Popen([*server.program(), "get", "tiny-set"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 20
    while "c.png" not in server.requests and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert b"Traceback" not in errors
    kept = content(data_folder / "tiny-set")
    assert {name: kept[name] for name in CONTENT if name in kept} == {n: CONTENT[n] for n in ("a.png", "b.png")}
    assert len(kept) == (2 if number == signal.SIGINT else 3)  # only a killed process cannot tidy up
    server.requests.clear()
    download("tiny-set")
    assert server.requests == ["c.png"]
    assert len(image_set("tiny-set").paths) == 3


def test_an_interruption_that_was_lost_ends_the_next_attempt(
    server: Server, data_folder: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python may raise it in a finalizer, where it is dropped."""
    server.faults["b.png"] = ["cut"]
    monkeypatch.setattr(interruption, "is_set", lambda: server.requests.count("b.png") > 0)
    with pytest.raises(KeyboardInterrupt):
        download("tiny-set")
    assert server.requests == ["a.png", "b.png"] and waits == [1]
    assert content(data_folder / "tiny-set") == {"a.png": CONTENT["a.png"]}


def test_two_processes_at_once(server: Server, data_folder: Path) -> None:
    for name in CONTENT:
        server.faults[name] = ["stall", "stall"]  # both wait here for each other
    command = [*server.program("import pooch.core, types; pooch.core.time = types.SimpleNamespace(sleep=print)")]
    both = [subprocess.Popen([*command, "get", "tiny-set"], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    deadline = time.monotonic() + 20
    while server.requests != ["a.png"] * 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    server.release.set()
    assert [process.communicate(timeout=60)[1].count("Error") for process in both] == [0, 0]
    assert [process.returncode for process in both] == [0, 0]
    assert content(data_folder / "tiny-set") == CONTENT


def test_a_terminal_sees_one_bar(server: Server, data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(slave, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        download("tiny-set")
    shown = ""
    with io.FileIO(master) as screen, contextlib.suppress(OSError):  # EIO is its end
        while part := screen.read(100_000):
            shown += part.decode()
    assert "100%" in shown
    assert "Traceback" not in shown


def test_several_sets_are_provided_and_mistyped_names_come_first(server: Server, data_folder: Path) -> None:
    with pytest.raises(ValueError, match=r"'tiny-sett' is neither registered nor a folder .*; did you mean 'tiny-set'"):
        provide(["tiny-set", "tiny-sett"])
    assert server.requests == []
    provide(["photographs-test", "tiny-set"])
    assert content(data_folder / "tiny-set") == CONTENT


def test_a_set_of_a_package_is_not_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = registry()["photographs-test"]
    monkeypatch.setitem(registry(), "photographs-test", replace(entry, files={"gone.png": "0" * 64}))
    with pytest.raises(ValueError, match=r"lacks gone.png in .*; install scikit-image in the version"):
        download("photographs-test")
