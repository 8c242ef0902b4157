"""The report of a job, from the cluster to this machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from rdun.remote.tunnel import ClusterFile


def fetch(file: ClusterFile, output: str, folder: Path) -> Path | None:
    """Copies the folder of the report that a job's output names; the report here, None if the output names none.

    Raises:
        OSError: it cannot be copied.
    """
    named = re.findall(r"^Report:  (.+)/report\.html\s*$", output, flags=re.MULTILINE)
    if not named:
        return None
    source = named[-1]
    folder.mkdir(parents=True, exist_ok=True)
    words = file.launcher("rsync-down", f"{source}/", f"{folder}/")
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise OSError(f"{source} cannot be fetched from the cluster ({lines[-1] if lines else done.returncode})")
    return folder / "report.html"
