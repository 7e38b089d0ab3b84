"""Evidence of exchanges: bodies of events, salted commitments, and what happens when the ledger does not take them.

Order is the point: `opened` is awaited before the first byte goes to a provider, `closed` before the last byte goes to the
caller. Leaves out: when to call which (`walk`), and how decisions are told (`told`).
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from affiant.gateway.counters import Counter
from affiant.gateway.faults import Refusal
from affiant.gateway.tables import NO_TENANT, Chain, Route, Tables
from affiant.gateway.told import decisions_body, scores_body
from affiant.guards import Decision
from affiant.kit.clock import Clock
from affiant.kit.crypto import commit, commit_digest, salt
from affiant.kit.errors import LedgerFault, LedgerUnavailable, NoRoom
from affiant.ledger import Draft, ready
from affiant.records.snapshot import DEFAULT_RISK, KeySnap

CLOSE_TIMEOUT_S = 20.0
"""How long a finished answer waits for the ledger before the caller is told 503."""
_SETTLED_S = 2.0  # the writer must have been back this long before a lost closing is written again
ANSWERED, PROVIDER_FAILED, BLOCKED, CALLER_LEFT, CUT, TIMED_OUT = (
    "answered",
    "provider_failed",
    "blocked",
    "caller_left",
    "cut",
    "timed_out",
)
ALL, PART, NONE = "all", "part", "none"


class Ledger(Protocol):
    """What the gateway uses of `ledger.LedgerClient`."""

    @property
    def available(self) -> bool: ...

    async def append(self, drafts: Sequence[Draft], marks: Sequence[int] | None = None, timeout_s: float | None = None) -> int: ...


@dataclass(slots=True)
class Ticket:
    """One exchange on its way; owned by the request that it belongs to.

    Args:
        surface: name of the surface, or `models`, or `other`.
        chain: the route's links that may serve it.
        detected: label that the policy gives to what the request holds.
        detected_out: and to what the answer holds.
        betas: features that the request turns on at its provider.
        attempts: as `exchange.closed` lists them.
        uninspected_out: parts of the answer that nobody could read.
        upstream_s: real seconds spent waiting for providers.
    """

    id: str
    surface: str
    started_s: float
    now_us: int
    tables: Tables | None = None
    body: bytes = b""
    key: KeySnap | None = None
    named_route: str = ""
    route: Route | None = None
    chain: Chain | None = None
    stream: bool = False
    decisions_in: tuple[Decision, ...] = ()
    detected: str = ""
    detected_out: str = ""
    betas: tuple[str, ...] = ()
    opened: bool = False
    unrecorded: bool = False
    attempts: list[dict[str, Any]] = field(default_factory=list)
    provider: str = ""
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    uninspected_out: int = 0
    upstream_s: float = 0.0
    first_s: float = 0.0

    @property
    def tenant(self) -> str:
        return self.key.tenant if self.key else ""

    @property
    def actor(self) -> str:
        return f"key:{self.key.id}" if self.key else "anonymous"

    @property
    def policy(self) -> str:
        return self.route.policy.digest if self.route and self.route.policy else ""

    def draft(self, type_: str, body: dict[str, Any]) -> Draft:
        return Draft(type_, body, self.id, self.tenant, self.actor, self.policy)

    def salt(self, field_: str) -> bytes | None:
        """Salt of a commitment; None where no key of the tenant's month is at hand."""
        key = self.tables.month_key(self.tenant, self.now_us) if self.tables else None
        return salt(key, self.id, field_) if key else None


class Recorder:
    """Writes the events of exchanges.

    Args:
        unrecorded: refusals that could not be recorded.
        lost: events lost under a fail-open policy.
        guards: digest of the versions that guards work with here; "": of this version of Affiant alone.
    """

    def __init__(self, ledger: Ledger, clock: Clock, unrecorded: Counter, lost: Counter, guards: str = "") -> None:
        self._guards = ready(guards) if guards else None
        self._ledger, self._clock = ledger, clock
        self._unrecorded, self._lost = unrecorded, lost
        self._unclosed: dict[str, Draft] = {}
        self._back_since_s = 0.0
        self._fault: LedgerFault | None = None

    def available(self) -> bool:
        """Whether the writer answers now."""
        return self._ledger.available

    # -- the three events of an exchange

    async def opened(self, ticket: Ticket, sent: bytes, parts: int, uninspected: int, est_tokens: int) -> None:
        """Make `exchange.opened` durable.

        Raises:
            Refusal: it could not be, and the policy does not say `open`.
        """
        route, chain, tables = ticket.route, ticket.chain, ticket.tables
        assert route is not None and chain is not None and tables is not None and ticket.key is not None
        received, outgoing = ticket.salt("commit_received"), ticket.salt("commit_sent")
        if received is None or outgoing is None:
            raise Refusal("evidence_unavailable", detail="Control has pushed no commitment key for this month.")
        body: dict[str, Any] = {
            "surface": ticket.surface, "route": route.id, "key": ticket.key.id, "label": route.label, "mode": str(route.mode),
            "stream": int(ticket.stream), "overlap": 0, "links": chain.listed, "decisions": decisions_body(ticket.decisions_in),
            "parts": parts, "uninspected": uninspected, "commit_received": commit(received, ticket.body),
            "commit_sent": commit(outgoing, sent), "epoch": tables.epoch, "est_tokens": est_tokens,
        }  # fmt: skip
        try:
            scores = scores_body(ticket.decisions_in)
            if scores:
                body["scores"] = scores
            if ticket.detected:
                body["detected"] = ticket.detected
            if ticket.betas:
                body["betas"] = list(ticket.betas)
            if route.risk != DEFAULT_RISK:
                body["risk"] = route.risk
            if self._guards is not None:
                body["guards"] = self._guards
            await self._append(ticket.draft("exchange.opened", body))
        except LedgerUnavailable as error:
            if route.policy is None or route.policy.on_evidence_loss != "open":
                raise Refusal("evidence_no_room" if isinstance(error, NoRoom) else "evidence_unavailable") from error
            ticket.unrecorded = True
            self._lost.add(self._clock.now_us())
            return
        ticket.opened = True

    async def closed(
        self, ticket: Ticket, outcome: str, released: str, status: int, decisions: Sequence[Decision], digest: bytes | None
    ) -> None:
        """Make `exchange.closed` durable.

        Args:
            digest: SHA-256 of the answer as released; None where nothing was.

        Raises:
            Refusal: it could not be; the last byte must not leave.
        """
        if ticket.unrecorded:
            self._lost.add(self._clock.now_us())
            return
        draft = self._closing(ticket, outcome, released, status, decisions, digest)
        try:
            await self._append(draft, CLOSE_TIMEOUT_S)
        except LedgerUnavailable as error:
            if ticket.route is not None and ticket.route.policy is not None and ticket.route.policy.on_evidence_loss == "open":
                self._lost.add(self._clock.now_us())
                return
            body = {**draft.body, "outcome": CUT, "released": PART if released == PART or (released == ALL and ticket.stream) else NONE}
            if body["released"] == NONE:
                body.pop("commit_released", None)
                body["status"] = 503
            self._unclosed[ticket.id] = ticket.draft("exchange.closed", body)
            raise Refusal("evidence_unavailable") from error

    def _closing(
        self, ticket: Ticket, outcome: str, released: str, status: int, decisions: Sequence[Decision], digest: bytes | None
    ) -> Draft:
        assert ticket.route is not None and ticket.key is not None
        total_s = time.monotonic() - ticket.started_s
        body: dict[str, Any] = {
            "outcome": outcome, "released": released, "status": status, "route": ticket.route.id, "key": ticket.key.id,
            "attempts": ticket.attempts, "tokens_in": ticket.tokens_in, "tokens_out": ticket.tokens_out, "ms": round(total_s * 1000),
            "ms_added": max(0, round((total_s - ticket.upstream_s) * 1000)), "decisions": decisions_body(decisions),
        }  # fmt: skip
        scores = scores_body(decisions)
        if scores:
            body["scores"] = scores
        if ticket.uninspected_out:
            body["uninspected"] = ticket.uninspected_out
        if ticket.detected_out:
            body["detected"] = ticket.detected_out
        if ticket.provider:
            body["provider"], body["model"] = ticket.provider, ticket.model
        if ticket.first_s:
            body["ms_first"] = round((ticket.first_s - ticket.started_s) * 1000)
        key = ticket.salt("commit_released") if digest is not None and released != NONE else None
        if key is not None and digest is not None:
            body["commit_released"] = commit_digest(key, digest)
        return ticket.draft("exchange.closed", body)

    async def refused(self, ticket: Ticket, refusal: Refusal) -> bool:
        """Record a refusal before forwarding; gives whether the ledger has it (else it is counted in `run/unrecorded`)."""
        body: dict[str, Any] = {
            "surface": ticket.surface, "code": refusal.code, "control": refusal.known.control, "status": refusal.known.status,
            "epoch": ticket.tables.epoch if ticket.tables else 0,
        }  # fmt: skip
        if ticket.named_route and ticket.tables is not None and ticket.named_route in ticket.tables.routes:
            body["route"] = ticket.named_route  # any other name is the caller's own text, which has no place in a leaf
        if ticket.key:
            body["key"] = ticket.key.id
        if ticket.decisions_in:
            body["decisions"] = decisions_body(ticket.decisions_in)
            if ticket.detected:
                body["detected"] = ticket.detected
            if self._guards is not None:
                body["guards"] = self._guards
            scores = scores_body(ticket.decisions_in)
            if scores:
                body["scores"] = scores
        received = ticket.salt("commit_received") if ticket.body else None
        if received is not None:
            body["commit_received"] = commit(received, ticket.body)
        try:
            await self._append(ticket.draft("exchange.refused", body))
        except LedgerUnavailable:
            self._unrecorded.add(self._clock.now_us())
            return False
        return True

    def count_unrecorded(self) -> None:
        """Count a refusal that is not worth trying to record, because the writer is known to be away."""
        self._unrecorded.add(self._clock.now_us())

    # -- around them

    async def write(self, draft: Draft) -> None:
        """Write another event of the gateway.

        Raises:
            LedgerUnavailable: not now.
        """
        await self._append(draft)

    async def _append(self, draft: Draft, timeout_s: float | None = None) -> None:
        try:
            await self._ledger.append([draft], timeout_s=timeout_s)
        except LedgerFault as fault:
            self._fault = fault
            raise LedgerUnavailable(fault.message, fault.next_step) from fault

    def on_late(self, draft: Draft, index: int) -> Draft | None:
        """Of `LedgerClient`: an event was written although its caller had given up. A late opening is closed at once."""
        if draft.type == "exchange.closed":
            self._unclosed.pop(draft.ref, None)
            return None
        if draft.type != "exchange.opened":
            return None
        body = {
            "outcome": CUT, "released": NONE, "status": 503, "route": draft.body["route"], "key": draft.body["key"], "attempts": [],
            "tokens_in": 0, "tokens_out": 0, "ms": 0, "ms_added": 0, "decisions": [],
        }  # fmt: skip
        return Draft("exchange.closed", body, draft.ref, draft.tenant, draft.actor, draft.policy)

    def on_ended(self, producer: str, was_open: frozenset[str]) -> None:
        """Of `LedgerClient`: the writer interrupted what this incarnation had open."""
        for exchange in was_open:
            self._unclosed.pop(exchange, None)

    async def tick(self, now_s: float) -> None:
        """Once the writer is back: write what was lost under fail-open, and closings that did not get through.

        Raises:
            LedgerFault: the writer takes nothing more from this process; it must end, and another one begin.
        """
        if self._fault is not None:
            raise self._fault
        if not self._ledger.available:
            self._back_since_s = 0.0
            return
        self._back_since_s = self._back_since_s or now_s
        if now_s - self._back_since_s < _SETTLED_S:
            return
        count, first, last = self._lost.read()
        try:
            if count:
                await self.write(Draft("ledger.gap", {"from": first, "to": last, "count": count}, actor="system:gateway"))
                self._lost.reset()
            for exchange, draft in list(self._unclosed.items()):
                if self._unclosed.pop(exchange, None) is not None:
                    await self.write(draft)
        except LedgerUnavailable:
            self._back_since_s = 0.0


class Flood:
    """Unauthenticated refusals: so many a minute and source are events, the rest are counted.

    Args:
        per_minute: events a minute and source.
    """

    MAX_SOURCES = 512

    def __init__(self, per_minute: int = 60) -> None:
        self.per_minute = per_minute
        self._minute = -1
        self._seen: dict[str, int] = {}
        self._counted: dict[tuple[str, str], tuple[int, int, int]] = {}

    def admit(self, source: str, code: str, now_us: int) -> bool:
        """Whether this refusal becomes an event of its own; otherwise it is counted. Minutes are of wall time, as in the events."""
        minute = now_us // 60_000_000
        if minute != self._minute:
            self._minute = minute
            self._seen.clear()
        if source not in self._seen and len(self._seen) >= self.MAX_SOURCES:
            source = "*"
        seen = self._seen[source] = self._seen.get(source, 0) + 1
        if seen <= self.per_minute:
            return True
        count, first, _ = self._counted.get((source, code), (0, now_us, now_us))
        self._counted[(source, code)] = (count + 1, first, now_us)
        return False

    def take(self, name: Callable[[str], str]) -> list[Draft]:
        """Counted ones as events, forgotten here; `name` turns an address into what the event says of it."""
        counted, self._counted = self._counted, {}
        return [
            Draft(
                "exchange.refused_many",
                {"from": first, "to": last, "count": count, "source": name(source), "code": code},
                actor="anonymous",
            )
            for (source, code), (count, first, last) in counted.items()
        ]


def source_name(tables: Tables | None, address: str, now_us: int) -> str:
    """A keyed hash (hex) of a caller's address; "" where no key is at hand."""
    key = tables.month_key(NO_TENANT, now_us) if tables else None
    return hmac.digest(key, b"source\x00" + address.encode(), hashlib.sha256).hex() if key else ""
