"""How an answer is judged and an exchange closed, alike for whole answers and streams. Leaves out: the order of it (`walk`, `relay`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from affiant.gateway.caller import Caller
from affiant.gateway.evidence import Ticket
from affiant.gateway.outbound import Outbound
from affiant.gateway.parts import Parts
from affiant.gateway.streamform import StreamForm
from affiant.gateway.surfaces import Surface
from affiant.gateway.tables import Route
from affiant.gateway.unguarded import BUSY, PASS, only_restoring
from affiant.guards import NO_WATCH, Action, AnswerContext, Decision, Mode, judges

STOPS = (Action.BLOCK, Action.HOLD)


class Closing:
    """The way out of one exchange.

    Attributes:
        watch: protected texts that the exchange must not hold.
        would_block: whether the caller of a route in warn was already told.
        closed: whether the outcome was handed to the ledger.
    """

    def __init__(self, parts: Parts, caller: Caller, ticket: Ticket, surface: Surface) -> None:
        self._p, self._caller, self._ticket, self.surface = parts, caller, ticket, surface
        self.watch = NO_WATCH
        self.context: AnswerContext | None = None
        self.would_block = False
        self.closed = False

    def secret(self) -> bytes:
        """Key of `hash` redaction: of the tenant's month, so that equal values look equal within both."""
        ticket = self._ticket
        return (ticket.tables.month_key(ticket.tenant, ticket.now_us) if ticket.tables else None) or b""

    def outbound(self, route: Route) -> Outbound:
        """What decides about one answer."""
        assert self.context is not None and route.policy is not None and route.looking is not None
        chain, secret = self._p.chain, self.secret()
        return Outbound(
            chain.answer(self.context, route.policy, route.mode, secret, self.watch),
            chain.answer(self.context, route.looking, route.mode, secret, self.watch),
        )

    def restoring(self, route: Route) -> Outbound:
        """What undoes pseudonyms in an answer and looks for nothing."""
        assert self.context is not None
        guard = only_restoring(self.context, route.mode, self._p.chain.toolbox.scanner)
        return Outbound(guard, guard)

    def form(self, route: Route) -> StreamForm:
        """What decides about the form of one streamed answer."""
        assert self.context is not None and route.policy is not None
        return StreamForm(route.policy, route.mode, self.context.expected, self._p.guards)

    def judges(self, route: Route) -> bool:
        """Whether anything asks for the whole answer."""
        return self.surface.judged and route.policy is not None and judges(route.policy)

    async def after(self, text: Callable[[], str]) -> tuple[Decision, ...]:
        """What can only be judged of the whole answer; nothing where the policy asks for none of it."""
        context, route = self.context, self._ticket.route
        assert context is not None and route is not None
        policy = route.policy
        if policy is None or not self.judges(route):
            return ()
        whole = text()
        chars = len(whole) + sum(len(part.text) for part in context.parts)
        instead = (lambda: (BUSY,)) if policy.on_busy == PASS else None
        return await self._p.guards.run(chars, lambda: self._p.chain.after(context, policy, route.mode, whole), instead)

    def note_would_block(self, decisions: Sequence[Decision], route: Route) -> None:
        """Tell the caller of a route in warn that it would have been refused."""
        if route.mode is Mode.WARN and not self.would_block and any(each.action in STOPS for each in decisions):
            self.would_block = True
            self._caller.headers.append((b"x-affiant-decision", b"would-block"))

    async def close(self, outcome: str, released: str, status: int, decisions: Sequence[Decision], digest: bytes | None = None) -> None:
        """Make the outcome durable.

        Raises:
            Refusal: it could not be; the last byte must not leave.
        """
        self.closed = True
        self._p.metrics.closed(outcome)
        await self._p.recorder.closed(self._ticket, outcome, released, status, decisions, digest)
