"""Population → sample → procedure → item results → control result, over the ledger alone.

Shares no code with whatever enforces a control. `Evidence` makes tables, `run_control` and `run_all` judge them; what we run is
management's self-test.
"""

from affiant.assurance.evidence import Evidence, Listed, opening_of
from affiant.assurance.model import ControlRun, Day, Finding, Frozen, Item, Sample, Seed, occurrences, run_line
from affiant.assurance.period import Period, parse_instant
from affiant.assurance.run import run_all, run_control
from affiant.assurance.sample import draw_sample, given_seed, management_seed, witness_seed

__all__ = [
    "ControlRun",
    "Day",
    "Evidence",
    "Finding",
    "Frozen",
    "Item",
    "Listed",
    "Period",
    "Sample",
    "Seed",
    "draw_sample",
    "given_seed",
    "management_seed",
    "occurrences",
    "opening_of",
    "parse_instant",
    "run_all",
    "run_control",
    "run_line",
    "witness_seed",
]
