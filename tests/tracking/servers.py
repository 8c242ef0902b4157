"""Real servers on loopback: `mlflow server`, PostgreSQL, and one that accepts connections and never answers."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Killable:
    """A server in a process group of its own: started on entering, and killed at the end or before."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        raise NotImplementedError

    def kill(self) -> None:
        """kill -9 of all its processes: what was not committed is gone."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


class Server(Killable):
    """A real `mlflow server` on loopback over a database; may be killed and started again.

    Args:
        backend: URI of the database.
        folder: of artifacts and log.
    """

    def __init__(self, backend: str, folder: Path) -> None:
        self.backend, self.folder, self.port = backend, folder, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        super().__init__()

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(self.port)]
        command += ["--backend-store-uri", self.backend, "--artifacts-destination", str(self.folder / "artifacts")]
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=os.environ | quiet,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
            )
        for _ in range(900):
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                    return
            except OSError:
                assert self._process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
                time.sleep(0.1)
        raise TimeoutError("mlflow server did not start in 90 s")


@contextlib.contextmanager
def deaf_server() -> Iterator[str]:
    """The URI of a server that accepts connections and never answers."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(128)
        yield f"http://127.0.0.1:{deaf.getsockname()[1]}"


class Postgres(Killable):
    """A real PostgreSQL on loopback in a folder of its own, run as a user without privileges; may be killed and started again."""

    def __init__(self) -> None:
        self.binaries, self.port = postgres_binaries(), free_port()
        self.uri = f"postgresql://rdun@127.0.0.1:{self.port}/postgres"
        self.folder = Path(tempfile.mkdtemp(prefix="rdun-postgres-"))
        self._user = _unprivileged()
        if self._user:
            shutil.chown(self.folder, self._user)
        super().__init__()

    def start(self) -> None:
        data = self.folder / "data"
        if not data.exists():
            words = ["initdb", "-D", str(data), "-U", "rdun", "--auth=trust", "--no-sync", "--no-locale", "-E", "UTF8"]
            self._started(words).communicate(timeout=60)
        options = ["-p", str(self.port), "-k", str(self.folder), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        self._process = self._started(["postgres", "-D", str(data), *options])
        ready = [str(self.binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        for _ in range(300):
            if subprocess.run(ready, check=False).returncode == 0:
                return
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.1)
        raise TimeoutError("PostgreSQL did not start in 30 s")

    def _started(self, words: list[str]) -> subprocess.Popen[bytes]:
        log = (self.folder / "log").open("ab")
        rights: dict[str, Any] = {"user": self._user, "group": self._user, "extra_groups": []} if self._user else {}
        if self._user == "nobody":
            rights["group"] = "nogroup"
        command = [str(self.binaries / words[0]), *words[1:]]
        with log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True, **rights)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        shutil.rmtree(self.folder, ignore_errors=True)


def postgres_binaries() -> Path:
    """The folder of PostgreSQL's programs, of the newest version; skips the test where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    path = shutil.which("initdb")
    if not found and not path:
        pytest.skip(
            "needs PostgreSQL: apt-get install postgresql (as root), or put its initdb and postgres on the PATH"
        )
    return found[-1].parent if found else Path(str(path)).parent


def _unprivileged() -> str | None:
    """Whom PostgreSQL, which refuses to run as root, runs as; None: as ourselves."""
    return "nobody" if os.geteuid() == 0 else None
