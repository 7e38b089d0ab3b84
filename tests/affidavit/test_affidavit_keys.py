"""A package over a period in which the log's key changed: a trust file with the first key still does, and lies about keys are found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from affidavit_factory import FROM, TO, World, pack, reseal, unpack

from affiant.affidavit import build
from affiant.kit.keyring import HeldKey, create_keyring, save_keyring
from affiant.ledger import LogKey, signing_key
from affiant.ledger.logkeys import revoke, rotate
from affiant.proof.check import verify_file
from affiant.proof.logkeys import HandOver, parse_statements, statements_bytes
from affiant.proof.note import Note, VerifierKey

SECOND = 1_000_000
NEW_SEED, OTHER_SEED = b"n" * 32, b"o" * 32
Made = tuple[World, Path, str, dict[str, bytes]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """Two keys: the first hands over on the second day, after the period opened, without overlap, and is revoked on the third."""
    root = tmp_path_factory.mktemp("keys")
    patch = pytest.MonkeyPatch()
    patch.setenv("AFFIANT_UNLOCK", f"file:{root / 'unlock'}")
    world = World(root / "home")
    try:
        first = world.writer.vkey
        create_keyring(world.home)
        save_keyring(world.home, world.writer.keyring)
        world.set_up()
        world.live(1)
        world.at(FROM)
        world.open_period("2", FROM)
        world.anchor()
        world.live(2, first=1)
        rotate(world.writer, world.writer.keyring, HeldKey.local(NEW_SEED), 0, "person:ana", "scheduled")
        world.live(3, first=2)
        revoke(world.writer, world.writer.keyring, VerifierKey.parse(first).id.hex(), "person:ana", "lost backup")
        world.live(4, first=3)
        world.at(TO + 3600 * SECOND)
        world.run_controls()
        world.anchor()
        path = root / "good.affidavit"
        key = signing_key(world.home, world.writer.keyring)
        build(world.home, world.reader, key, world.catalog, FROM, TO, path, "person:ana", world.clock.value_us)
        yield world, root, first, unpack(path)
    finally:
        world.writer.close()
        patch.undo()


def trust(made: Made, vkey: str) -> str:
    return f"log {vkey}\nwitness w1 {made[0].witness.vkey}\nquorum w1\n"


def test_a_trust_file_with_the_first_key_follows_the_hand_over(made: Made) -> None:
    """The start is signed by the first key, the end by the second; both trust files give a good answer, a stranger's key does not."""
    world, root, first, files = made
    start = Note.parse(files["ledger/start.checkpoint"])
    assert start.verify([VerifierKey.parse(first)])
    path = str(root / "good.affidavit")
    for vkey in (first, world.writer.vkey):
        report = verify_file(path, trust(made, vkey))
        assert report.exit_code == 0, report.verdict
    assert "handed over after" in report.steps[1].found
    assert "was revoked after" in report.steps[1].found
    stranger = str(LogKey(world.home.origin, OTHER_SEED).vkey)
    assert verify_file(path, trust(made, stranger)).exit_code == 1


def test_without_the_statements_a_package_is_refused(made: Made) -> None:
    """Even resealed by the key in force: its start checkpoint is by a key that nothing leads from, and its entries speak of it."""
    _, root, first, files = made
    bare = {name: data for name, data in files.items() if name != "ledger/keys.json"}
    report = verify_file(str(pack(reseal(bare, NEW_SEED), root / "bare.affidavit")), trust(made, first))
    assert report.exit_code == 1
    assert "not signed by the key" in report.verdict


def test_a_package_signed_by_the_replaced_key_is_refused(made: Made) -> None:
    """Whoever found the first key cannot sign a package of today with it."""
    world, root, first, files = made
    forged = reseal(files, world.seed, log=first)
    report = verify_file(str(pack(forged, root / "forged.affidavit")), trust(made, first))
    assert report.exit_code == 1
    assert "end in" in report.verdict


def test_a_hand_over_that_the_old_key_did_not_sign_is_refused(made: Made) -> None:
    """A statement by the new key alone leads nowhere."""
    world, root, first, files = made
    old, new = VerifierKey.parse(first), LogKey(world.home.origin, OTHER_SEED)
    alone = HandOver(old.name, 5, old, new.vkey, 0)
    note = new.sign_text(alone.text())
    forged = reseal({**files, "ledger/keys.json": statements_bytes([note])}, OTHER_SEED, log=str(new.vkey))
    report = verify_file(str(pack(forged, root / "alone.affidavit")), trust(made, first))
    assert report.exit_code == 1
    assert "every key that must sign it" in report.verdict


def test_a_statement_that_no_entry_holds_does_not_hide_one_that_does(made: Made) -> None:
    """Leaving the revocation out of the statements is found against the entry that says it."""
    _, root, first, files = made
    notes = parse_statements(files["ledger/keys.json"])
    assert len(notes) == 2
    forged = reseal({**files, "ledger/keys.json": statements_bytes(notes[:1])}, NEW_SEED)
    report = verify_file(str(pack(forged, root / "hidden.affidavit")), trust(made, first))
    assert report.exit_code == 1
    assert "says something about the log's keys" in report.verdict
