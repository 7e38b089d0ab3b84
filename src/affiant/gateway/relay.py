"""A stream from a provider to the caller: attempts until one has released something, then that one to its end.

*Closed* is durable before the final frame leaves, whatever that frame is: `[DONE]`, the event that completes the answer, or an error.
Leaves out: what a stream may release (`streaming`), and how the exchange began (`walk`).
"""

from __future__ import annotations

import time

from affiant.gateway.caller import Caller
from affiant.gateway.closing import Closing
from affiant.gateway.codes import CODES
from affiant.gateway.evidence import ALL, ANSWERED, BLOCKED, CALLER_LEFT, CUT, NONE, PART, PROVIDER_FAILED, TIMED_OUT, Ticket
from affiant.gateway.faults import LinkFault, Refusal
from affiant.gateway.forward import Attempt, Forwarder
from affiant.gateway.live import Live
from affiant.gateway.metrics import Metrics
from affiant.gateway.outbound import Outbound
from affiant.gateway.sse import Events
from affiant.gateway.streamform import StreamForm
from affiant.gateway.streaming import StreamedAnswer
from affiant.gateway.tables import Route
from affiant.gateway.upstream import Connection
from affiant.gateway.wire import Request
from affiant.guards import Decision

_DRAIN_S = 0.2


class Relay:
    """The stream of one exchange."""

    def __init__(
        self, caller: Caller, ticket: Ticket, closing: Closing, forwarder: Forwarder, request: Request, route: Route, live: Live,
        metrics: Metrics,
    ) -> None:  # fmt: skip
        self._caller, self._ticket, self._closing, self._metrics = caller, ticket, closing, metrics
        self._forwarder, self._request, self._route, self._live = forwarder, request, route, live
        self._outbound: Outbound
        self._form: StreamForm
        self._answer: StreamedAnswer

    async def run(self) -> None:
        """Answer the caller.

        Raises:
            Refusal: nothing was released, and nothing will be.
        """
        caller, closing, request = self._caller, self._closing, self._request
        while True:
            attempt = await self._forwarder.next()
            outbound = self._outbound = closing.outbound(self._route)
            form = self._form = closing.form(self._route)
            self._answer = StreamedAnswer(request.surface, outbound, request.asked, form, closing.judges(self._route))
            link = (b"x-affiant-link", f"{attempt.link.provider}/{attempt.link.model}".encode())
            caller.headers.append(link)
            self._live.model = attempt.link.model
            try:
                await self._pass_on(attempt)
                return
            except LinkFault as fault:
                attempt.finish(self._ticket, whole=False)
                if caller.started or self._live.reason:
                    await self._broken(fault)
                    return
                caller.headers.remove(link)
                self._forwarder.failed(fault, attempt.link)
            except Refusal as refusal:
                if not caller.started:
                    raise
                await self._refused(refusal)
                return

    async def _pass_on(self, attempt: Attempt) -> None:
        """One attempt's stream to the caller; a `LinkFault` tells how it broke off."""
        answer, connection = self._answer, attempt.connection
        if b"event-stream" not in connection.headers.get(b"content-type", b"").lower():
            raise LinkFault("garbage", "The provider's answer is no stream.", 200)
        events = Events()
        while not answer.ended and not self._stopped:
            piece = await self._piece(connection)
            if piece is None:
                break
            await self._send(await self._released(events.feed(piece), attempt))
            if self._live.reason:
                raise LinkFault("cut", "The exchange was cut.")
            if not answer.ended and not self._stopped and self._caller.left():
                await self._left(attempt)
                return
        drained = answer.ended
        if not answer.ended and not self._stopped:
            if not answer.complete:
                raise LinkFault("reset", "The provider ended the stream before its end.", 200)
            await self._send(answer.finish())
        if drained and not self._stopped:
            await _drain(connection)
        attempt.finish(self._ticket, whole=not self._stopped)
        await self._finish()

    @property
    def _stopped(self) -> bool:
        """Whether a guard lets nothing more out."""
        return self._outbound.blocked or self._form.withheld

    async def _released(self, events: list[bytes], attempt: Attempt) -> bytes:
        """What may go to the caller after these events, up to the one that ends or blocks the stream.

        Raises:
            Refusal: guards are busy.
        """
        out = []
        for data in events:
            frames = self._answer.chunk(data)
            if self._form.waiting:
                try:
                    await self._form.settle()
                except Refusal:
                    attempt.finish(self._ticket, whole=False)
                    raise
            if not self._form.withheld:
                out.append(frames)
            if self._answer.ended or self._stopped:
                break
        return b"".join(out)

    async def _piece(self, connection: Connection) -> bytes | None:
        asked_s = time.monotonic()
        try:
            return await connection.piece(self._forwarder.timeouts.idle_s)
        finally:
            self._ticket.upstream_s += time.monotonic() - asked_s

    async def _send(self, data: bytes) -> None:
        if data:
            self._ticket.first_s = self._ticket.first_s or time.monotonic()
            await self._caller.frames(data, self._live)

    async def _left(self, attempt: Attempt) -> None:
        attempt.finish(self._ticket, whole=False)
        self._count()
        await self._closing.close(CALLER_LEFT, PART if self._caller.started else NONE, 499, self._decisions())

    async def _finish(self) -> None:
        """The proper end, or a block: evidence first, then the final frame."""
        caller, answer, closing = self._caller, self._answer, self._closing
        self._count()
        if not self._live.reason and not self._stopped:
            await self._form.finish()
        if self._live.reason:
            await self._broken(LinkFault("cut", "The exchange was cut."))
            return
        if self._stopped:
            await self._blocked()
            return
        after = await closing.after(answer.text)
        await closing.close(ANSWERED, ALL, 200, self._decisions(whole=True) + after, caller.digest(answer.last))
        if not caller.started:
            await caller.frames(b"", self._live)
        await caller.end(answer.last)
        self._metrics.answered(self._ticket)

    async def _blocked(self) -> None:
        caller, code = self._caller, CODES["output_blocked" if self._outbound.blocked else "answer_withheld"]
        released = PART if caller.started else NONE
        digest = caller.digest() if caller.started else None
        await self._closing.close(BLOCKED, released, 200 if caller.started else code.status, self._decisions(), digest)
        if not caller.started:
            raise Refusal(code.code)
        await caller.end(self._answer.error(code, self._ticket.id))

    async def _refused(self, refusal: Refusal) -> None:
        """Nobody could look, or nothing could be recorded, after something was released."""
        caller = self._caller
        if not self._closing.closed:
            self._count()
            try:
                await self._closing.close(CUT, PART, 200, self._decisions(), caller.digest())
            except Refusal as worse:
                refusal = worse
        await caller.end(self._answer.error(refusal.known, self._ticket.id))

    def _decisions(self, whole: bool = False) -> tuple[Decision, ...]:
        return self._outbound.decisions() + self._form.decisions(whole)

    async def _broken(self, fault: LinkFault) -> None:
        """The stream broke off after something was released, or was cut."""
        caller = self._caller
        self._count()
        if self._live.reason:
            outcome, code = CUT, CODES["answer_cut"]
        elif fault.kind == "timeout":
            outcome, code = TIMED_OUT, CODES["provider_timeout"]
        else:
            outcome, code = PROVIDER_FAILED, CODES["provider_failed"]
        if not caller.started:
            raise Refusal(code.code)
        try:
            await self._closing.close(outcome, PART, 200, self._decisions(), caller.digest())
        except Refusal as refusal:
            code = refusal.known
        await caller.end(self._answer.error(code, self._ticket.id))

    def _count(self) -> None:
        """Tokens, and what nobody could read."""
        ticket, answer = self._ticket, self._answer
        ticket.tokens_in, ticket.tokens_out = answer.usage or (len(ticket.body) // 4, answer.chars // 4)
        answer.settle()
        ticket.uninspected_out, ticket.detected_out = self._outbound.uninspected, self._outbound.detected


async def _drain(connection: Connection) -> None:
    """Take the end of the body that follows the last event, so that the connection can be kept; a provider that lingers loses it."""
    try:
        while await connection.piece(_DRAIN_S) is not None:
            pass
    except LinkFault:
        return
