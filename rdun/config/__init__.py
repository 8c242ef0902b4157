"""Typed trial configurations. Standard library only, so that plans and reports need no torch."""

from rdun.config.checks import Typed, check_warmup
from rdun.config.codec import from_dict, parse_value, to_dict, with_values
from rdun.config.conditions import conditions
from rdun.config.identity import NUMERICS, PROTOCOL, canonical, digest, fingerprint, without_start, without_tests
from rdun.config.models import CoastConfig, DpdnnConfig, IstaNetConfig, IstaNetPlusConfig, ModelConfig
from rdun.config.rows import row_count
from rdun.config.schema import (
    DataConfig,
    Fixed,
    ModulationConfig,
    NoModulation,
    OptimConfig,
    Precision,
    RatioScale,
    RecursionConfig,
    Rfmu,
    Schedule,
    TrialConfig,
    UniformRange,
    broadcast,
    highest,
    last_name,
    lowest,
)
from rdun.config.tasks import BlockSensingTask, DenoisingTask, InpaintingTask, RowRule, TaskConfig

__all__ = [
    "NUMERICS",
    "PROTOCOL",
    "BlockSensingTask",
    "CoastConfig",
    "DataConfig",
    "DenoisingTask",
    "DpdnnConfig",
    "Fixed",
    "InpaintingTask",
    "IstaNetConfig",
    "IstaNetPlusConfig",
    "ModelConfig",
    "ModulationConfig",
    "NoModulation",
    "OptimConfig",
    "Precision",
    "RatioScale",
    "RecursionConfig",
    "Rfmu",
    "RowRule",
    "Schedule",
    "TaskConfig",
    "TrialConfig",
    "Typed",
    "UniformRange",
    "broadcast",
    "canonical",
    "check_warmup",
    "conditions",
    "digest",
    "fingerprint",
    "from_dict",
    "highest",
    "last_name",
    "lowest",
    "parse_value",
    "row_count",
    "to_dict",
    "with_values",
    "without_start",
    "without_tests",
]
