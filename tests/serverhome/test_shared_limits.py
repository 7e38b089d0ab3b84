"""Limits that nodes share: together they let through no more than a limit and one advance each, whoever dies, PostgreSQL included."""

from __future__ import annotations

import asyncio
import random
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("asyncpg", reason="the package asyncpg is not installed")

from limits_world import Spender
from server_world import Postgres, ServerWorld, Storage, unused_name
from test_shared_records import COMPANY, HOUR_US, RING

from affiant.kit.clock import CLOCK_ENV, ClockFile, FixedClock, SystemClock
from affiant.kit.errors import CouldNotLook
from affiant.records import Records
from affiant.records.granting import Granting
from affiant.records.leases import LeaseBook, slice_of
from affiant.records.slices import Ask, Slices
from affiant.records.snapshot import Grant, Lease, LimitSnap, ToWorker

pytestmark = pytest.mark.server
NODES = 2
START_US = 500_000 * HOUR_US
HOUR = START_US // HOUR_US


@pytest.fixture
def hours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClockFile:
    """A clock that stands still in this process and in every one that it starts: a window ends when a test says so."""
    monkeypatch.setenv(CLOCK_ENV, str(tmp_path / "hours"))
    made = ClockFile(tmp_path / "hours")
    made.fix(START_US)
    return made


class Company:
    """A limit of an hour on two nodes that nothing serves yet."""

    def __init__(self, servers: ServerWorld, value: int, scope: str = "all", unit: str = "requests") -> None:
        self.servers, self.value = servers, value
        self.homes = [servers.home, servers.node("n2")]
        self.limit = LimitSnap("", scope, unit, 3600, value)
        records = Records(servers.home, RING, SystemClock(), create=True)
        try:
            records.apply({**COMPANY, "limits": [{"scope": scope, "unit": unit, "window": "1h", "value": value}]}, "ann")
        finally:
            records.close()

    def start(self, place: int, **how: float) -> Spender:
        return Spender(self.homes[place], self.servers.root / f"said-{place}", **how)  # type: ignore[arg-type]


@pytest.fixture
def spenders() -> Iterator[list[Spender]]:
    made: list[Spender] = []
    yield made
    for each in made:
        each.kill()


@pytest.mark.parametrize(("value", "scope"), [(3, "all"), (600, "key:*")])
def test_two_nodes_let_through_a_limit_and_at_most_an_advance_each(
    servers: ServerWorld, hours: ClockFile, spenders: list[Spender], value: int, scope: str
) -> None:
    """Two processes at once: no more than the bound, no less than the limit without what holders keep, and again in the next window."""
    company = Company(servers, value, scope)
    slice_ = slice_of(company.limit)
    spenders += [company.start(place) for place in range(NODES)]
    for hour in (HOUR, HOUR + 1):
        hours.fix(hour * HOUR_US)
        for each in spenders:
            each.wait(hour, "rate_limited", 10)
        passed = [each.passed(hour) for each in spenders]
        assert sum(passed) <= value + NODES * slice_
        assert sum(passed) >= value - NODES * (1 + Spender.WORKERS) * slice_


def test_tokens_are_counted_over_nodes_and_an_exchange_may_need_more_than_a_slice(
    servers: ServerWorld, hours: ClockFile, spenders: list[Spender]
) -> None:
    """An exchange of 900 of 10,000 tokens: each node may be one exchange over, and no more."""
    company = Company(servers, 10_000, unit="tokens")
    spenders += [company.start(place, cost=900) for place in range(NODES)]
    for each in spenders:
        each.wait(HOUR, "tokens_limited", 10)
    passed = 900 * sum(each.passed(HOUR) for each in spenders)
    assert 10_000 - NODES * (1 + Spender.WORKERS) * 900 <= passed <= 10_000 + NODES * 900


def test_a_node_that_is_killed_gives_nothing_twice(servers: ServerWorld, hours: ClockFile, spenders: list[Spender]) -> None:
    """kill -9 in the middle, started again, killed for good: the other lets through what is left, never more than the bound."""
    value = 1_000
    company = Company(servers, value)
    slice_ = slice_of(company.limit)
    one = company.start(0, pace_s=0.01)
    spenders.append(one)
    one.wait(HOUR, "passed", 30)
    one.process.send_signal(signal.SIGSTOP)  # it holds what it holds, and leaves the other something to let through
    two = company.start(1, pace_s=0.01)
    spenders.append(two)
    two.wait(HOUR, "passed", 30)
    two.kill()
    two = company.start(1, pace_s=0.01)
    spenders.append(two)
    two.wait(HOUR, "passed", two.passed(HOUR) + 30)
    two.kill()
    one.process.send_signal(signal.SIGCONT)
    one.wait(HOUR, "rate_limited", 10)
    total = one.passed(HOUR) + two.passed(HOUR)
    lost = 2 * Spender.WORKERS + 1  # purses of its workers at both deaths, and its stock at the second
    assert value - (lost + 1 + Spender.WORKERS) * slice_ <= total <= value + NODES * slice_
    hours.fix((HOUR + 1) * HOUR_US)  # what it held comes back with the next window
    one.wait(HOUR + 1, "rate_limited", 10)
    assert value - (1 + Spender.WORKERS) * slice_ <= one.passed(HOUR + 1) <= value + slice_


def test_without_postgresql_a_node_spends_what_it_holds_and_then_refuses(
    tmp_path: Path, storage: Storage, hours: ClockFile, spenders: list[Spender]
) -> None:
    """It lets through at most its stock and its workers' slices, says that limits cannot be checked, and goes on when it is back."""
    own = Postgres()
    try:
        company = Company(ServerWorld(tmp_path, own, storage, unused_name()), 1_000)
        slice_ = slice_of(company.limit)
        one = company.start(0, pace_s=0.02)
        spenders.append(one)
        one.wait(HOUR, "passed", 40)
        own.kill()
        before = one.passed(HOUR)
        one.wait(HOUR, "limits_unavailable", 3)
        assert one.passed(HOUR) - before <= (2 + Spender.WORKERS) * slice_
        own.start()
        one.wait(HOUR, "passed", one.passed(HOUR) + 100)
        assert one.passed(HOUR) <= 1_000
    finally:
        own.stop()


# -- the account of one node


class Slow:
    """Leases all that is asked, when told to."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.fault: CouldNotLook | None = None
        self.asked: list[Ask] = []

    def lease(self, asks: Sequence[Ask], now_s: int) -> list[int]:
        self.go.wait()
        if self.fault is not None:
            raise self.fault
        self.asked += asks
        return [each.debt + each.want for each in asks]


def test_no_worker_waits_for_postgresql_while_the_node_has_stock(tmp_path: Path) -> None:
    """The first gets an advance, who needs more waits for the answer, and with stock again nobody does; unreachable, it says so at once."""

    async def story() -> None:
        slow, book = Slow(), LeaseBook(tmp_path / "leases", shared=True)
        book.set_limits([LimitSnap("all", "all", "requests", 60, 1_000)])
        granting = Granting(book, FixedClock(6_000_000_000), slow, lambda: True)  # type: ignore[arg-type]
        running = asyncio.create_task(granting.run())
        answers: list[int] = []
        decode = msgspec.msgpack.Decoder(ToWorker).decode

        def take(need: int) -> None:
            def send(frame: bytes) -> None:
                message = decode(frame[4:])
                assert isinstance(message, Grant)
                answers.append(message.granted)

            granting.take(Lease(1, "all", "all", 100, max(need, 20), need), send)

        async def answered(count: int) -> None:
            async with asyncio.timeout(5):
                while len(answers) < count:
                    await asyncio.sleep(0.005)

        take(1)
        take(15)
        take(19)
        assert answers == [5, 15]  # an advance of one slice
        slow.go.set()
        await answered(3)
        assert answers[2] >= 19 and slow.asked[0].debt == 20
        slow.go.clear()
        await asyncio.sleep(0.05)
        take(1)
        assert len(answers) == 4 and answers[3] >= 1
        slow.fault = CouldNotLook("PostgreSQL cannot be reached: no.", "Try again.")
        slow.go.set()
        while answers[-1] >= 0:
            take(5)
            await asyncio.sleep(0.01)
        assert sum(each for each in answers if each > 0) <= sum(each.debt + each.want for each in slow.asked)
        assert granting.fault is not None
        slow.fault = None
        await asyncio.sleep(0.4)
        take(5)
        await answered(len(answers))
        assert answers[-1] >= 5 and granting.fault is None
        running.cancel()
        await granting.close()

    asyncio.run(story())


def test_a_node_that_stops_gives_back_what_it_did_not_hand_out(servers: ServerWorld, hours: ClockFile, tmp_path: Path) -> None:
    """After an orderly stop only what workers were handed counts; started again, the node hands out nothing twice."""
    Company(servers, 100)
    limit = LimitSnap("all/requests/3600s", "all", "requests", 3600, 100)
    records = Records(servers.home, RING, FixedClock(START_US))
    try:
        slices = Slices(records._units.shared)  # type: ignore[arg-type]
        book = LeaseBook(tmp_path / "leases", shared=True)
        book.set_limits([limit])

        def leased() -> list[int]:
            return [int(str(row[0])) for row in servers.sql("SELECT leased FROM @.slices")]

        now_s = START_US // 1_000_000
        assert book.grant(Lease(1, limit.id, "all", HOUR, 2, 2), now_s, advance=True) == 2
        for ask, given in [(ask, slices.lease([ask], now_s)[0]) for ask in book.asks()]:
            book.leased(ask, given)
        assert leased() == [4]
        slices.lease(book.give_back(now_s), now_s)
        assert leased() == [2]
        book.close()
        again = LeaseBook(tmp_path / "leases", shared=True)
        again.set_limits([limit])
        assert again.grant(Lease(1, limit.id, "all", HOUR, 1, 1), now_s, advance=True) is None
        assert [(each.debt, each.want) for each in again.asks()] == [(0, 3)]
        again.close()
        slices._forgot_s = float("-inf")
        assert slices.lease([], now_s + 3 * 3_600) == [] and leased() == []
    finally:
        records.close()


def test_whatever_order_things_happen_in_no_more_than_the_bound_is_handed_out(servers: ServerWorld, tmp_path: Path) -> None:
    """A hundred windows of three nodes with asks, lost answers and restarts at random: handed out is at most the limit and advances."""
    Company(servers, 100)
    records = Records(servers.home, RING, FixedClock(START_US))
    rng = random.Random(7)
    try:
        slices = Slices(records._units.shared)  # type: ignore[arg-type]
        for window in range(100):
            limit = LimitSnap("l", "all", "requests", 60, rng.choice((1, 2, 7, 60, 500)))
            now_s, handed = window * 60, 0
            paths = [tmp_path / f"{window}-{place}" for place in range(3)]
            books = [LeaseBook(path, shared=True) for path in paths]
            for book in books:
                book.set_limits([limit])
            for _ in range(120):
                place = rng.randrange(3)
                book, what = books[place], rng.random()
                if what < 0.7:
                    handed += book.grant(Lease(1, "l", "all", window, max(1, limit.value // 50), 1), now_s, advance=True) or 0
                    book._dry.clear()
                elif what < 0.97:
                    asks = book.asks()
                    for ask, given in zip(asks, slices.lease(asks, now_s), strict=True):
                        if rng.random() < 0.9:  # else the answer is lost
                            book.leased(ask, given)
                else:
                    book.close()
                    books[place] = LeaseBook(paths[place], shared=True)
                    books[place].set_limits([limit])
            for book in books:
                book.close()
            assert handed <= limit.value + 3 * slice_of(limit), (window, limit)
    finally:
        records.close()


def test_nodes_that_ask_at_once_wait_for_one_another(servers: ServerWorld) -> None:
    """Many asks of two nodes in different orders, at the same time: no deadlock, and the sum of each limit is its value."""
    Company(servers, 100)
    doors = [Records(home, RING, FixedClock(START_US)) for home in (servers.home, servers.node("n3"))]
    total: dict[str, int] = {}
    lock = threading.Lock()

    def ask(door: Records, seed: int) -> None:
        rng = random.Random(seed)
        slices = Slices(door._units.shared)  # type: ignore[arg-type]
        for _ in range(40):
            asks = [Ask(f"l{n}", "-", 1, 300, 0, rng.randrange(1, 9), 10**9) for n in rng.sample(range(30), 20)]
            given = slices.lease(asks, 0)
            with lock:
                for each, amount in zip(asks, given, strict=True):
                    total[each.limit] = total.get(each.limit, 0) + amount

    try:
        threads = [threading.Thread(target=ask, args=(door, seed)) for seed, door in enumerate(doors)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rows = {str(name): int(str(leased)) for name, leased in servers.sql("SELECT limit_id, leased FROM @.slices")}
        assert rows == total and max(total.values()) <= 300
    finally:
        for door in doors:
            door.close()
