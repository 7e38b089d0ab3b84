"""Full bundles, tiles and kept heads in storage that nobody can empty, and what happens when it is away, or only looks like that."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("asyncpg", reason="the package asyncpg is not installed")

from server_world import RING, Postgres, ServerWorld, Storage, note, unused_name
from test_homes_alike import Served
from test_server_fencing import check

from affiant.kit.clock import SystemClock
from affiant.kit.errors import BadInput, CouldNotLook, LedgerFault, NotFound
from affiant.ledger import LedgerClientSync
from affiant.ledger.serverhome import ObjectStore, found, save_config
from affiant.proof.hashes import leaf_hash, verify_inclusion
from affiant.proof.tiles import bundle_path, tile_path, unpack_bundle

pytestmark = pytest.mark.server
CLOCK = SystemClock()


def fill(world: ServerWorld, count: int) -> bytes:
    """Append so many events; gives a signed head over them."""
    with LedgerClientSync(world.home.run / "writer.sock", "n1", "control", CLOCK, 20.0) as link:
        for first in range(0, count, 500):
            link.append([note(f"event {first + n}") for n in range(min(500, count - first))])
        return link.checkpoint()


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def numbers(world: ServerWorld) -> tuple[int, int, int]:
    """(size, bundles archived, entries pruned)."""
    [(size, archived, pruned)] = world.sql("SELECT size, archived, pruned FROM @.ledger")
    return int(str(size)), int(str(archived)), int(str(pruned))


def test_full_bundles_go_to_storage_and_out_of_the_database(servers: ServerWorld) -> None:
    """Once bundles are in storage and read back, PostgreSQL lets their batches go; every entry and proof stays readable."""
    with servers.writer(keep_entries=500, state_every=500):
        fill(servers, 3_000)
        until(lambda: numbers(servers)[1] >= 11 and numbers(servers)[2] >= 2_048)
    size, archived, _pruned = numbers(servers)
    assert archived == size // 256
    with pytest.raises(LedgerFault), servers.reader() as reader:
        reader.entries_in_database(0, 256)  # type: ignore[attr-defined]
    with servers.reader() as reader:
        head = reader.checkpoint()
        for index in range(0, size, 97):
            verify_inclusion(index, head.size, leaf_hash(reader.entry(index)), reader.inclusion(index, head.size), head.root)
        texts = [event.body["note"] for _, event in reader.of_types("job.run")]
    assert texts == [f"event {n}" for n in range(3_000)]
    with closing(ObjectStore(servers.config)) as objects:
        assert len(unpack_bundle(objects.get(bundle_path(archived - 1)))) == 256
        assert len(objects.get(tile_path(0, archived - 1))) == 256 * 32
        with pytest.raises(NotFound):
            objects.get(bundle_path(archived))
    assert servers.sql("SELECT count(*) FROM @.staged") == [(0,)]
    check(servers)


def test_nobody_can_delete_or_weaken_what_is_locked(servers: ServerWorld) -> None:
    """With the writer's own key a bundle, a tile and a kept head can neither be deleted nor have their locks shortened."""
    with servers.writer():
        fill(servers, 600)
        until(lambda: numbers(servers)[1] >= 2)
    with closing(ObjectStore(servers.config)) as objects:
        for key in (bundle_path(0), tile_path(0, 1), f"checkpoints/{2:020d}"):
            answer = objects.request("GET", key)
            attacks = objects.attacks(key, answer.headers["x-amz-version-id"])
            assert {what: answer.status >= 400 for what, answer in attacks} == dict.fromkeys(dict(attacks), True)
            hidden = objects.request("DELETE", key)
            assert hidden.status in (204, 403), "without a version, a delete may at most put a marker"
            kept = objects.request("GET", key, {"versionId": answer.headers["x-amz-version-id"]})
            assert kept.status == 200 and kept.body == answer.body


def test_an_object_is_never_written_over(servers: ServerWorld) -> None:
    """The same bytes again are fine; other bytes under a name that is taken are a fault, and the first ones stay."""
    with closing(ObjectStore(servers.config)) as objects:
        assert objects.put("tile/0/000", b"first")
        assert not objects.put("tile/0/000", b"first")
        with pytest.raises(LedgerFault, match="another history"):
            objects.put("tile/0/000", b"second")
        assert objects.get("tile/0/000") == b"first"
        found_: list[bool] = []
        race = [threading.Thread(target=lambda n=n: _try(objects, b"%d" % n, found_)) for n in range(8)]
        for each in race:
            each.start()
        for each in race:
            each.join()
        assert found_.count(True) == 1


def _try(objects: ObjectStore, data: bytes, found_: list[bool]) -> None:
    try:
        found_.append(objects.put("race", data))
    except LedgerFault:
        found_.append(False)


def test_another_history_in_storage_stops_the_sequencer(servers: ServerWorld) -> None:
    """If storage holds other bytes where the first bundle belongs, the writer stops with that word and replaces nothing."""
    with closing(ObjectStore(servers.config)) as objects:
        objects.put(bundle_path(0), b"somebody else's")
        with servers.writer() as writer, LedgerClientSync(servers.home.run / "writer.sock", "n1", "gateway", CLOCK, 20.0) as link:
            link.append([note(f"{n}") for n in range(400)])
            assert writer.process.wait(timeout=30) == 1
        assert objects.get(bundle_path(0)) == b"somebody else's"
    assert not servers.check().good


def test_storage_that_is_away_stops_neither_events_nor_heads(tmp_path: Path, postgres: Postgres) -> None:
    """While storage hangs, events are acknowledged and signed; when it is back, it gets what it lacks."""
    own = Storage()
    try:
        world = ServerWorld(tmp_path, postgres, own, unused_name())
        with world.writer():
            fill(world, 300)
            until(lambda: numbers(world)[1] == 1)
            own.pause()
            fill(world, 1_000)
            size, archived, _ = numbers(world)
            assert size > 1_300 and archived == 1
            with world.reader() as reader:
                for index in (300, 700, 1_200):
                    verify_inclusion(index, size, leaf_hash(reader.entry(index)), reader.inclusion(index, size), reader.root(size))
            own.go_on()
            until(lambda: numbers(world)[1] >= 5)
        check(world)
    finally:
        own.stop()


@pytest.mark.parametrize("harm", ["entry", "tile", "head", "place"])
def test_alterations_in_the_database_are_named(servers: ServerWorld, harm: str) -> None:
    """The check names an entry, tile, kept head or place that somebody changed in PostgreSQL."""
    with servers.writer():
        fill(servers, 700)
        until(lambda: numbers(servers)[1] >= 2)
    flip = "set_byte(data, 80, get_byte(data, 80) # 1)"
    statements = {
        "entry": f"UPDATE @.batch SET data = {flip} WHERE first_index = (SELECT max(first_index) FROM @.batch WHERE count > 90)",
        "tile": f"UPDATE @.partial SET data = {flip} WHERE path LIKE 'tile/0/%'",
        "head": "UPDATE @.head SET root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE size = (SELECT max(size) FROM @.head)",
        "place": "UPDATE @.batch SET first_index = first_index + 100000 WHERE first_index = (SELECT max(first_index) FROM @.batch)",
    }
    servers.sql(statements[harm])
    report = servers.check()
    assert report.exit_code in (1, 3) and any(step.ok == 0 for step in report.steps), "\n".join(report.lines())


class _Pretender(BaseHTTPRequestHandler):
    """Answers like S3 with locks, and lets everything be deleted."""

    objects: dict[str, bytes]

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amz-version-id", "v1")
        self.send_header("x-amz-object-lock-mode", "COMPLIANCE")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if "object-lock" in self.path:
            self._answer(200, b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>")
        else:
            self._answer(200, self.objects.get(self.path, b""))

    def do_PUT(self) -> None:
        self.objects[self.path] = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(200)

    def do_DELETE(self) -> None:
        self._answer(204)

    def log_message(self, format: str, *args: object) -> None:
        return


def test_storage_that_only_looks_locked_is_refused(tmp_path: Path, postgres: Postgres, storage: Storage) -> None:
    """A storage that answers like S3 but lets a locked object be deleted is found out before anything is founded on it."""
    _Pretender.objects = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pretender)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        world = ServerWorld(tmp_path, postgres, storage, unused_name(), make=False)
        config = dataclasses.replace(world.config, endpoint=f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(BadInput, match="does not keep COMPLIANCE locks: deleting it was allowed"):
            found(world.home, RING, CLOCK, config)
        assert not (world.home.root / "server.json").exists()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_bucket_without_object_lock_is_refused(tmp_path: Path, postgres: Postgres, storage: Storage) -> None:
    """A bucket that was made without Object Lock, or a key that is wrong, is told apart and nothing is founded."""
    world = ServerWorld(tmp_path, postgres, storage, unused_name(), make=False)
    config = dataclasses.replace(world.config, bucket="plain")
    with closing(ObjectStore(config)) as objects:
        assert objects.request("PUT", "").status == 200
    with pytest.raises(BadInput, match="no Object Lock"):
        found(world.home, RING, CLOCK, config)
    with pytest.raises(CouldNotLook):
        found(world.home, RING, CLOCK, dataclasses.replace(world.config, secret_key="env:AFFIANT_TEST_S3_KEY"))
    with pytest.raises(CouldNotLook, match="cannot be used"):
        found(world.home, RING, CLOCK, dataclasses.replace(world.config, endpoint="http://127.0.0.1:9"))
    assert not (world.home.root / "server.json").exists()


def test_what_cannot_be_read_is_not_served(servers: ServerWorld) -> None:
    """Where storage is away or holds a damaged bundle, outside readers are told so, each by its own status, and get no wrong byte."""
    with servers.writer():
        fill(servers, 600)
        until(lambda: numbers(servers)[1] >= 2)
        with closing(ObjectStore(servers.config)) as objects:
            assert objects.request("PUT", bundle_path(1), body=b"no bundle").status == 200
        with closing(Served(servers.home)) as served:
            assert served.ask(f"/{bundle_path(0)}")[0] == 200
            assert served.ask(f"/{bundle_path(1)}")[0] == 500
        save_config(servers.home, dataclasses.replace(servers.config, endpoint="http://127.0.0.1:9"))
        with closing(Served(servers.home)) as served:
            assert served.ask("/checkpoint")[0] == 200
            assert served.ask(f"/{tile_path(0, 0)}")[0] == 503
        save_config(servers.home, servers.config)


def test_a_bundle_that_storage_hides_stays_in_the_database(servers: ServerWorld) -> None:
    """While a marker lies over a bundle its entries do not leave PostgreSQL, the node says so and goes on; without the marker they go."""
    with servers.writer(keep_entries=100_000) as writer:
        fill(servers, 1_000)
        until(lambda: numbers(servers)[1] >= 3)
        writer.end()
    with closing(ObjectStore(servers.config)) as objects:
        assert objects.request("DELETE", bundle_path(0)).status == 204
        with servers.writer(keep_entries=100, state_every=100), link(servers) as one:
            until(lambda: "tile/entries/000 is not there" in one.status()["fault"])
            one.append([note("goes on")])
            one.checkpoint()
            assert numbers(servers)[2] == 0
            [marker] = [each for each in objects.versions(bundle_path(0)) if each.marker]
            assert objects.remove(marker) is None
            until(lambda: numbers(servers)[2] >= 512)
            until(lambda: one.status()["fault"] == "")
    check(servers)


def link(world: ServerWorld) -> LedgerClientSync:
    return LedgerClientSync(world.home.run / "writer.sock", "n1", "control", CLOCK, 20.0)
