"""A small real home behind the console: records, a writer in this process, a reader, and made-up results of control runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from affiant.app_guards import Bench
from affiant.catalog import load
from affiant.console import Context, DayItems, DueItem, Item, NotShown, RowsOf, Table, create_console
from affiant.console.words import DAY_US, HOUR_US
from affiant.guards import GuardChain
from affiant.kit.clock import FixedClock
from affiant.kit.home import create_home
from affiant.kit.keyring import Keyring
from affiant.ledger import Draft, LedgerReader, Writer, encode
from affiant.records import Records

START = 1_788_220_800_000_000  # 1 Sep 2026, 00:00 UTC
RING = Keyring(bytes(range(32)), bytes(32), "local")
PASSWORD = "correct horse battery"
COMPANY: dict[str, Any] = {
    "people": [
        {"id": "mara.lind", "roles": ["compliance"]},
        {"id": "tomas.berg", "roles": ["compliance", "reviewer"]},
        {"id": "ines.faro", "roles": ["admin"]},
        {"id": "jonas.vik", "roles": ["operator"]},
        {"id": "priya.nair", "roles": ["developer"]},
        {"id": "sofia.reyes", "roles": ["consumer"]},
        {"id": "otto.auditor", "roles": ["auditor"]},
    ],
    "providers": [
        {
            "id": "harbor",
            "kind": "openai",
            "base_url": "https://harbor.example/v1",
            "secret_ref": "env:HARBOR",
            "region": "eu",
            "labels": ["public", "internal", "confidential"],
        }
    ],
    "models": [{"id": "scribe-2", "provider": "harbor", "upstream": "scribe-2", "version": "2.1.0", "approved_by": "tomas.berg"}],
    "routes": [{"id": "support-chat", "models": ["scribe-2"], "policy": "default", "mode": "enforce", "label": "confidential"}],
    "keys": [
        {"id": "website", "owner": "priya.nair", "tenant": "northwind", "models": ["support-chat"]},
        {"id": "branch", "owner": "sofia.reyes", "tenant": "northwind", "models": ["support-chat"]},
    ],
}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class MadeUpFindings:
    """Results of control runs as plain data; counts what was asked."""

    def __init__(self) -> None:
        self.items: dict[str, list[Item]] = {}
        self.columns: tuple[str, ...] = ("ref", "author", "at")
        self.unmatched = Table(("what", "ours", "theirs"), ())
        self.dues: list[DueItem] = []
        self.limits = [NotShown("Calls by the provider's count that did not pass the gateway", 14, 1_000, "/controls/PI-6.1")]

    def days(self, control: str, freeze: str) -> Sequence[DayItems]:
        out: dict[int, list[int]] = {}
        for item in self.items.get(freeze, []):
            out.setdefault(int(item.cells[2]) // DAY_US, [0, 0, 0])[item.item] += 1
        return [DayItems(day, *counts) for day, counts in sorted(out.items())]

    def rows(self, freeze: str, item: int | None, why: str, offset: int, limit: int) -> RowsOf:
        found = [i for i in self.items.get(freeze, []) if (item is None or i.item == item) and (not why or i.why == why)]
        page = found[offset : offset + limit] if limit else found[offset:]
        return RowsOf(self.columns, tuple(page), len(found), self.unmatched)

    def due(self, now_us: int) -> Sequence[DueItem]:
        return self.dues

    def not_shown(self, from_us: int, to_us: int) -> Sequence[NotShown]:
        return self.limits


@dataclass(frozen=True)
class Kept:
    """A cosigned head as anchors keep it."""

    witness: str
    size: int
    root: bytes
    time_s: int
    note: bytes


@dataclass
class World:
    """The home and everything over it. `client(person)` is a browser of that person."""

    writer: Writer
    records: Records
    reader: LedgerReader
    clock: FixedClock
    findings: MadeUpFindings
    context: Context
    app: Starlette
    anchors: list[Kept] = field(default_factory=list)
    ran: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)

    def put(self, drafts: Sequence[Draft], producer: str = "n1/gateway/a") -> int:
        """Write events of a gateway worker; index of the first."""
        first = self.numbers.get(producer, 0)
        marks = {"exchange.opened": 1, "exchange.closed": 2}
        at = self.clock.now_us()
        rows = [[first + n, marks.get(d.type, 0), d.ref, encode(d, producer, first + n, at, 0)] for n, d in enumerate(drafts)]
        batch = self.writer.stage(producer, rows)
        self.writer.write([batch])
        self.writer.applied([batch])
        self.numbers[producer] = first + len(rows)
        return batch.first_index

    def settle(self) -> None:
        """Move record events into the ledger and sign."""
        self.writer.pump_outbox()
        self.writer.checkpoint()

    def client(self, person: str = "", raise_errors: bool = True) -> TestClient:
        """A browser; signed in if a person is named."""
        client = TestClient(self.app, base_url="http://console.test", follow_redirects=False, raise_server_exceptions=raise_errors)
        if person:
            client.cookies.set("affiant_session", self.records.sign_in(person, PASSWORD).token)
        return client

    def csrf(self, client: TestClient) -> str:
        """The token of a signed-in client's forms."""
        session = self.records.session(client.cookies["affiant_session"])
        assert session is not None
        return session.csrf

    def post(self, client: TestClient, path: str, **form: str) -> Any:
        """Send a form from the console's own page."""
        return client.post(path, data={"csrf": self.csrf(client), **form}, headers={"sec-fetch-site": "same-origin"})

    def close(self) -> None:
        self.records.close()
        self.writer.close()


def exchange(number: int, day: int, kind: str = "answered", redacted: int = 0, mode: str = "enforce", key: str = "website") -> list[Draft]:
    """The events of one exchange."""
    ref = f"x_{number:026d}"
    decision = {
        "guard": "pii",
        "control": "PR-1.1",
        "action": "redact",
        "how": "mask",
        "acted": redacted,
        "found": redacted,
        "types": [{"type": "EMAIL", "n": redacted}],
        "enforced": 1,
    }
    clean = {"guard": "injection", "control": "SEC-3.1", "action": "allow", "enforced": 1}
    who = {"tenant": "northwind", "actor": f"key:{key}", "policy": digest("policy")}
    if kind == "refused":
        block = {
            "guard": "injection",
            "control": "SEC-3.1",
            "action": "block",
            "reason": "injection_detected",
            "found": 1,
            "acted": 1,
            "types": [{"type": "INJECTION/ignore", "n": 1}],
            "enforced": 1,
        }
        return [
            Draft(
                "exchange.refused",
                {
                    "surface": "chat.completions",
                    "route": "support-chat",
                    "key": key,
                    "code": "injection_detected",
                    "control": "SEC-3.1",
                    "status": 403,
                    "decisions": [block],
                    "commit_received": digest(ref),
                    "epoch": 3,
                },
                ref,
                **who,
            )
        ]
    opened = Draft(
        "exchange.opened",
        {
            "surface": "chat.completions",
            "route": "support-chat",
            "key": key,
            "label": "confidential",
            "mode": mode,
            "stream": 0,
            "overlap": 0,
            "links": [{"provider": "harbor", "model": "scribe-2", "version": "2.1.0", "cap": 3}],
            "decisions": [decision, clean] if redacted else [clean],
            "parts": 2,
            "uninspected": number % 11 == 0,
            "commit_received": digest(ref),
            "commit_sent": digest(ref + "s"),
            "epoch": 3,
            "est_tokens": 900,
        },
        ref,
        **who,
    )
    opened.body["uninspected"] = int(number % 11 == 0)
    if kind == "open":
        return [opened]
    attempts = (
        [{"id": f"req_{number}_1", "provider": "harbor", "model": "scribe-2", "version": "2.1.0", "status": 429, "ms": 900}]
        if number % 5 == 0
        else []
    )
    attempts.append(
        {
            "id": f"req_{number}_2",
            "provider": "harbor",
            "model": "scribe-2",
            "version": "2.1.0",
            "status": 200 if kind == "answered" else 502,
            "ms": 1400,
        }
    )
    closed = Draft(
        "exchange.closed",
        {
            "outcome": kind,
            "released": "all" if kind == "answered" else "none",
            "status": 200 if kind == "answered" else 502,
            "route": "support-chat",
            "key": key,
            "provider": "harbor",
            "model": "scribe-2",
            "attempts": attempts,
            "tokens_in": 1204,
            "tokens_out": 318,
            "ms": 3100,
            "ms_added": 3,
            "decisions": [],
            "commit_released": digest(ref + "r"),
        },
        ref,
        **who,
    )
    return [opened, closed]


def run_events(world: World, control: str, items: list[Item], result: str, at: int, unmatched: int = 0, sample: int = 0) -> str:
    """Freeze, sample and run of one control, as assurance writes them; the freeze id."""
    catalog = world.context.catalog
    described = catalog.controls[control]
    freeze = f"frz_{control.lower().replace('.', '_').replace('-', '_')}_{at // HOUR_US}"
    end, name = world.writer.size, described.population.name if described.population else ""
    sha = described.population.query_sha if described.population else ""
    counts = [sum(1 for i in items if i.item == n) for n in range(3)]
    drafts = [
        Draft(
            "population.frozen",
            {
                "population": name,
                "control": control,
                "query": sha,
                "params": [
                    {"name": "from_us", "value": START},
                    {"name": "to_us", "value": START + 181 * DAY_US},
                    {"name": "end_size", "value": end},
                ],
                "from": START,
                "to": START + 181 * DAY_US,
                "end_size": end,
                "rows": len(items),
                "root": digest(freeze),
                "unmatched": unmatched,
                "unmatched_root": digest("u"),
                "principal": "person:mara.lind",
            },
            freeze,
            actor="system:assurance",
        )
    ]
    if sample:
        drafts.append(
            Draft(
                "sample.drawn",
                {
                    "freeze": freeze,
                    "seed": "q4-internal-1",
                    "seed_kind": "management-chosen",
                    "method": "hmac-lowest-v1",
                    "n": sample,
                    "rows": [],
                },
                f"smp_{freeze}",
                actor="system:assurance",
            )
        )
    drafts.append(
        Draft(
            "procedure.run",
            {
                "control": control,
                "control_version": described.version,
                "sha": described.sha,
                "freeze": freeze,
                "from": START,
                "to": START + 181 * DAY_US,
                "end_size": end,
                "result": result,
                "rows": len(items),
                "met": counts[0],
                "deviations": counts[1],
                "could_not_test": counts[2],
                "unmatched": unmatched,
                "items_root": digest("i"),
            },
            f"run_{freeze}",
            actor="system:assurance",
        )
    )
    world.put(drafts, "n1/control/a")
    world.findings.items[freeze] = items
    return freeze


def make_world(root: Path, origin: str = "demo/northwind-assist", period: bool = True) -> World:
    """A home as `init` and a first `apply` leave it, two minutes after the period began; everybody's password is `PASSWORD`."""
    clock = FixedClock(START)
    home = create_home(root / "home", origin, START)
    writer = Writer.create(home, RING, clock)
    records = Records(home, RING, clock, resolve=lambda host, port=0: ["93.184.216.34"], create=True)
    records.apply(COMPANY, "mara.lind")
    for person in COMPANY["people"]:
        records.set_password(person["id"], PASSWORD, person["id"])
    catalog, findings, reader = load(), MadeUpFindings(), LedgerReader(home)
    world: World

    async def run(principal: str, controls: tuple[str, ...]) -> None:
        world.ran.append((principal, controls))

    context = Context(
        origin,
        clock,
        records,
        reader,
        lambda: world.anchors,
        catalog,
        findings,
        run,
        home.derived / "console.db",
        ("2026-H2", START, START + 181 * DAY_US) if period else None,
        guards=Bench(records, GuardChain),  # real guards, without a model
    )
    world = World(writer, records, reader, clock, findings, context, Starlette(routes=create_console(context)))
    adopted = [(c.id, c.version, c.sha, c.schedule_body) for c in catalog.controls.values() if c.implemented]
    records.adopt_controls(adopted)
    clock.value_us += 120_000_000
    world.settle()
    return world


def live_months(world: World, days: int = 84) -> None:
    """Let a quarter go by: traffic, probes, anchors, changes with one approved by its author, runs of every control."""
    number = 0
    for day in range(days):
        world.clock.value_us = START + day * DAY_US + 9 * HOUR_US
        for _ in range(6 + (day * 5) % 7 - (4 if (day + 1) % 7 < 2 else 0)):
            number += 1
            world.clock.value_us += 60_000_000
            world.put(exchange(number, day, "answered" if number % 41 else "provider_failed", redacted=3 if number % 4 == 0 else 0))
        for _ in range(1 + (day * 3) % 2 + (5 if day in (53, 54) else 0)):
            number += 1
            world.put(exchange(number, day, "refused"))
        for probe in ("unauthenticated", "planted-injection", "planted-pii", "unapproved-model"):
            if (probe, day) != ("unapproved-model", days - 8):
                good = int((probe, day) != ("planted-injection", days - 12))
                body = {
                    "probe": probe,
                    "nonce": "00",
                    "request": digest(probe),
                    "key": "",
                    "due": world.clock.now_us(),
                    "expected": "blocked",
                    "seen": "blocked" if good else "allow",
                    "exchange": "",
                    "salt": "",
                    "matched": good,
                }
                world.put([Draft("probe.opened", body, f"plg_{probe}_{day}", actor="system:operations")], "n1/control/a")
        world.settle()
        head = world.writer.head
        world.anchors.append(Kept("harbor-audit", head.size, head.root, world.clock.now_us() // 1_000_000 + 1, head.note))
        world.put(
            [
                Draft(
                    "anchor.cosigned",
                    {
                        "size": head.size,
                        "root": head.root.hex(),
                        "witness": "harbor-audit",
                        "time": 0,
                        "checkpoint_at": world.clock.now_us(),
                    },
                    str(head.size),
                    actor="system:operations",
                )
            ],
            "n1/control/a",
        )
    _changes(world)
    world.put(exchange(number + 1, days, "open"))
    _runs(world, days)
    world.settle()


def _changes(world: World) -> None:
    records = world.records
    raw = {"models": ["scribe-2"], "policy": "strict", "mode": "enforce", "label": "confidential"}
    done = records.propose("route", "support-chat", raw, "priya.nair", reason="stricter guards for the help desk")
    records.approve(done.id, "mara.lind")
    records.activate(done.id, "mara.lind")
    emergency = records.propose(
        "limit", "", {"scope": "all", "unit": "requests", "window": 60, "value": 600}, "mara.lind", True, "flood at night"
    )
    records.approve(emergency.id, "mara.lind")
    records.activate(emergency.id, "mara.lind")
    records.propose("route", "web-helper", raw | {"label": "internal"}, "priya.nair", reason="for the website")
    records.create_key("priya.nair", ["support-chat"], "ines.faro", "aurora", world.clock.now_us() + 6 * DAY_US, "aurora-helpdesk")
    world.findings.dues = [
        DueItem(
            "AUD-4.1",
            "Probe “planted injection” has not been performed today",
            "operator",
            "becomes a permanent deviation",
            world.clock.now_us() + 5 * HOUR_US,
            True,
        ),
        DueItem(
            "PI-6.1",
            "14 requests in a provider's count did not pass the gateway",
            "compliance manager",
            "stay unmatched",
            world.clock.now_us() - 6 * DAY_US,
            False,
            True,
        ),
    ]
    world.findings.limits += [
        NotShown("Hours without an outside anchor", 3, 2_016, "/ledger"),
        NotShown("Exchanges with parts not inspected", 41, 0, "/exchanges?uninspected=1"),
        NotShown("Exchanges on routes that do not enforce", 0, 0, "/exchanges?mode=not_enforced"),
    ]


def _runs(world: World, days: int) -> None:
    at = world.clock.now_us()
    first = 40

    def item(day: int, n: int = 0, result: int = 0, why: str = "") -> Item:
        return Item(
            first + day * 12 + n,
            0,
            result,
            why,
            (f"x_{day:026d}", "priya.nair" if result == 0 else "mara.lind", START + day * DAY_US + 9 * HOUR_US),
        )

    daily = [item(day, n) for day in range(days) for n in range(3)]
    run_events(world, "GOV-3.1", daily, "no deviations noted", at)
    run_events(world, "SEC-1.2", [item(12), item(40)], "no deviations noted", at)
    run_events(world, "AUD-4.1", [*daily, item(days - 8, 5, 1, "missed")], "deviations noted", at)
    run_events(world, "AV-1.1", daily, "no deviations noted", at)
    whys = list(world.context.catalog.controls["PI-5.1"].whys)
    run_events(
        world,
        "PI-5.1",
        [item(d) for d in range(4, days, 6)] + [item(50, 1, 1, whys[0] if whys else "self")],
        "deviations noted",
        at,
        sample=10,
    )
    run_events(world, "PI-6.1", daily, "no deviations noted", at, unmatched=1)
    run_events(world, "CO-1.1", [*daily, item(30, 7, 2, "late")], "not tested", at)
