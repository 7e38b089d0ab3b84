"""Running probes against a gateway on a socket, and holding what was written to the verifier's own table of pledges."""

import asyncio
import hashlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from affiant.kit.clock import FixedClock
from affiant.kit.crypto import commit, salt
from affiant.kit.errors import CouldNotLook, LedgerUnavailable
from affiant.kit.home import create_home
from affiant.kit.keyring import Keyring
from affiant.ledger import Draft, Event, decode, encode
from affiant.operations import Context, Operations, ProbeKey, find_probe_key
from affiant.operations.probe_plans import INJECTION, PII, UNAPPROVED, UNAUTHENTICATED
from affiant.operations.probes import Ports, run_probe
from affiant.proof.pledges import Pledges
from affiant.records.snapshot import KeySnap, ModelSnap, PolicySnap, ProviderSnap, RouteSnap, RuleSnap, Snapshot, TenantKeySnap

NOW = 1_795_564_800_000_000  # 2026-11-25
DUE = NOW - 60_000_000
SECRET = "sk-aff-" + "y" * 43
MONTH_KEY, OLD_KEY, NO_TENANT_KEY = b"a" * 32, b"b" * 32, b"c" * 32


def snapshot(epoch: int = 1, keys: tuple[KeySnap, ...] | None = None) -> Snapshot:
    rules = (RuleSnap("pii", "redact", "mask", 500_000, {}), RuleSnap("injection", "block", "", 500_000, {}))
    mine = (KeySnap("key_p", hashlib.sha256(SECRET.encode()).hexdigest(), "cat", "acme", ("*",)),)
    return Snapshot(
        epoch, "n1", "test/probes", mine if keys is None else keys,
        (ProviderSnap("harbor", "openai", "http://127.0.0.1:1", "env:X", "eu", "private", ("internal",)),),
        (ModelSnap("scribe", "harbor", "s", "1", 1), ModelSnap("unready", "harbor", "s", "2", 0)),
        (RouteSnap("help", ("scribe",), "p", "enforce", "internal", ""),), (PolicySnap("p", "d", rules, "refuse"),), (),
        (TenantKeySnap("acme", 202611, MONTH_KEY), TenantKeySnap("acme", 202610, OLD_KEY), TenantKeySnap("-", 202611, NO_TENANT_KEY)),
    )  # fmt: skip


class FakeGateway:
    """Answers as a gateway does and keeps the evidence that it would write. `lenient` lets everything pass; `silent` never answers."""

    def __init__(self, lenient: bool = False, silent: bool = False, month_key: bytes = MONTH_KEY, no_evidence: bool = False) -> None:
        self.lenient, self.silent, self.month_key, self.no_evidence = lenient, silent, month_key, no_evidence
        self.clock = FixedClock(NOW)
        self.entries: list[bytes] = []
        self.sent: list[bytes] = []
        self._number = itertools.count(1)
        self.url = ""

    async def __aenter__(self) -> "FakeGateway":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def append(self, drafts: Sequence[Draft]) -> None:
        for draft in drafts:
            self.entries.append(encode(draft, "n1/test/x", len(self.entries), self.clock.now_us(), 0))

    async def exchange_event(self, exchange: str) -> Event | None:
        for data in self.entries:
            event = decode(data)
            if event.ref == exchange and event.type.startswith("exchange."):
                return event
        return None

    def events(self, kind: str) -> list[Event]:
        return [event for event in map(decode, self.entries) if event.type == kind]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        body = await reader.readexactly(int(headers["content-length"]))
        self.sent.append(body)
        if self.silent:
            writer.close()
            return
        exchange = f"xc_{next(self._number)}"
        status, answer = await self._decide(exchange, headers, body)
        if self.no_evidence:
            exchange = "xc_unknown"
        data = json.dumps(answer).encode()
        writer.write(f"HTTP/1.1 {status} X\r\nx-affiant-exchange: {exchange}\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data)
        await writer.drain()
        writer.close()

    async def _decide(self, exchange: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        known = headers.get("authorization") == f"Bearer {SECRET}"
        text = body.decode().lower()
        code = ""
        if "authorization" not in headers:
            code = "key_missing"
        elif not known:
            code = "key_unknown"
        elif "unready" in text:
            code = "model_not_approved"
        elif "instructions" in text:
            code = "injection_detected"
        key, tenant = (self.month_key, "acme") if known else (NO_TENANT_KEY, "")
        commitment = {"commit_received": commit(salt(key, exchange, "commit_received"), body)}
        if code and not self.lenient:
            await self.append([Draft("exchange.refused", {"code": code, **commitment}, exchange, tenant)])
            return 403, {"error": {"code": code, "message": "no"}}
        decisions = [{"guard": "pii", "action": "redact", "acted": 0 if self.lenient else 1, "enforced": 1}]
        await self.append([Draft("exchange.opened", {"decisions": decisions, **commitment}, exchange, tenant)])
        return 200, {"choices": []}

    def ports(self) -> Ports:
        return Ports(self.url, self.append, snapshot, lambda: ProbeKey("key_p", SECRET), self.exchange_event, self.clock)

    def pledges(self) -> list[tuple[int, str, int, int]]:
        table = Pledges()
        for number, data in enumerate(self.entries):
            table.add(number, json.loads(data))
        return [tuple(row) for row in table.rows()]  # type: ignore[misc]


@pytest.mark.parametrize("probe", [UNAUTHENTICATED, INJECTION, PII, UNAPPROVED])
def test_a_probe_is_pledged_sent_judged_and_opened(probe: str) -> None:
    """The verifier's table calls the pledge kept, and the decision is the expected one."""

    async def run() -> None:
        async with FakeGateway() as gateway:
            await run_probe(gateway.ports(), probe, DUE)
            kinds = [decode(data).type.partition(".")[0] for data in gateway.entries]
            assert kinds == ["probe", "exchange", "probe"]
            (row,) = gateway.pledges()
            assert row[3] == 1
            (opened,) = gateway.events("probe.opened")
            assert opened.body["matched"] == 1 and opened.body["probe"] == probe and opened.body["due"] == DUE
            assert opened.body["request"] == hashlib.sha256(gateway.sent[0]).hexdigest()

    asyncio.run(run())


@pytest.mark.parametrize("probe", [INJECTION, PII, UNAPPROVED, UNAUTHENTICATED])
def test_a_guard_that_lets_it_pass_is_seen(probe: str) -> None:
    """The pledge is kept, and what was seen differs from what was expected."""

    async def run() -> None:
        async with FakeGateway(lenient=True) as gateway:
            await run_probe(gateway.ports(), probe, DUE)
            (opened,) = gateway.events("probe.opened")
            assert (opened.body["matched"], opened.body["seen"]) == (0, "allowed")
            assert gateway.pledges()[0][3] == 1

    asyncio.run(run())


@pytest.mark.parametrize("fault", [{"silent": True}, {"no_evidence": True}])
def test_without_an_answer_or_its_evidence_the_pledge_stays_unopened(fault: dict[str, bool]) -> None:
    """Nothing was seen, so nothing is claimed."""

    async def run() -> None:
        async with FakeGateway(**fault) as gateway:  # type: ignore[arg-type]
            with pytest.raises(CouldNotLook):
                await run_probe(gateway.ports(), INJECTION, DUE)
            assert len(gateway.events("probe.pledged")) == 1 and not gateway.events("probe.opened")
            assert gateway.pledges()[0][2:] == (0, 0)

    asyncio.run(run())


def test_an_exchange_that_began_in_the_month_before_opens_too() -> None:
    """The salt is that of the month whose key the gateway used."""

    async def run() -> None:
        async with FakeGateway(month_key=OLD_KEY) as gateway:
            await run_probe(gateway.ports(), PII, DUE)
            assert gateway.pledges()[0][3] == 1

    asyncio.run(run())


def test_a_false_commitment_breaks_the_pledge() -> None:
    """Where the gateway's commitment is not to what was sent, the table says that the pledge does not hold."""

    async def run() -> None:
        async with FakeGateway(month_key=b"z" * 32) as gateway:
            await run_probe(gateway.ports(), PII, DUE)
            assert gateway.pledges()[0][3] == 0

    asyncio.run(run())


def test_operations_make_a_key_for_probes_and_keep_it_sealed(tmp_path: Path) -> None:
    """With the first live key a key for probes is made once; its file holds no clear secret; a writer that is away loses nothing."""
    home = create_home(tmp_path / "home", "test/operations", NOW)
    keyring = Keyring(b"1" * 32, b"2" * 32, "t")
    clock = FixedClock(NOW)
    written: list[Draft] = []
    made: list[tuple[str, str]] = []
    state = {"snapshot": snapshot(1, ()), "away": False}

    async def append(drafts: Sequence[Draft]) -> None:
        if state["away"]:
            raise LedgerUnavailable("Away.", "Wait.")
        written.extend(drafts)

    async def create_key(owner: str, tenant: str) -> tuple[str, str]:
        made.append((owner, tenant))
        return "key_new", SECRET

    async def nothing(*_: object) -> Any:
        return ""

    def context() -> Context:
        return Context(
            home, keyring, clock, "http://127.0.0.1:1", append, lambda: state["snapshot"], lambda: True, nothing, nothing, nothing,
            create_key,
        )  # type: ignore[arg-type, return-value]  # fmt: skip

    async def run() -> None:
        operations = Operations(context())
        await operations.run_due()
        assert made == []
        users = tuple(KeySnap(f"k{n}", "0", "dan", "acme", ("*",)) for n in range(2))
        state["snapshot"] = snapshot(2, users)
        await operations.run_due()
        await operations.run_due()
        assert made == [("dan", "acme")]
        state["snapshot"] = snapshot(3, (*users, KeySnap("key_new", "0", "dan", "acme", ("*",))))
        await Operations(context()).run_due()
        assert made == [("dan", "acme")]
        await operations.tick()
        state["away"] = True
        clock.value_us += 90 * 60_000_000
        with pytest.raises(LedgerUnavailable):
            await operations.tick()
            await asyncio.sleep(0.01)
            await operations.tick()
        state["away"] = False
        await operations.run_due()

    asyncio.run(run())
    assert find_probe_key(home, keyring) == ProbeKey("key_new", SECRET)
    assert SECRET.encode() not in (home.root / "keys" / "probe").read_bytes()
    runs = [(draft.ref, draft.body["ok"]) for draft in written if draft.type == "job.run"]
    assert ("service", 0) in runs and not any(name == "anchor" for name, _ in runs)


def test_a_tick_waits_for_no_work_and_gives_its_failure_to_the_next(tmp_path: Path) -> None:
    """A job that hangs does not delay the next look; work that could not be written is told by a later tick and written then."""
    home = create_home(tmp_path / "home", "test/operations", NOW)
    clock = FixedClock(NOW)
    written: list[Draft] = []
    state = {"away": False}
    hanging = asyncio.Event()

    async def append(drafts: Sequence[Draft]) -> None:
        if state["away"]:
            raise LedgerUnavailable("Away.", "Wait.")
        written.extend(drafts)

    async def anchor() -> str:
        await hanging.wait()
        raise CouldNotLook("No witness answers.", "Look again.")

    async def nothing(*_: object) -> Any:
        return ""

    async def run() -> None:
        context = Context(
            home, Keyring(b"1" * 32, b"2" * 32, "t"), clock, "http://127.0.0.1:1", append, snapshot, lambda: True, nothing, anchor, nothing
        )  # type: ignore[arg-type]
        operations = Operations(context)
        await operations.tick()
        clock.value_us += 90 * 60_000_000
        for _ in range(3):
            await asyncio.wait_for(operations.tick(), 1.0)
            await asyncio.sleep(0.01)
            clock.value_us += 1_000_000
        state["away"] = True
        clock.value_us += 60 * 60_000_000
        with pytest.raises(LedgerUnavailable):
            for _ in range(5):
                await operations.tick()
                await asyncio.sleep(0.01)
        state["away"] = False
        hanging.set()
        await operations.run_due()
        await operations.close()

    asyncio.run(run())
    runs = [(draft.ref, draft.body["ok"]) for draft in written if draft.type == "job.run"]
    assert ("anchor", 0) in runs and ("service", 0) in runs
