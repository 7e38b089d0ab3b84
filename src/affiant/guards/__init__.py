"""Guards: preventive controls at run time, as pure functions. An exchange and a policy go in, decisions come out; no I/O.

`GuardChain.inbound` decides about a request, `GuardChain.answer` (or `outbound`) about its answer while it arrives, `GuardChain.after`
about the whole of it; `inspect` looks at one text without an exchange.
"""

from affiant.guards.after import judges
from affiant.guards.answer import AnswerContext, AnswerGuard
from affiant.guards.answer_text import StreamScanner
from affiant.guards.chain import CONTROLS, NO_WATCH, GuardChain, Verdict
from affiant.guards.inspect import Inspection, inspect
from affiant.guards.model import SEVERITY, Action, Decision, Exchange, GuardRule, Hit, Kind, Mode, Part, Policy, Role
from affiant.guards.toolbox import Toolbox

__all__ = [
    "CONTROLS",
    "NO_WATCH",
    "SEVERITY",
    "Action",
    "AnswerContext",
    "AnswerGuard",
    "Decision",
    "Exchange",
    "GuardChain",
    "GuardRule",
    "Hit",
    "Inspection",
    "Kind",
    "Mode",
    "Part",
    "Policy",
    "Role",
    "StreamScanner",
    "Toolbox",
    "Verdict",
    "inspect",
    "judges",
]
