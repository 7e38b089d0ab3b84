"""The witness: what it cosigns, refuses and remembers; and asking it."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_world import NOW, ORIGIN, RING, check, copy_home, create, note, open_writer, put

from affiant.kit.clock import FixedClock
from affiant.kit.errors import BadInput, CouldNotLook, LedgerFault
from affiant.kit.home import Home, Witness, save_home
from affiant.ledger import Anchors, LedgerReader, WitnessServer, WitnessState, log_vkey, verify_home, witness_knows_longer, witness_vkey
from affiant.ledger.anchors import format_request, http_request
from affiant.ledger.checkpoints import LogKey
from affiant.ledger.witness import witness_seed
from affiant.proof.hashes import EMPTY_ROOT, consistency_proof, leaf_hash, levels_of, root_of
from affiant.proof.note import Checkpoint, Note, VerifierKey

NAME = "witness.example/w1"
SEED = bytes(range(100, 132))
LEAVES = [leaf_hash(b"%d" % n) for n in range(40)]
KEY = LogKey(ORIGIN, RING.log_seed)


def head(size: int, leaves: list[bytes] = LEAVES, key: LogKey = KEY, origin: str = ORIGIN) -> bytes:
    return key.sign(Checkpoint(origin, size, root_of(leaves[:size])))


def ask(old: int, size: int, leaves: list[bytes] = LEAVES, key: LogKey = KEY) -> bytes:
    proof = consistency_proof(old, size, levels_of(leaves)) if 0 < old < size else []
    return format_request(old, proof, head(size, leaves, key))


@contextmanager
def state(path: Path, clock: FixedClock | None = None) -> Iterator[WitnessState]:
    found = WitnessState(path, NAME, SEED, [str(KEY.vkey)], clock or FixedClock(NOW))
    try:
        yield found
    finally:
        found.close()


def test_growing_log_is_cosigned(tmp_path: Path) -> None:
    """A log that grows gets cosignatures that verify under the witness's key."""
    with state(tmp_path / "s") as witness:
        old = 0
        for size in (1, 2, 3, 8, 8, 21, 40):
            answer = witness.add_checkpoint(ask(old, size))
            assert answer.status == 200, answer.body
            cosigned = Note.parse(head(size)).with_line(answer.body.decode())
            assert cosigned.verify([VerifierKey.parse(witness.vkey)])[0].time_s == NOW // 1_000_000
            old = size


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"old 1", 400),
        (b"old 01\n\n" + head(5), 400),
        (b"old x\n\n" + head(5), 400),
        (b"old 5\nnot base64\n\n" + head(8), 400),
        (b"old 5\n" + b"AAAA\n" * 64 + b"\n" + head(8), 400),
        (b"old 5\n\nno note", 400),
        (ask(9, 5), 400),
        (format_request(5, [], LogKey("other.example/log", RING.log_seed).sign(Checkpoint("other.example/log", 5, LEAVES[0]))), 404),
        (format_request(5, [], LogKey(ORIGIN, bytes(32)).sign(Checkpoint(ORIGIN, 5, LEAVES[0]))), 403),
        (format_request(5, [], head(6).replace(b"\n6\n", b"\n7\n")), 403),
        (ask(3, 8), 409),
        (ask(0, 8), 409),
        (ask(5, 8)[:5] + b"\n\n" + head(8), 422),
        (ask(5, 8, LEAVES[:5] + LEAVES[6:]), 200),
        (ask(5, 8, LEAVES[1:]), 422),
        (ask(5, 5, LEAVES[1:]), 422),
    ],
)
def test_refusals(tmp_path: Path, body: bytes, status: int) -> None:
    """Each kind of bad request gets its own status, and the witness's memory does not move."""
    with state(tmp_path / "s") as witness:
        assert witness.add_checkpoint(ask(0, 5)).status == 200
        answer = witness.add_checkpoint(body)
        assert answer.status == status, answer.body
        if status == 409:
            assert answer.body == b"5\n" and answer.content_type == "text/x.tlog.size"
        if status != 200:
            assert witness.latest(ORIGIN) == (5, root_of(LEAVES[:5]))


def test_size_zero(tmp_path: Path) -> None:
    """Nothing is provable from size 0, and an empty tree has one root."""
    with state(tmp_path / "s") as witness:
        assert witness.add_checkpoint(format_request(0, [LEAVES[0]], head(5))).status == 422
        assert witness.add_checkpoint(format_request(0, [], KEY.sign(Checkpoint(ORIGIN, 0, LEAVES[0])))).status == 422
        assert witness.add_checkpoint(format_request(0, [], KEY.sign(Checkpoint(ORIGIN, 0, EMPTY_ROOT)))).status == 200
        assert witness.add_checkpoint(ask(0, 5)).status == 200


def test_first_cosignature_stays(tmp_path: Path) -> None:
    """For a size that was cosigned the first cosignature comes again, later and after a start too; never for a fork."""
    clock = FixedClock(NOW)
    with state(tmp_path / "s", clock) as witness:
        first = witness.add_checkpoint(ask(0, 5)).body
        clock.value_us += 10_000_000
        assert witness.add_checkpoint(ask(5, 5)).body == first
        assert witness.add_checkpoint(ask(5, 9)).status == 200
        assert witness.add_checkpoint(ask(5, 5)).body == first
        assert witness.add_checkpoint(ask(5, 5, LEAVES[1:])).status == 409
    with state(tmp_path / "s", clock) as witness:
        assert witness.add_checkpoint(ask(0, 5)).body == first
        stored = witness.note(hashlib.sha256(ORIGIN.encode()).hexdigest(), 5)
        assert stored is not None and first in stored
        newest = witness.note(hashlib.sha256(ORIGIN.encode()).hexdigest())
        assert newest is not None and Checkpoint.parse(Note.parse(newest).text).size == 9
        assert witness.note("00" * 32) is None


def test_race_has_one_winner(tmp_path: Path) -> None:
    """Two heads that both extend the known one: one is cosigned, the other must prove itself against it."""
    for turn in range(5):
        with state(tmp_path / f"s{turn}") as witness:
            witness.add_checkpoint(ask(0, 5))
            with ThreadPoolExecutor(8) as pool:
                fork = LEAVES[:5] + LEAVES[10:]
                bodies = [ask(5, 9), ask(5, 9, fork), ask(5, 12), ask(5, 12, fork)] * 2
                answers = list(pool.map(witness.add_checkpoint, bodies))
            good = {answer.body for answer in answers if answer.status == 200}
            sizes = {row[0] for row in witness._db.execute("SELECT size FROM cosigned")}
            assert len(good) == len(sizes) - 1 == 1


def test_one_key_one_state(tmp_path: Path) -> None:
    """A state file of another key, a key file with something else, and a cosigner's key as log key are refused."""
    with state(tmp_path / "s"):
        pass
    with pytest.raises(BadInput, match="belongs to"):
        WitnessState(tmp_path / "s", NAME, bytes(32), [str(KEY.vkey)], FixedClock(NOW))
    with pytest.raises(BadInput, match="no Ed25519 log key"):
        WitnessState(tmp_path / "t", NAME, SEED, [witness_vkey(NAME, SEED)], FixedClock(NOW))
    seed = witness_seed(tmp_path / "key")
    assert witness_seed(tmp_path / "key") == seed
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "key").write_text("nonsense")
    with pytest.raises(BadInput):
        witness_seed(tmp_path / "key")


@contextmanager
def serving(path: Path, vkey: str, clock: FixedClock | None = None) -> Iterator[Witness]:
    found = WitnessState(path, NAME, SEED, [vkey], clock or FixedClock(NOW))
    server = WitnessServer(found)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        yield Witness(NAME, found.vkey, server.url)
    finally:
        server.stop()
        thread.join()
        found.close()


def with_witness(home: Home, witness: Witness) -> Home:
    home = replace(home, witnesses=(witness,))
    save_home(home)
    return home


def grow(home: Home, first: int, count: int, text: str = "x") -> None:
    with open_writer(home) as writer:
        put(writer, "n1/gateway/a", first, [note(f"{text}{n}") for n in range(count)])
        writer.checkpoint()


def test_anchors_end_to_end(tmp_path: Path) -> None:
    """Heads are cosigned over HTTP and kept; asking again costs nothing; verification counts them."""
    home = create(tmp_path / "h")
    with serving(tmp_path / "s", str(log_vkey(home, RING.log_seed))) as witness:
        home = with_witness(home, witness)
        anchors = Anchors(home, LedgerReader(home), FixedClock(NOW))
        for turn in range(3):
            outcomes = anchors.submit()
            assert [outcome.why or outcome.draft.type for outcome in outcomes] == ["anchor.cosigned"]
            assert anchors.submit() == []
            grow(home, turn * 300, 300)
        with open_writer(home) as writer:
            writer.append([outcomes[0].draft])
            writer.checkpoint()
        reader = check(home)
        newest = anchors.newest()
        assert newest is not None and newest.size == 602
        assert Note.parse(newest.note).verify([VerifierKey.parse(witness.vkey), reader.vkey])
        status, body = http_request("GET", witness.url + "/" + hashlib.sha256(ORIGIN.encode()).hexdigest() + "/checkpoint/302", None, 5)
        assert status == 200 and Checkpoint.parse(Note.parse(body).text).size == 302
        assert http_request("GET", witness.url + "/" + "0" * 64 + "/checkpoint", None, 5)[0] == 404
        assert http_request("POST", witness.url + "/add-checkpoint", b"x" * 100_000, 5)[0] == 400
        assert http_request("GET", witness.url + "/", None, 5)[0] == 200
        assert witness_knows_longer(witness, ORIGIN) and not witness_knows_longer(witness, "fresh.example/log")


def test_lost_anchors_are_fetched_by_asking_the_witness(tmp_path: Path) -> None:
    """A home that lost anchors.db learns the witness's size and goes on from there."""
    home = create(tmp_path / "h")
    with serving(tmp_path / "s", str(log_vkey(home, RING.log_seed))) as witness:
        home = with_witness(home, witness)
        Anchors(home, LedgerReader(home), FixedClock(NOW)).submit()
        home.anchors_db.unlink()
        grow(home, 0, 50)
        outcomes = Anchors(home, LedgerReader(home), FixedClock(NOW)).submit()
        assert [outcome.why or outcome.draft.type for outcome in outcomes] == ["anchor.cosigned"]


def test_rolled_back_home_is_refused_by_witness_and_by_its_own_anchors(tmp_path: Path) -> None:
    """A home put back to an older state cannot get another cosignature, and does not start over kept anchors."""
    home = create(tmp_path / "h")
    with serving(tmp_path / "s", str(log_vkey(home, RING.log_seed))) as witness:
        home = with_witness(home, witness)
        old = copy_home(home, tmp_path / "old")
        grow(home, 0, 20)
        Anchors(home, LedgerReader(home), FixedClock(NOW)).submit()
        outcome = Anchors(old, LedgerReader(old), FixedClock(NOW)).submit()[0]
        assert outcome.draft.type == "anchor.missed" and "more than 2" in outcome.why
        grow(old, 0, 40, "forged")
        outcome = Anchors(old, LedgerReader(old), FixedClock(NOW)).submit()[0]
        assert outcome.draft.type == "anchor.missed" and "422" in outcome.why
        stale = copy_home(old, tmp_path / "stale")
        stale.anchors_db.write_bytes(home.anchors_db.read_bytes())
        assert verify_home(stale).exit_code == 1
        older = copy_home(create(tmp_path / "h2"), tmp_path / "h3")
        older.anchors_db.write_bytes(home.anchors_db.read_bytes())
        with pytest.raises(LedgerFault, match="rolled back"):
            open_writer(older)


def test_unreachable_witness_is_missed_not_ignored(tmp_path: Path) -> None:
    """A witness that does not answer gives `anchor.missed`; a size that cannot be asked is no size 0."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        witness = Witness(NAME, witness_vkey(NAME, SEED), f"http://127.0.0.1:{taken.getsockname()[1]}")
        home = with_witness(create(tmp_path / "h"), witness)
        outcomes = Anchors(home, LedgerReader(home), FixedClock(NOW), timeout_s=0.5).submit()
        assert [outcome.draft.type for outcome in outcomes] == ["anchor.missed"]
        with pytest.raises(CouldNotLook):
            witness_knows_longer(witness, ORIGIN, timeout_s=0.5)


def test_false_cosignature_is_no_anchor(tmp_path: Path) -> None:
    """An answer under another key than the configured one is not taken."""
    home = create(tmp_path / "h")
    with serving(tmp_path / "s", str(log_vkey(home, RING.log_seed))) as witness:
        home = with_witness(home, replace(witness, vkey=witness_vkey(NAME, bytes(32))))
        outcome = Anchors(home, LedgerReader(home), FixedClock(NOW)).submit()[0]
        assert outcome.draft.type == "anchor.missed" and "cosignature" in outcome.why
