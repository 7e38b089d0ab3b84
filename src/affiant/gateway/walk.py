"""The walk of one exchange: admit, guard, open, forward, guard, close, answer. A refusal is the same walk stopped early.

Order is what this file is for: *opened* is durable before the first byte leaves for a provider, *closed* before the last byte
leaves for the caller. Leaves out: how each step works (its neighbours) and paths other than chat completions (`asgi`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from affiant.gateway.admit import admit, authenticate
from affiant.gateway.caller import Caller, CallerLeft
from affiant.gateway.codes import CODES, GUARD_REASONS, error_object
from affiant.gateway.contact import Contact
from affiant.gateway.conversations import HEADER, Conversations, conversation_of
from affiant.gateway.evidence import (
    ALL,
    ANSWERED,
    BLOCKED,
    CALLER_LEFT,
    CUT,
    NONE,
    PART,
    PROVIDER_FAILED,
    TIMED_OUT,
    Flood,
    Recorder,
    Ticket,
)
from affiant.gateway.faults import LinkFault, Refusal
from affiant.gateway.forward import Attempt, Forwarder, Secrets, Timeouts
from affiant.gateway.guardpool import GuardPool
from affiant.gateway.limits import Limits, Spent
from affiant.gateway.live import Live, OpenExchanges
from affiant.gateway.metrics import Metrics
from affiant.gateway.repair import AnswerForm, read_asked
from affiant.gateway.reply import Reply
from affiant.gateway.sse import DONE, Events
from affiant.gateway.streaming import DONE_FRAME, StreamedAnswer, frame
from affiant.gateway.tables import Route
from affiant.gateway.unguarded import BUSY, PASS, only_restoring, unguarded
from affiant.gateway.upstream import Connection, Pool
from affiant.gateway.wire import ChatRequest, read_request
from affiant.guards import NO_WATCH, Action, AnswerContext, AnswerGuard, Decision, Exchange, GuardChain, Mode, judges
from affiant.kit.clock import Clock

SURFACE = "chat.completions"
MAX_OPEN = 1024
_log = logging.getLogger("affiant.gateway")


@dataclass(slots=True)
class Parts:
    """What a walk uses; one of each in a worker."""

    contact: Contact
    limits: Limits
    recorder: Recorder
    pool: Pool
    secrets: Secrets
    clock: Clock
    open: OpenExchanges
    flood: Flood
    metrics: Metrics
    timeouts: Timeouts
    chain: GuardChain
    guards: GuardPool
    conversations: Conversations
    stale_refused: int = 0


@dataclass(slots=True)
class _Answer:
    """A whole answer after its guard; `body` may be released where it did not block."""

    reply: Reply
    attempt: Attempt
    guard: AnswerGuard
    body: bytes = b""
    passed: tuple[Decision, ...] = ()

    @property
    def stopped(self) -> bool:
        return self.guard.blocked is not None


class Walk:
    """One exchange."""

    def __init__(self, parts: Parts, caller: Caller, ticket: Ticket) -> None:
        self._p, self._caller, self._ticket = parts, caller, ticket
        self._spent: Spent | None = None
        self._live: Live | None = None
        self._would_block = False
        self._closed = False
        self._watch = NO_WATCH
        self._context: AnswerContext | None = None

    async def run(self) -> None:
        """Walk to the end; whatever happens, the caller gets an answer and the ledger an outcome."""
        try:
            await self._run()
        except Refusal as refusal:
            await self.refuse(refusal)
        except CallerLeft:
            return
        except asyncio.CancelledError:
            if self._live is None or not self._live.reason:
                raise
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            await self._cut_while_sending()
        except Exception as error:
            _log.exception("exchange %s failed: %s", self._ticket.id, type(error).__name__)
            await self.refuse(Refusal("internal_error"))
        finally:
            self._end()

    def _end(self) -> None:
        if self._spent is not None:
            ticket = self._ticket
            self._spent.settle(ticket.tokens_in + ticket.tokens_out)
        if self._live is not None:
            self._p.open.discard(self._live)

    async def _cut_while_sending(self) -> None:
        """Cut while a slow caller took the stream: close the evidence, and leave the connection broken off."""
        try:
            await self._close(CUT, PART, 200, ())
        except Refusal:
            return  # what could not be recorded now is written when the ledger is back

    # -- on the way in

    async def _run(self) -> None:
        parts, ticket, caller = self._p, self._ticket, self._caller
        if not parts.contact.fresh():
            parts.stale_refused += 1
            raise Refusal("snapshot_stale")
        tables = ticket.tables = parts.contact.tables
        assert tables is not None
        ticket.body = await caller.body()
        ticket.key = authenticate(tables, caller.scope["headers"], ticket.now_us)
        if len(parts.open) >= MAX_OPEN:
            raise Refusal("overloaded")
        request = read_request(ticket.body)
        ticket.named_route, ticket.stream = request.model[:128], request.stream
        tokens = len(ticket.body) // 4 + request.max_tokens
        self._spent = await parts.limits.reserve(tables, ticket.key, ticket.named_route, tokens, ticket.now_us)
        route = ticket.route = admit(tables, ticket.key, request.model)
        context = self._context = await self._guard_request(request, route)
        live = self._live = Live(ticket.key.id, route.id)
        parts.open.add(live)
        forwarder = Forwarder(parts.pool, parts.secrets, parts.timeouts, ticket, request, live)
        await parts.recorder.opened(ticket, forwarder.body_for(route.links[0]), len(request.parts), request.uninspected, tokens)
        if request.stream:
            await self._stream(forwarder, request, route, context, live)
        else:
            await self._plain(forwarder, route, context, live)

    async def _guard_request(self, request: ChatRequest, route: Route) -> AnswerContext:
        ticket, policy = self._ticket, route.policy
        assert policy is not None and ticket.tables is not None
        named = next((value for name, value in self._caller.scope["headers"] if name == HEADER), b"")
        conversation = conversation_of(ticket, policy, named)
        exchange = Exchange(
            ticket.id, SURFACE, route.id, ticket.tenant, route.label, request.stream, tuple(request.parts),
            *read_asked(policy, ticket.body), await self._p.conversations.load(conversation, ticket.now_us),
        )  # fmt: skip
        self._watch = ticket.tables.watchlist.for_exchange(route.label, ticket.tenant)
        chars = sum(len(part.text) for part in request.parts)
        verdict = await self._p.guards.run(
            chars, lambda: self._p.chain.inbound(exchange, policy, route.mode, self._secret(), self._watch), unguarded(policy, exchange)
        )  # fmt: skip
        ticket.detected = verdict.detected
        ticket.decisions_in = verdict.decisions + self._unknown(request)
        if verdict.blocked is not None:
            reason = verdict.blocked.reason
            raise Refusal(reason if reason in GUARD_REASONS else "injection_detected")
        self._would_block = verdict.would_block
        if self._would_block and route.mode is Mode.WARN:
            self._caller.headers.append((b"x-affiant-decision", b"would-block"))
        if verdict.exchange.parts is not exchange.parts:
            request.apply(verdict.exchange.parts)
        await self._p.conversations.keep(conversation, verdict.context, ticket.now_us)
        return verdict.context

    def _secret(self) -> bytes:
        """Key of `hash` redaction: of the tenant's month, so that equal values look equal within both."""
        ticket = self._ticket
        return (ticket.tables.month_key(ticket.tenant, ticket.now_us) if ticket.tables else None) or b""

    def _unknown(self, request: ChatRequest) -> tuple[Decision, ...]:
        """Fields that the format does not have are forwarded and flagged."""
        if not request.unknown:
            return ()
        enforced = self._ticket.route is not None and self._ticket.route.mode is Mode.ENFORCE
        return (Decision("format", "SEC-3.2", Action.FLAG, reason="unknown_fields", enforced=enforced, found=len(request.unknown)),)

    # -- a whole answer

    async def _plain(self, forwarder: Forwarder, route: Route, context: AnswerContext, live: Live) -> None:
        ticket, caller = self._ticket, self._caller
        form = AnswerForm(route, context.expected, self._p.guards)
        answer = await self._guarded(forwarder, route, context)
        answer = await form.settle(answer, lambda: self._guarded(forwarder, route, context), lambda: forwarder.more)
        guard, attempt, body = answer.guard, answer.attempt, answer.body
        ticket.provider, ticket.model = attempt.link.provider, attempt.link.model
        decisions = guard.decisions() + answer.passed + form.decisions
        if not guard.blocked:
            after = await self._after(answer.reply.text)
            decisions += after
            withheld = route.mode is Mode.ENFORCE and any(each.action in (Action.BLOCK, Action.HOLD) for each in after)
            if (withheld or form.withheld) and not live.reason:
                await self._close(BLOCKED, NONE, CODES["answer_withheld"].status, decisions)
                raise Refusal("answer_withheld")
        if live.reason:
            raise Refusal("answer_cut")
        if guard.blocked:
            await self._close(BLOCKED, NONE, CODES["output_blocked"].status, decisions)
            raise Refusal("output_blocked")
        self._note_would_block(decisions, route)
        caller.headers.append((b"x-affiant-link", f"{attempt.link.provider}/{attempt.link.model}".encode()))
        if caller.left():
            await self._close(CALLER_LEFT, NONE, 499, decisions)
            return
        ticket.first_s = time.monotonic()
        await self._close(ANSWERED, ALL, 200, decisions, hashlib.sha256(body).digest())
        if live.reason:  # cut while the ledger wrote: what is recorded as released may be withheld, never the other way round
            raise Refusal("answer_cut")
        await caller.answer(200, body)
        self._p.metrics.answered(ticket)

    async def _guarded(self, forwarder: Forwarder, route: Route, context: AnswerContext) -> _Answer:
        """The next whole answer, with what may be released of it; its tokens are added to those of the exchange."""
        ticket = self._ticket
        reply, attempt = await self._reply(forwarder)
        tokens_in, tokens_out = reply.usage() or (len(ticket.body) // 4, reply.text_chars() // 4)
        ticket.tokens_in += tokens_in
        ticket.tokens_out += tokens_out
        answer = _Answer(reply, attempt, self._answer_guard(context, route))

        def passed() -> bytes:
            answer.guard, answer.passed = only_restoring(context, route.mode, self._p.chain.toolbox.scanner), (BUSY,)
            return reply.guard(answer.guard)

        lets_pass = route.policy is not None and route.policy.on_busy == PASS
        answer.body = await self._p.guards.run(len(reply.raw), lambda: reply.guard(answer.guard), passed if lets_pass else None)
        return answer

    async def _reply(self, forwarder: Forwarder) -> tuple[Reply, Attempt]:
        """The first whole answer that can be read."""
        ticket = self._ticket
        while True:
            attempt = await forwarder.next()
            started_s = time.monotonic()
            try:
                raw = await attempt.connection.body(forwarder.timeouts.total_s)
                reply = Reply(raw)
            except LinkFault as fault:
                ticket.upstream_s += time.monotonic() - started_s
                attempt.finish(ticket, whole=False)
                forwarder.failed(fault, attempt.link)
                continue
            ticket.upstream_s += time.monotonic() - started_s
            attempt.finish(ticket, whole=True)
            return reply, attempt

    def _answer_guard(self, context: AnswerContext, route: Route) -> AnswerGuard:
        assert route.policy is not None
        return self._p.chain.answer(context, route.policy, route.mode, self._secret(), self._watch)

    async def _after(self, text: Callable[[], str]) -> tuple[Decision, ...]:
        """What can only be judged of the whole answer; nothing where the policy asks for none of it."""
        context, route = self._context, self._ticket.route
        assert context is not None and route is not None and route.policy is not None
        policy = route.policy
        if not judges(policy):
            return ()
        whole = text()
        chars = len(whole) + sum(len(part.text) for part in context.parts)
        instead = (lambda: (BUSY,)) if policy.on_busy == PASS else None
        return await self._p.guards.run(chars, lambda: self._p.chain.after(context, policy, route.mode, whole), instead)

    def _note_would_block(self, decisions: tuple[Decision, ...], route: Route) -> None:
        if route.mode is Mode.WARN and not self._would_block and any(d.action in (Action.BLOCK, Action.HOLD) for d in decisions):
            self._caller.headers.append((b"x-affiant-decision", b"would-block"))

    # -- a stream

    async def _stream(self, forwarder: Forwarder, request: ChatRequest, route: Route, context: AnswerContext, live: Live) -> None:
        """Attempts until one has released something; then that one to its end."""
        caller = self._caller
        while True:
            attempt = await forwarder.next()
            guard = self._answer_guard(context, route)
            answer = StreamedAnswer(guard, request.wants_usage, keep=route.policy is not None and judges(route.policy))
            link = (b"x-affiant-link", f"{attempt.link.provider}/{attempt.link.model}".encode())
            caller.headers.append(link)
            live.model = attempt.link.model
            try:
                await self._relay(attempt, forwarder, answer, guard, live)
                return
            except LinkFault as fault:
                attempt.finish(self._ticket, whole=False)
                if caller.started or live.reason:
                    await self._broken(fault, answer, guard, live)
                    return
                caller.headers.remove(link)
                forwarder.failed(fault, attempt.link)

    async def _relay(self, attempt: Attempt, forwarder: Forwarder, answer: StreamedAnswer, guard: AnswerGuard, live: Live) -> None:
        """One attempt's stream to the caller; a `LinkFault` tells how it broke off."""
        ticket, caller, connection = self._ticket, self._caller, attempt.connection
        if b"event-stream" not in connection.headers.get(b"content-type", b"").lower():
            raise LinkFault("garbage", "The provider's answer is no stream.", 200)
        events = Events()
        done = False
        while not done:
            asked_s = time.monotonic()
            try:
                piece = await connection.piece(forwarder.timeouts.idle_s)
            finally:
                ticket.upstream_s += time.monotonic() - asked_s
            if piece is None:
                break
            out: list[bytes] = []
            for data in events.feed(piece):
                if data == DONE:
                    done = True
                    break
                out.append(answer.chunk(data))
                if guard.blocked:
                    break
            await self._pass(b"".join(out), live)
            if guard.blocked:
                break
            if live.reason:
                raise LinkFault("cut", "The exchange was cut.")
            if caller.left():
                attempt.finish(ticket, whole=False)
                self._count(answer)
                await self._close(CALLER_LEFT, PART if caller.started else NONE, 499, guard.decisions())
                return
        if not done and not answer.complete and not guard.blocked:
            raise LinkFault("reset", "The provider ended the stream before its end.", 200)
        if not guard.blocked:
            await self._pass(answer.finish(), live)
        if done and not guard.blocked:
            await self._drain(connection)
        attempt.finish(ticket, whole=not guard.blocked)
        await self._finish(answer, guard, live)

    @staticmethod
    async def _drain(connection: Connection) -> None:
        """Take the end of the body that follows `[DONE]`, so that the connection can be kept; a provider that lingers loses it."""
        try:
            while await connection.piece(0.2) is not None:
                pass
        except LinkFault:
            return

    async def _pass(self, data: bytes, live: Live) -> None:
        if data:
            self._ticket.first_s = self._ticket.first_s or time.monotonic()
            await self._caller.frames(data, live)

    async def _finish(self, answer: StreamedAnswer, guard: AnswerGuard, live: Live) -> None:
        """The proper end, or a block: evidence first, then the final frame."""
        ticket, caller = self._ticket, self._caller
        self._count(answer)
        if live.reason:
            await self._broken(LinkFault("cut", "The exchange was cut."), answer, guard, live)
            return
        if guard.blocked:
            status = 200 if caller.started else CODES["output_blocked"].status
            await self._close(
                BLOCKED, PART if caller.started else NONE, status, guard.decisions(), caller.digest() if caller.started else None
            )
            if not caller.started:
                raise Refusal("output_blocked")
            await caller.end(frame(error_object(CODES["output_blocked"])))
            return
        try:
            after = await self._after(answer.text)
            await self._close(ANSWERED, ALL, 200, guard.decisions() + after, caller.digest(DONE_FRAME))
        except Refusal as refusal:
            if not caller.started:
                raise
            await caller.end(frame(error_object(refusal.known)))
            return
        if not caller.started:
            await caller.frames(b"", live)
        await caller.end(DONE_FRAME)
        self._p.metrics.answered(ticket)

    async def _broken(self, fault: LinkFault, answer: StreamedAnswer, guard: AnswerGuard, live: Live) -> None:
        """The stream broke off after something was released, or was cut."""
        caller = self._caller
        self._count(answer)
        if live.reason:
            outcome, code = CUT, CODES["answer_cut"]
        elif fault.kind == "timeout":
            outcome, code = TIMED_OUT, CODES["provider_timeout"]
        else:
            outcome, code = PROVIDER_FAILED, CODES["provider_failed"]
        if not caller.started:
            raise Refusal(code.code)
        try:
            await self._close(outcome, PART, 200, guard.decisions(), caller.digest())
        except Refusal as refusal:
            code = refusal.known
        await caller.end(frame(error_object(code)))

    def _count(self, answer: StreamedAnswer) -> None:
        ticket = self._ticket
        ticket.tokens_in, ticket.tokens_out = answer.usage or (len(ticket.body) // 4, answer.chars // 4)

    # -- the end

    async def _close(self, outcome: str, released: str, status: int, decisions: tuple[Decision, ...], digest: bytes | None = None) -> None:
        self._closed = True
        self._p.metrics.closed(outcome)
        await self._p.recorder.closed(self._ticket, outcome, released, status, decisions, digest)

    async def refuse(self, refusal: Refusal) -> None:
        """End an exchange with an error: evidence first, then the answer."""
        parts, ticket, caller = self._p, self._ticket, self._caller
        parts.metrics.refused(refusal.code)
        if caller.started:
            return
        if (ticket.opened or ticket.unrecorded) and not self._closed:
            outcome = {"answer_cut": CUT, "provider_timeout": TIMED_OUT, "internal_error": CUT}.get(refusal.code, PROVIDER_FAILED)
            try:
                await self._close(outcome, NONE, refusal.known.status, ())
            except Refusal as worse:
                refusal = worse
        elif not self._closed:
            await record_refusal(parts, ticket, caller, refusal)
        await caller.refuse(refusal.known, refusal.param, refusal.detail, refusal.retry_after_s)


async def record_refusal(parts: Parts, ticket: Ticket, caller: Caller, refusal: Refusal) -> None:
    """The evidence of a refusal before forwarding: its own event, or a count."""
    if refusal.code == "snapshot_stale":
        return  # counted in gateway.stale
    if refusal.code == "evidence_unavailable":
        parts.recorder.count_unrecorded()
        return
    if ticket.key is None and not parts.flood.admit(caller.address, refusal.code, ticket.now_us):
        return
    await parts.recorder.refused(ticket, refusal)
