"""The files that trials and studies leave behind: their schemas, and reading and writing them anywhere fsspec reaches."""

from rdun.results.curves import reached
from rdun.results.directory import Folder, Store, TrialDirectory, from_csv, is_full, picture_names, to_csv
from rdun.results.hours import hours, milliseconds, with_ends
from rdun.results.keeping import Keep, remove_checkpoints, remove_weights, space_used, winners
from rdun.results.lease import STALE_AFTER, Busy, Lease, Lost, is_held, revoke
from rdun.results.plan_record import ArmRecord, CellRecord, ClaimRecord, PlanRecord, relative_costs, times
from rdun.results.records import (
    STOPPED_EARLY,
    Attempt,
    EpochRecord,
    Outcome,
    RunInfo,
    Score,
    Status,
    SystemSample,
    Timing,
    Trace,
)
from rdun.results.runs import Held, Runs, is_copied, runs_id, runs_place
from rdun.results.search_record import SearchRecord, SearchState, SearchTrial
from rdun.results.trainings import SCORED_IN, TRAINED_IN, Trainings

__all__ = [
    "SCORED_IN",
    "STALE_AFTER",
    "STOPPED_EARLY",
    "TRAINED_IN",
    "ArmRecord",
    "Attempt",
    "Busy",
    "CellRecord",
    "ClaimRecord",
    "EpochRecord",
    "Folder",
    "Held",
    "Keep",
    "Lease",
    "Lost",
    "Outcome",
    "PlanRecord",
    "RunInfo",
    "Runs",
    "Score",
    "SearchRecord",
    "SearchState",
    "SearchTrial",
    "Status",
    "Store",
    "SystemSample",
    "Timing",
    "Trace",
    "Trainings",
    "TrialDirectory",
    "from_csv",
    "hours",
    "is_copied",
    "is_full",
    "is_held",
    "milliseconds",
    "picture_names",
    "reached",
    "relative_costs",
    "remove_checkpoints",
    "remove_weights",
    "revoke",
    "runs_id",
    "runs_place",
    "space_used",
    "times",
    "to_csv",
    "winners",
    "with_ends",
]
