"""One trial from config to scores, without Ray and without MLflow: `python -m rdun.trial config.json`."""

from rdun.trial.admission import Admission, GpuMemory, Memory, give_back
from rdun.trial.policy import Circumstances, GivenUp, OutOfMemory, doublings
from rdun.trial.precision import resolve_precision
from rdun.trial.run import OnEpoch, Stopped, run_trial
from rdun.trial.weights import first_network

__all__ = [
    "Admission",
    "Circumstances",
    "GivenUp",
    "GpuMemory",
    "Memory",
    "OnEpoch",
    "OutOfMemory",
    "Stopped",
    "doublings",
    "first_network",
    "give_back",
    "resolve_precision",
    "run_trial",
]
