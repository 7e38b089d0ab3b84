"""Alerts over windows: raised once, from the ledger alone, by route and policy; read again after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from affiant.kit.clock import FixedClock
from affiant.kit.errors import LedgerUnavailable
from affiant.kit.home import Home, create_home
from affiant.kit.keyring import Keyring
from affiant.ledger import Draft, LedgerReader, Writer
from affiant.operations import Context, Operations
from affiant.operations.alerts import Alerts, told
from affiant.records import FaultyInput, parse_yaml, policy_snap
from affiant.records.policies import read_policy
from affiant.records.snapshot import RouteSnap, Snapshot

HOUR = 3_600_000_000
START = 1_795_564_800_000_000  # 2026-11-25T00:00:00Z
RING = Keyring(b"l" * 32, b"m" * 32, "local")
POLICY = """
id: p
guards: {pii: {action: redact}, injection: {action: block}, groundedness: {action: flag}}
alerts:
  - {id: blocked, of: block, over: 0.25, window: 1h, least: 4}
  - {id: cards, of: redact, guard: pii, type: CREDIT_CARD, over: 50 %, window: 1h, least: 4}
  - {id: unsupported, of: score, guard: groundedness, over: 0.5, window: 1h, least: 2}
"""


def _snapshot(policy: str = POLICY) -> Snapshot:
    made = policy_snap(*read_policy(parse_yaml(policy, "p.yaml"), "p.yaml"))
    routes = tuple(RouteSnap(name, ("m",), "p", "enforce", "internal", "") for name in ("a", "b"))
    return Snapshot(1, "n1", "o", (), (), (), routes, (made,), (), ())


@dataclass
class World:
    """A ledger that tests write exchanges to."""

    home: Home
    writer: Writer
    clock: FixedClock
    reader: LedgerReader
    count: int = 0

    def put(self, route: str, inbound: str = "allow", outbound: str = "allow", guard: str = "pii", score: int = -1, **more: Any) -> None:
        self.count += 1
        ref, refused = f"x_{self.count:026d}", inbound == "block"
        first = {"route": route, "decisions": [_decision(guard, inbound, **more)]}
        drafts = [Draft("exchange.refused" if refused else "exchange.opened", first, ref)]
        if not refused:
            second: dict[str, Any] = {"route": route, "decisions": [_decision("output", outbound)]}
            drafts.append(Draft("exchange.closed", second | ({"scores": {"groundedness": score}} if score >= 0 else {}), ref))
        self.append(drafts)

    def append(self, drafts: Sequence[Draft]) -> None:
        self.writer.append(list(drafts))


def _decision(guard: str, action: str, types: tuple[str, ...] = ()) -> dict[str, Any]:
    made: dict[str, Any] = {"guard": guard, "control": "PR-1.1", "action": action, "enforced": 1}
    return made | ({"types": [{"type": name, "n": 1} for name in types]} if types else {})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    clock = FixedClock(START)
    home = create_home(tmp_path / "home", "test.example/log", START)
    with Writer.create(home, RING, clock) as writer:
        yield World(home, writer, clock, LedgerReader(home))


def test_a_share_over_its_threshold_is_raised_once_a_window(world: World) -> None:
    """Of the route that it happened on, when the window is over; the next window begins anew."""
    alerts, snapshot = Alerts(world.reader), _snapshot()
    for number in range(8):
        world.put("a", inbound="block" if number < 3 else "allow", guard="injection")
        world.put("b")
    world.clock.value_us = START + HOUR
    assert alerts.look(snapshot, START + HOUR) == []  # not over for long enough
    drafts = alerts.look(snapshot, START + HOUR + 60_000_000)
    assert [(draft.type, draft.ref, draft.body["rule"], draft.body["value"], draft.body["exchanges"]) for draft in drafts] == [
        ("guard.alert", "a", "blocked", 375_000, 8)
    ]
    assert told("a", drafts[0].body) == "37.5 % blocked on route a, over 25.0 %"
    world.append(drafts)
    assert alerts.look(snapshot, START + HOUR + 120_000_000) == []
    assert [alert.route for alert in alerts.recent(START + 2 * HOUR)] == ["a"] and alerts.recent(START + 26 * HOUR) == []
    assert alerts.look(snapshot, START + 2 * HOUR + 60_000_000) == []


def test_after_a_restart_the_ledger_says_what_was_counted_and_raised(world: World) -> None:
    """A window in which control died is judged all the same, and one that was raised is not raised again."""
    for _ in range(4):
        world.put("a", outbound="block")
    first = Alerts(world.reader)
    first.look(_snapshot(), START + 60_000_000)
    world.clock.value_us = START + HOUR + 60_000_000
    drafts = Alerts(world.reader).look(_snapshot(), world.clock.value_us)
    assert [draft.body["rule"] for draft in drafts] == ["blocked"]
    world.append(drafts)
    later = Alerts(world.reader)
    assert later.look(_snapshot(), world.clock.value_us + 60_000_000) == []
    assert [alert.route for alert in later.recent(world.clock.value_us)] == ["a"]


def test_types_guards_scores_and_least_numbers(world: World) -> None:
    """Families of types count; an exchange counts once though guards act on both its ways; a mean needs enough scores."""
    for number in range(4):
        world.put("a", inbound="redact", types=("CREDIT_CARD/visa", "EMAIL"), score=700_000 if number else 100_000)
    for _ in range(3):
        world.put("b", inbound="block")  # too few
    drafts = Alerts(world.reader).look(_snapshot(), START + HOUR + 60_000_000)
    raised = {draft.body["rule"]: draft.body for draft in drafts}
    assert set(raised) == {"cards", "unsupported"}
    assert (raised["cards"]["value"], raised["cards"]["type"]) == (1_000_000, "CREDIT_CARD")
    assert (raised["unsupported"]["value"], raised["unsupported"]["exchanges"]) == (550_000, 4)
    assert told("a", raised["unsupported"]) == "mean score of groundedness 0.55 on route a, over 0.50"


def test_an_exchange_that_is_acted_on_twice_counts_once(world: World) -> None:
    """A redaction on the way in and one on the way out are one exchange of which something was redacted."""
    policy = POLICY.split("alerts:")[0] + "alerts: [{id: any, of: redact, over: 0.9, window: 1h, least: 2}]"
    for _ in range(2):
        world.put("a", inbound="redact", outbound="redact")
        world.put("a")
    assert Alerts(world.reader).look(_snapshot(policy), START + HOUR + 60_000_000) == []


def test_nothing_is_read_while_nobody_asks(world: World) -> None:
    """A home without alerts pays nothing for them."""

    class Unread:
        @property
        def size(self) -> int:
            raise AssertionError("read")

        def entries(self, start: int, stop: int) -> Iterator[bytes]:
            raise AssertionError("read")

        def first_since(self, at_us: int) -> int | None:
            raise AssertionError("read")

    alerts = Alerts(Unread())
    assert alerts.look(_snapshot(POLICY.split("alerts:")[0]), START) == []
    assert not alerts.due(START + 30_000_000) and alerts.due(START + 60_000_000)


def test_operations_write_alerts_and_raise_again_what_was_not_written(world: World) -> None:
    """Through the clockwork of control: the event is in the ledger once, also where the writer was away at first."""
    for _ in range(4):
        world.put("a", inbound="block")
    world.clock.value_us = START + HOUR + 60_000_000
    state = {"away": True}

    async def append(drafts: Sequence[Draft]) -> None:
        if state["away"]:
            raise LedgerUnavailable("Away.", "Wait.")
        world.append(drafts)

    async def nothing(*_: object) -> Any:
        return ""

    context = Context(
        world.home, RING, world.clock, "http://127.0.0.1:1", append, _snapshot, lambda: True, nothing, nothing, nothing,
        reader=world.reader,
    )  # fmt: skip

    async def run() -> None:
        operations = Operations(context)
        with pytest.raises(LedgerUnavailable):
            await operations.run_due()
        assert operations.alerts() == []
        state["away"] = False
        world.clock.value_us += 60_000_000
        await operations.run_due()
        world.clock.value_us += 60_000_000
        await operations.run_due()
        assert [alert.text for alert in operations.alerts()] == ["100.0 % blocked on route a, over 25.0 %"]
        await operations.close()

    asyncio.run(run())
    assert len(list(world.reader.of_types("guard.alert"))) == 1


@pytest.mark.parametrize(
    ("alert", "says"),
    [
        ("{id: x, of: block, window: 1h}", "alerts[0].over"),
        ("{id: x, of: score, over: 0.5, window: 1h}", "belongs to one guard"),
        ("{id: x, of: block, over: 0.5, window: 7m}", "whole number of times"),
        ("{id: x, of: block, over: 0.5, window: 90s}", "whole minutes"),
        ("{id: x, of: refuse, over: 0.5, window: 1h}", "one of: block"),
        ("{id: x, of: block, over: 0.5, window: 1h}, {id: x, of: flag, over: 0.5, window: 1h}", "two of one id"),
    ],
)
def test_faults_of_alerts_name_their_place(alert: str, says: str) -> None:
    """Before they are recorded."""
    with pytest.raises(FaultyInput) as raised:
        _snapshot("{id: p, guards: {pii: {action: redact}}, alerts: [" + alert + "]}")
    assert says in str(raised.value)
