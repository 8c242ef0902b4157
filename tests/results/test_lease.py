"""One writer per folder: who gets the lease, who keeps it, and who has lost it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rdun.results import Busy, Folder, Lease, Lost, TrialDirectory, revoke
from tests.buckets import Bucket


def test_a_lease_keeps_others_out_and_is_released(folder: TrialDirectory) -> None:
    with Lease(folder), pytest.raises(Busy, match="is being written by process"), Lease(folder):
        pass
    with Lease(folder):
        pass
    assert not folder.read_if_there("lock.json")
    assert not folder.is_local or not folder.exists("lock.json")


@pytest.mark.parametrize("stale", [False, True])
@pytest.mark.parametrize("place", ["local", "s3"])
def test_only_one_of_many_starters_gets_the_lease(tmp_path: Path, bucket: Bucket, place: str, stale: bool) -> None:
    folder = Folder(tmp_path if place == "local" else f"{bucket.url}/{tmp_path.name}")
    got, gate = [], threading.Barrier(8)
    if stale:
        folder.write_json("lock.json", {"owner": "x", "host": "another-machine", "pid": 1, "heartbeat": 0.0})

    def start() -> None:
        lease = Lease(folder)
        gate.wait()
        try:
            lease.__enter__()
        except Busy:
            return
        got.append(lease)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    got[0].__exit__(None, None, None)


def test_a_lease_that_was_taken_over_is_not_renewed(folder: TrialDirectory) -> None:
    with Lease(folder, beat=0.05):
        folder.write_json("lock.json", {"owner": "another", "host": "x", "pid": 1, "heartbeat": time.time()})
        time.sleep(0.3)
        assert folder.read_json("lock.json")["owner"] == "another"
    assert folder.read_json("lock.json")["owner"] == "another"


def test_who_has_lost_the_lease_changes_nothing(folder: TrialDirectory) -> None:
    with Lease(folder) as lease:
        ours = TrialDirectory(folder.fs.unstrip_protocol(folder.path), lease.check)
        ours.write("f", b"ours")
        ours.write("g", b"ours")
        ours.remove("g")
        folder.write_json("lock.json", {"owner": "another", "host": "elsewhere", "pid": 7, "heartbeat": 0.0})
        with pytest.raises(
            Lost, match=r"was taken over by process 7 on elsewhere, because this one was lost to its driver"
        ):
            ours.write("f", b"late")
        with pytest.raises(Lost):
            ours.remove("f")
        folder.remove("lock.json")
        with pytest.raises(Lost, match="by a process that has ended since"):
            ours.write("new", b"late")
    assert folder.read("f") == b"ours"
    assert folder.names() == ["f"]


def test_the_lease_of_a_lost_owner_is_freed_for_its_own_run_only_and_fences_it(folder: TrialDirectory) -> None:
    with Lease(folder, run="ours") as lease:
        late = TrialDirectory(folder.fs.unstrip_protocol(folder.path), lease.check)
        revoke(folder, "another")
        with pytest.raises(Busy), Lease(folder):
            pass
        revoke(folder, "ours")
        with Lease(folder, run="ours") as successor:
            with pytest.raises(Lost, match="lost to its driver"):
                late.write("f", b"late")
            successor.check()
    revoke(folder, "ours")  # free already
    assert not folder.exists("f")


def test_the_lease_of_a_killed_process_is_taken_over_at_once(tmp_path: Path) -> None:
    code = "import os, sys; from rdun.results import Folder, Lease\nLease(Folder(sys.argv[1])).__enter__(); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 9
    folder = Folder(tmp_path)
    assert folder.exists("lock.json")
    with Lease(folder):
        pass


def test_the_lease_of_a_process_that_ended_unnoticed_by_its_parent_is_taken_over_at_once(tmp_path: Path) -> None:
    code = "import os, sys; from rdun.results import Folder, Lease\nLease(Folder(sys.argv[1])).__enter__(); os._exit(9)"
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    with Lease(Folder(tmp_path)):
        os.kill(process.pid, 0)
    assert process.wait() == 9


def test_a_silent_owner_elsewhere_expires_and_a_live_one_does_not(folder: TrialDirectory) -> None:
    holder = {"owner": "x", "host": "another-machine", "pid": 1, "heartbeat": time.time()}
    folder.write_json("lock.json", holder)
    with pytest.raises(Busy, match="another-machine"), Lease(folder):
        pass
    folder.write_json("lock.json", holder | {"heartbeat": time.time() - 61})
    with Lease(folder):
        pass


def test_the_heartbeat_is_renewed(folder: TrialDirectory) -> None:
    with Lease(folder, beat=0.05):
        first = folder.read_json("lock.json")["heartbeat"]
        time.sleep(0.3)
        assert folder.read_json("lock.json")["heartbeat"] > first


class Unreachable(Exception):
    """As an object store's client raises it: no OSError."""


class Cut(Folder):
    """A folder that cannot be reached while it is `cut`."""

    cut = False

    def read_if_there(self, name: str) -> bytes | None:
        if self.cut:
            raise Unreachable
        return super().read_if_there(name)


def test_the_heartbeat_goes_on_after_an_outage(tmp_path: Path) -> None:
    folder = Cut(tmp_path)
    with Lease(folder, beat=0.05):
        folder.cut = True
        time.sleep(0.3)
        folder.cut = False
        first = folder.read_json("lock.json")["heartbeat"]
        time.sleep(0.3)
        assert folder.read_json("lock.json")["heartbeat"] > first
        folder.cut = True  # at its end too: the lock expires
    assert (tmp_path / "lock.json").exists()


def test_who_was_taken_over_during_an_outage_learns_it(tmp_path: Path) -> None:
    folder = Cut(tmp_path)
    with Lease(folder, beat=0.05) as lease:
        folder.cut = True
        time.sleep(0.2)
        Folder(tmp_path).write_json("lock.json", {"owner": "another", "host": "x", "pid": 1, "heartbeat": time.time()})
        folder.cut = False
        time.sleep(0.2)
        with pytest.raises(Lost):
            lease.check()
    assert folder.read_json("lock.json")["owner"] == "another"


def ended() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_numbers_of_processes_count_in_their_own_namespace_only(folder: TrialDirectory) -> None:
    """Containers with one host name: that no process has the number here says nothing of an owner there."""
    with Lease(folder):
        ours = folder.read_json("lock.json")
    gone = ours | {"owner": "x", "pid": ended()}
    assert (gone["host"], gone["heartbeat"] > time.time() - 30) == (socket.gethostname(), True)
    folder.write_json("lock.json", gone | {"pid_namespace": 1})
    with pytest.raises(Busy), Lease(folder):
        pass
    folder.write_json("lock.json", gone)
    with Lease(folder):
        pass


def test_the_lease_of_a_live_process_in_another_container_is_kept(tmp_path: Path) -> None:
    apart = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no PID namespaces")
    code = "import sys; from rdun.results import Folder, Lease\nwith Lease(Folder(sys.argv[1])): pass"
    with Lease(Folder(tmp_path)) as lease:
        other = subprocess.run(
            [*apart, sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert "Busy" in other.stderr
        lease.check()


def test_what_a_killed_write_has_left_is_removed_by_the_next_holder(tmp_path: Path) -> None:
    code = (
        "import os, sys; from rdun.results import Folder\nos.fsync = lambda descriptor: os._exit(9)\n"
        "Folder(sys.argv[1]).write(sys.argv[2], b'half')"
    )
    for name in ("checkpoint.pt", "reconstructions/set/a.png"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path), name], check=False)
    assert len([*tmp_path.rglob("*.part")]) == 2
    folder = Folder(tmp_path)
    folder.write("checkpoint.pt", b"whole")
    with Lease(folder):
        assert not [*tmp_path.rglob("*.part")]
    assert folder.read("checkpoint.pt") == b"whole"
