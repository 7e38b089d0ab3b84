"""Guards: preventive controls at run time, as pure functions. An exchange and a policy go in, decisions come out; no I/O.

`GuardChain.inbound` decides about a request, `GuardChain.answer` (or `outbound`) about its answer, streamed or whole.
"""

from affiant.guards.answer import AnswerContext, AnswerGuard, StreamScanner
from affiant.guards.chain import CONTROLS, GuardChain, Verdict
from affiant.guards.model import SEVERITY, Action, Decision, Exchange, GuardRule, Hit, Kind, Mode, Part, Policy, Role

__all__ = [
    "CONTROLS",
    "SEVERITY",
    "Action",
    "AnswerContext",
    "AnswerGuard",
    "Decision",
    "Exchange",
    "GuardChain",
    "GuardRule",
    "Hit",
    "Kind",
    "Mode",
    "Part",
    "Policy",
    "Role",
    "StreamScanner",
    "Verdict",
]
