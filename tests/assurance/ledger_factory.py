"""Small ledgers for tests: a company that works as it should for a month, told through the real envelope, and ways to break it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from affiant.assurance import Period
from affiant.catalog import Catalog, load
from affiant.ledger import Draft, encode
from affiant.proof.pledges import pledge_digest

MIN, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
START = 1_790_812_800_000_000  # 2026-10-01T00:00:00Z
PERIOD = Period(START, START + 31 * DAY)
CATALOG: Catalog = load()
PROBES = {due.item: due.minute for due in CATALOG.controls["AUD-4.1"].schedule}
YYYYMM = 202610


@dataclass
class Fact:
    """An event before it has a place: time, draft, producer."""

    at: int
    draft: Draft
    producer: str = "n1/control/1"


class Story:
    """Events of a ledger, in any order; `entries()` puts them in order of time."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self._pledges = 0

    def tell(
        self, at: int, type_: str, body: dict[str, Any] | None = None, ref: str = "", producer: str = "n1/control/1", **more: str
    ) -> Fact:
        """Add an event."""
        fact = Fact(at, Draft(type_, body or {}, ref=ref, **more), producer)
        self.facts.append(fact)
        return fact

    def drop(self, type_: str, ref: str | None = None, **fields: Any) -> int:
        """Remove events of a type whose ref and body fields are these; gives how many."""

        def matches(fact: Fact) -> bool:
            same = all(fact.draft.body.get(name) == value for name, value in fields.items())
            return fact.draft.type == type_ and (ref is None or fact.draft.ref == ref) and same

        before = len(self.facts)
        self.facts = [fact for fact in self.facts if not matches(fact)]
        return before - len(self.facts)

    def find(self, type_: str, ref: str | None = None) -> list[Fact]:
        """Events of a type, and ref."""
        return [fact for fact in self.facts if fact.draft.type == type_ and ref in (None, fact.draft.ref)]

    def entries(self) -> list[bytes]:
        """Stored bytes, in order of time; each producer's numbers without a gap."""
        numbers: dict[str, int] = {}
        found = []
        for fact in sorted(self.facts, key=lambda fact: fact.at):
            seq = numbers.get(fact.producer, 0)
            numbers[fact.producer] = seq + 1
            found.append(encode(fact.draft, fact.producer, seq, fact.at, 0))
        return found

    # -- the company

    def change(self, at: int, change: str, kind: str, target: str, author: str = "ana", approver: str = "ben", **more: Any) -> None:
        """A change proposed, approved a minute later (approver "" for never) and activated another minute later."""
        digest = hashlib.sha256(f"{change}{target}".encode()).hexdigest()
        flags = {"emergency": more.get("emergency", 0), "bootstrap": more.get("bootstrap", 0)}
        self.tell(at, "change.proposed", {"kind": kind, "target": target, "digest": digest, "author": author, **flags}, change)
        if approver:
            approved = more.get("approved", digest)
            self.tell(at + MIN, "change.approved", {"by": approver, "author": author, "digest": approved}, change)
        body = {"kind": kind, "target": target, "digest": digest, "author": author, "by": author, **flags}
        self.tell(at + 2 * MIN, "change.activated", body, change)

    def exchange(self, at: int, xid: str, **more: Any) -> Fact:
        """An exchange on the route help, answered after a second unless `outcome` is ""."""
        link = {"provider": "harbor", "model": "scribe", "version": "1.0", "cap": 2, **more.get("link", {})}
        pii = {"guard": "pii", "control": "PR-1.1", "action": "redact", "found": 2, "acted": 2, "enforced": 1, **more.get("pii", {})}
        opened = {
            "surface": "chat.completions", "route": more.get("route", "help"), "key": more.get("key", "k1"),
            "label": more.get("label", "confidential"), "mode": more.get("mode", "enforce"), "stream": 0, "overlap": 0, "links": [link],
            "decisions": more.get("decisions", [pii]), "parts": 1, "uninspected": more.get("uninspected", 0), "epoch": 3, "est_tokens": 100,
            "commit_received": more.get("commit", "00"),
        }  # fmt: skip
        fact = self.tell(at, "exchange.opened", opened, xid, "n1/gateway/1", actor="key:k1", policy="aa")
        if more.get("outcome", "answered"):
            attempt = {"id": f"r-{xid}", **{k: link[k] for k in ("provider", "model", "version")}, "status": 200, "ms": 900}
            attempts = more.get("attempts", [{**attempt, **more.get("attempt", {})}])
            closed = {
                "outcome": "answered", "released": "all", "status": 200, "route": "help", "key": "k1",
                "provider": "harbor", "model": "scribe",
                "attempts": attempts, "tokens_in": 10, "tokens_out": 20, "ms": 950, "ms_added": 4, "decisions": [],
            }  # fmt: skip
            self.tell(at + 1_000_000, "exchange.closed", closed, xid, "n1/gateway/1")
        return fact

    def probe(self, due: int, name: str, seen: str = "ok", opened: bool = True) -> None:
        """A probe pledged at its due time and opened two seconds later."""
        self._pledges += 1
        ref, nonce, request, salt = f"pl{self._pledges}", "ab" * 16, hashlib.sha256(name.encode()).hexdigest(), "cd" * 32
        self.tell(due, "probe.pledged", {"pledge": pledge_digest(nonce, request, "kp", due, "ok")}, ref)
        commit = hmac.new(bytes.fromhex(salt), bytes.fromhex(request), hashlib.sha256).hexdigest()
        xid = f"xp{self._pledges}"
        refused = {
            "surface": "chat.completions",
            "key": "kp",
            "code": "ok",
            "control": "SEC-1.1",
            "status": 401,
            "epoch": 3,
            "commit_received": commit,
        }
        self.tell(due + 1_000_000, "exchange.refused", refused, xid, "n1/gateway/1")
        if opened:
            body = {
                "probe": name, "nonce": nonce, "request": request, "key": "kp", "due": due, "expected": "ok", "seen": seen, "exchange": xid,
                "salt": salt, "matched": int(seen == "ok"),
            }  # fmt: skip
            self.tell(due + 2_000_000, "probe.opened", body, ref)


def adopt(story: Story, at: int) -> None:
    """Put the catalog's controls into force."""
    for control in CATALOG.controls.values():
        story.tell(at, "control.adopted", dict(control.adopted_body), control.id, "n1/records/1")


def company(days: int = 31) -> Story:
    """A company that keeps every control for a number of days from 2026-10-01."""
    story = Story()
    setup = START - 2 * HOUR
    story.tell(
        setup, "ledger.created", {"origin": "test.example/log", "log_vkey": "k", "node": "n1", "software": "0"}, producer="n1/writer/1"
    )
    story.tell(setup, "producer.started", {"role": "gateway", "node": "n1", "software": "0"}, producer="n1/gateway/1")
    adopt(story, setup + 1)
    records = "n1/records/1"
    labels = ["public", "internal", "confidential"]
    story.tell(
        setup + 2,
        "provider.set",
        {"kind": "openai", "base_url": "http://h", "region": "eu", "network": "private", "labels": labels, "change": "c0"},
        "harbor",
        records,
    )
    approval = {"provider": "harbor", "upstream": "s", "version": "1.0", "approved_by": "ben", "author": "ana", "change": "c0"}
    story.tell(setup + 3, "model.approved", approval, "scribe", records)
    route = {
        "models": ["scribe"],
        "policy": "default",
        "policy_digest": "aa",
        "mode": "enforce",
        "label": "confidential",
        "redacts": ["EMAIL", "PHONE"],
        "change": "c0",
    }
    story.tell(setup + 4, "route.set", route, "help", records)
    for key in ("k1", "k2", "k3"):
        story.tell(setup + 5, "key.created", {"owner": "cat" if key == "k3" else "ana", "scope": ["*"]}, key, records)
    story.tell(
        setup + 6, "commitment.set", {"text": "99.9 %", "controls": ["AV-1.1"], "per_million": 999_000, "change": "c0"}, "uptime", records
    )
    story.change(START + 5 * HOUR, "c1", "policy", "default")
    story.tell(START + 5 * DAY, "key.revoke_requested", {"why": "lost", "epoch": 9}, "k2", records)
    story.tell(
        START + 5 * DAY + 300_000,
        "key.revoked",
        {"requested": START + 5 * DAY, "effective": START + 5 * DAY + 300_000, "elapsed_ms": 300, "epoch": 9, "workers": 2},
        "k2",
    )
    for day in range(days):
        start = START + day * DAY
        for hour in range(24):
            story.tell(
                start + (hour + 1) * HOUR + MIN,
                "service.hour",
                {"node": "n1", "hour": start + hour * HOUR, "expected": 60, "served": 60},
                "n1",
            )
        for name, minute in PROBES.items():
            story.probe(start + minute * MIN, name)
        for number in range(3):
            story.exchange(start + (8 + number) * HOUR, f"x{day}-{number}")
        usage = {"account": "main", "day": YYYYMM * 100 + day + 1, "requests": 3, "held": 1, "source": "ff"}
        story.tell(start + DAY + 2 * HOUR, "provider.usage", usage, "harbor", records)
    story.tell(START + days * DAY + 12 * MIN, "job.run", {"due": START, "ok": 1}, "keys")
    return story
