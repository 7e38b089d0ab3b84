"""What passes unguarded while the pool of guards is full, where its policy says `on_busy: pass_flagged`; never without saying so.

No guard decides then: the one decision recorded is of the pool, so that a control which asks for a guard's decision finds none. Pseudonyms
are undone all the same. Leaves out: when the pool is full (`guardpool`).
"""

from __future__ import annotations

from collections.abc import Callable

from affiant.guards import Action, AnswerContext, AnswerGuard, Decision, Exchange, Mode, Policy, Verdict
from affiant.guards.redact import Pseudonyms
from affiant.guards.scan import Finder

PASS = "pass_flagged"  # noqa: S105 - a word of a policy
BUSY = Decision("pool", "SEC-3.2", Action.FLAG, reason="guards_busy", enforced=False)


def unguarded(policy: Policy, exchange: Exchange) -> Callable[[], Verdict] | None:
    """A request that passes as it is; None where its policy refuses."""
    if policy.on_busy != PASS:
        return None
    context = AnswerContext(exchange.parts, Pseudonyms(), exchange.expected, exchange.label)
    return lambda: Verdict(exchange, (BUSY,), None, False, context)


def only_restoring(context: AnswerContext, mode: Mode, finder: Finder) -> AnswerGuard:
    """A guard that looks for nothing and undoes pseudonyms."""
    return AnswerGuard(context, None, mode is Mode.ENFORCE, finder=finder)
