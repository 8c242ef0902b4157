"""A study as trials before any of them runs: identities, costs, estimates, checks. Nothing starts before all of it is valid."""

from rdun.plan.budgets import unequal_costs
from rdun.plan.changes import Changes, changes_since
from rdun.plan.checks import check_checkpoints, check_store, check_trial
from rdun.plan.code import code_warnings, search_code_warnings
from rdun.plan.costs import QUANTITIES, cost, layout, samples, steps
from rdun.plan.estimate import Estimate, Estimator, makespan
from rdun.plan.forecast import Forecast, check_budget, epochs_done, make_forecast
from rdun.plan.history import past_runs
from rdun.plan.machine import LITTLE, Machine, Room, cores_here, lacking
from rdun.plan.measurements import Measurement, add_probes, keys, read_probes
from rdun.plan.no_effect import no_effect_warnings
from rdun.plan.packing import Part, part_of
from rdun.plan.probe import probe, unmeasured
from rdun.plan.search_plan import going_on, without_end
from rdun.plan.study_plan import STATES, Plan, States, Trial, claim_record, make_plan, state_of

__all__ = [
    "LITTLE",
    "QUANTITIES",
    "STATES",
    "Changes",
    "Estimate",
    "Estimator",
    "Forecast",
    "Machine",
    "Measurement",
    "Part",
    "Plan",
    "Room",
    "States",
    "Trial",
    "add_probes",
    "changes_since",
    "check_budget",
    "check_checkpoints",
    "check_store",
    "check_trial",
    "claim_record",
    "code_warnings",
    "cores_here",
    "cost",
    "epochs_done",
    "going_on",
    "keys",
    "lacking",
    "layout",
    "make_forecast",
    "make_plan",
    "makespan",
    "no_effect_warnings",
    "part_of",
    "past_runs",
    "probe",
    "read_probes",
    "samples",
    "search_code_warnings",
    "state_of",
    "steps",
    "unequal_costs",
    "unmeasured",
    "without_end",
]
