"""One sequencer at a time, and one that believes itself to be it when it no longer is must lose."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

asyncpg = pytest.importorskip("asyncpg", reason="the package asyncpg is not installed")

from server_world import RING, Process, ServerWorld, closed, note, opened, rows  # noqa: E402

from affiant.kit.clock import SystemClock  # noqa: E402
from affiant.kit.errors import AffiantError, LedgerFault, LedgerUnavailable  # noqa: E402
from affiant.kit.home import Home  # noqa: E402
from affiant.ledger import LedgerClientSync  # noqa: E402
from affiant.ledger.checkpoints import SignedHead  # noqa: E402
from affiant.ledger.logkeys import chain, signing_key  # noqa: E402
from affiant.ledger.serverhome import LedgerStore, SupersededError, Term, TermOptions  # noqa: E402
from affiant.ledger.serverhome.batches import pack_batch  # noqa: E402

pytestmark = pytest.mark.server
CLOCK = SystemClock()
OPTIONS = TermOptions(ttl_s=30.0, state_every=10)


def check(world: ServerWorld) -> None:
    report = world.check()
    assert report.good, "\n".join(report.lines())


def with_store(world: ServerWorld, work: Callable[[LedgerStore], Awaitable[None]]) -> None:
    async def do() -> None:
        store = await LedgerStore.open(world.config, "test")
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(do())


async def begin(store: LedgerStore, world: ServerWorld, holder: str) -> Term:
    """Take over, as if the last holder's time had run out."""
    async with store.pool.acquire() as connection:
        await connection.execute(f"UPDATE {world.config.schema}.ledger SET until = '-infinity'")
    number = await store.elect(holder, OPTIONS.ttl_s)
    assert number is not None
    return await Term.load(store, signing_key(world.home, RING), chain(world.home, RING), holder, CLOCK, OPTIONS, number)


async def put(store: LedgerStore, producer: str, first: int, count: int) -> None:
    await store.hello(producer, "n1")
    row = pack_batch(producer, rows(producer, first, [note(f"{first + n}") for n in range(count)]))
    assert [answer.state for answer in await store.append([row])] == ["written"]


def test_a_head_signed_before_a_takeover_is_not_published_after_it(servers: ServerWorld) -> None:
    """One that was stopped between signing and publishing finds another term, and neither its head nor its places take effect."""

    async def work(store: LedgerStore) -> None:
        old = await begin(store, servers, "old")
        await put(store, "n1/gateway/a", 0, 5)
        assert await old.place() > 5
        signed = old.sign()
        new = await begin(store, servers, "new")
        await put(store, "n1/gateway/a", 5, 3)
        await new.place()
        published = await new.publish()
        assert published.size > signed.size
        with pytest.raises(SupersededError):
            await old.publish()
        await put(store, "n1/gateway/a", 8, 2)
        with pytest.raises(SupersededError):
            await old.place()
        assert (await store.ledger()).head.note == published.note
        await new.place()
        await new.publish()

    with_store(servers, work)
    check(servers)


def test_a_head_takes_force_only_over_the_one_it_was_built_on(servers: ServerWorld) -> None:
    """Even within one term, a head whose maker did not know the last size and root is refused."""

    async def work(store: LedgerStore) -> None:
        term = await begin(store, servers, "only")
        await term.place()
        before = term.head
        head = await term.publish()
        later = SignedHead(head.at_us, head.size, b"\x01" * 32, b"another history")
        for old, new in (
            (before, later),
            (SignedHead(0, head.size, b"\x02" * 32, b""), later),
            (head, SignedHead(0, head.size, b"\x03" * 32, b"same size, another root")),
            (head, SignedHead(0, head.size - 1, b"\x04" * 32, b"rolled back")),
            (head, SignedHead(0, head.size + 1, b"\x05" * 32, b"beyond what is placed")),
        ):
            assert not await store.publish(term.number, old, new, False, 0, [], [], None)
        assert not await store.publish(term.number - 1, head, head, False, 0, [], [], None)
        assert (await store.ledger()).head.note == head.note

    with_store(servers, work)
    check(servers)


def test_a_holder_that_hangs_in_a_statement_is_put_out(servers: ServerWorld) -> None:
    """A stopped holder that keeps the ledger's row locked does not keep others from taking over for longer than its time."""

    async def work(store: LedgerStore) -> None:
        ledger = f"{servers.config.schema}.ledger"
        stuck = await asyncpg.connect(servers.postgres.dsn, server_settings={"application_name": "affiant node n9"})
        try:
            await stuck.execute(f"UPDATE {ledger} SET holder = 'n9/old', until = '-infinity'")
            await stuck.execute("BEGIN")
            await stuck.fetch(f"SELECT * FROM {ledger} FOR UPDATE")
            deadline = time.monotonic() + 10
            while await store.elect("n1/new", 0.5) is None:
                assert time.monotonic() < deadline, "the stuck session was not ended"
                await asyncio.sleep(0.05)
        finally:
            stuck.terminate()

    with_store(servers, work)


def test_a_term_goes_on_from_what_the_last_one_left(servers: ServerWorld) -> None:
    """A new holder knows which exchanges are open, though the last state was saved many entries ago."""

    async def work(store: LedgerStore) -> None:
        name = "n1/gateway/open"
        await store.hello(name, "n1")
        first = await begin(store, servers, "first")
        for number in range(4):
            drafts = [opened(f"ex_{number}"), opened(f"other_{number}"), closed(f"other_{number}")]
            await store.append([pack_batch(name, rows(name, 3 * number, drafts))])
            await first.place()
            if number == 1:
                await first.publish()
        second = await begin(store, servers, "second")
        assert set(second.producers.live[name].open) == {f"ex_{number}" for number in range(4)}
        await store.end(name, "disconnected")
        await second.place()
        await second.publish()

    with_store(servers, work)
    with servers.reader() as reader:
        found = [(event.ref, reader.event(event.body["opened"]).ref) for _, event in reader.of_types("exchange.interrupted")]
    assert found == [(f"ex_{number}", f"ex_{number}") for number in range(4)]
    check(servers)


def test_a_database_that_was_set_back_or_altered_is_refused(servers: ServerWorld) -> None:
    """A new term does not begin over entries, tiles or a checkpoint that contradict what was signed."""

    async def fill(store: LedgerStore) -> None:
        term = await begin(store, servers, "good")
        await put(store, "n1/gateway/a", 0, 40)
        await term.place()
        await term.publish(keep=True)

    with_store(servers, fill)
    flip = "SET data = set_byte(data, 9, get_byte(data, 9) # 1)"
    place = "length(note) - 20"
    letter = f"CASE get_byte(note, {place}) WHEN 65 THEN 66 ELSE 65 END"  # another one than there is
    harms = {
        "tile/entries/000.p/44 does not match its tile": (f"UPDATE @.partial {flip} WHERE path NOT LIKE 'tile/entries/%'",),
        "does not match its tile": (f"UPDATE @.partial {flip} WHERE path LIKE 'tile/entries/%'",),
        "lacks tile/0/000.p/44": ("DELETE FROM @.partial",),
        "rolled back": (
            "UPDATE @.ledger SET size = h.size, root = h.root, note = h.note FROM (SELECT * FROM @.head ORDER BY size LIMIT 1) AS h",
        ),
        "contradicts its own note": ("UPDATE @.ledger SET root = set_byte(root, 0, get_byte(root, 0) # 1)",),
        "does not hold": (f"UPDATE @.ledger SET note = set_byte(note, {place}, {letter})",),
        "lacks the entries": ("DELETE FROM @.state", "DELETE FROM @.batch WHERE first_index = 2"),
    }
    tables = ("ledger", "partial", "batch", "state")
    servers.sql("CREATE SCHEMA safe")
    for words, statements in harms.items():
        for table in tables:
            servers.sql(f"CREATE TABLE safe.{table} AS SELECT * FROM @.{table}")
        for statement in statements:
            servers.sql(statement)
        with pytest.raises(LedgerFault) as error:
            with_store(servers, lambda store: _begin_only(store, servers))
        assert words in str(error.value)
        for table in tables:
            servers.sql(f"DELETE FROM @.{table}")
            servers.sql(f"INSERT INTO @.{table} SELECT * FROM safe.{table}")
            servers.sql(f"DROP TABLE safe.{table}")
    servers.sql("DROP SCHEMA safe CASCADE")
    check(servers)


async def _begin_only(store: LedgerStore, world: ServerWorld) -> None:
    await begin(store, world, "next")


class Load(threading.Thread):
    """Appends through one node as a gateway would until told to stop; keeps what was acknowledged."""

    def __init__(self, home: Home, tag: str) -> None:
        super().__init__()
        self.done: list[str] = []
        self._home = home
        self._tag = tag
        self._over = threading.Event()

    def run(self) -> None:
        number = 0
        with LedgerClientSync(self._home.run / "writer.sock", self._home.node, "gateway", CLOCK, 20.0) as link:
            while not self._over.is_set():
                texts = [f"{self._tag}.{number + n}" for n in range(20)]
                number += 20
                try:
                    link.append([note(text) for text in texts], timeout_s=20.0)
                except AffiantError:
                    time.sleep(0.05)
                    continue
                self.done += texts

    def finish(self) -> list[str]:
        self._over.set()
        self.join()
        return self.done


def leader(world: ServerWorld) -> tuple[int, str]:
    [(term, holder)] = world.sql("SELECT term, holder FROM @.ledger")
    return int(str(term)), str(holder).partition("/")[0]


def wait_for_term(world: ServerWorld, above: int) -> int:
    deadline = time.monotonic() + 30
    while leader(world)[0] <= above:
        assert time.monotonic() < deadline, "nobody took over"
        time.sleep(0.05)
    return leader(world)[0]


def test_stopped_past_its_takeover_and_woken_it_loses(servers: ServerWorld) -> None:
    """The sequencer is stopped by SIGSTOP under load until another node has taken over and signed, then woken: no fork, nothing lost."""
    second = servers.node("n2")
    with servers.writer() as one, servers.writer(home=second) as two:
        processes: dict[str, Process] = {"n1": one, "n2": two}
        loads = [Load(servers.home, "n1"), Load(second, "n2")]
        for load in loads:
            load.start()
        for moment in (0.31, 0.83, 0.57):
            time.sleep(moment)
            term, name = leader(servers)
            processes[name].pause()
            wait_for_term(servers, term)
            size = servers.sql("SELECT size FROM @.ledger")[0][0]
            deadline = time.monotonic() + 20
            while servers.sql("SELECT size FROM @.ledger")[0][0] == size:
                assert time.monotonic() < deadline, "the new sequencer signs nothing"
                time.sleep(0.05)
            processes[name].go_on()
        time.sleep(0.5)
        acknowledged = [text for load in loads for text in load.finish()]
        with LedgerClientSync(second.run / "writer.sock", "n2", "control", CLOCK, 20.0) as link:
            link.checkpoint()
    check(servers)
    with servers.reader() as reader:
        texts = [event.body["note"] for _, event in reader.of_types("job.run")]
    assert len(texts) == len(set(texts))
    assert set(acknowledged) <= set(texts)
    assert len(acknowledged) > 100


def test_a_node_that_falls_silent_has_its_exchanges_interrupted(servers: ServerWorld) -> None:
    """When a node stops for longer than its time, another ends its producers; when it wakes, its clients begin again."""
    second = servers.node("n2")
    with servers.writer() as one, servers.writer(home=second, node_ttl_s=0.8) as two:
        link = LedgerClientSync(second.run / "writer.sock", "n2", "gateway", CLOCK, 20.0)
        old = link.producer
        link.append([opened("ex_silent")])
        two.pause()
        deadline = time.monotonic() + 30
        while not servers.sql("SELECT 1 FROM @.producer WHERE name = $1 AND ended", old):
            assert time.monotonic() < deadline, "the producer was not ended"
            time.sleep(0.1)
        two.go_on()
        deadline = time.monotonic() + 30
        while True:
            try:
                link.append([note("after")], timeout_s=5.0)
                break
            except AffiantError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert link.producer != old
        link.close()
        assert one.process.poll() is None
    with servers.reader() as reader:
        assert [event.ref for _, event in reader.of_types("exchange.interrupted")] == ["ex_silent"]
        assert len([1 for _, event in reader.of_types("job.run") if event.body["note"] == "after"]) == 1
    check(servers)


def test_two_processes_under_one_node_name_do_not_both_serve(servers: ServerWorld, tmp_path: Path) -> None:
    """A second process that serves under a node's name fences the first one out, which stops and says so."""
    copy = servers.node("n1")
    with servers.writer(node_ttl_s=1.0) as one, servers.writer(home=copy, node_ttl_s=1.0) as two:
        assert one.process.wait(timeout=20) != 0
        with LedgerClientSync(copy.run / "writer.sock", "n1", "control", CLOCK, 20.0) as link:
            link.append([note("served")])
        assert two.process.poll() is None
    check(servers)


def test_a_connection_that_lost_its_place_is_not_used_again(servers: ServerWorld) -> None:
    """While its server dies, asyncpg now and then no longer knows what it waits for: PostgreSQL cannot be reached, and the next one can."""

    async def work(store: LedgerStore) -> None:
        with pytest.raises(LedgerUnavailable, match="cannot be reached"):
            async with store._connection() as connection:
                process = connection.get_server_pid()
                raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")
        async with store._connection() as connection:
            assert connection.get_server_pid() != process and await connection.fetchval("SELECT 1") == 1

    with_store(servers, work)
