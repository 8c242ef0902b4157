"""The end of a cluster does not end the process that used it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, threading, ray
from rdun.tuning import private_cluster

class Knot:
    def __init__(self, reference):
        self.me, self.reference = self, reference

def collect():
    while ray.is_initialized():
        pass
    gc.collect()

def shutdown(really=ray.shutdown):
    threading.Thread(target=collect).start()
    really()

ray.shutdown = shutdown
gc.disable()
with private_cluster(cpus=1):
    for number in range(2_000):
        Knot(ray.put(number))
print("alive")
"""


def test_references_in_cycles_that_a_thread_collects_while_ray_shuts_down() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
