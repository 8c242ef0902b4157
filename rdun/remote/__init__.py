"""A study on a cluster, from a laptop: a Ray job through an SSH tunnel that can be left alone and found again.

The way: package (the code as it is here) -> tunnel (SSH, by Ray's own launcher) -> server -> job (one per study) -> fetch.
"""

from rdun.remote.fetch import fetch
from rdun.remote.job import Followed, Wanted, run_job
from rdun.remote.package import packed
from rdun.remote.tunnel import ClusterFile

__all__ = ["ClusterFile", "Followed", "Wanted", "fetch", "packed", "run_job"]
