"""Probes: pledge, send, judge, open. The enforcing path gets no sign that one is under way.

1. *Pledge*: the hash of (nonce, request hash, key, due minute, expected decision) becomes an entry before anything is sent.
2. *Send*: over a socket to the gateway's own address, on a new connection, as any caller would.
3. *Judge*: by what the caller saw, and for a redaction by the decisions recorded for that exchange.
4. *Open*: once, within five minutes, naming the exchange, with the salt that opens its commitment to the request as received.

A pledge that is never opened is a deviation, so a probe that got no answer is left unopened on purpose: nothing was seen.
Leaves out: what is sent (`probe_plans`) and when (`operations`).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import SystemRandom

import msgspec

from affiant.kit.clock import Clock
from affiant.kit.crypto import commit_digest, salt
from affiant.kit.errors import CouldNotLook
from affiant.kit.ids import new_id
from affiant.ledger import Draft, Event
from affiant.operations.probe_key import ProbeKey
from affiant.operations.probe_plans import ALLOWED, PII, PII_REDACTED, PLANNERS, Plan
from affiant.operations.schedule import month_of
from affiant.operations.wire import Reply, Wire
from affiant.proof.pledges import WINDOW_US, pledge_digest
from affiant.records.model import NO_TENANT
from affiant.records.snapshot import Snapshot

ACTOR = "system:operations"


@dataclass(frozen=True, slots=True)
class Ports:
    """What probing needs of its surroundings.

    Args:
        gateway_url: base URL that callers use.
        append: makes events durable in the ledger.
        snapshot: what workers decide from now.
        key: the key for probes.
        exchange_event: the `exchange.opened` or `exchange.refused` of an exchange id, None if there is none.
        clock: wall time.
    """

    gateway_url: str
    append: Callable[[Sequence[Draft]], Awaitable[object]]
    snapshot: Callable[[], Snapshot]
    key: Callable[[], ProbeKey]
    exchange_event: Callable[[str], Awaitable[Event | None]]
    clock: Clock


@dataclass(frozen=True, slots=True)
class Pledge:
    """A promise to probe: everything that its hash covers."""

    id: str
    plan: Plan
    nonce: str
    request: str
    due_us: int

    def digest(self) -> str:
        """Hex SHA-256 of the canonical JSON of [nonce, request, key, due, expected]."""
        return pledge_digest(self.nonce, self.request, self.plan.key, self.due_us, self.plan.expected)

    def draft(self) -> Draft:
        return Draft("probe.pledged", {"pledge": self.digest()}, ref=self.id, actor=ACTOR)


def make_pledge(plan: Plan, due_us: int, now_us: int) -> Pledge:
    """Promise a plan."""
    return Pledge(new_id("pl", now_us), plan, secrets.token_hex(16), hashlib.sha256(plan.body).hexdigest(), due_us)


async def run_probe(ports: Ports, probe: str, due_us: int) -> str:
    """Run one probe for a due time and say what was seen.

    Raises:
        CouldNotLook: the gateway did not answer, or its evidence could not be read; the pledge stays unopened.
        NotFound: the company's configuration has nothing that this probe could exercise.
    """
    plan = PLANNERS[probe](ports.snapshot(), ports.key(), SystemRandom())
    started_us = ports.clock.now_us()
    pledge = make_pledge(plan, due_us, started_us)
    await ports.append([pledge.draft()])
    wire = Wire(ports.gateway_url)
    try:
        reply = await wire.request("POST", "/v1/chat/completions", plan.headers, plan.body)
    finally:
        await wire.close()
    exchange = reply.headers.get("x-affiant-exchange", "")
    event = await ports.exchange_event(exchange) if exchange else None
    if event is None:
        raise CouldNotLook(f"The probe {probe} got an answer without evidence ({reply.status}).", "See the gateway's own state.")
    seen = seen_code(plan, reply, event)
    if ports.clock.now_us() - started_us > WINDOW_US:
        raise CouldNotLook(f"The probe {probe} took longer than five minutes.", "Its pledge stays unopened; see the gateway's timings.")
    await ports.append([_opened(ports, pledge, exchange, event, seen)])
    return f"expected {plan.expected}, saw {seen}"


def seen_code(plan: Plan, reply: Reply, event: Event) -> str:
    """The decision code that the probe saw: the code of a refusal, `pii_redacted`, or `allowed`."""
    if reply.status >= 400:
        try:
            code = msgspec.json.decode(reply.body)["error"]["code"]
        except (msgspec.DecodeError, KeyError, TypeError):
            return f"http_{reply.status}"
        return str(code)
    if plan.probe == PII:
        acted = any(
            decision.get("guard") == "pii" and decision.get("enforced") and decision.get("acted", 0) > 0
            for decision in event.body.get("decisions", [])
        )
        return PII_REDACTED if acted else ALLOWED
    return ALLOWED


def _opened(ports: Ports, pledge: Pledge, exchange: str, event: Event, seen: str) -> Draft:
    plan = pledge.plan
    body: dict[str, str | int] = {
        "probe": plan.probe, "nonce": pledge.nonce, "request": pledge.request, "key": plan.key, "due": pledge.due_us,
        "expected": plan.expected, "seen": seen, "exchange": exchange, "matched": int(seen == plan.expected),
        "salt": _salt(ports.snapshot(), event, pledge.request).hex(),
    }  # fmt: skip
    return Draft("probe.opened", body, ref=pledge.id, tenant=event.tenant, actor=ACTOR)


def _salt(snapshot: Snapshot, event: Event, request: str) -> bytes:
    """The salt of the exchange's commitment to the request as received: of its month, or the one before if it began there."""
    tenant = event.tenant or NO_TENANT
    keys = sorted(
        (known.month, known.key) for known in snapshot.tenant_keys if known.tenant == tenant and known.month <= month_of(event.at_us)
    )
    if not keys:
        raise CouldNotLook(f"No key of tenant {tenant} is at hand.", "A destroyed key closes its commitments for ever.")
    salts = [salt(key, event.ref, "commit_received") for _, key in reversed(keys)]
    digest = bytes.fromhex(request)
    return next((each for each in salts if commit_digest(each, digest) == event.body.get("commit_received")), salts[0])
