"""How a trial is tested, as far as its config says: what arms that are compared must share."""

from __future__ import annotations

from rdun.config.identity import canonical
from rdun.config.schema import TrialConfig
from rdun.config.tasks import BlockSensingTask, DenoisingTask, InpaintingTask, TaskConfig

Conditions = dict[str, object]


def conditions(config: TrialConfig) -> dict[float, Conditions]:
    """Dotted fields that fix the test measurements and the scoring, by sampling ratio; equal ones give comparable scores."""
    task = canonical(config).task
    common: Conditions = {
        "data.test": config.data.test,
        "task.kind": task.kind,
        "task.block": task.block,
        "model.deblock": config.model.deblock,
    }
    return {ratio: common | _measurement(task) for ratio in task.ratios}


def _measurement(task: TaskConfig) -> Conditions:
    match task:
        case BlockSensingTask(test_matrices="seen"):
            return {"task.rows": task.rows, "task.test_matrices": "seen", "task.matrix_seed": task.matrix_seed}
        case BlockSensingTask():
            return {
                "task.rows": task.rows,
                "task.test_matrices": "unseen",
                "task.test_matrix_seeds": task.test_matrix_seeds,
            }
        case InpaintingTask():
            return {"task.test_mask_seeds": task.test_mask_seeds}
        case DenoisingTask():
            return {"task.sigma": task.sigma, "task.test_noise_seeds": task.test_noise_seeds}
