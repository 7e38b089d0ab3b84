"""Snapshots to workers: pushes, confirmations, revocations and leases, over a real socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from records_world import World, world

from affiant.kit.errors import CouldNotLook
from affiant.records import SnapshotServer
from affiant.records.frames import pack, read_frame, socket_name
from affiant.records.leases import LeaseBook
from affiant.records.snapshot import Ack, Confirm, Grant, Lease, LimitSnap, Push, ToWorker

_decoder = msgspec.msgpack.Decoder(ToWorker)


class FakeWorker:
    """A worker that acknowledges what it gets, or keeps silent when told to."""

    def __init__(self, name: str) -> None:
        self.name, self.silent, self.confirms = name, False, 0
        self.snapshots: list[Push] = []
        self.grants: dict[int, int] = {}

    async def connect(self, path: Path) -> None:
        with socket_name(path) as name:
            self.reader, self.writer = await asyncio.open_unix_connection(name)
        self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        while (frame := await read_frame(self.reader)) is not None:
            message = _decoder.decode(frame)
            if isinstance(message, Grant):
                self.grants[message.number] = message.granted
                continue
            if isinstance(message, Push):
                self.snapshots.append(message)
            self.confirms += isinstance(message, Confirm)
            if not self.silent:
                self.writer.write(pack(Ack(self.name, self.snapshots[-1].snapshot.epoch, 1, 2)))

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()
        await self.task


async def until(condition: Callable[[], bool], timeout_s: float = 5) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


def serve(tmp_path: Path, story: Callable[[World, SnapshotServer, FakeWorker, FakeWorker], Awaitable[None]]) -> None:
    """Run a story with a server and two workers."""

    async def run(w: World) -> None:
        server = SnapshotServer(w.records, w.home.run / "snapshot.sock")
        await server.start()
        one, two = FakeWorker("gateway-0"), FakeWorker("gateway-1")
        try:
            await one.connect(server.path)
            await two.connect(server.path)
            await until(lambda: server.view.workers == 2)
            await story(w, server, one, two)
        finally:
            for worker in (one, two):
                await worker.close()
            await server.stop()

    with world(tmp_path) as w:
        asyncio.run(run(w))


def test_a_change_reaches_every_worker(tmp_path: Path) -> None:
    """What is activated in another thread is pushed, and wait_epoch returns once both workers decide from it."""

    async def story(w: World, server: SnapshotServer, one: FakeWorker, two: FakeWorker) -> None:
        model = {"provider": "sim", "upstream": "two", "version": "2", "approved_by": "bo"}
        await asyncio.to_thread(w.in_force, "model", "m2", model)
        assert await server.wait_epoch(w.records.epoch, 3)
        for worker in (one, two):
            assert {model.id for model in worker.snapshots[-1].snapshot.models} == {"m1", "m2"}
        assert server.ready
        assert (server.view.ready, server.view.in_flight) == (2, 4)

    serve(tmp_path, story)


def test_a_revocation_is_done_when_every_worker_confirmed(tmp_path: Path) -> None:
    """While one worker is silent the key is revoking; when it answers, key.revoked gives the measured time and both workers."""

    async def story(w: World, server: SnapshotServer, one: FakeWorker, two: FakeWorker) -> None:
        two.silent = True
        started = time.monotonic()
        assert (await asyncio.to_thread(w.records.revoke_key, "k1", "di")).state == "revoking"
        epoch = w.events("key.revoke_requested")[0].body["epoch"]
        await until(lambda: one.snapshots[-1].snapshot.epoch == epoch)
        assert not await server.wait_epoch(epoch, 0.3)
        assert not w.events("key.revoked")
        two.silent = False
        await until(lambda: bool(w.events("key.revoked")))
        body = w.events("key.revoked")[0].body
        assert (body["workers"], body["epoch"]) == (2, epoch)
        assert 250 <= body["elapsed_ms"] <= (time.monotonic() - started) * 1000 + 1
        assert w.records.key("k1").state == "revoked"

    serve(tmp_path, story)


def test_a_worker_that_is_gone_holds_nothing_up(tmp_path: Path) -> None:
    """A revocation waits only for workers in contact; observers see the loss."""

    async def story(w: World, server: SnapshotServer, one: FakeWorker, two: FakeWorker) -> None:
        seen: list[int] = []
        server.observe(lambda view: seen.append(view.workers))
        await until(lambda: 2 in seen)
        await two.close()
        await asyncio.to_thread(w.records.revoke_key, "k1", "di")
        await until(lambda: bool(w.events("key.revoked")))
        assert w.events("key.revoked")[0].body["workers"] == 1
        await until(lambda: seen[-1] == 1)

    serve(tmp_path, story)


def test_a_revocation_left_open_is_finished_after_a_restart(tmp_path: Path) -> None:
    """Control that died between request and confirmation finishes it when it comes back, waiting for workers to return first."""

    async def run(w: World) -> None:
        w.records.serving = True
        w.records.revoke_key("k1", "di")
        server = SnapshotServer(w.records, w.home.run / "snapshot.sock")
        await server.start()
        await asyncio.sleep(0.2)
        assert not w.events("key.revoked")
        worker = FakeWorker("gateway-0")
        await worker.connect(server.path)
        await until(lambda: bool(w.events("key.revoked")))
        assert w.events("key.revoked")[0].body["workers"] == 1
        await worker.close()
        await server.stop()

    with world(tmp_path) as w:
        asyncio.run(run(w))


def test_nothing_is_confirmed_while_records_cannot_be_read(tmp_path: Path) -> None:
    """If records.db cannot be read workers get no confirmation, so that they stop by themselves; afterwards all is well again."""

    async def story(w: World, server: SnapshotServer, one: FakeWorker, two: FakeWorker) -> None:
        await until(lambda: one.confirms > 0)
        with w.records._units.database.transaction() as connection:
            connection.execute("ALTER TABLE counters RENAME TO hidden")
        await until(lambda: server.fault is not None)
        confirms = one.confirms
        await asyncio.sleep(0.6)
        assert one.confirms == confirms
        with w.records._units.database.transaction() as connection:
            connection.execute("ALTER TABLE hidden RENAME TO counters")
        await until(lambda: server.fault is None and one.confirms > confirms)

    serve(tmp_path, story)


def test_the_turn_of_a_month_brings_keys(tmp_path: Path) -> None:
    """When the wall clock enters a new month the next month's keys are pushed."""

    async def story(w: World, server: SnapshotServer, one: FakeWorker, two: FakeWorker) -> None:
        w.clock.value_us += 40 * 86_400_000_000
        await until(lambda: ("acme", 202603) in {(key.tenant, key.month) for key in one.snapshots[-1].snapshot.tenant_keys})

    serve(tmp_path, story)


def test_leases_over_the_socket(tmp_path: Path) -> None:
    """Two workers together never get more than the limit."""

    async def story(w: World, server: SnapshotServer, one: FakeWorker, two: FakeWorker) -> None:
        raw = {"scope": "all", "unit": "requests", "window": "1m", "value": 10}
        await asyncio.to_thread(w.in_force, "limit", "", raw)
        assert await server.wait_epoch(w.records.epoch, 3)
        window = w.clock.now_us() // 60_000_000
        for number in range(20):
            for worker in (one, two):
                worker.writer.write(pack(Lease(number, "all/requests/60s", "all", window, 3)))
        await until(lambda: len(one.grants) == len(two.grants) == 20)
        assert sum(one.grants.values()) + sum(two.grants.values()) == 10

    serve(tmp_path, story)


def test_a_lease_book_remembers_and_counts_subjects_apart(tmp_path: Path) -> None:
    """After a restart nothing is granted twice; `key:*` counts each key by itself; other windows and limits get nothing."""
    shared, each = LimitSnap("all", "all", "tokens", 60, 100), LimitSnap("each", "key:*", "tokens", 60, 100)
    now_s = 6_000
    book = LeaseBook(tmp_path / "leases")
    book.set_limits((shared, each))
    assert book.grant(Lease(1, "all", "key:a", 100, 70), now_s) == 70
    assert book.grant(Lease(2, "each", "key:a", 100, 70), now_s) == 70
    book.close()
    with open(tmp_path / "leases", "a", encoding="utf-8") as file:
        file.write("all - 100")  # torn by a crash
    book = LeaseBook(tmp_path / "leases")
    book.set_limits((shared, each))
    assert book.grant(Lease(3, "all", "key:b", 100, 70), now_s) == 30
    assert book.grant(Lease(4, "each", "key:b", 100, 170), now_s) == 100
    assert book.grant(Lease(5, "all", "key:b", 103, 1), now_s) == 0
    assert book.grant(Lease(6, "none", "key:b", 100, 1), now_s) == 0
    book.close()
    book = LeaseBook(tmp_path / "leases")
    book.set_limits((shared, each))
    assert book.grant(Lease(8, "all", "key:a", 100, 1), now_s) == 0
    book._compact(now_s + 120)
    assert book.grant(Lease(7, "all", "key:b", 102, 1), now_s + 120) == 1
    book.close()


def test_a_server_that_cannot_listen_says_so(tmp_path: Path) -> None:
    """A missing run directory is an error in words."""

    async def run(w: World) -> None:
        server = SnapshotServer(w.records, w.home.root / "nowhere" / "snapshot.sock")
        with pytest.raises(CouldNotLook, match="cannot be made"):
            await server.start()
        await server.stop()

    with world(tmp_path) as w:
        asyncio.run(run(w))
