"""Sealed fields: values that an entry commits to and that lie beside the ledger, encrypted under their subject's key.

The key is made of a half in `records.db` (wrapped by the keyring's master) and a half outside the home (`kit.halfstore`). The salt of the
commitment is encrypted with the value, so that destroying the key also closes the commitment for ever; the entry and every proof stay.
Tables are part of `records.db` (secure_delete on), so that a value is there exactly if its event is. Leaves out: who may see or destroy
(`records`), checking what is revealed (`proof.sealed`).
"""

from __future__ import annotations

import hmac
import re
import secrets
import struct
from dataclasses import dataclass

from affiant.kit.crypto import seal, unseal
from affiant.kit.errors import BadInput, CouldNotLook, NotFound
from affiant.kit.halfstore import HalfStore
from affiant.kit.sql import Connection
from affiant.ledger.envelope import Draft
from affiant.ledger.registry import REGISTRY
from affiant.proof.sealed import commitment

SCHEMA = """
CREATE TABLE subject_keys (
  subject TEXT PRIMARY KEY, wrapped BLOB NOT NULL, made_us INTEGER NOT NULL, destroyed_us INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE sealed (
  commitment TEXT PRIMARY KEY, subject TEXT NOT NULL REFERENCES subject_keys(subject), type TEXT NOT NULL, field TEXT NOT NULL,
  ref TEXT NOT NULL, at_us INTEGER NOT NULL, value BLOB NOT NULL) STRICT;
CREATE INDEX sealed_subject ON sealed (subject, at_us);
"""
PLACED = "ALTER TABLE sealed ADD COLUMN place INTEGER NOT NULL DEFAULT 0;\n"
"""What numbers values in the order in which they were sealed."""
MAX_VALUE_BYTES = 16_384
PAD_BYTES = 128
_COMMITMENT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value belongs: event type, field, the event's ref, whose it is (such as `person/ann`)."""

    type: str
    field: str
    ref: str
    subject: str


@dataclass(frozen=True, slots=True)
class Revealed:
    """A sealed value, opened: with the salt anybody can check it against the commitment in the entry."""

    place: Place
    commitment: str
    at_us: int
    salt: bytes
    value: str


def check_draft(draft: Draft) -> None:
    """Refuse an event whose sealed field holds anything but a commitment.

    Raises:
        BadInput: says which field; never the value.
    """
    declared = REGISTRY.get(draft.type)
    for name in declared.sealed if declared is not None else ():
        value = draft.body.get(name)
        if value is not None and not (isinstance(value, str) and _COMMITMENT.fullmatch(value)):
            raise BadInput(f"The field {name} of {draft.type} is sealed and was given in the clear.", "Report this as a fault of Affiant.")


class SealedStore:
    """Statements over an open connection of the records; the caller holds the transaction.

    Args:
        connection: with the tables of `SCHEMA`.
        master: of the keyring; wraps the halves in the home.
        halves: the halves outside.
    """

    def __init__(self, connection: Connection, master: bytes, halves: HalfStore) -> None:
        self._c, self._master, self._halves = connection, master, halves

    @staticmethod
    def _context(subject: str) -> bytes:
        return f"affiant/subject-key/{subject}".encode()

    def _key(self, subject: str) -> bytes | None:
        """A subject's key; None if it was destroyed, here or (seen from an older copy) outside."""
        row = self._c.execute("SELECT wrapped, destroyed_us FROM subject_keys WHERE subject = ?", (subject,)).fetchone()
        if row is None or row[1]:
            return None
        outside = self._halves.get(subject)
        return hmac.digest(unseal(self._master, bytes(row[0]), self._context(subject)), outside, "sha256") if outside else None

    def _make_key(self, subject: str, now_us: int) -> bytes:
        first = self._c.execute("SELECT 1 FROM subject_keys LIMIT 1").fetchone() is None
        # Order: the half outside is on disk before a row needs it; one that no row needs is harmless.
        outside, inside = self._halves.make(subject, first), secrets.token_bytes(32)
        self._c.execute(
            "INSERT INTO subject_keys (subject, wrapped, made_us) VALUES (?, ?, ?) ON CONFLICT (subject) DO UPDATE SET "
            "wrapped = excluded.wrapped, made_us = excluded.made_us, destroyed_us = 0",
            (subject, seal(self._master, inside, self._context(subject)), now_us),
        )
        return hmac.digest(inside, outside, "sha256")

    def seal(self, place: Place, value: str, now_us: int) -> str:
        """Keep a value; gives the commitment that the entry holds.

        Raises:
            BadInput: it is empty or too long, or the field is not declared as sealed.
            CouldNotLook: the subject's key cannot be made whole: its half outside is missing.
        """
        data = value.encode()
        declared = REGISTRY.get(place.type)
        if declared is None or place.field not in declared.sealed:
            raise BadInput(f"{place.type} has no sealed field {place.field}.", "Declare it in the registry.")
        if not 0 < len(data) <= MAX_VALUE_BYTES:
            raise BadInput(f"A sealed value has {len(data)} bytes; 1 to {MAX_VALUE_BYTES} are allowed.", "Shorten it.")
        live = self._c.execute("SELECT 1 FROM subject_keys WHERE subject = ? AND destroyed_us = 0", (place.subject,)).fetchone()
        key = self._key(place.subject) if live else self._make_key(place.subject, now_us)
        if key is None:
            raise CouldNotLook(
                f"The half outside of the key of {place.subject} is gone.",
                "Run `affiant ledger erasures`: this may be an older copy of the home.",
            )
        salt = secrets.token_bytes(32)
        committed = commitment(salt, value)
        plain = salt + struct.pack(">I", len(data)) + data
        plain += bytes(-len(plain) % PAD_BYTES)
        self._c.execute(
            "INSERT INTO sealed (commitment, subject, type, field, ref, at_us, value, place) VALUES (?, ?, ?, ?, ?, ?, ?, "
            "(SELECT COALESCE(MAX(place), 0) + 1 FROM sealed))",
            (committed, place.subject, place.type, place.field, place.ref, now_us, seal(key, plain, _bound(place, committed))),
        )
        return committed

    def reveal(self, committed: str) -> Revealed:
        """Open a sealed value.

        Raises:
            NotFound: there is no such value, or its subject's key was destroyed.
            CouldNotLook: the store of halves is not there.
        """
        row = self._c.execute("SELECT subject, type, field, ref, at_us, value FROM sealed WHERE commitment = ?", (committed,)).fetchone()
        if row is None:
            raise NotFound("No value is kept for that commitment.", "It was destroyed, or never belonged to this home.")
        place = Place(row["type"], row["field"], row["ref"], row["subject"])
        key = self._key(place.subject)
        if key is None:
            raise NotFound(
                f"The key of {place.subject} was destroyed.", "Its values cannot be had again; its entries and their proofs stay."
            )
        plain = unseal(key, bytes(row["value"]), _bound(place, committed))
        length = struct.unpack_from(">I", plain, 32)[0]
        return Revealed(place, committed, int(row["at_us"]), plain[:32], plain[36 : 36 + length].decode())

    def newest(self, subject: str, type: str, field: str) -> str | None:
        """Commitment of the newest value of a field of a subject, or None."""
        row = self._c.execute(
            "SELECT commitment FROM sealed WHERE subject = ? AND type = ? AND field = ? ORDER BY at_us DESC, place DESC LIMIT 1",
            (subject, type, field),
        ).fetchone()
        return str(row[0]) if row else None

    def destroy(self, subject: str, now_us: int) -> int:
        """Forget a subject's half in the home and its values; the half outside is destroyed by the caller (`HalfStore.destroy`).

        Returns:
            How many values it had.

        Raises:
            NotFound: it has no key.
        """
        done = self._c.execute(
            "UPDATE subject_keys SET wrapped = ?, destroyed_us = ? WHERE subject = ? AND destroyed_us = 0", (b"", now_us, subject)
        ).rowcount
        if not done:
            raise NotFound(f"{subject} has no key.", "It has no sealed values, or was forgotten already.")
        return self._c.execute("DELETE FROM sealed WHERE subject = ?", (subject,)).rowcount

    def destroyed(self) -> list[str]:
        """Subjects whose key was destroyed."""
        return [str(row[0]) for row in self._c.execute("SELECT subject FROM subject_keys WHERE destroyed_us > 0 ORDER BY subject")]

    def live_subjects(self) -> list[str]:
        """Subjects that have a key here."""
        return [str(row[0]) for row in self._c.execute("SELECT subject FROM subject_keys WHERE destroyed_us = 0 ORDER BY subject")]

    def orphaned(self) -> list[str]:
        """Subjects whose half outside is gone while this home still has theirs: destroyed after this copy was made.

        Raises:
            CouldNotLook: the store of halves is not there: then nothing can be told.
        """
        return self._halves.missing(self.live_subjects())


def _bound(place: Place, committed: str) -> bytes:
    return f"affiant/sealed/{place.type}/{place.field}/{place.ref}/{place.subject}/{committed}".encode()
