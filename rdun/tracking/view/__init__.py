"""How studies and searches look in MLflow: names, parameters, metrics, tags and descriptions. Pure functions of records."""

from rdun.tracking.view.metrics import (
    EPOCH_MARK,
    SYSTEM_MARK,
    Point,
    averages,
    cell_means,
    epoch_points,
    mean_curves,
    points,
    score_means,
    seed_means,
    summary,
    system_points,
    total_costs,
)
from rdun.tracking.view.names import Identity, clean, flatten
from rdun.tracking.view.notes import arm_note, baseline_note, suggestion_note, trial_note, values_text
from rdun.tracking.view.searches import (
    best_values,
    objectives,
    search_params,
    search_tags,
    suggestion_identity,
    suggestion_params,
    suggestion_sizes,
    suggestion_tags,
)
from rdun.tracking.view.studies import arm_config, arm_identity, arm_params, arm_sizes, study_tags, trial_tags

STATUS = {"running": "RUNNING", "complete": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
"""Status of a trial -> status of its MLflow run."""

__all__ = [
    "EPOCH_MARK",
    "STATUS",
    "SYSTEM_MARK",
    "Identity",
    "Point",
    "arm_config",
    "arm_identity",
    "arm_note",
    "arm_params",
    "arm_sizes",
    "averages",
    "baseline_note",
    "best_values",
    "cell_means",
    "clean",
    "epoch_points",
    "flatten",
    "mean_curves",
    "objectives",
    "points",
    "score_means",
    "search_params",
    "search_tags",
    "seed_means",
    "study_tags",
    "suggestion_identity",
    "suggestion_note",
    "suggestion_params",
    "suggestion_sizes",
    "suggestion_tags",
    "summary",
    "system_points",
    "total_costs",
    "trial_note",
    "trial_tags",
    "values_text",
]
