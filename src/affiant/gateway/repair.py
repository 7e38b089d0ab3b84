"""The form of one whole answer: checked against what the request asked, mended, asked for again once, or withheld.

An answer that is asked for again is one more attempt within those that *opened* permitted, and is recorded with the others. Where none is
left, or the provider gives none, the first answer is judged as it is. Leaves out: what a form is (`guards.structured`), and streams
(`streamform`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

from affiant.gateway.faults import Refusal
from affiant.gateway.guardpool import GuardPool
from affiant.gateway.tables import Route
from affiant.gateway.unguarded import BUSY, PASS
from affiant.guards import Action, Decision, Mode, Policy
from affiant.guards.quality.schema import Expected
from affiant.guards.redact import PSEUDONYMIZE
from affiant.guards.redact_shapes import wanted
from affiant.guards.structured import GUARD, LEAVE, RETRY, Formed, decided, expected_of, look, reading_effort

_SCHEMAS = ("tools", "functions", "response_format", "text", "output_format")
_STOPS = (Action.BLOCK, Action.HOLD)


class Guarded(Protocol):
    """An answer after its guards: `body` is what may be released of it."""

    body: bytes

    @property
    def stopped(self) -> bool:
        """Whether a guard stopped it already."""
        ...


A = TypeVar("A", bound=Guarded)


def read_asked(policy: Policy, raw: bytes, body: Mapping[str, Any]) -> tuple[Expected | None, frozenset[str]]:
    """What a request asks of its answer's form, and the entity types that its schemas accept in their shape only.

    None, and none: where the policy does not care, or nothing is asked.

    Args:
        raw: the request as it came, for a quick look.
        body: the same, decoded.
    """
    looks = GUARD in policy.guards
    shapes = b'"format"' in raw and _pseudonymizes(policy)
    return expected_of(body) if looks else None, wanted([body.get(name) for name in _SCHEMAS]) if shapes else frozenset()


async def ask(pool: GuardPool, policy: Policy, raw: bytes, body: Mapping[str, Any]) -> tuple[Expected | None, frozenset[str]]:
    """As `read_asked`, off the loop where grammars are to be compiled; where the policy lets pass what no thread is free for, on it.

    Raises:
        Refusal: guards are busy.
    """

    def read() -> tuple[Expected | None, frozenset[str]]:
        return read_asked(policy, raw, body)

    effort = reading_effort(body) if GUARD in policy.guards else 0
    return await pool.run(effort, read, read if policy.on_busy == PASS else None)


def _pseudonymizes(policy: Policy) -> bool:
    rule = policy.guards.get("pii")
    return rule is not None and any(each.how == PSEUDONYMIZE for each in (rule, *rule.at.values()))


class AnswerForm:
    """Decides about the form of one answer.

    Args:
        route: that the exchange takes.
        asked: what the request asks; None: nothing.
        pool: where checking runs.

    Attributes:
        decisions: what was decided.
        withheld: whether the answer must not be released.
    """

    def __init__(self, route: Route, asked: Expected | None, pool: GuardPool) -> None:
        assert route.policy is not None
        self._rule = route.policy.guards.get(GUARD) if asked is not None and asked.asks else None
        self._asked, self._pool = asked, pool
        self._enforce, self._lets_pass = route.mode is Mode.ENFORCE, route.policy.on_busy == PASS
        self.decisions: tuple[Decision, ...] = ()
        self.withheld = False

    async def settle(self, answer: A, again: Callable[[], Awaitable[A]], more: Callable[[], bool]) -> A:
        """The answer to go on with, its body mended where that is certain.

        Args:
            again: asks the provider once more.
            more: whether an attempt is left.

        Raises:
            Refusal: the exchange was cut meanwhile, or guards are busy.
        """
        if self._rule is None or answer.stopped:
            return answer
        formed = await self._look(answer)
        if formed.faults and self._enforce and self._rule.how == RETRY and more():
            self.decisions = tuple(decided(self._rule, formed.faults, 0, True, retried=True))
            try:
                answer = await again()
            except Refusal as refusal:
                if refusal.code not in ("provider_failed", "provider_timeout", "provider_rejected"):
                    raise
            else:
                if answer.stopped:
                    return answer
                formed = await self._look(answer)
        answer.body = formed.body
        self.decisions += tuple(decided(self._rule, formed.faults, formed.mended, self._enforce))
        self.withheld = self._enforce and bool(formed.faults) and self._rule.action in _STOPS
        return answer

    async def _look(self, answer: Guarded) -> Formed:
        asked, rule, body = self._asked, self._rule, answer.body
        assert asked is not None and rule is not None
        instead = (lambda: self._unlooked(body)) if self._lets_pass else None
        return await self._pool.run(asked.effort(len(body)), lambda: look(body, asked, self._enforce and rule.how != LEAVE), instead)

    def _unlooked(self, body: bytes) -> Formed:
        self.decisions += (BUSY,)
        return Formed(body)
