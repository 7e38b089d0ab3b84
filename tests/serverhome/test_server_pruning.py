"""Pruning a ledger on servers: locks decide what leaves storage, the term decides who prunes, and a kill anywhere is made up for."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("asyncpg", reason="the package asyncpg is not installed")

from prune_world import DAY, NEW, OLD, age, client, decide, take
from server_world import RING, EmbeddedWorld, Postgres, ServerWorld, Storage, config, note, unused_name
from test_server_fencing import begin, with_store

from affiant.app import main
from affiant.kit.clock import ClockFile, open_clock
from affiant.kit.errors import Conflict, LedgerFault
from affiant.kit.home import open_home
from affiant.ledger import Draft
from affiant.ledger.floor import PrunedError
from affiant.ledger.opening import holdings_of
from affiant.ledger.retention import plan_prune
from affiant.ledger.serverhome import LedgerStore, ObjectStore, ServerReader, SupersededError, migrate, objects, pruning
from affiant.ledger.serverhome.floor import Removal, move_floor
from affiant.ledger.serverhome.holdings import bundle_versions, lasting_key
from affiant.ledger.serverhome.reader import FRESH_S
from affiant.proof.tiles import bundle_path, tile_path

pytestmark = pytest.mark.server
MINIMUM = 1_536
SHORT_S = 4
STEPS = ("copies kept", "packs made", "floor moved", "derived removed", "objects removed")


@pytest.fixture
def old(tmp_path: Path, clock: ClockFile, postgres: Postgres, storage: Storage) -> ServerWorld:
    """A ledger on servers that began long ago; its objects are locked for a day."""
    return ServerWorld(tmp_path, postgres, storage, unused_name(), open_clock())


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written from now on is locked for seconds (as long as a slow machine may take to send it): a test cannot wait for a day."""
    monkeypatch.setenv("AFFIANT_TEST_DAY_S", str(SHORT_S))
    monkeypatch.setattr(objects, "DAY", timedelta(seconds=SHORT_S))


def good(world: ServerWorld) -> None:
    report = world.check()
    assert report.good, "\n".join(report.lines())


def bundles(world: ServerWorld, stop: int = MINIMUM) -> list[objects.Version]:
    """Versions and markers of bundles below an index that are in storage."""
    with ServerReader(world.home, world.config) as reader:
        return list(bundle_versions(reader, 0, stop))


def locks_end(world: ServerWorld) -> None:
    """Wait until the lock of every bundle below the minimum index is over."""
    deadline = time.monotonic() + 30
    with closing(ObjectStore(world.config)) as store:
        for number in range(MINIMUM // 256):
            while (found := store.lock_of(bundle_path(number)))[0] is None or found[1] >= datetime.now(UTC):
                assert time.monotonic() < deadline
                time.sleep(0.1)


def below(world: ServerWorld) -> int:
    """Batches in PostgreSQL that hold an entry below the minimum index."""
    return int(str(world.sql("SELECT count(*) FROM @.batch WHERE first_index < $1", MINIMUM)[0][0]))


def test_locked_bundles_are_named_and_left_and_nobody_reads_them(old: ServerWorld, clock: ClockFile) -> None:
    """Under a lock the rows go, readers refuse, and the command says of each bundle until when storage keeps it."""
    now = open_clock()
    with old.writer():
        age(old, clock, now)
        with old.reader() as reader:
            plan = plan_prune(reader, holdings_of(reader), OLD + 30 * DAY, NEW, [])
        assert plan.locked_until_us > time.time() * 1_000_000
        assert plan.files == MINIMUM // 256 and plan.bytes > 100_000
        assert decide(old, now) == MINIMUM
        assert below(old) > 0
        taken = take(old, now)
        assert (taken.stop, taken.bytes, below(old)) == (MINIMUM, 0, 0)
        assert sorted(each["key"] for each in taken.locked) == sorted(bundle_path(number) for number in range(MINIMUM // 256))
        assert all(each["until_us"] > time.time() * 1_000_000 for each in taken.locked)
        with old.reader() as reader:
            assert plan_prune(reader, holdings_of(reader), OLD + 30 * DAY, NEW, []).left == MINIMUM // 256
            with pytest.raises(PrunedError):
                reader.entry(77)
        again = take(old, now)
        assert (len(again.locked), again.index) == (MINIMUM // 256, -1)
    assert len(bundles(old)) == MINIMUM // 256
    good(old)


class _StopError(Exception):
    """Somebody stops the command."""


def _stop_at(wanted: str) -> Callable[[str], None]:
    def told(step: str) -> None:
        if step == wanted:
            raise _StopError

    return told


def test_what_has_outlived_its_lock_goes_with_all_versions_and_markers(old: ServerWorld, clock: ClockFile, short: None) -> None:
    """Markers, further versions and the bundles themselves go; a version that somebody locked longer or holds is named and left."""
    now = open_clock()
    with old.writer(), closing(ObjectStore(old.config)) as store:
        age(old, clock, now)
        decide(old, now)
        locks_end(old)
        assert store.request("DELETE", bundle_path(1)).status == 204
        with pytest.raises(LedgerFault, match=r"tile/entries/001 is missing"):
            take(old, now)  # what goes is held against the tree before
        [marker] = [each for each in bundles(old) if each.marker]
        assert store.remove(marker) is None
        with pytest.raises(_StopError):
            take(old, now, told=_stop_at("floor moved"))

        until = datetime.now(UTC) + timedelta(days=2)
        lock = {"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
        for headers, key in ((lock, bundle_path(2)), ({}, bundle_path(3)), ({"x-amz-object-lock-legal-hold": "ON"}, bundle_path(4))):
            assert store.request("PUT", key, headers=headers, body=b"another version").status == 200
        assert store.request("DELETE", bundle_path(1)).status == 204
        assert len(bundles(old)) == MINIMUM // 256 + 4
        taken = take(old, now)
        locked = {each["key"]: each["until_us"] // 1_000_000 for each in taken.locked}
        assert locked == {bundle_path(2): int(until.timestamp()), bundle_path(4): 0}
        assert taken.bundle_bytes > 100_000
        assert [each.key for each in bundles(old)] == [bundle_path(2), bundle_path(4)]
        assert len(store.get(tile_path(0, 0))) == 8_192 and b"ledger.created" in store.get(lasting_key(0))
        good(old)
        again = take(old, now)
        assert (again.bundle_bytes, len(again.locked)) == (0, 2)


def test_versions_are_listed_over_many_pages(old: ServerWorld) -> None:
    """A storage that gives its list in pieces gives all of it."""
    with closing(ObjectStore(old.config)) as store:
        names = [f"tile/entries/x{number // 1000:03d}/{number % 1000:03d}" for number in range(1_020)]
        for done in [store.threads.submit(store.request, "PUT", name) for name in names]:
            assert done.result().status == 200
        store.request("DELETE", "tile/entries/x000/500")
        found = list(store.versions("tile/entries/"))
    assert len(found) == 1_021 and len({each.key for each in found}) == 1_020
    assert [each.key for each in found if each.marker] == ["tile/entries/x000/500"]


def _in_child(work: Callable[[], Any]) -> bool:
    """Run in a process of its own; whether it was killed."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize("stop", STEPS)
def test_killed_after_each_step(
    old: ServerWorld, clock: ClockFile, short: None, tmp_path: Path, stop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command killed after a step leaves a ledger that verifies and goes on; asking again finishes it, and the entry stands once."""
    monkeypatch.setattr(pruning, "VERSIONS_AT_ONCE", 2)
    now = open_clock()
    with old.writer():
        age(old, clock, now)
        decide(old, now)
        locks_end(old)

        def told(step: str) -> None:
            if step == stop:
                os.kill(os.getpid(), signal.SIGKILL)

        assert _in_child(lambda: take(old, now, tmp_path / "cold", told=told))
        with client(old, now) as link:
            link.append([note("between")])
            link.checkpoint()
        good(old)
        taken = take(old, now, tmp_path / "cold")
        assert (taken.stop, taken.locked) == (MINIMUM, ())
        with old.reader() as reader:
            assert len(list(reader.of_types("ledger.removed"))) == 1
    assert bundles(old) == [] and below(old) == 0
    with old.writer(), client(old, now) as link:
        link.append([note("after")])
        link.checkpoint()
    good(old)


class _Wish:
    """What a command would ask of the holder of a term."""

    def __init__(self, world: ServerWorld) -> None:
        self.asked: dict[str, Any] = {}

        def catch(asked: dict[str, Any]) -> int:
            self.asked = asked
            raise InterruptedError

        with pytest.raises(InterruptedError), ServerReader(world.home, world.config) as reader:
            pruning.take_away(reader, catch, None, "person:bo")

    def read(self, **other: Any) -> Removal:
        return Removal.read(self.asked | other)


def test_a_node_that_was_paused_past_its_takeover_prunes_nothing(old: ServerWorld, clock: ClockFile) -> None:
    """Stopped before its first step or its last one, the holder of an older term finds another in force, and the floor stays."""
    now = open_clock()
    with old.writer():
        age(old, clock, now)
        decide(old, now)
    wish = _Wish(old)

    async def work(store: LedgerStore) -> None:
        paused = await begin(store, old, "paused")
        await begin(store, old, "new")
        with pytest.raises(SupersededError):
            await move_floor(paused, store, wish.read())
        assert (await store.ledger()).held == 0

        stopped = await begin(store, old, "stopped")

        class Stopping(LedgerStore):
            async def take_away(self, *values: Any, **named: Any) -> bool:
                await begin(store, old, "newer")
                return await super().take_away(*values, **named)

        with pytest.raises(SupersededError):
            await move_floor(stopped, Stopping(store.config, store.pool), wish.read())
        assert (await store.ledger()).held == 0
        assert await store.placed_rows(0, MINIMUM)

        # Its entry is in the ledger: whoever asks next finds it, and does not write another.
        last = await begin(store, old, "last")
        index = await move_floor(last, store, wish.read())
        assert index < (await store.ledger()).head.size
        assert (await store.ledger()).held == MINIMUM
        with pytest.raises(Conflict, match=f"held from entry {MINIMUM} on"):
            await move_floor(last, store, wish.read())
        await store.resign(last.number)

    with_store(old, work)
    with old.reader() as reader:
        assert len(list(reader.of_types("ledger.removed"))) == 1
    good(old)
    with old.writer(), client(old, now) as link:
        link.append([note("after")])
        link.checkpoint()
    good(old)


def test_a_hold_of_another_node_stops_pruning(old: ServerWorld, clock: ClockFile) -> None:
    """Holds are read from the ledger, since each node has records of its own; one that comes between looking and doing stops it, too."""
    now = open_clock()
    other = old.node("n2")

    def put(kind: str, ref: str) -> None:
        with client(old, now) as link:
            link.append([Draft(kind, {"scope": "all", "why": "x", "by": "cy"}, ref=ref, actor="person:cy")])
            link.checkpoint()

    with old.writer(), old.writer(home=other):
        age(old, clock, now)
        decide(old, now)
        wish = _Wish(old)
        put("hold.placed", "lh_x")
        with pytest.raises(Conflict, match="lh_x is in force"):
            take(old, now)
        with old.reader() as reader:
            assert plan_prune(reader, holdings_of(reader), OLD + 30 * DAY, NEW, []).refused == ("the legal hold lh_x is in force",)
        with pruning.leading(old.home, now) as lead, pytest.raises(Conflict, match="lh_x was placed meanwhile"):
            lead(wish.asked)
        with old.reader() as reader:
            assert reader.begin == 0 and not list(reader.of_types("ledger.removed"))
        put("hold.released", "lh_x")
        assert take(old, now).stop == MINIMUM
        put("hold.placed", "lh_y")
        with pytest.raises(Conflict, match="lh_y is in force"):
            take(old, now)
    good(old)


def test_every_node_learns_the_floor_and_one_that_joins_leads(old: ServerWorld, clock: ClockFile) -> None:
    """A reader that was open, another node's derived files, a node that joins later and one that takes over all begin with what is held."""
    now = open_clock()
    second = old.node("n2")
    with old.writer(), ServerReader(second, old.config) as there, ServerReader(old.home, old.config) as here:
        age(old, clock, now)
        assert len(there.find("job_3")) == 1 and there.event(77).type == "job.run"
        assert len(here.find("job_3")) == 1
        decide(old, now)
        take(old, now)
        time.sleep(FRESH_S)
        for reader in (there, here):
            with pytest.raises(PrunedError):
                reader.event(77)
            assert (reader.begin, reader.find("job_3"), len(reader.find("new_3"))) == (MINIMUM, [], 1)
        for home in (second, old.home):
            assert b"job_3\x00" not in b"".join(path.read_bytes() for path in home.derived.glob("index.db*")) + b"\x00"
    third = old.node("n3")
    with old.writer(home=third), client(old, now, home=third) as link:
        link.append([note("by the third")])
        link.checkpoint()
    with ServerReader(third, old.config) as reader:
        assert reader.vkey and len(reader.find("new_3")) == 1 and reader.begin == MINIMUM
        assert reader.first_since(0) == MINIMUM
    good(old)


def test_a_home_that_nothing_serves_leads_for_a_moment(old: ServerWorld, clock: ClockFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pruning needs no node that serves."""
    now = open_clock()
    with old.writer():
        age(old, clock, now)
        decide(old, now)
    monkeypatch.setattr(pruning, "open_keyring", lambda home: RING)  # this world's keyring lies in no file
    assert take(old, now).stop == MINIMUM
    good(old)


@pytest.mark.parametrize("harm", ["record", "floor", "lasting", "copy", "row", "tile"])
def test_harm_to_what_pruning_left_is_named(old: ServerWorld, clock: ClockFile, harm: str) -> None:
    """A changed floor, producers' state, lasting copy, hash tile or a row put back is contradicted by tree or entry."""
    now = open_clock()
    with old.writer():
        age(old, clock, now)
        decide(old, now)
        take(old, now)
    statements = {
        "record": "UPDATE @.floor SET record = convert_to(replace(convert_from(record, 'UTF8'), '\"live\":[[', '\"live\":[[1],['), 'UTF8')",
        "floor": "UPDATE @.ledger SET held = 256",
        "lasting": "DELETE FROM @.lasting WHERE index > 0",
        "copy": "UPDATE @.lasting SET entry = set_byte(entry, 9, 88) WHERE index > 0",
        "row": "INSERT INTO @.batch(producer, first_seq, count, data, marks, first_index) VALUES ('x', 0, 1, '', '', 5)",
    }
    if harm in statements:
        old.sql(statements[harm])
    else:
        with closing(ObjectStore(old.config)) as store:
            assert store.request("PUT", tile_path(0, 1), body=bytes(8_192)).status == 200
    report = old.check()
    assert report.exit_code == 1, "\n".join(report.lines())
    if harm == "record":
        with old.reader() as reader, pytest.raises(LedgerFault, match="contradict one another"):
            reader.floor()


def test_the_sequencer_prunes_its_own_copies_while_the_floor_moves(old: ServerWorld, clock: ClockFile) -> None:
    """With few entries kept in PostgreSQL and steps without pause, moving the floor disturbs neither archive nor terms."""
    now = open_clock()
    with old.writer(keep_entries=300, state_every=200, archive_s=0.01):
        age(old, clock, now)
        for before in (OLD + 400 * 60_000_000, OLD + 1_000 * 60_000_000, OLD + 30 * DAY):
            decide(old, now, before)
            take(old, now)
            with client(old, now) as link:
                link.append([note(f"more {n}") for n in range(300)])
                status = link.status()
                assert (status["fault"], status["leads"]) == ("", 1)
    with old.reader() as reader:
        assert [part.stop for part in reader.floor().parts][-1] == MINIMUM
    good(old)


def test_a_ledger_founded_before_there_was_pruning_is_brought_up(old: ServerWorld, clock: ClockFile) -> None:
    """Readers read a ledger without the new columns; a node that starts makes them, and what a reserve needs."""
    old.sql("ALTER TABLE @.ledger DROP COLUMN minimum, DROP COLUMN held, DROP COLUMN short")
    for name in ("take_away", "make_reserve", "spend_reserve"):
        old.sql(f"DROP FUNCTION @.{name}")
    old.sql("DROP TABLE @.floor")
    old.sql("DROP TABLE @.lasting")
    now = open_clock()
    with old.reader() as reader:
        assert (reader.begin, reader.lasting(), holdings_of(reader).minimum()) == (0, {}, 0)
    good(old)
    with old.writer():
        age(old, clock, now)
        decide(old, now)
        assert take(old, now).stop == MINIMUM
    old.sql("SELECT @.make_reserve(1)")
    assert old.sql("SELECT pg_relation_size('@.reserve')") == [(1 << 20,)]
    good(old)


def test_a_minimum_index_moves_with_its_ledger(tmp_path: Path, clock: ClockFile, postgres: Postgres, storage: Storage) -> None:
    """What was decided at home and not taken away yet is decided on the servers, and taken away there."""
    now = open_clock()
    embedded = EmbeddedWorld(tmp_path, now)
    with embedded.writer():
        age(embedded, clock, now)
        minimum = decide(embedded, now)
    world = ServerWorld(tmp_path, postgres, storage, unused_name(), make=False, home=embedded.home)
    assert migrate(world.home, RING, now, world.config, lambda home, config: None).good
    with world.reader() as reader:
        assert holdings_of(reader).minimum() == minimum
    with world.writer():
        assert take(world, now, tmp_path / "cold").stop == minimum
    good(world)


XML = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
PEOPLE = "people:\n  - {id: ann, roles: [admin]}\n  - {id: bo, roles: [compliance]}\n  - {id: cy, roles: [compliance]}\n"


def test_the_command_prunes_names_what_is_locked_and_goes_on(
    tmp_path: Path, clock: ClockFile, postgres: Postgres, storage: Storage, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """One command decides, frees and says what stays locked; given again after the locks it ends the work; nothing serves the home."""
    monkeypatch.setenv("AFFIANT_UNLOCK", f"file:{tmp_path / 'unlock'}")
    monkeypatch.setenv("AFFIANT_TEST_DSN", postgres.dsn)
    places = config(storage.endpoint, "env:AFFIANT_TEST_DSN", unused_name())
    (tmp_path / "servers.json").write_text(json.dumps({"format": 1, **asdict(places)}), encoding="utf-8")
    (tmp_path / "people.yaml").write_text(PEOPLE, encoding="utf-8")
    root = str(tmp_path / "home")
    assert main(["ledger", "found", "--servers", str(tmp_path / "servers.json"), "--home", root, "--origin", "test.example/doors"]) == 0
    assert main(["apply", str(tmp_path / "people.yaml"), "--home", root, "--as", "ann"]) == 0
    world = ServerWorld(tmp_path, postgres, storage, places.schema, make=False, home=open_home(Path(root)))
    now = open_clock()
    monkeypatch.setenv("AFFIANT_TEST_DAY_S", str(SHORT_S))
    with world.writer():
        age(world, clock, now)
        locks_end(world)

    def prune(*words: str, person: str = "bo") -> tuple[int, dict[str, Any], str]:
        capsys.readouterr()
        code = main(["ledger", "prune", "--before", "2023-12-20", *words, "--home", root, "--as", person])
        said = capsys.readouterr()
        return code, json.loads(said.out.splitlines()[-1]) if said.out else {}, said.err

    until = datetime.now(UTC) + timedelta(days=2)
    longer = f"<Mode>COMPLIANCE</Mode><RetainUntilDate>{until:%Y-%m-%dT%H:%M:%SZ}</RetainUntilDate>"
    lock(world, bundle_path(2), "retention", f"<Retention {XML}>{longer}</Retention>")
    lock(world, bundle_path(3), "legal-hold", f"<LegalHold {XML}><Status>ON</Status></LegalHold>")
    code, plan, said = prune("--dry-run")
    assert (code, plan["minimum"], plan["held"], plan["left"]) == (0, MINIMUM, 0, 0), said
    assert "becomes of the entries" in prune()[2]
    assert "may not do" in prune("--for-good", person="ann")[2]
    assert main(["ledger", "hold", "place", "--why", "x", "--home", root, "--as", "cy"]) == 0
    assert "legal hold" in prune("--for-good")[2]
    with world.reader() as reader:
        hold = next(event.ref for _, event in reader.of_types("hold.placed"))
    assert main(["ledger", "hold", "release", hold, "--why", "x", "--home", root, "--as", "bo"]) == 0
    code, done, said = prune("--archive-to", str(tmp_path / "cold"))
    assert (code, done["held"], [each["key"] for each in done["locked"]]) == (0, MINIMUM, [bundle_path(2), bundle_path(3)]), said
    assert f"Left in storage: {bundle_path(2)}" in said and f"is locked until {until:%Y-%m-%d}" in said
    assert f"Left in storage: {bundle_path(3)}" in said and "by a legal hold of the storage" in said
    assert "Give this command again after" in said and done["removed_bytes"] > 100_000
    capsys.readouterr()
    assert main(["ledger", "show", "--index", "700", "--home", root]) == 3
    assert f"archived at {tmp_path / 'cold'}" in capsys.readouterr().err
    assert prune("--dry-run")[1]["left"] == 2
    lock(world, bundle_path(3), "legal-hold", f"<LegalHold {XML}><Status>OFF</Status></LegalHold>")
    code, done, said = prune("--for-good")
    assert (code, [each.key for each in bundles(world)]) == (0, [bundle_path(2)]), said
    assert done["removed_bytes"] > 0 and "What was left of an earlier pruning" in said
    with closing(ObjectStore(world.config)) as store:
        assert store.request("HEAD", bundle_path(2)).status == 200
    assert main(["ledger", "verify", "--home", root]) == 0
    assert "10. What was pruned is recorded" in capsys.readouterr().err


def lock(world: ServerWorld, key: str, kind: str, words: str) -> None:
    """Lock an object longer, as an administrator of the storage may."""
    headers = {"Content-MD5": base64.b64encode(hashlib.md5(words.encode(), usedforsecurity=False).digest()).decode()}
    with closing(ObjectStore(world.config)) as store:
        answer = store.request("PUT", key, {kind: ""}, headers, words.encode())
        assert answer.status == 200, answer.body
