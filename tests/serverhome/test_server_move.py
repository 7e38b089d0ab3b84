"""Moving a home's ledger to servers keeps indexes, bytes, heads and proofs."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("asyncpg", reason="the package asyncpg is not installed")

from server_world import RING, EmbeddedWorld, Postgres, ServerWorld, Storage, closed, note, opened, unused_name
from test_homes_alike import add_records, client, events_of
from test_server_fencing import check

from affiant.kit.clock import SystemClock
from affiant.kit.errors import AffiantError, Conflict, CouldNotLook, LedgerFault
from affiant.kit.keyring import create_keyring, save_keyring
from affiant.ledger import LedgerReader, Writer
from affiant.ledger.logkeys import new_key, rotate
from affiant.ledger.opening import open_reader
from affiant.ledger.serverhome import ServerReader, migrate
from affiant.proof.hashes import leaf_hash, verify_consistency, verify_inclusion
from affiant.proof.note import Checkpoint, Note
from affiant.proof.tlogproof import TlogProof
from affiant.records import Records
from affiant.records.move import move_records

pytestmark = pytest.mark.server
CLOCK = SystemClock()


class Moving:
    """An embedded home with some history, and the servers that it is to move to."""

    def __init__(self, root: Path, postgres: Postgres, storage: Storage) -> None:
        self.embedded = EmbeddedWorld(root / "embedded")
        self.home = self.embedded.home
        self.servers = ServerWorld(root / "servers", postgres, storage, unused_name(), make=False)
        self.servers.home = self.home
        self.config = self.servers.config
        add_records(self.home, 20)
        self.proofs: list[str] = []
        self.notes: list[bytes] = []
        with self.embedded.writer():
            for life in range(3):
                with client(self.home, "gateway") as one:
                    place = one.append([note(f"{life}.{n}") for n in range(400)])
                    one.append([opened(f"ex_{life}"), closed(f"ex_{life}"), opened(f"open_{life}")])
                    self.notes.append(one.checkpoint())
                    self.proofs.append(LedgerReader(self.home).prove(place + 5))


@pytest.fixture
def moving(tmp_path: Path, postgres: Postgres, storage: Storage) -> Moving:
    return Moving(tmp_path, postgres, storage)


def test_a_move_keeps_indexes_heads_and_proofs(moving: Moving) -> None:
    """Every entry has its index and bytes as before, old heads and proofs hold, and the ledger goes on from there on several nodes."""
    report = migrate(moving.home, RING, CLOCK, moving.config, move_records)
    assert report.good
    old = LedgerReader(dataclasses.replace(moving.home, root=moving.home.root / "moved"))
    before = list(old.entries(0, old.checkpoint().size))
    with moving.servers.reader() as reader:
        assert list(reader.entries(0, reader.size)) == before
        assert [head.note for head in reader.checkpoints()] == [head.note for head in old.checkpoints()]
    add_records(moving.home, 5)
    second = moving.servers.node("n2")
    with moving.servers.writer(), moving.servers.writer(home=second), client(moving.home) as one, client(second) as two:
        assert one.append([note("after")]) >= len(before)
        two.append([note("elsewhere")])
        one.outbox()
        newest = Checkpoint.parse(Note.parse(two.checkpoint()).text)
    with moving.servers.reader() as reader:
        assert list(reader.entries(0, len(before))) == before
        for text in moving.notes:
            head = Checkpoint.parse(Note.parse(text).text)
            verify_consistency(head.size, newest.size, reader.consistency(head.size, newest.size), head.root, newest.root)
        for text in moving.proofs:
            proof = TlogProof.parse(text.encode())
            under = Checkpoint.parse(Note.parse(proof.checkpoint).text)
            verify_inclusion(proof.index, under.size, leaf_hash(reader.entry(proof.index)), list(proof.path), under.root)
        assert [seq for seq, _, _ in events_of(reader, "n1/records/0")] == list(range(25))
        assert sorted(event.ref for _, event in reader.of_types("exchange.interrupted")) == ["open_0", "open_1", "open_2"]
    check(moving.servers)


def test_a_home_that_moved_is_not_written_at_home_again(moving: Moving) -> None:
    """After a move the embedded writer finds nothing to write to, readers find the servers, and a second move is refused."""
    migrate(moving.home, RING, CLOCK, moving.config, move_records)
    with pytest.raises(AffiantError):
        Writer.open(moving.home, RING, CLOCK)
    reader = open_reader(moving.home)
    assert isinstance(reader, ServerReader)
    reader.close()
    with pytest.raises(Conflict, match="moved already"):
        migrate(moving.home, RING, CLOCK, moving.config, move_records)


def test_an_interrupted_move_can_be_repeated(moving: Moving) -> None:
    """A move that broke off after the database was filled is taken up again and ends as if nothing had happened."""
    migrate(moving.home, RING, CLOCK, moving.config, move_records)
    moved = moving.home.root / "moved"
    (moving.home.root / "server.json").unlink()
    for name, place in (
        ("segments", ""),
        ("ledger", ""),
        ("checkpoints.log", ""),
        ("records.db", ""),
        ("writer.state", "derived"),
        ("durable", "run"),
    ):
        target = moving.home.root / place / name
        if target.is_dir():
            target.rmdir()
        if (moved / name).exists():
            (moved / name).rename(target)
    moved.rmdir()
    assert migrate(moving.home, RING, CLOCK, moving.config, move_records).good
    with moving.servers.writer(), client(moving.home) as one:
        one.append([note("on")])
    check(moving.servers)


def test_records_follow_a_ledger_that_moved_before_them(moving: Moving) -> None:
    """Where the ledger lies on servers already, moving again moves the records; those of another node are not merged into them."""
    migrate(moving.home, RING, CLOCK, moving.config, lambda home, config: None)
    own = moving.home.root / "moved" / "records.db"
    own.rename(moving.home.records_db)
    with moving.servers.writer(), client(moving.home) as one:
        one.append([note("led, so in use")])
    with pytest.raises(Conflict, match="of this node alone"):
        Records(moving.home, RING, CLOCK)
    with pytest.raises(Conflict, match="lies elsewhere"):
        migrate(moving.home, RING, CLOCK, dataclasses.replace(moving.config, prefix="other/"), move_records)
    assert migrate(moving.home, RING, CLOCK, moving.config, move_records).good
    assert own.exists() and not moving.home.records_db.exists()
    add_records(moving.home, 2)
    second = moving.servers.node("n2")
    other = second.root.with_name("other")
    other.mkdir()
    (second.root / "server.json").rename(other / "server.json")
    add_records(second, 1)
    (other / "server.json").rename(second.root / "server.json")
    with pytest.raises(Conflict, match=r"not in the ledger|other records"):
        migrate(second, RING, CLOCK, moving.config, move_records)
    assert second.records_db.exists()
    with closing(Records(moving.home, RING, CLOCK)) as records:
        assert records.outbox_size() == 2


def test_a_damaged_home_does_not_move(moving: Moving) -> None:
    """A home whose entries contradict its head stays where it is, and nothing is written to the servers' database."""
    segment = sorted(moving.home.segments.glob("*.seg"))[0]
    data = bytearray(segment.read_bytes())
    data[5_000] ^= 1
    segment.write_bytes(data)
    (moving.home.derived / "writer.state").unlink(missing_ok=True)
    with pytest.raises(LedgerFault):
        migrate(moving.home, RING, CLOCK, moving.config, move_records)
    assert not (moving.home.root / "server.json").exists()
    assert moving.servers.sql("SELECT 1 FROM pg_namespace WHERE nspname = $1", moving.config.schema) == []


def test_a_move_without_servers_changes_nothing(moving: Moving) -> None:
    """If storage or database cannot be reached, the home goes on as before."""
    for config in (
        dataclasses.replace(moving.config, endpoint="http://127.0.0.1:9"),
        dataclasses.replace(moving.config, postgres=f"file:{_written(moving.home.root / 'dsn', 'postgresql://x@127.0.0.1:9/none')}"),
    ):
        with pytest.raises(CouldNotLook):
            migrate(moving.home, RING, CLOCK, config, move_records)
    with moving.embedded.writer(), client(moving.home) as one:
        one.append([note("still here")])
    assert moving.embedded.check().good


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_log_whose_key_changed_moves_with_its_keys(moving: Moving, monkeypatch: pytest.MonkeyPatch) -> None:
    """Heads of the key before and of the key after are believed on the servers as at home, and the key in force goes on signing."""
    monkeypatch.setenv("TEST_UNLOCK", "secret")
    monkeypatch.setenv("AFFIANT_UNLOCK", "env:TEST_UNLOCK")
    create_keyring(moving.home)
    save_keyring(moving.home, RING)
    with Writer.open(moving.home, RING, CLOCK) as writer:
        changed = rotate(writer, RING, new_key(""), 0, "person:ana", "yearly")
    report = migrate(moving.home, changed.ring, CLOCK, moving.config, move_records)
    assert report.good, "\n".join(report.lines())
    with moving.servers.writer(), client(moving.home) as one:
        one.append([note("under the new key")])
        signed = Note.parse(one.checkpoint())
    assert [each.key for each in signed.verify([changed.vkey])] == [changed.vkey]
    check(moving.servers)
