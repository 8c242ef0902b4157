"""What `--cluster` does on the laptop; the way over SSH to a real cluster is in tests/cluster."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rdun.monitor import revision
from rdun.remote import ClusterFile, Wanted, arrival, packed, run_job
from rdun.remote import job as jobs
from rdun.remote import server as job_server
from rdun.remote.arrival import problems
from rdun.remote.fetch import fetch
from rdun.remote.package import content_hash
from rdun.remote.tunnel import KEEPER
from studies.loading import load_study
from studies.run_ablation import main
from studies.run_remote import given_options

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests" / "studies" / "tiny_study.py"


def test_the_package_holds_code_and_the_users_file_and_nothing_else() -> None:
    with packed(ROOT, OWN) as place:
        names = {path.relative_to(place).parts[0] for path in place.rglob("*")}
        assert names == {"rdun", "analysis", "studies", "constraints.txt", "own"}
        assert (place / "own" / "tiny_study.py").read_text() == OWN.read_text()
        assert (place / "rdun" / "data" / "datasets.toml").is_file()
        assert not [path for path in place.rglob("*") if "__pycache__" in path.parts]
        before = content_hash(place)
        (place / "rdun" / "study.py").write_text("")
        assert content_hash(place) != before
    with packed(ROOT, OWN) as again:
        assert content_hash(again) == before
    assert not place.exists()


def test_modules_beside_the_users_file_that_it_imports_travel_along(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGES", str(images))
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    for name in ("beside_one.py", "beside_two/part.py", "beside_not.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    own = tmp_path / "mine.py"
    own.write_text(f"import beside_one\nfrom beside_two import part\n{OWN.read_text()}")
    load_study(str(own))
    with packed(ROOT, own) as place:
        names = {path.relative_to(place / "own").as_posix() for path in (place / "own").rglob("*.py")}
    assert names == {"mine.py", "beside_one.py", "beside_two/part.py"}


def test_what_was_typed_is_handed_on_and_nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDUN_RUNS", "/here")
    words = [
        "table1",
        "--cluster",
        "c.yaml",
        "--set",
        "a=1",
        "--set",
        "b=x y",
        "--dry-run",
        "--price",
        "2 EUR",
        "--seeds",
        "0,1",
    ]
    with main.make_context("run", words) as context:
        options = given_options(context)
    assert sorted(options) == sorted(
        ["--set", "a=1", "--set", "b=x y", "--dry-run", "--price", "2 EUR", "--seeds", "0,1"]
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cluster", "absent.yaml"), "--cluster 'absent.yaml' cannot be read"),
        (("--cluster", str(ROOT / "pyproject.toml")), "cannot be read"),
        (("--cluster", str(ROOT / "cluster.yaml"), "--cpus", "2"), "--cpus has no meaning with --cluster"),
        (
            ("--cluster", str(ROOT / "cluster.yaml"), "--write-configs", "c"),
            "--write-configs has no meaning with --cluster",
        ),
        (("--cluster", str(ROOT / "cluster.yaml"), "--replicate", "2"), "--replicate: 'quickstart' is a study"),
        (
            ("--cluster", str(ROOT / "cluster.yaml"), "--runs", "runs"),
            "--runs 'runs' with --cluster is a folder on the cluster",
        ),
        (("--cluster", str(ROOT / "cluster.yaml"), "--set", "nothing.here=1"), "nothing"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(main, ["quickstart", *words])
    assert done.exit_code == 2
    assert said in done.output and len(done.output.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "job", "place"),
    [
        (("quickstart",), "quickstart", "quickstart"),
        (("quickstart", "--report-only"), "quickstart.report-only", "quickstart"),
        (("quickstart", "--sync"), "quickstart.sync", "quickstart"),
        (("quickstart", "--compare", "table1"), "quickstart.compare", "quickstart/compared"),
        (("search_budget", "--report-only"), "search-budget-pocket.report-only", "search-budget-pocket"),
        (("search_budget", "--replicate", "2"), "search-budget-pocket-best", "search-budget-pocket-best"),
        (("search-budget-pocket-123456", "--replicate", "2"),) + ("search-budget-pocket-123456-best",) * 2,
    ],
)
def test_looking_is_a_job_of_its_own(
    words: tuple[str, ...], job: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Partial results are read while the study runs, whose job is asked for in other words; also of a search by its record."""
    asked: list[Wanted] = []
    places: list[Path] = []

    def ran(file: ClusterFile, wanted: Wanted, *_: Any, **__: Any) -> Any:
        asked.append(wanted)
        return jobs.Followed(status="SUCCEEDED", exit_code=0, output="")

    monkeypatch.setattr("rdun.remote.run_job", ran)
    monkeypatch.setattr("rdun.remote.fetch", lambda file, output, folder: places.append(folder))
    done = CliRunner().invoke(main, [*words, "--cluster", str(ROOT / "cluster.yaml")])
    assert done.exit_code == 0, done.output
    (wanted,) = asked
    assert (wanted.study, wanted.words[2:]) == (job, words)
    assert places == [ROOT / "runs" / "clusters" / "rdun" / place]


def test_the_users_own_file_travels_and_the_command_ends_as_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    def ran(file: ClusterFile, wanted: Wanted, package: Path, **_: Any) -> jobs.Followed:
        assert wanted.words[2:] == ("own/tiny_study.py", "--seeds", "0")
        assert (package / wanted.words[2]).read_text() == OWN.read_text()
        assert wanted.variables == {"RDUN_REVISION": revision()}
        return jobs.Followed(status="FAILED", exit_code=3, output="")

    monkeypatch.setattr("rdun.remote.run_job", ran)
    monkeypatch.setenv("IMAGES", "/nowhere")
    words = (str(OWN), "--seeds", "0", "--cluster", str(ROOT / "cluster.yaml"))
    done = CliRunner(catch_exceptions=False).invoke(main, words)
    assert (done.exit_code, done.stderr) == (3, "The job has ended: failed.\n")


def test_no_token_of_the_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    with pytest.raises(ValueError, match=rf"there is no token in {tmp_path}/.ray/auth_token; copy the one that"):
        job_server.connect("http://127.0.0.1:1")


@dataclass
class Job:
    """What Ray tells of a job."""

    submission_id: str
    status: str
    metadata: dict[str, str] | None = field(default_factory=dict)
    driver_exit_code: int | None = 0


class Server:
    """A job server whose job prints, and ends a moment later; its connection breaks when told to."""

    def __init__(self, *there: Job, breaks: int = 0) -> None:
        self.jobs, self.breaks = list(there), breaks
        self.lines = ["one\n", "two\n", "three\n"]
        self.sent: dict[str, Any] = {}
        self.ending = ["RUNNING", "SUCCEEDED"]

    def list_jobs(self) -> list[Job]:
        return self.jobs

    def submit_job(self, **what: Any) -> str:
        self.sent = what
        self.jobs.append(Job(what["submission_id"], "RUNNING", what["metadata"], driver_exit_code=None))
        return str(what["submission_id"])

    async def tail_job_logs(self, job: str) -> Any:
        for number, line in enumerate(self.lines):
            if self.breaks and number == 2:
                self.breaks -= 1
                raise RuntimeError("WebSocket connection closed unexpectedly")
            yield line

    def get_job_info(self, job: str) -> Job:
        found = next(j for j in self.jobs if j.submission_id == job)
        found.status = self.ending.pop(0)
        found.driver_exit_code = None if found.status == "RUNNING" else 0
        return found

    def get_job_logs(self, job: str) -> str:
        return "".join(self.lines)


Connect = Callable[[Server], None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    class Tunnel:
        address = ""

        def __init__(self, file: ClusterFile) -> None: ...

        def __enter__(self) -> Tunnel:
            return self

        def __exit__(self, *what: object) -> None: ...

    def use(server: Server) -> None:
        monkeypatch.setattr(jobs, "Tunnel", Tunnel)
        monkeypatch.setattr(jobs, "connect", lambda address: server)
        monkeypatch.setattr(jobs, "RETRY", 0.0)

    return use


CLUSTER = ClusterFile(ROOT / "cluster.yaml")
WANTED = Wanted(study="s", words=("python", "x.py"), variables={"WHAT": "this"})


def test_a_study_has_one_job_and_every_line_is_shown_once(connect: Connect, tmp_path: Path) -> None:
    ended = Job("rdun-s", "SUCCEEDED", {"study": "s", "asked": "python x.py"})
    other = Job("rdun-t", "RUNNING", {"study": "t", "asked": "python x.py"})
    nobodys = Job("raysubmit_1", "RUNNING", None)
    said: list[str] = []
    shown: list[str] = []
    server = Server(ended, other, nobodys, breaks=2)
    connect(server)
    followed = run_job(CLUSTER, WANTED, tmp_path, said.append, shown.append)
    assert [job.submission_id for job in server.jobs] == ["rdun-s", "rdun-t", "raysubmit_1", "rdun-s.2"]
    assert server.sent["entrypoint"] == "python -m rdun.remote.arrival && exec python x.py"
    assert server.sent["runtime_env"] == {"working_dir": str(tmp_path), "env_vars": {"WHAT": "this"}}
    assert server.sent["metadata"]["code"] == content_hash(tmp_path)
    assert "".join(shown) == followed.output == "one\ntwo\nthree\n"
    assert (followed.status, followed.exit_code) == ("SUCCEEDED", 0)
    assert sum("connection is lost" in line for line in said) == 2
    assert any("ray job stop" in line and "rdun-s.2" in line for line in said)


def test_a_cluster_that_cannot_be_reached_for_a_while_is_tried_again(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Server(breaks=1)
    connect(found)
    answers = iter([None, "no way to its head", None])

    def ask(address: str) -> Server:
        if problem := next(answers):
            raise ValueError(problem)
        return found

    monkeypatch.setattr(jobs, "connect", ask)
    said: list[str] = []
    followed = run_job(CLUSTER, WANTED, tmp_path, said.append, print)
    assert (followed.exit_code, "no way to its head" in said) == (0, True)


@pytest.mark.parametrize(
    ("status", "code", "expected"), [("FAILED", 3, 3), ("STOPPED", None, 1), ("SUCCEEDED", None, 0)]
)
def test_the_command_ends_as_its_job(
    status: str, code: int | None, expected: int, connect: Connect, tmp_path: Path
) -> None:
    """Of a job that was stopped, Ray knows no exit code."""

    class Ended(Server):
        def get_job_info(self, job: str) -> Job:
            return Job(job, status, driver_exit_code=code)

    connect(Ended())
    followed = run_job(CLUSTER, WANTED, tmp_path, print, print)
    assert (followed.status, followed.exit_code) == (status, expected)


def test_a_running_job_is_found_again_but_not_with_other_options(connect: Connect, tmp_path: Path) -> None:
    said: list[str] = []
    server = Server(Job("rdun-s", "RUNNING", {"study": "s", "asked": "python x.py", "code": "older"}))
    connect(server)
    other = Wanted(study="s", words=("python", "x.py", "--seeds", "0"), variables={})
    with pytest.raises(ValueError, match="runs as job rdun-s with other options"):
        run_job(CLUSTER, other, tmp_path, said.append, said.append)
    run_job(CLUSTER, WANTED, tmp_path, said.append, said.append)
    assert len(server.jobs) == 1
    assert any("runs already" in line for line in said) and any("code as it was" in line for line in said)


def test_the_head_must_have_the_pinned_versions() -> None:
    import numpy

    pins = f"numpy=={numpy.__version__}\nray==1.0\nclick==0.1\n"
    (problem,) = problems(pins)
    assert re.fullmatch(r"ray \S+ instead of 1\.0", problem)


def test_a_job_ends_at_once_where_the_head_has_other_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which build of PyTorch it is does not matter."""
    monkeypatch.chdir(tmp_path)
    torch = importlib.metadata.version("torch").partition("+")[0]
    (tmp_path / "constraints.txt").write_text(f"torch=={torch}\n")
    arrival.main()
    (tmp_path / "constraints.txt").write_text(f"torch=={torch}\npillow==0.1\n")
    with pytest.raises(SystemExit, match="2"):
        arrival.main()
    assert re.match(r"Error: the cluster has pillow \S+ instead of 0\.1; `ray up`", capsys.readouterr().err)


def test_no_report_in_the_output_means_nothing_to_fetch(tmp_path: Path) -> None:
    assert fetch(CLUSTER, "Report: none\nStopped.\n", tmp_path / "x") is None
    assert not (tmp_path / "x").exists()


def test_the_report_that_was_named_last_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that was followed from its beginning may have written one before."""
    asked: list[list[str]] = []
    codes = [0, 1]

    def ran(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(words)
        return subprocess.CompletedProcess(words, codes[len(asked) - 1], "", "rsync: no such file\n")

    monkeypatch.setattr(subprocess, "run", ran)
    output = "Report:  /runs/studies/a/report.html\nAnswer:  Yes.\nReport:  /runs/studies/b c/report.html\nTracker: x\n"
    assert fetch(CLUSTER, output, tmp_path / "x") == tmp_path / "x" / "report.html"
    assert asked[0][-2:] == ["/runs/studies/b c/", f"{tmp_path}/x/"]
    with pytest.raises(OSError, match=r"b c cannot be fetched from the cluster \(rsync: no such file\)"):
        fetch(CLUSTER, output, tmp_path / "x")


def test_a_tunnel_ends_with_the_process_that_opened_it() -> None:
    opener = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen(['sh', '-c', {KEEPER!r}, 'sh', 'sleep', '987'], stdin=subprocess.PIPE, start_new_session=True)\n"
        "print(p.pid, flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", opener], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    group = process.stdout.readline().strip()
    assert _becomes(lambda: "sleep" in _group(group))
    process.kill()
    process.communicate()
    assert _becomes(lambda: not _group(group))


def _becomes(condition: Callable[[], bool]) -> bool:
    """Whether it is true within half a minute."""
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def _group(group: str) -> str:
    """Names of the processes of a group that run."""
    found = subprocess.run(["ps", "-e", "-o", "pgid=,stat=,comm="], capture_output=True, text=True, check=True)
    rows = (line.split() for line in found.stdout.splitlines())
    return " ".join(row[2] for row in rows if row[0] == group and not row[1].startswith("Z"))
