"""The log's key: created, handed over, revoked; what a reader with an old key sees; a kill between each pair of steps."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from affiant.kit.clock import FixedClock
from affiant.kit.errors import AffiantError, Conflict, LedgerFault
from affiant.kit.home import Home, create_home
from affiant.kit.keyring import HeldKey, Keyring, create_keyring, open_keyring, rewrap, save_keyring, unlock_path
from affiant.ledger import Draft, LedgerReader, SignedHead, Writer, verify_home
from affiant.ledger.checkpoints import LogKey
from affiant.ledger.logkeys import chain, revoke, rotate
from affiant.proof.errors import Lie
from affiant.proof.logkeys import LogKeys, following, parse_statements, statements_bytes
from affiant.proof.note import Checkpoint, Note, VerifierKey
from affiant.proof.trust import TrustPolicy

NOW = 1_790_000_000_000_000
DAY_S = 86_400
NEW = HeldKey.local(bytes([7]) * 32)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with a keyring and a ledger of a few entries."""
    monkeypatch.setenv("AFFIANT_UNLOCK", f"file:{tmp_path / 'unlock'}")
    made = create_home(tmp_path / "home", "test.example/keys", NOW, "n1")
    ring = create_keyring(made)
    Writer.create(made, ring, FixedClock(NOW)).close()
    return made


def write(home: Home, *texts: str, at_us: int = NOW) -> None:
    with Writer.open(home, open_keyring(home), FixedClock(at_us)) as writer:
        writer.append([Draft("job.run", {"due": 1, "ok": 1, "note": text}, actor="system:test") for text in texts])
        writer.checkpoint()


def turn(home: Home, new: HeldKey = NEW, overlap_s: int = 30 * DAY_S) -> None:
    with Writer.open(home, open_keyring(home), FixedClock(NOW)) as writer:
        rotate(writer, open_keyring(home), new, overlap_s, "system:local", "test")


class Killed:
    """A writer whose process ends at its n-th call of one kind."""

    def __init__(self, writer: Writer, call: str, left: int) -> None:
        self.home, self._writer, self._call, self._left = writer.home, writer, call, left

    def _at(self, call: str) -> None:
        if call == self._call:
            self._left -= 1
            if self._left < 0:
                raise KeyboardInterrupt

    def now_us(self) -> int:
        return self._writer.now_us()

    def checkpoint(self, keep: bool = True) -> SignedHead:
        self._at("checkpoint")
        return self._writer.checkpoint(keep)

    def append(self, drafts: list[Draft]) -> int:
        self._at("append")
        return self._writer.append(drafts)

    def use_keys(self, keyring: Keyring) -> None:
        self._writer.use_keys(keyring)


def head(home: Home) -> Note:
    return Note.parse(LedgerReader(home).checkpoint().note)


def good(home: Home, vkey: str | None = None) -> None:
    report = verify_home(home, vkey)
    assert report.good, "\n".join(report.lines())


def test_a_hand_over_is_an_entry_and_both_keys_sign_until_the_overlap_ends(home: Home) -> None:
    """After a rotation the new key signs every head, the old one beside it until the stated instant, and the home verifies."""
    old = LedgerReader(home).vkey
    turn(home)
    write(home, "after")
    new = VerifierKey(home.origin, 1, NEW.public)
    assert {signed.key for signed in head(home).verify([old, new])} == {old, new}
    assert len(head(home).signatures) == 2
    good(home)
    good(home, str(old))
    good(home, str(new))
    [(index, event)] = LedgerReader(home).of_types("log_key.rotated")
    assert event.body["after"] <= index
    assert "log_key" in LedgerReader(home).prove(index) or LedgerReader(home).prove(index).startswith("c2sp.org")
    write(home, "later", at_us=NOW + 31 * DAY_S * 1_000_000)
    assert [signed.key for signed in head(home).verify([old, new])] == [new]
    assert open_keyring(home).log_keys[0].seed == b""
    good(home)


def test_a_trust_file_with_the_old_key_follows_the_hand_over(home: Home) -> None:
    """Who knows only the first key believes a later head through two signed hand-overs, and not one of a stranger."""
    old = LedgerReader(home).vkey
    turn(home, overlap_s=0)
    turn(home, HeldKey.local(bytes([8]) * 32), overlap_s=0)
    notes = parse_statements(statements_bytes(LedgerReader(home).key_statements()))
    policy, followed = following(TrustPolicy.parse(f"log {old}\nquorum none\n"), notes)
    assert followed == 2
    assert policy.check_log(head(home)).log.public == LogKey("x", bytes([8]) * 32).vkey.public
    newest, followed = following(TrustPolicy.parse(f"log {LedgerReader(home).log_keys().current}\nquorum none\n"), notes)
    assert (followed, old in newest.logs) == (2, True)
    stranger = LogKey(home.origin, bytes([9]) * 32).vkey
    lonely, followed = following(TrustPolicy.parse(f"log {stranger}\nquorum none\n"), notes)
    assert followed == 0
    with pytest.raises(Lie):
        lonely.check_log(head(home))


def test_a_head_by_the_replaced_or_revoked_key_alone_is_refused(home: Home) -> None:
    """The old key's holder cannot sign a longer history: the refusal names the revocation."""
    ring = open_keyring(home)
    old = LogKey(home.origin, ring.log_seed)
    turn(home)
    with Writer.open(home, open_keyring(home), FixedClock(NOW)) as writer:
        with pytest.raises(Conflict, match="in force"):
            revoke(writer, writer.keyring, VerifierKey(home.origin, 1, NEW.public).id.hex(), "system:local", "x")
        done = revoke(writer, writer.keyring, old.vkey.id.hex(), "system:local", "stolen")
        assert len(Note.parse(writer.head.note).signatures) == 1
        with pytest.raises(Conflict, match="revoked"):
            revoke(writer, done.ring, old.vkey.id.hex(), "system:local", "again")
    good(home)
    reader = LedgerReader(home)
    size = reader.checkpoint().size
    forged = Note.parse(old.sign(Checkpoint(home.origin, size + 5, bytes(32))))
    with pytest.raises(Lie, match="revoked after"):
        reader.log_keys().check(forged)
    (home.ledger / "checkpoint").write_bytes(old.sign(Checkpoint(home.origin, size, reader.root(size))))
    report = verify_home(home)
    assert report.exit_code == 1
    assert "revoked after" in report.steps[0].detail
    with pytest.raises(LedgerFault, match="revoked after"):
        Writer.open(home, open_keyring(home), FixedClock(NOW))


def test_a_kill_between_the_steps_of_a_rotation_is_made_up_for_at_start(home: Home) -> None:
    """The keyring has the new key and the ledger does not say so yet: the next start writes the entry, once."""
    with Writer.open(home, open_keyring(home), FixedClock(NOW)) as writer, pytest.raises(KeyboardInterrupt):
        rotate(Killed(writer, "append", 0), open_keyring(home), NEW, DAY_S, "system:local", "cut short")
    assert list(LedgerReader(home).of_types("log_key.rotated")) == []
    write(home, "after the kill")
    write(home, "and again")
    assert len(list(LedgerReader(home).of_types("log_key.rotated"))) == 1
    good(home)


def test_a_kill_after_the_entry_and_before_the_head_does_not_write_it_twice(home: Home) -> None:
    """The entry is on disk and no head covers it: the next start does not repeat it, and signs with the new key."""
    with Writer.open(home, open_keyring(home), FixedClock(NOW)) as writer, pytest.raises(KeyboardInterrupt):
        rotate(Killed(writer, "checkpoint", 1), open_keyring(home), NEW, DAY_S, "system:local", "cut short")
    write(home, "after the kill")
    assert len(list(LedgerReader(home).of_types("log_key.rotated"))) == 1
    good(home)


def test_an_older_keyring_or_an_older_ledger_is_named(home: Home, tmp_path: Path) -> None:
    """A keyring from before the rotation, or a ledger from before it, does not go on silently."""
    before = home.keyring.read_bytes()
    turn(home, overlap_s=0)
    write(home, "by the new key")
    after = home.keyring.read_bytes()
    home.keyring.write_bytes(before)
    with pytest.raises(LedgerFault, match="keyring that belongs"):
        Writer.open(home, open_keyring(home), FixedClock(NOW))
    home.keyring.write_bytes(after)
    good(home)
    ring = open_keyring(home)
    assert chain(home, ring).current.public == NEW.public
    other = create_home(tmp_path / "younger", home.origin, NOW, "n1")
    first = Keyring(bytes(32), ring.master, "t")
    Writer.create(other, first, FixedClock(NOW)).close()
    with Writer.open(home, ring, FixedClock(NOW)) as writer:
        assert writer.head.size > LedgerReader(other).checkpoint().size


def test_a_statement_changed_in_any_byte_is_refused(home: Home) -> None:
    """Each line of a hand-over is under both signatures."""
    turn(home)
    reader = LedgerReader(home)
    [note] = reader.key_statements()
    for at in range(0, len(note), 7):
        bent = note[:at] + bytes([note[at] ^ 1]) + note[at + 1 :]
        with pytest.raises((Lie, Exception)):
            LogKeys(reader.vkey, [bent]).check(head(home))


def test_the_unlock_secret_is_replaced_and_a_kill_in_between_locks_nobody_out(home: Home) -> None:
    """After a rewrap the old secret opens nothing; a kill between its writes leaves one that does."""
    ring, path = open_keyring(home), unlock_path(home)
    assert path is not None
    old = path.read_bytes()
    rewrap(home)
    assert path.read_bytes() != old
    assert open_keyring(home) == ring
    new = path.read_bytes()
    path.write_bytes(old)
    with pytest.raises(AffiantError, match="does not open"):
        open_keyring(home)
    beside = path.with_name(path.name + ".next")
    beside.write_bytes(new)
    assert open_keyring(home) == ring
    rewrap(home)
    assert open_keyring(home) == ring
    assert not beside.exists()
    os.environ["KEYS_TEST_UNLOCK"] = "x" * 40
    try:
        assert rewrap(home, "env:KEYS_TEST_UNLOCK") == "env:KEYS_TEST_UNLOCK"
    finally:
        del os.environ["KEYS_TEST_UNLOCK"]


def test_no_secret_of_the_keyring_lies_in_the_home_or_in_its_printed_form(home: Home) -> None:
    """Seeds, master and token are found in no file of the home, and not in what an error would print."""
    turn(home)
    ring = open_keyring(home)
    secrets = [ring.log_seed, ring.master, ring.local_token.encode(), *(k.seed for k in ring.log_keys)]
    for path in home.root.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        for secret in secrets:
            assert secret not in data
            assert secret.hex().encode() not in data
    assert not any(secret.hex() in repr(ring) or repr(secret) in repr(ring) for secret in secrets)
    save_keyring(home, dataclasses.replace(ring))
    assert open_keyring(home) == ring
