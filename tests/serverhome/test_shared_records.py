"""Records that nodes share: one order of changes, one commit for rows and events, revocations that all nodes confirm, work done once."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

pytest.importorskip("asyncpg", reason="the package asyncpg is not installed")

import asyncpg
from server_world import NOW, ORIGIN, RING, Postgres, ServerWorld, Storage, unused_name
from test_server_fencing import check

from affiant.kit import postgres as kit_postgres
from affiant.kit.clock import FixedClock, SystemClock
from affiant.kit.errors import BadInput, Conflict, CouldNotLook, LedgerFault
from affiant.kit.halves import Halves
from affiant.kit.home import Home, create_home
from affiant.ledger import Draft, Event, LedgerClientSync, Writer, decode
from affiant.operations import Every, FileBook, Job, Outcome, Schedule, Scheduler
from affiant.operations.alerts import Turns
from affiant.operations.probe_key import ProbeKey, find_probe_key, save_probe_key
from affiant.proof.tiles import unpack_bundle
from affiant.records import Records
from affiant.records.move import move_records
from affiant.records.schema import TABLES

pytestmark = pytest.mark.server
CLOCK = SystemClock()
HOUR_US = 3_600_000_000
PEOPLE = [
    {"id": "ann", "roles": ["admin"]},
    {"id": "bo", "roles": ["compliance"]},
    {"id": "cy", "roles": ["developer"]},
    {"id": "di", "roles": ["operator"]},
]
COMPANY = {
    "people": PEOPLE,
    "providers": [{"id": "sim", "kind": "openai", "base_url": "http://127.0.0.1:9/v1", "secret_ref": "env:SIM", "network": "private"}],
    "models": [{"id": "m1", "provider": "sim", "upstream": "one", "version": "1", "approved_by": "bo"}],
    "keys": [{"id": "k1", "owner": "cy", "tenant": "acme", "models": ["m1"]}],
}


def ids(records: Records) -> list[str]:
    """Ids of all keys, in the order of their making."""
    made = records.keys()
    return [key.id for key in made]


class Nodes:
    """Two nodes' doors to the same records."""

    def __init__(self, servers: ServerWorld) -> None:
        self.servers = servers
        self.second = servers.node("n2")
        self.a = Records(servers.home, RING, CLOCK, create=True)
        self.b = Records(self.second, RING, CLOCK)
        self.a.apply(COMPANY, "ann")

    def events(self, *types: str) -> list[Event]:
        """Events of record changes in the order in which they get their places."""
        with self.a._units.database.reading() as connection:
            rows = connection.execute("SELECT data FROM batch WHERE split_part(producer, '/', 2) = 'records' ORDER BY id").fetchall()
        events = [decode(data) for row in rows for data in unpack_bundle(bytes(row[0]))]
        return [event for event in events if not types or event.type in types]

    def consistent(self) -> None:
        """Every key has its event and every event its key; each producer's numbers have no gap."""
        created = [event.ref for event in self.events("key.created")]
        assert len(created) == len(set(created))
        assert set(created) == set(ids(self.a))
        numbers: dict[str, list[int]] = {}
        for event in self.events():
            numbers.setdefault(event.producer, []).append(event.seq)
        assert all(found == list(range(len(found))) for found in numbers.values()), numbers


@pytest.fixture
def nodes(servers: ServerWorld) -> Iterator[Nodes]:
    made = Nodes(servers)
    yield made
    made.a.close()
    made.b.close()


def test_a_change_is_proposed_on_one_node_and_approved_on_another(nodes: Nodes) -> None:
    """Each node sees at once what the other committed, and the ledger has the events in the order of the commits."""
    content = {"provider": "sim", "upstream": "two", "version": "2", "approved_by": "bo"}
    change = nodes.a.propose("model", "m2", content, "cy")
    nodes.b.approve(change.id, "bo", change.digest)
    nodes.a.activate(change.id, "cy")
    assert nodes.b.record("model", "m2").approved_by == "bo"
    with pytest.raises(Conflict, match="activated"):
        nodes.b.approve(change.id, "bo")
    of_change = [(event.type, event.producer) for event in nodes.events() if event.ref == change.id]
    assert of_change == [
        ("change.proposed", "n1/records/0"), ("change.approved", "n2/records/0"), ("change.activated", "n1/records/0"),
    ]  # fmt: skip
    with nodes.servers.writer(), LedgerClientSync(nodes.servers.home.run / "writer.sock", "n1", "control", CLOCK, 20.0) as link:
        link.outbox()
        placed = nodes.servers.sql("SELECT count(*) FROM @.batch WHERE first_index IS NULL")
        link.checkpoint()
    assert placed == [(0,)] and nodes.a.outbox_size() == 0
    check(nodes.servers)
    with nodes.servers.reader() as reader:
        events = [reader.event(index) for index in range(reader.size)]
    assert [event.type for event in events if event.ref == change.id] == [kind for kind, _ in of_change]


def test_nodes_that_change_at_once_follow_one_another(nodes: Nodes) -> None:
    """Changes made on both nodes at the same time each have their epoch, their number and their place; none is lost."""
    before = nodes.a.epoch

    def work(records: Records) -> list[str]:
        return [records.create_key("cy", ["m1"], "ann", "acme").key.id for _ in range(15)]

    with ThreadPoolExecutor(4) as pool:
        made = [key for found in pool.map(work, (nodes.a, nodes.b, nodes.a, nodes.b)) for key in found]
    assert len(set(made)) == 60 and set(made) < set(ids(nodes.b))
    assert nodes.b.epoch == before + 60
    assert nodes.servers.sql("SELECT count(DISTINCT place), max(place) FROM @.keys") == [(61, 61)]
    nodes.consistent()


def test_two_nodes_that_adopt_at_once_adopt_once(nodes: Nodes) -> None:
    """Control versions are put into force by whichever node comes first; tenants' keys are made once."""
    wanted = [(f"GOV-{n}", 1, f"{n:064x}", [{"item": "x", "every": "day", "minute": n}]) for n in range(5)]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda records: records.adopt_controls(wanted), (nodes.a, nodes.b)))
    assert sorted(map(len, done)) == [0, 5]
    assert len(nodes.events("control.adopted")) == 5
    with ThreadPoolExecutor(2) as pool:
        snapshots = list(pool.map(lambda records: records.compile(), (nodes.a, nodes.b)))
    assert snapshots[0].tenant_keys == snapshots[1].tenant_keys and {key.tenant for key in snapshots[0].tenant_keys} == {"-", "acme"}


def test_an_alert_is_raised_by_one_node(nodes: Nodes) -> None:
    """By the first that asks, which may ask again when it could not write it; the next window is anybody's."""
    a, b = Turns(nodes.a.jobs), Turns(nodes.b.jobs)

    def alert(to_us: int) -> list[Draft]:
        return [Draft("guard.alert", {"rule": "blocked", "to": to_us}, ref="chat")]

    assert (a.mine(alert(HOUR_US)), b.mine(alert(HOUR_US)), a.mine(alert(HOUR_US))) == (alert(HOUR_US), [], alert(HOUR_US))
    a.written(alert(HOUR_US))
    assert (a.mine([]), b.mine([]), b.mine(alert(HOUR_US))) == ([], [], [])
    assert (b.mine(alert(2 * HOUR_US)), a.mine(alert(2 * HOUR_US))) == (alert(2 * HOUR_US), [])
    nodes.servers.sql("UPDATE @.jobs SET until = now() - interval '1 second'")  # b died before it wrote it
    assert a.mine([], lambda draft: False) == alert(2 * HOUR_US)
    assert a.mine([], lambda draft: True) == []  # or after: it is in the ledger
    assert Turns(None).mine(alert(HOUR_US)) == alert(HOUR_US)


# -- steps of a commit, and deaths between them

_DIES = """
import os, signal, sys
from pathlib import Path
from affiant.kit import postgres
from affiant.kit.clock import SystemClock
from affiant.kit.home import open_home
from affiant.kit.keyring import Keyring
from affiant.records import Records
records = Records(open_home(Path(sys.argv[1])), Keyring(bytes(range(32)), bytes(32), "local"), SystemClock())
records.nodes.others = lambda connection: False
left = int(sys.argv[3])
def counted(do, after):
    def step(self, sql, *values):
        global left
        if self is not records._units.database._writing:
            return do(self, sql, *values)
        left -= 1
        if left == 0 and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        given = do(self, sql, *values)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return given
    return step
after = sys.argv[4] == "after"
postgres._Session.execute = counted(postgres._Session.execute, after)
postgres._Session.plain = counted(postgres._Session.plain, after)
records.create_key("cy", ["m1"], "ann", "acme", key_id=sys.argv[2])
print("done", left, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def dies(home: Home, key: str, at: int, after: str) -> str:
    """Make a key in a process that is killed before or after one of its statements; what it said, "" if it did not get to the end."""
    command = [sys.executable, "-c", _DIES, str(home.root), key, str(at), after]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout


def test_a_kill_between_any_two_steps_leaves_all_or_nothing(nodes: Nodes) -> None:
    """Whoever is killed before the commit leaves neither row nor event nor number, after it all of them; others go on at once."""
    total = 100 - int(dies(nodes.second, "whole", 100, "before").split()[1])
    assert total > 8 and nodes.a.key("whole").owner == "cy"
    for at in range(1, total + 1):
        assert dies(nodes.second, f"dead{at}", at, "before") == ""
        assert f"dead{at}" not in set(ids(nodes.a))
        nodes.a.create_key("cy", ["m1"], "ann", key_id=f"next{at}")
        nodes.consistent()
    assert dies(nodes.second, "committed", total, "after") == ""
    assert nodes.a.key("committed").state == "live"
    nodes.consistent()


class _Lost:
    """A connection that no longer knows what it waits for, as asyncpg's are now and then while their server dies."""

    def __init__(self) -> None:
        self.ended = False

    def is_closed(self) -> bool:
        return self.ended

    def terminate(self) -> None:
        self.ended = True

    async def execute(self, sql: str) -> str:
        return sql.split(" ")[0]

    async def prepare(self, sql: str) -> None:
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")


def test_a_connection_that_lost_its_place_is_a_lost_one(nodes: Nodes) -> None:
    """Whoever asks is told that PostgreSQL cannot be reached; the connection is let go of, and the next call has another."""
    known, lost = ids(nodes.a), _Lost()
    looking = nodes.a._units.database._looking
    looking.drop()
    looking._connection = lost
    with pytest.raises(CouldNotLook, match="cannot be reached"):
        ids(nodes.a)
    assert lost.ended and ids(nodes.a) == known


def test_a_database_that_dies_under_changes_keeps_rows_and_events_together(tmp_path: Path, storage: Storage) -> None:
    """PostgreSQL is killed and started again while two nodes make keys: what was answered is there, each row with its event."""
    own = Postgres()
    try:
        made = Nodes(ServerWorld(tmp_path, own, storage, unused_name()))
        stop = threading.Event()
        answered: list[str] = []

        def work(records: Records) -> None:
            while not stop.is_set():
                try:
                    answered.append(records.create_key("cy", ["m1"], "ann", "acme").key.id)
                except CouldNotLook:
                    time.sleep(0.05)

        with ThreadPoolExecutor(2) as pool:
            works = [pool.submit(work, records) for records in (made.a, made.b)]
            try:
                for life in range(1, 4):
                    deadline = time.monotonic() + 60
                    while len(answered) < 8 * life:
                        assert time.monotonic() < deadline and not all(each.done() for each in works)
                        time.sleep(0.01)
                    if life < 3:
                        own.kill()
                        own.start()
            finally:
                stop.set()
            for each in works:
                each.result()
        assert set(answered) <= set(ids(made.a))
        made.consistent()
        made.a.close()
        made.b.close()
    finally:
        own.stop()


def test_a_process_that_stops_inside_a_change_loses_it(servers: ServerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others wait for it no longer than the limit, looks do not wait at all, and what it began is in force nowhere."""
    monkeypatch.setattr(kit_postgres, "IDLE_S", 1)
    nodes = Nodes(servers)
    with ExitStack() as stack:
        unit = stack.enter_context(nodes.a._units.write())
        unit.store.put_person("zoe", ("admin",), True, 1)
        began = time.monotonic()
        assert "zoe" not in {person.id for person in nodes.b.people()}
        assert time.monotonic() - began < 0.9
        nodes.b.create_key("cy", ["m1"], "ann", key_id="k2")
        with pytest.raises(CouldNotLook, match="cannot be reached"):
            stack.close()
    assert "zoe" not in {person.id for person in nodes.a.people()}
    nodes.a.create_key("cy", ["m1"], "ann", key_id="k3")
    nodes.consistent()
    nodes.a.close()
    nodes.b.close()


def test_a_connection_lost_before_the_commit_commits_nothing(nodes: Nodes) -> None:
    """A transaction whose connection is gone is never taken for committed, also if it had nothing more to say."""
    with pytest.raises(CouldNotLook), nodes.a._units.write() as unit:
        unit.store.set_counter("bootstrapped", 7)
        pid = unit.store.connection.execute("SELECT pg_backend_pid()").fetchone()[0]
        nodes.servers.sql("SELECT pg_terminate_backend($1)", pid)
        time.sleep(0.2)
    assert nodes.b.bootstrapped and nodes.servers.sql("SELECT value FROM @.counters WHERE name = 'bootstrapped'") == [(1,)]
    nodes.a.create_key("cy", ["m1"], "ann", key_id="k2")
    nodes.consistent()


def test_what_postgresql_cannot_keep_is_refused_in_words(nodes: Nodes) -> None:
    """A text with NUL is bad input, and nothing of it stays."""
    with pytest.raises(BadInput, match="cannot keep a value"):
        nodes.a.sealed.place_hold("all", "a\0b", "bo")
    assert nodes.b.sealed.holds() == [] and not nodes.events("hold.placed")


def test_an_ended_records_producer_is_a_fault(nodes: Nodes) -> None:
    """If the ledger does not take the events, the change is not made."""
    nodes.servers.sql("UPDATE @.producer SET ended = true WHERE name = 'n1/records/0'")
    with pytest.raises(LedgerFault, match="ended"):
        nodes.a.create_key("cy", ["m1"], "ann", key_id="k2")
    assert ids(nodes.b) == ["k1"]


def test_a_node_without_the_halves_of_subjects_destroys_nothing(nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sealed values are opened and forgotten where their keys' other halves lie; elsewhere nothing is made, opened or destroyed."""
    monkeypatch.setenv("AFFIANT_SUBJECTS", f"file:{tmp_path / 'halves'}")
    nodes.a.sealed.set_contact("cy", "cy@example.com", "cy")
    monkeypatch.setenv("AFFIANT_SUBJECTS", f"file:{tmp_path / 'elsewhere'}")
    with pytest.raises(CouldNotLook, match="halves is not at"):
        nodes.b.sealed.contact("cy", "cy")
    with pytest.raises(CouldNotLook, match="halves is not at"):
        nodes.b.sealed.set_contact("bo", "bo@example.com", "bo")
    with closing(Halves(nodes.servers.home, RING.master)) as other:
        other.make("person/somebody", first=True)  # a store that belongs to other records
    nodes.a.apply({"people": [{"id": "fay", "roles": ["privacy"]}]}, "ann")
    change = nodes.a.changes("proposed")[0]
    nodes.b.approve(change.id, "bo")
    nodes.b.activate(change.id, "ann")
    with pytest.raises(Conflict, match="holds none"):
        nodes.b.sealed.reapply("fay")
    assert nodes.a.sealed.contact("cy", "cy").value == "cy@example.com"
    assert nodes.a.sealed.destroy_subject("person/cy", "asked for", "fay") == 1
    assert nodes.servers.sql("SELECT length(wrapped) FROM @.subject_keys") == [(0,)]


# -- work that is done once


def test_scheduled_work_is_done_by_one_node_and_goes_on_with_the_other(nodes: Nodes, tmp_path: Path) -> None:
    """Of two nodes that ask at once one takes each due time; work about the node itself is done by each; whoever is left goes on."""
    ran: list[tuple[str, str, int]] = []

    def scheduler(node: str, records: Records, now_us: int) -> Scheduler:
        async def run(due_us: int) -> str:
            return ""

        jobs = [Job("probe", Schedule(Every.HOUR, 5), run), Job("service", Schedule(Every.HOUR, 5), run, each_node=True)]
        return Scheduler(jobs, FileBook(tmp_path / f"{node}.json"), now_us, records.jobs)

    def ask(node: str, each: Scheduler, now_us: int, ready: bool = True) -> None:
        taken = each.take(now_us, ready)
        ran.extend((node, job.name, due_us) for job, due_us, _ in taken)
        each.done([Outcome(job.name, due_us, True, "") for job, due_us, _ in taken])

    start, minute_us = NOW - NOW % HOUR_US, 60_000_000
    one, two = scheduler("n1", nodes.a, start), scheduler("n2", nodes.b, start)
    due = [start + hour * HOUR_US + 5 * minute_us for hour in range(1, 6)]
    for due_us in due:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(ask, ("n1", "n2"), (one, two), (due_us + minute_us,) * 2))
    assert sorted(due_us for _, name, due_us in ran if name == "probe") == due
    assert sorted((node, due_us) for node, name, due_us in ran if name == "service") == [(n, d) for n in ("n1", "n2") for d in due]
    ran.clear()
    now_us = due[-1] + HOUR_US + minute_us
    ask("n1", one, now_us, ready=False)
    later = scheduler("n2", nodes.b, now_us)  # started again after the due time: what nobody took is done, what was missed here is not
    ask("n2", later, now_us)
    assert [(node, name) for node, name, _ in ran] == [("n1", "service"), ("n2", "probe"), ("n2", "service")]


def test_any_node_can_probe(nodes: Nodes) -> None:
    """The key for probes that one node made is there for the other; one from before records were shared is given to all."""
    assert find_probe_key(nodes.second, RING, nodes.b.kept) is None
    save_probe_key(nodes.servers.home, RING, ProbeKey("old", "secret"))
    home = nodes.servers.home
    assert find_probe_key(home, RING, nodes.a.kept) == ProbeKey("old", "secret")
    other = Home(**{name: getattr(home, name) for name in home.__dataclass_fields__} | {"root": nodes.second.root, "node": "n2"})
    assert find_probe_key(other, RING, nodes.b.kept) == ProbeKey("old", "secret")
    save_probe_key(other, RING, ProbeKey("new", "other secret"), nodes.b.kept)
    assert find_probe_key(home, RING, nodes.a.kept) == ProbeKey("new", "other secret")


# -- moving


def embedded(root: Path) -> Home:
    """A home with records and a ledger of its own, with every kind of row."""
    home = create_home(root, ORIGIN, NOW, "n1")
    with Writer.create(home, RING, CLOCK) as writer:
        with closing(Records(home, RING, CLOCK, create=True)) as records:
            records.apply(COMPANY, "ann")
            content = {"provider": "sim", "upstream": "two", "version": "2", "approved_by": "bo"}
            change = records.propose("model", "m2", content, "cy")
            records.approve(change.id, "bo")
            records.set_password("cy", "a long pass phrase", "cy")
            records.sign_in("cy", "a long pass phrase")
            records.sign_in_link("bo", "ann")
            records.sealed.place_hold("all", "a law suit", "bo")
            records.adopt_controls([("GOV-1", 1, "a" * 64, [])])
            records.import_usage(b"provider,account,day,requests\nsim,one,20260101,5\n", "bo")
            records.appeals.raise_appeal("xc_1", "it was right", "cy")
        writer.pump_outbox()
    return home


def test_records_move_and_go_on_where_nodes_share_them(servers: ServerWorld, tmp_path: Path) -> None:
    """Every row arrives; a move that broke off is taken up again; numbers go on; other records are not overwritten."""
    home = embedded(tmp_path / "own")
    with closing(Records(home, RING, CLOCK)) as own:
        before = (own.people(), own.keys(), own.changes(), own.records(), own.sealed.holds(), own.appeals.list(), own.adopted_controls())
        snapshot = own.compile()
    assert move_records(home, servers.config) > 30
    with closing(Records(home, RING, CLOCK)) as own:  # the move broke off before the home knew of it
        own.sign_in("cy", "a long pass phrase")
    with pytest.raises(Conflict, match="not in the ledger"):
        move_records(home, servers.config)
    with Writer.open(home, RING, CLOCK) as writer:
        writer.pump_outbox()
    rows = move_records(home, servers.config)
    assert rows == sum(int(str(servers.sql(f"SELECT count(*) FROM @.{table}")[0][0])) for table in TABLES)

    with closing(Records(servers.home, RING, CLOCK)) as shared:
        assert before == (
            shared.people(), shared.keys(), shared.changes(), shared.records(), shared.sealed.holds(), shared.appeals.list(),
            shared.adopted_controls(),
        )  # fmt: skip
        there = shared.compile()
        assert (there.epoch, there.keys, there.routes, there.tenant_keys) == (
            snapshot.epoch, snapshot.keys, snapshot.routes, snapshot.tenant_keys,
        )  # fmt: skip
        assert shared.sign_in("cy", "a long pass phrase").session.person == "cy"
        shared.create_key("cy", ["m1"], "ann", key_id="k2")
        assert ids(shared) == ["k1", "k2"]
    with pytest.raises(Conflict, match="other records"):
        move_records(home, servers.config)


def test_a_home_with_records_of_its_own_beside_shared_ones_says_so(servers: ServerWorld) -> None:
    """Records left in a home are neither used nor silently ignored."""
    with pytest.raises(CouldNotLook, match="holds no records"):
        Records(servers.home, RING, CLOCK)
    Records(servers.home, RING, CLOCK, create=True).close()
    servers.home.records_db.write_bytes(b"")
    with pytest.raises(Conflict, match="of this node alone"):
        Records(servers.home, RING, CLOCK)


def test_tables_of_a_newer_version_are_left_alone(nodes: Nodes) -> None:
    """A program that knows less does not open them."""
    nodes.servers.sql("UPDATE @.records_version SET version = 99")
    with pytest.raises(BadInput, match="version 99"):
        Records(nodes.second, RING, FixedClock(NOW))
