"""Hosts on one machine: network namespaces with an address, a home, a /tmp, processes and an SSH server of their own. Needs root.

The hosts hang on a bridge. All of them see one folder at one path, as on a network disk.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BRIDGE, NET = "rdunlab", "10.77.0"
GUESTS = {"rdun-laptop": 101, "rdun-stranger": 102}
"""Namespaces with an address only, and the last number of it."""
TOOLS = ("ip", "sshd", "ssh", "ssh-keygen", "rsync", "unshare", "make")
ROOT = Path(__file__).parents[2]
VENV = Path(sys.prefix)

INIT = """\
set -e
hostname {name}
mkdir -p {home} {base}/tmp
if [ -d /root/.pyenv ]; then mkdir -p {home}/.pyenv; mount --bind /root/.pyenv {home}/.pyenv; fi
mount --rbind {home} /root
mount -t tmpfs -o size=2g tmpfs /dev/shm
mount --bind {base}/tmp /tmp
mkdir -p /run/sshd
exec {sshd} -D -e -f {base}/sshd_config
"""
SSHD = """\
Port 22
ListenAddress {address}
HostKey {base}/host_key
AuthorizedKeysFile {lab}/key.pub
PidFile none
PermitRootLogin yes
PasswordAuthentication no
StrictModes no
UsePAM no
UseDNS no
"""


@dataclass(frozen=True)
class Host:
    """One of the lab's machines."""

    name: str
    address: str
    process: subprocess.Popen[bytes]

    def lose_power(self) -> None:
        """All its processes and its network are gone at once, without a word to anybody."""
        run("ip", "netns", "exec", self.name, "ip", "link", "set", "eth0", "down")
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True)
class Lab:
    """The hosts; `folder` is what all of them and the laptop see, `key` the private SSH key for all of them."""

    hosts: list[Host]
    folder: Path
    key: Path

    def inside(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in a namespace of the lab, with the files of the laptop."""
        return subprocess.run(
            ["ip", "netns", "exec", name, *words], capture_output=True, text=True, check=False, timeout=120
        )

    def on(self, host: Host, command: str) -> str:
        """Runs a shell command on a host as its root; what it says. Raises RuntimeError if it fails."""
        return run(*_ssh(host, self.key), command)


def lacking() -> str:
    """Why there can be no lab here; empty if there can."""
    if os.geteuid() != 0:
        return "needs root (network namespaces)"
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [tool for tool in TOOLS if shutil.which(tool, path=path) is None]
    if missing:
        return f"needs {', '.join(missing)} (Debian: apt-get install openssh-server rsync iproute2)"
    probe = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"], check=False, capture_output=True
    )
    return "" if probe.returncode == 0 else "needs the right to make namespaces"


@contextlib.contextmanager
def lab(count: int, net: str = NET, first: int = 2, bits: int = 24) -> Iterator[Lab]:
    """`count` hosts with the addresses net.first and on, and the guests, of which "rdun-stranger" has no key.

    Nothing is left of them afterwards.
    """
    base = Path(tempfile.mkdtemp(prefix="rdun-lab-", dir="/var/tmp"))  # not below /tmp, which each host has for itself
    hosts: list[Host] = []
    names = [f"rdun-{n}" for n in range(count)]
    addresses = {name: f"{net}.{first + n}" for n, name in enumerate(names)}
    places = addresses | {name: f"{net}.{last}" for name, last in GUESTS.items()}
    try:
        shared, key = base / "shared", base / "key"
        shared.mkdir()
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "addr", "add", f"{net}.1/{bits}", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        for n, (name, address) in enumerate(places.items()):
            wire(name, n, f"{address}/{bits}", f"{net}.1")
        for name, address in addresses.items():
            hosts.append(boot(name, address, base))
        for host in hosts:
            wait_for_ssh(host, key)
        yield Lab(hosts, shared, key)
    finally:
        for host in hosts:
            host.process.kill()
            host.process.wait()
        for name in places:
            end_processes(name)
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", BRIDGE], check=False, capture_output=True)
        shutil.rmtree(base, ignore_errors=True)


def end_processes(name: str) -> None:
    """Kills what still runs in a namespace of the lab: it would keep the namespace alive."""
    found = subprocess.run(["ip", "netns", "pids", name], check=False, capture_output=True, text=True)
    for pid in found.stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def wire(name: str, n: int, address: str, gateway: str) -> None:
    """A namespace with an address on the bridge."""
    subprocess.run(
        ["ip", "link", "del", f"rdun{n}"], check=False, capture_output=True
    )  # of a namespace that still goes
    run("ip", "netns", "add", name)
    run("ip", "link", "add", f"rdun{n}", "type", "veth", "peer", "name", "eth0", "netns", name)
    run("ip", "link", "set", f"rdun{n}", "master", BRIDGE, "up")
    run("ip", "netns", "exec", name, "ip", "addr", "add", address, "dev", "eth0")
    for device in ("eth0", "lo"):
        run("ip", "netns", "exec", name, "ip", "link", "set", device, "up")
    run("ip", "netns", "exec", name, "ip", "route", "add", "default", "via", gateway)  # Ray finds its address by it


def boot(name: str, address: str, lab_folder: Path) -> Host:
    """Starts the host's first process, whose end is the end of all others."""
    base = lab_folder / name
    home = base / "root"
    home.mkdir(parents=True)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(base / "host_key"))
    sshd = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    (base / "sshd_config").write_text(SSHD.format(address=address, base=base, lab=lab_folder))
    (base / "init.sh").write_text(INIT.format(name=name, home=home, base=base, sshd=sshd))
    own = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--uts",
        "--ipc",
    ]
    words = ["ip", "netns", "exec", name, *own, "bash", str(base / "init.sh")]
    with (base / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    return Host(name, address, process)


def wait_for_ssh(host: Host, key: Path) -> None:
    """Returns when the host takes commands."""
    for _ in range(50):
        if not subprocess.run([*_ssh(host, key), "true"], check=False, capture_output=True).returncode:
            return
        time.sleep(0.2)
    raise TimeoutError(f"{host.name} does not answer; it died with {host.process.poll()}")


def _ssh(host: Host, key: Path) -> list[str]:
    options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=2")
    return ["ssh", *(word for option in options for word in ("-o", option)), "-i", str(key), f"root@{host.address}"]


def run(*words: str) -> str:
    """Runs a command that must work; what it says."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
