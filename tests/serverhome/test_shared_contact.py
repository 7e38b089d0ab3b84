"""What workers of several nodes decide from: a change reaches all of them, a revocation is done when all of them confirmed it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("asyncpg", reason="the package asyncpg is not installed")

sys.path.append(str(Path(__file__).parents[1] / "records"))

from server_world import Postgres, ServerWorld, Storage, unused_name
from test_records_server import FakeWorker, until
from test_shared_records import Nodes

from affiant.kit import postgres as kit_postgres
from affiant.kit.errors import CouldNotLook
from affiant.records import Records, SnapshotServer

pytestmark = pytest.mark.server


@dataclass
class Side:
    """One node: its door, its snapshot server, one worker."""

    records: Records
    server: SnapshotServer
    worker: FakeWorker

    def revoked(self, key: str) -> bool:
        """Whether the worker decides from a snapshot in which the key is revoked."""
        return any(each.id == key and each.revoked for each in self.worker.snapshots[-1].snapshot.keys)


@contextlib.asynccontextmanager
async def serving(records: Records) -> AsyncIterator[Side]:
    """Serve a node's snapshots to one worker."""
    server = SnapshotServer(records, records.home.run / "snapshot.sock")
    await server.start()
    worker = FakeWorker("gateway-0")
    try:
        await worker.connect(server.path)
        await until(lambda: server.view.workers == 1)
        yield Side(records, server, worker)
    finally:
        await worker.close()
        await server.stop()
        records.serving = False


def both(servers: ServerWorld, story: Callable[[Nodes, Side, Side], Awaitable[None]]) -> None:
    """Run a story with two nodes that serve."""

    async def run() -> None:
        made = await asyncio.to_thread(Nodes, servers)
        try:
            async with serving(made.a) as one, serving(made.b) as two:
                await until(lambda: one.server._elsewhere.confirmed == two.server.snapshot.epoch == one.server.snapshot.epoch)
                await until(lambda: two.server._elsewhere.confirmed == one.server.snapshot.epoch)
                await story(made, one, two)
        finally:
            made.a.close()
            made.b.close()

    asyncio.run(run())


def test_a_revocation_reaches_the_other_node_within_two_seconds(servers: ServerWorld) -> None:
    """Revoked on one node, refused on the other; `key.revoked` counts the workers of both."""

    async def story(made: Nodes, one: Side, two: Side) -> None:
        began = time.monotonic()
        asked = await asyncio.to_thread(made.a.revoke_key, "k1", "di")
        assert asked.state == "revoking"
        await until(lambda: two.revoked("k1"), 2.0)
        assert await one.server.wait_epoch(made.a.epoch, 2.0)
        assert time.monotonic() - began < 2.0
        await until(lambda: bool(made.events("key.revoked")))
        assert made.events("key.revoked")[0].body["workers"] == 2
        assert made.b.key("k1").state == "revoked" and len(made.events("key.revoked")) == 1

    both(servers, story)


def test_a_revocation_waits_for_every_node_that_is_alive(servers: ServerWorld) -> None:
    """While a worker of the other node is silent the key is revoking; a node that is silent for too long no longer counts."""

    async def story(made: Nodes, one: Side, two: Side) -> None:
        two.worker.silent = True
        await asyncio.to_thread(made.a.revoke_key, "k1", "di")
        assert not await one.server.wait_epoch(made.a.epoch, 1.0)
        assert one.revoked("k1") and not made.events("key.revoked")
        two.worker.silent = False
        assert await one.server.wait_epoch(made.a.epoch, 3.0)
        await until(lambda: bool(made.events("key.revoked")))

        for task in two.server._tasks:
            task.cancel()  # as a node whose machine is gone: it says nothing, not even goodbye
        await asyncio.to_thread(made.a.create_key, "cy", ["m1"], "ann", "acme", 0, "k2")
        await asyncio.to_thread(made.a.revoke_key, "k2", "di")
        await asyncio.sleep(1.0)
        assert len(made.events("key.revoked")) == 1
        with made.a._units.database.transaction() as connection:
            connection.execute("UPDATE contact SET seen = seen - interval '12 seconds' WHERE node = 'n2'")
        await until(lambda: len(made.events("key.revoked")) == 2)
        assert made.events("key.revoked")[1].body["workers"] == 1

    both(servers, story)


def test_a_command_beside_a_serving_node_does_not_speak_for_it(servers: ServerWorld) -> None:
    """Revoked by a node that serves nothing, the key is revoked when the node that serves has confirmed it."""

    async def run() -> None:
        made = await asyncio.to_thread(Nodes, servers)
        try:
            async with serving(made.a) as one:
                one.worker.silent = True
                asked = await asyncio.to_thread(made.b.revoke_key, "k1", "di")
                assert asked.state == "revoking"
                await asyncio.sleep(0.5)
                assert not made.events("key.revoked")
                one.worker.silent = False
                await until(lambda: bool(made.events("key.revoked")))
                assert made.events("key.revoked")[0].producer == "n1/records/0"
            await asyncio.to_thread(made.b.create_key, "cy", ["m1"], "ann", "acme", 0, "k2")
            assert (await asyncio.to_thread(made.b.revoke_key, "k2", "di")).state == "revoked"
        finally:
            made.a.close()
            made.b.close()

    asyncio.run(run())


def test_without_postgresql_nothing_is_confirmed(tmp_path: Path, storage: Storage) -> None:
    """While records cannot be read no confirmation is given for a later look than the last good one; afterwards all is well again."""
    own = Postgres()

    async def story(made: Nodes, one: Side, two: Side) -> None:
        await until(lambda: one.worker.confirms > 0)
        own.kill()
        await until(lambda: one.server.fault is not None and two.server.fault is not None, 10)
        looked, confirms = one.server._looked_ns, one.worker.confirms
        await asyncio.sleep(1.0)
        assert (one.server._looked_ns, one.worker.confirms) == (looked, confirms)
        with pytest.raises(CouldNotLook):
            await asyncio.to_thread(made.a.revoke_key, "k1", "di")
        await asyncio.to_thread(own.start)
        await until(lambda: one.server.fault is None and one.worker.confirms > confirms, 20)
        await asyncio.to_thread(made.a.revoke_key, "k1", "di")
        await until(lambda: two.revoked("k1"), 2.0)

    try:
        both(ServerWorld(tmp_path, own, storage, unused_name()), story)
    finally:
        own.stop()


def test_a_postgresql_that_hangs_confirms_nothing(tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it takes connections and says nothing, no look begins anew, so that workers stop; it goes on when PostgreSQL does."""
    monkeypatch.setattr(kit_postgres, "LOOK_S", 0.5)
    monkeypatch.setattr(kit_postgres, "CONNECT_S", 0.5)
    own = Postgres()

    async def story(made: Nodes, one: Side, two: Side) -> None:
        own.signal(signal.SIGSTOP)
        stopped = time.monotonic_ns()
        await until(lambda: one.server.fault is not None and two.server.fault is not None, 10)
        await asyncio.sleep(1.0)
        assert max(one.server._looked_ns, two.server._looked_ns) <= stopped
        own.signal(signal.SIGCONT)
        await until(lambda: one.server.fault is None and two.server.fault is None, 20)
        await asyncio.to_thread(made.a.revoke_key, "k1", "di")
        await until(lambda: two.revoked("k1"), 2.0)

    try:
        both(ServerWorld(tmp_path, own, storage, unused_name()), story)
    finally:
        own.signal(signal.SIGCONT)
        own.stop()


def test_a_confirmation_counts_from_the_look_behind_it(servers: ServerWorld) -> None:
    """Pushes and confirmations say when the look began, and never that an epoch was newest when a later one had been seen."""

    async def story(made: Nodes, one: Side, two: Side) -> None:
        compile_now = made.b.compile
        made.b.compile = lambda: time.sleep(0.6) or compile_now()  # type: ignore[method-assign, func-returns-value]
        before = time.monotonic_ns()
        await asyncio.to_thread(made.a.revoke_key, "k1", "di")
        asked = time.monotonic_ns()
        await asyncio.sleep(0.4)
        assert two.server._looked_ns < asked and not two.revoked("k1")
        await until(lambda: two.revoked("k1"), 3.0)
        assert two.worker.snapshots[-1].looked_ns > before - 300_000_000

    both(servers, story)
