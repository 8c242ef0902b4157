"""The file of a cluster, what Ray's launcher does with it, and the way to its job server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

import yaml

JOB_SERVER = 8265
"""Port of Ray's job server, on the head's loopback."""
PATIENCE = 90.0
"""Seconds until a tunnel must stand."""
KEEPER = '("$@" < /dev/null; kill 0) & cat > /dev/null; kill 0'
"""Ends a command when the end of its input says that the caller is gone, however it went, or when the command has ended."""


@dataclass(frozen=True)
class ClusterFile:
    """A file for `ray up`.

    Raises:
        ValueError: there is no such file, or it is none.
    """

    path: Path

    def __post_init__(self) -> None:
        try:
            content = yaml.safe_load(self.path.read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ValueError(
                f"--cluster {str(self.path)!r} cannot be read ({error}); name a file for `ray up`"
            ) from None
        if not isinstance(content, dict) or not isinstance(content.get("cluster_name"), str):
            raise ValueError(f"--cluster {str(self.path)!r} has no cluster_name; name a file for `ray up`")

    @property
    def name(self) -> str:
        return str(yaml.safe_load(self.path.read_text())["cluster_name"])

    def launcher(self, command: str, *words: str) -> list[str]:
        """A command of Ray's launcher with this file."""
        return [sys.executable, "-m", "ray.scripts.scripts", command, str(self.path), *words]


class Tunnel:
    """A port of this machine's loopback that leads to the job server of a cluster, through SSH; open while it is entered.

    It ends with this process, even if that is killed.

    Raises:
        ValueError: on entering, when there is no way to the cluster.
    """

    def __init__(self, file: ClusterFile) -> None:
        self.file, self.port = file, _free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._log: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115

    def __enter__(self) -> Tunnel:
        words = self.file.launcher("dashboard", "--port", str(self.port), "--remote-port", str(JOB_SERVER))
        env = {
            name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")
        }
        self._process = subprocess.Popen(
            ["sh", "-c", KEEPER, "sh", *words],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=env,
        )
        end = time.monotonic() + PATIENCE
        while not _listens(self.port):
            if self._process.poll() is not None or time.monotonic() > end:
                said = self._last_line()
                self._close()
                raise ValueError(
                    f"--cluster {str(self.file.path)!r}: no way to its head ({said}); `ray up {self.file.path}` starts it"
                )
            time.sleep(0.2)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()  # the keeper ends the rest
        self._process.wait()
        self._log.close()

    def _last_line(self) -> str:
        self._log.seek(0)
        lines = [line.strip() for line in self._log.read().splitlines() if line.strip()]
        return lines[-1] if lines else "no answer"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
