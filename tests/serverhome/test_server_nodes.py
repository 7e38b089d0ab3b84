"""Several nodes on one ledger, what they are told when, and what a database must be like."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

pytest.importorskip("asyncpg", reason="the package asyncpg is not installed")

from server_world import NOW, ORIGIN, RING, Postgres, ServerWorld, Storage, note, opened, unused_name
from test_server_fencing import Load, check

from affiant.kit.clock import SystemClock
from affiant.kit.errors import BadInput, Conflict
from affiant.kit.home import create_home
from affiant.kit.keyring import Keyring
from affiant.ledger import LedgerClientSync
from affiant.ledger.serverhome import UNPLACED, found, join

pytestmark = pytest.mark.server
CLOCK = SystemClock()


def test_two_nodes_append_at_once(servers: ServerWorld) -> None:
    """Both nodes' events are in one order, each once, and each producer's numbers have no gap."""
    second = servers.node("n2")
    with servers.writer(), servers.writer(home=second):
        loads = [Load(servers.home, "a"), Load(servers.home, "b"), Load(second, "c"), Load(second, "d")]
        for load in loads:
            load.start()
        time.sleep(2.0)
        done = [load.finish() for load in loads]
        with LedgerClientSync(second.run / "writer.sock", "n2", "control", CLOCK, 20.0) as link:
            link.checkpoint()
    check(servers)
    with servers.reader() as reader:
        texts = [event.body["note"] for _, event in reader.of_types("job.run")]
    for mine in done:
        assert len(mine) > 40
        tag = mine[0].partition(".")[0]
        assert [text for text in texts if text.startswith(f"{tag}.")][: len(mine)] == mine
    assert len(texts) == len(set(texts))


def test_a_gateway_is_answered_by_the_commit_and_its_event_is_found_later(servers: ServerWorld) -> None:
    """A gateway's append does not wait for a place: its index is negative, and the event is found by its exchange soon after."""
    with servers.writer(), LedgerClientSync(servers.home.run / "writer.sock", "n1", "gateway", CLOCK, 10.0) as link:
        assert link.append([opened("ex_5")]) <= UNPLACED + 1 < 0
        deadline = time.monotonic() + 10
        with servers.reader() as reader:
            while not reader.find("ex_5"):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert reader.event(reader.find("ex_5")[0]).type == "exchange.opened"


def test_appends_go_on_without_a_sequencer(servers: ServerWorld) -> None:
    """While nobody leads, a gateway's events are acknowledged all the same, and get their places when somebody does."""
    servers.sql("UPDATE @.ledger SET holder = 'elsewhere', until = clock_timestamp() + interval '3 seconds'")
    with servers.writer(), LedgerClientSync(servers.home.run / "writer.sock", "n1", "gateway", CLOCK, 10.0) as link:
        began = time.monotonic()
        for number in range(20):
            link.append([note(f"n{number}")])
        assert time.monotonic() - began < 2.5
        assert servers.sql("SELECT placed FROM @.ledger") == [(2,)]
        link.checkpoint()
        assert int(str(servers.sql("SELECT size FROM @.ledger")[0][0])) >= 22
    check(servers)


def test_a_database_that_dies_under_load_loses_nothing(tmp_path: Path, storage: Storage) -> None:
    """PostgreSQL is killed and started again while two nodes append: every acknowledged event is there once."""
    own = Postgres()
    try:
        world = ServerWorld(tmp_path, own, storage, unused_name())
        second = world.node("n2")
        with world.writer(), world.writer(home=second):
            loads = [Load(world.home, "a"), Load(second, "b")]
            for load in loads:
                load.start()
            for _ in range(2):
                time.sleep(1.0)
                own.kill()
                time.sleep(0.3)
                own.start()
            time.sleep(1.5)
            done = [text for load in loads for text in load.finish()]
            with LedgerClientSync(second.run / "writer.sock", "n2", "control", CLOCK, 20.0) as link:
                link.checkpoint()
        check(world)
        with world.reader() as reader:
            texts = [event.body["note"] for _, event in reader.of_types("job.run")]
        assert len(texts) == len(set(texts))
        assert set(done) <= set(texts) and len(done) > 40
    finally:
        own.stop()


def test_a_database_that_does_not_sync_is_refused(tmp_path: Path, storage: Storage, postgres: Postgres) -> None:
    """A ledger is not founded on a PostgreSQL that acknowledges what is not on disk."""
    world = ServerWorld(tmp_path, postgres, storage, unused_name(), make=False)
    world.sql("ALTER SYSTEM SET full_page_writes = off")
    world.sql("SELECT pg_reload_conf()")
    try:
        time.sleep(0.5)
        with pytest.raises(BadInput, match="full_page_writes off"):
            found(world.home, RING, CLOCK, world.config)
    finally:
        world.sql("ALTER SYSTEM RESET full_page_writes")
        world.sql("SELECT pg_reload_conf()")
    assert not (world.home.root / "server.json").exists()


def test_only_the_same_log_can_be_joined(servers: ServerWorld, tmp_path: Path) -> None:
    """A home with another keyring or origin does not become a node, and a schema in use is not founded again."""
    with pytest.raises(Conflict, match="copy of its keyring"):
        join(create_home(tmp_path / "x", ORIGIN, NOW, "n2"), Keyring(bytes(32), bytes(32), "local"), servers.config)
    with pytest.raises(Conflict, match=ORIGIN):
        join(create_home(tmp_path / "y", "another.example/log", NOW, "n2"), RING, servers.config)
    with pytest.raises(Conflict, match="holds another ledger"):
        found(create_home(tmp_path / "z", ORIGIN, NOW, "n2"), RING, CLOCK, servers.config)
