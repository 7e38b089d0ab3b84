"""Moves finished events from `records.db` into the ledger, exactly once.

The records room commits (seq, event bytes) into `outbox` together with the change; `outbox_seq.next` is the next number. The writer
compares with the last number of that producer in the ledger, appends what is newer, then deletes. Leaves out: what the events say.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from affiant.kit.errors import LedgerFault, LedgerUnavailable

ROWS_AT_ONCE = 1_000
BYTES_AT_ONCE = 8 * 1024 * 1024
BUSY_S = 5.0


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One finished event: row id, producer's number, mark, exchange id and bytes."""

    id: int
    seq: int
    mark: int
    ref: str
    data: bytes


class Outbox:
    """The writer's side of `outbox` in `records.db`. One thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None

    def _open(self) -> sqlite3.Connection | None:
        if self._db is None:
            if not self._path.exists():
                return None
            db = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            if db.execute("SELECT count(*) FROM sqlite_master WHERE name IN ('outbox', 'outbox_seq')").fetchone()[0] != 2:
                db.close()
                return None
            db.execute("PRAGMA synchronous = NORMAL")
            self._db = db
        return self._db

    def take(self, last_seq: int) -> tuple[list[OutboxRow], int]:
        """Rows that are not in the ledger yet, oldest first, and the highest row id seen (0 if none).

        Args:
            last_seq: last number of the outbox's producer in the ledger, -1 if none.

        Raises:
            LedgerFault: `records.db` and the ledger do not belong to the same moment.
            LedgerUnavailable: `records.db` cannot be read now.
        """
        try:
            db = self._open()
            if db is None:
                if last_seq >= 0 and not self._path.exists():
                    raise LedgerFault(f"{self._path} is missing.", "Restore it from a backup of the same moment as the segments.")
                return [], 0
            found = db.execute("SELECT next FROM outbox_seq").fetchone()
            if found is not None and found[0] <= last_seq:
                raise LedgerFault(
                    f"{self._path} is older than the ledger (its next event is {found[0]}, the ledger holds {last_seq}).",
                    "Restore both from a backup of the same moment.",
                )
            done = db.execute("SELECT COALESCE(MAX(id), 0) FROM outbox WHERE seq <= ?", (last_seq,)).fetchone()[0]
            if done:
                db.execute("DELETE FROM outbox WHERE seq <= ?", (last_seq,))
            rows: list[OutboxRow] = []
            size = 0
            for raw in db.execute(
                "SELECT id, seq, mark, ref, data FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?", (last_seq, ROWS_AT_ONCE)
            ):
                row = OutboxRow(raw[0], raw[1], raw[2], raw[3], bytes(raw[4]))
                size += len(row.data)
                if rows and size > BYTES_AT_ONCE:
                    break
                rows.append(row)
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"{self._path} cannot be read: {error}.", "Try again; if it stays, check the disk.") from error
        if rows and rows[0].seq != last_seq + 1:
            raise LedgerFault(
                f"The outbox begins at event {rows[0].seq}; the ledger waits for {last_seq + 1}.",
                "Restore records.db and the segments from a backup of the same moment.",
            )
        return rows, max([done, *(row.id for row in rows)])

    def delete(self, rows: list[OutboxRow]) -> None:
        """Forget rows that are on disk in the ledger. If this is lost, `take` does it again.

        Raises:
            LedgerUnavailable: `records.db` cannot be written now; nothing is lost.
        """
        if self._db is None or not rows:
            return
        try:
            self._db.execute("DELETE FROM outbox WHERE seq <= ?", (rows[-1].seq,))
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"{self._path} cannot be written: {error}.", "Try again; if it stays, check the disk.") from error

    def close(self) -> None:
        """Close the database."""
        if self._db is not None:
            self._db.close()
            self._db = None
