"""Trials and searches through Ray Tune: all of them at once over the cores and GPUs. The only room that imports ray."""

import os

_ENVIRONMENT = {  # before ray is imported: no walls of logs, no telemetry, no working directory of its own
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
os.environ.update({key: os.environ.get(key, value) for key, value in _ENVIRONMENT.items()})

from rdun.tuning.cluster import Capacity, cluster, private_cluster, trial_resources  # noqa: E402
from rdun.tuning.learning import known_settings  # noqa: E402
from rdun.tuning.machines import gpu_machine  # noqa: E402
from rdun.tuning.optuna_study import DATABASE  # noqa: E402
from rdun.tuning.preview import Preview, preview  # noqa: E402
from rdun.tuning.relay import Silent, Watcher  # noqa: E402
from rdun.tuning.replay import replay  # noqa: E402
from rdun.tuning.search import run_search  # noqa: E402
from rdun.tuning.stopping import mark_stopped  # noqa: E402
from rdun.tuning.suggestions import Suggestions  # noqa: E402
from rdun.tuning.trials import mark_unfinished, run_trials  # noqa: E402
from rdun.tuning.watch import Halted  # noqa: E402

__all__ = [
    "DATABASE",
    "Capacity",
    "Halted",
    "Preview",
    "Silent",
    "Suggestions",
    "Watcher",
    "cluster",
    "gpu_machine",
    "known_settings",
    "mark_stopped",
    "mark_unfinished",
    "preview",
    "private_cluster",
    "replay",
    "run_search",
    "run_trials",
    "trial_resources",
]
