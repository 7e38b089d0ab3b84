"""Population → sample → procedure → item results → control result, over the ledger alone.

Shares no code with whatever enforces a control. `Evidence` makes tables, `run_control` and `run_all` judge them; what we run is
management's self-test.
"""

from affiant.assurance.elsewhere import Elsewhere
from affiant.assurance.evidence import Evidence, Listed, opening_of, size_as_of
from affiant.assurance.model import ControlRun, Day, Finding, Frozen, Item, Items, Sample, Seed, occurrences, run_line
from affiant.assurance.notshown import NotShown, not_shown
from affiant.assurance.period import Period, parse_instant
from affiant.assurance.preview import Preview, preview
from affiant.assurance.recalculate import Recalculated, recalculate
from affiant.assurance.run import run_all, run_control
from affiant.assurance.sample import draw_sample, given_seed, management_seed, witness_seed
from affiant.assurance.state import CategoryState, control_state, results_of

__all__ = [
    "CategoryState",
    "ControlRun",
    "Day",
    "Elsewhere",
    "Evidence",
    "Finding",
    "Frozen",
    "Item",
    "Items",
    "Listed",
    "NotShown",
    "Period",
    "Preview",
    "Recalculated",
    "Sample",
    "Seed",
    "control_state",
    "draw_sample",
    "given_seed",
    "management_seed",
    "not_shown",
    "occurrences",
    "opening_of",
    "parse_instant",
    "preview",
    "recalculate",
    "results_of",
    "run_all",
    "run_control",
    "run_line",
    "size_as_of",
    "witness_seed",
]
