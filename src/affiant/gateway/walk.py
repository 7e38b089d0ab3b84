"""The walk of one exchange: admit, guard, open, forward, guard, close, answer. A refusal is the same walk stopped early.

Order is what this file is for: *opened* is durable before the first byte leaves for a provider, *closed* before the last byte
leaves for the caller. It is the same on every surface. Leaves out: how each step works (its neighbours), streams (`relay`) and
paths that are no surface (`asgi`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from dataclasses import dataclass

from affiant.gateway.admit import admit, authenticate
from affiant.gateway.betas import asked_betas
from affiant.gateway.caller import Caller, CallerLeft
from affiant.gateway.closing import STOPS, Closing
from affiant.gateway.codes import CODES, GUARD_REASONS
from affiant.gateway.conversations import HEADER, conversation_of
from affiant.gateway.evidence import ALL, ANSWERED, BLOCKED, CALLER_LEFT, CUT, NONE, PART, PROVIDER_FAILED, TIMED_OUT, Ticket
from affiant.gateway.faults import LinkFault, Refusal
from affiant.gateway.fixed import flagged
from affiant.gateway.formats import Format
from affiant.gateway.forward import Attempt, Forwarder
from affiant.gateway.limits import Spent
from affiant.gateway.live import Live
from affiant.gateway.outbound import Outbound, unknown_fields
from affiant.gateway.parts import Parts
from affiant.gateway.relay import Relay
from affiant.gateway.repair import AnswerForm, ask
from affiant.gateway.reply import Reply
from affiant.gateway.surfaces import Surface
from affiant.gateway.tables import Route
from affiant.gateway.unguarded import BUSY, PASS, unguarded
from affiant.gateway.wire import Request, read_request
from affiant.guards import Action, Decision, Exchange, Mode

MAX_OPEN = 1024
DEFAULT_VERSION = "2023-06-01"
"""Of Anthropic's format, where the caller names none."""
_VERSION = re.compile(rb"\d{4}-\d{2}-\d{2}")
_log = logging.getLogger("affiant.gateway")


@dataclass(slots=True)
class _Answer:
    """A whole answer after its guards; `body` may be released where they did not block it."""

    reply: Reply
    attempt: Attempt
    outbound: Outbound
    body: bytes
    passed: tuple[Decision, ...]

    @property
    def stopped(self) -> bool:
        return self.outbound.blocked


class Walk:
    """One exchange."""

    def __init__(self, parts: Parts, caller: Caller, ticket: Ticket, surface: Surface) -> None:
        self._p, self._caller, self._ticket, self._surface = parts, caller, ticket, surface
        self._closing = Closing(parts, caller, ticket, surface)
        self._spent: Spent | None = None
        self._live: Live | None = None

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
            await self._closing.close(CUT, PART, 200, ())
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
        request = read_request(ticket.body, self._surface)
        asked, version = request.asked, self._version()
        ticket.named_route, ticket.stream = asked.model[:128], asked.stream
        tokens = len(ticket.body) // 4 + asked.max_tokens
        self._spent = await parts.limits.reserve(tables, ticket.key, ticket.named_route, tokens, ticket.now_us)
        route = ticket.route = admit(tables, ticket.key, asked.model, self._surface.format)
        ticket.chain = route.chains[self._surface.format]
        ticket.betas = asked_betas(caller.scope["headers"], ticket.chain, self._surface.format)
        await self._guard_request(request, route)
        live = self._live = Live(ticket.key.id, route.id)
        parts.open.add(live)
        forwarder = Forwarder(parts.pool, parts.secrets, parts.timeouts, ticket, request, live, version)
        opened = request.opened
        sent = forwarder.body_for(ticket.chain.links[0])
        await parts.recorder.opened(ticket, sent, len(opened.parts), len(opened.uninspected), tokens)
        if asked.stream:
            await Relay(caller, ticket, self._closing, forwarder, request, route, live, parts.metrics).run()
        else:
            await self._plain(forwarder, route, live)

    def _version(self) -> str:
        """Of Anthropic's format, as the caller names it.

        Raises:
            Refusal: it names none.
        """
        named = self._caller.header(b"anthropic-version") if self._surface.format is Format.ANTHROPIC else b""
        if named and not _VERSION.fullmatch(named):
            raise Refusal("request_invalid", "anthropic-version", "A version is a date, such as 2023-06-01.")
        return named.decode() or DEFAULT_VERSION

    async def _guard_request(self, request: Request, route: Route) -> None:
        ticket, policy, closing = self._ticket, route.policy, self._closing
        assert policy is not None and ticket.tables is not None
        conversation = conversation_of(ticket, policy, self._caller.header(HEADER))
        exchange = Exchange(
            ticket.id, self._surface.name, route.id, ticket.tenant, route.label, request.asked.stream, request.parts,
            *await ask(self._p.guards, policy, ticket.body, request.body), await self._p.conversations.load(conversation, ticket.now_us),
        )  # fmt: skip
        watch = closing.watch = ticket.tables.watchlist.for_exchange(route.label, ticket.tenant)
        chars = sum(len(part.text) for part in request.parts)
        verdict = await self._p.guards.run(
            chars, lambda: self._p.chain.inbound(exchange, policy, route.mode, closing.secret(), watch), unguarded(policy, exchange)
        )  # fmt: skip
        ticket.detected = verdict.detected
        unknown = request.opened.unknown
        about = unknown_fields(len(unknown), route.mode is Mode.ENFORCE, Action.BLOCK if route.strict else Action.FLAG)
        ticket.decisions_in = flagged(verdict.decisions, request.opened.fixed) + about
        if verdict.blocked is not None:
            reason = verdict.blocked.reason
            raise Refusal(reason if reason in GUARD_REASONS else "injection_detected")
        if unknown and route.strict and route.mode is Mode.ENFORCE:
            raise Refusal("field_unknown", min(unknown)[:128])
        closing.note_would_block(ticket.decisions_in, route)
        withheld = request.opened.withheld and route.mode is Mode.ENFORCE
        if withheld or verdict.exchange.parts is not exchange.parts:
            request.apply(verdict.exchange.parts)
        await self._p.conversations.keep(conversation, verdict.context, ticket.now_us)
        closing.context = verdict.context

    # -- a whole answer

    async def _plain(self, forwarder: Forwarder, route: Route, live: Live) -> None:
        ticket, caller, closing = self._ticket, self._caller, self._closing
        assert closing.context is not None
        form = AnswerForm(route, closing.context.expected, self._p.guards)
        answer = await self._guarded(forwarder, route)
        answer = await form.settle(answer, lambda: self._guarded(forwarder, route), lambda: forwarder.more)
        attempt, outbound, body = answer.attempt, answer.outbound, answer.body
        ticket.provider, ticket.model = attempt.link.provider, attempt.link.model
        ticket.uninspected_out, ticket.detected_out = outbound.uninspected, outbound.detected
        decisions = outbound.decisions() + answer.passed + form.decisions
        if not outbound.blocked:
            after = await closing.after(answer.reply.text)
            decisions += after
            withheld = route.mode is Mode.ENFORCE and any(each.action in STOPS for each in after)
            if (withheld or form.withheld) and not live.reason:
                await closing.close(BLOCKED, NONE, CODES["answer_withheld"].status, decisions)
                raise Refusal("answer_withheld")
        if live.reason:
            raise Refusal("answer_cut")
        if outbound.blocked:
            await closing.close(BLOCKED, NONE, CODES["output_blocked"].status, decisions)
            raise Refusal("output_blocked")
        closing.note_would_block(decisions, route)
        caller.headers.append((b"x-affiant-link", f"{attempt.link.provider}/{attempt.link.model}".encode()))
        if caller.left():
            await closing.close(CALLER_LEFT, NONE, 499, decisions)
            return
        ticket.first_s = time.monotonic()
        await closing.close(ANSWERED, ALL, 200, decisions, hashlib.sha256(body).digest())
        if live.reason:  # cut while the ledger wrote: what is recorded as released may be withheld, never the other way round
            raise Refusal("answer_cut")
        await caller.answer(200, body)
        self._p.metrics.answered(ticket)

    async def _guarded(self, forwarder: Forwarder, route: Route) -> _Answer:
        """The next whole answer that can be read, and what of it may be released; its tokens are added to those of the exchange."""
        ticket = self._ticket
        while True:
            attempt = await forwarder.next()
            started_s = time.monotonic()
            whole = False
            try:
                try:
                    raw = await attempt.connection.body(forwarder.timeouts.total_s)
                    whole = True
                    reply = Reply(raw, self._surface)
                finally:
                    ticket.upstream_s += time.monotonic() - started_s
                    attempt.finish(ticket, whole)
                answer = await self._judged(reply, attempt, route)
            except LinkFault as fault:
                forwarder.failed(fault, attempt.link)
                continue
            tokens_in, tokens_out = reply.usage() or (len(ticket.body) // 4, len(reply.text()) // 4)
            ticket.tokens_in += tokens_in
            ticket.tokens_out += tokens_out
            return answer

    async def _judged(self, reply: Reply, attempt: Attempt, route: Route) -> _Answer:
        closing = self._closing
        outbound = closing.outbound(route)

        def looked() -> _Answer:
            return _Answer(reply, attempt, outbound, reply.guard(outbound), ())

        def passed() -> _Answer:
            restoring = closing.restoring(route)
            return _Answer(reply, attempt, restoring, reply.guard(restoring), (BUSY,))

        lets_pass = route.policy is not None and route.policy.on_busy == PASS
        return await self._p.guards.run(len(reply.raw), looked, passed if lets_pass else None)

    # -- the end

    async def refuse(self, refusal: Refusal) -> None:
        """End an exchange with an error: evidence first, then the answer."""
        parts, ticket, caller, closing = self._p, self._ticket, self._caller, self._closing
        parts.metrics.refused(refusal.code)
        if caller.started:
            return
        if (ticket.opened or ticket.unrecorded) and not closing.closed:
            outcome = {"answer_cut": CUT, "guards_busy": CUT, "provider_timeout": TIMED_OUT, "internal_error": CUT}.get(
                refusal.code, PROVIDER_FAILED
            )
            try:
                await closing.close(outcome, NONE, refusal.known.status, ())
            except Refusal as worse:
                refusal = worse
        elif not closing.closed:
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
