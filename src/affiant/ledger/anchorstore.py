"""Cosigned heads of a home: `anchors.db`, kept by control. Leaves out: fetching them (`anchors`)."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affiant.kit.errors import CouldNotLook, LedgerFault
from affiant.kit.home import Home
from affiant.ledger.checkpoints import SignedHead

_SCHEMA = """
CREATE TABLE IF NOT EXISTS anchor(
  witness TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, time_s INTEGER NOT NULL,
  at_us INTEGER NOT NULL, note BLOB NOT NULL, PRIMARY KEY (witness, size)) STRICT
"""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A cosigned head.

    Args:
        witness: name of the cosigner.
        size: entries that it covers.
        root: root hash.
        time_s: the witness's own time, seconds since the epoch.
        at_us: this home's wall clock when the head was asked for, µs.
        note: the note with log signature and cosignature.
    """

    witness: str
    size: int
    root: bytes
    time_s: int
    at_us: int
    note: bytes


class AnchorStore:
    """Reads and writes `anchors.db`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None

    def _connect(self) -> sqlite3.Connection:
        """The one connection that writes: opened at the first anchor and kept, since each close would fold the WAL into the file."""
        if self._db is None:
            db = sqlite3.connect(self._path, timeout=5, isolation_level=None, check_same_thread=False)
            weakref.finalize(self, db.close)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute(_SCHEMA)
            self._db = db
        return self._db

    def add(self, anchor: Anchor) -> None:
        """Keep a cosigned head; the first one for a witness and size stays."""
        with self._lock:
            self._connect().execute(
                "INSERT OR IGNORE INTO anchor VALUES (?, ?, ?, ?, ?, ?)",
                (anchor.witness, anchor.size, anchor.root, anchor.time_s, anchor.at_us, anchor.note),
            )

    def all(self) -> list[Anchor]:
        """Every cosigned head, by size.

        Raises:
            CouldNotLook: the file is there but cannot be read.
        """
        return [_anchor(row) for row in self._rows("SELECT witness, size, root, time_s, at_us, note FROM anchor ORDER BY size, witness")]

    def newest(self) -> Anchor | None:
        """The cosigned head that covers most."""
        rows = self._rows("SELECT witness, size, root, time_s, at_us, note FROM anchor ORDER BY size DESC, witness DESC LIMIT 1")
        return _anchor(rows[0]) if rows else None

    def largest(self, witness: str, most: int) -> int:
        """The largest size of at most `most` entries that a witness has cosigned, 0 if none."""
        rows = self._rows("SELECT max(size) FROM anchor WHERE witness = ? AND size <= ?", (witness, most))
        return int(rows[0][0] or 0) if rows else 0

    def _rows(self, query: str, values: tuple[str | int, ...] = ()) -> list[tuple[Any, ...]]:
        if not self._path.exists():
            return []
        try:
            db = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=5)
            try:
                return db.execute(query, values).fetchall()
            finally:
                db.close()
        except sqlite3.Error as error:
            if "no such table" in str(error):
                return []
            raise CouldNotLook(f"{self._path} cannot be read: {error}.", "Restore it from a backup, or remove it.") from error


def _anchor(row: tuple[Any, ...]) -> Anchor:
    return Anchor(row[0], row[1], bytes(row[2]), row[3], row[4], bytes(row[5]))


def check_anchors(home: Home, size: int, head: SignedHead) -> None:
    """Refuse a ledger that is shorter than, or differs from, a head that a witness cosigned.

    Raises:
        LedgerFault: rolled back or forked against an anchor that this home kept.
    """
    newest = AnchorStore(home.anchors_db).newest()
    if newest is None:
        return
    if newest.size > head.size:
        raise LedgerFault(
            f"{newest.witness} cosigned {newest.size} entries; the checkpoint covers {head.size}: the ledger was rolled back.",
            "Restore segments/, ledger/ and checkpoints.log from a newer backup.",
        )
    if newest.size == head.size and newest.root != head.root:
        raise LedgerFault(f"{newest.witness} cosigned another root for {size} entries: the log forked.", "Keep all files as evidence.")
