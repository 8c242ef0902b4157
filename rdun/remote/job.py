"""One Ray job per study: found again by its name, followed to its end, left running when the laptop goes."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdun.remote.package import content_hash
from rdun.remote.server import connect
from rdun.remote.tunnel import JOB_SERVER, ClusterFile, Tunnel

RUNNING = ("PENDING", "RUNNING")
RETRY = 5.0
"""Seconds between two tries to reach a cluster that was lost."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A job as the command line asks for it.

    Attributes:
        study: its name, by which the job is found again.
        words: the command, run in the package.
        variables: its environment, beside the machine's own.
    """

    study: str
    words: tuple[str, ...]
    variables: Mapping[str, str]

    @property
    def asked(self) -> str:
        return shlex.join(self.words)


@dataclass(frozen=True, kw_only=True)
class Followed:
    """How a job ended.

    Attributes:
        status: Ray's word for it.
        exit_code: of the command.
        output: all that it printed.
    """

    status: str
    exit_code: int
    output: str


def run_job(
    file: ClusterFile, wanted: Wanted, package: Path, say: Callable[[str], None], show: Callable[[str], None]
) -> Followed:
    """Submits the study's job unless it runs already, and follows it to its end; a lost connection is made again.

    Args:
        package: folder that the job runs in, copied to all machines.
        say: is given a line of ours; `show` the job's output, piece by piece.

    Raises:
        ValueError: no way to the cluster, no right to use it, or the study runs with other options.
    """
    with Tunnel(file) as tunnel:
        client = connect(tunnel.address)
        job = _running(client, wanted)
        if job is None:
            job = _submit(client, wanted, package)
            say(f"Job {job} is submitted.")
        else:
            say(f"Job {job.submission_id} of this study runs already; from its beginning:")
            if job.metadata.get("code") != content_hash(package):
                say("It runs the code as it was when it was submitted, not as it is here now.")
            job = job.submission_id
        say(f"Ctrl-C leaves it running; the same command follows it again. To stop it: {stop_command(file, job)}")
        seen = _Seen(show)
        if (ended := _followed(client, job, seen)) is not None:
            return ended
    while True:
        say(f"The connection is lost; the job goes on. Trying again in {RETRY:.0f} s")
        time.sleep(RETRY)
        try:
            with Tunnel(file) as tunnel:
                if (ended := _followed(connect(tunnel.address), job, seen)) is not None:
                    return ended
        except ValueError as error:
            say(str(error))


def stop_command(file: ClusterFile, job: str) -> str:
    """What stops a job; its trials are stopped in order and can go on."""
    return shlex.join(["ray", "exec", str(file.path), f"ray job stop --address http://127.0.0.1:{JOB_SERVER} {job}"])


class _Seen:
    """Shows what of an output has not been shown yet, when it comes from its beginning again."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self.show, self.shown, self.come = show, 0, 0

    def restart(self) -> None:
        self.come = 0

    def __call__(self, text: str) -> None:
        new = text[max(0, self.shown - self.come) :]
        self.come += len(text)
        if new:
            self.show(new)
            self.shown = self.come


def _running(client: Any, wanted: Wanted) -> Any:
    """The study's job that has not ended; None if there is none. Raises ValueError if it was asked for in other words."""
    for job in client.list_jobs():
        if job.metadata and job.metadata.get("study") == wanted.study and job.status in RUNNING:
            if job.metadata.get("asked") != wanted.asked:
                raise ValueError(
                    f"study {wanted.study!r} runs as job {job.submission_id} with other options ({job.metadata.get('asked')}); "
                    "give the same ones to follow it, or stop it first"
                )
            return job
    return None


def _submit(client: Any, wanted: Wanted, package: Path) -> str:
    before = sum(job.metadata is not None and job.metadata.get("study") == wanted.study for job in client.list_jobs())
    job: str = client.submit_job(
        entrypoint=f"python -m rdun.remote.arrival && exec {wanted.asked}",
        submission_id=f"rdun-{wanted.study}" + (f".{before + 1}" if before else ""),
        runtime_env={"working_dir": str(package), "env_vars": dict(wanted.variables)},
        metadata={"study": wanted.study, "asked": wanted.asked, "code": content_hash(package)},
    )
    return job


def _followed(client: Any, job: str, seen: _Seen) -> Followed | None:
    """Shows the job's output until it ends; None if the connection was lost."""
    import aiohttp
    import requests

    async def tail() -> None:
        async for text in client.tail_job_logs(job):
            seen(text)

    try:
        seen.restart()
        asyncio.run(tail())
        info = client.get_job_info(job)
        while info.status in RUNNING:  # the output ends a moment before the job does
            time.sleep(0.5)
            info = client.get_job_info(job)
        code = info.driver_exit_code if info.driver_exit_code is not None else int(info.status != "SUCCEEDED")
        return Followed(status=str(info.status), exit_code=code, output=client.get_job_logs(job))
    except (aiohttp.ClientError, requests.RequestException, RuntimeError, OSError):
        return None
