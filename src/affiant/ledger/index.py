"""A disposable index over the ledger: time, type and reference of each entry (`HOME/derived/index.db`).

Caught up when asked, by whichever process asks; any process may remove the file. Leaves out: what entries say beyond that.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from affiant.kit.errors import CouldNotLook, LedgerFault
from affiant.proof.hashes import leaf_hash

FORMAT = 1
ROWS_AT_ONCE = 5_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kind(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS entry(idx INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind INTEGER NOT NULL, ref TEXT) STRICT;
CREATE INDEX IF NOT EXISTS entry_ref ON entry(ref) WHERE ref IS NOT NULL;
CREATE INDEX IF NOT EXISTS entry_kind ON entry(kind, idx);
CREATE INDEX IF NOT EXISTS entry_at ON entry(at);
""".replace("value) STRICT", "value ANY) STRICT")


class _Row(msgspec.Struct, frozen=True):
    type: str
    at: int
    ref: str | None = None


_read_row = msgspec.json.Decoder(_Row).decode
Entries = Callable[[int, int], Iterable[bytes]]


class Index:
    """See the module text.

    Args:
        path: of the database.
        home_id: the index of another home is thrown away.
        entries: gives the entries [start, stop).
        start: entries below it are looked up elsewhere (`lookup`); may be raised later.
    """

    def __init__(self, path: Path, home_id: str, entries: Entries, start: int = 0) -> None:
        self.start = start
        self._path = path
        self._home_id = home_id
        self._entries = entries
        self._lock = threading.Lock()
        self._memory: sqlite3.Connection | None = None

    @property
    def begin(self) -> int:
        """Lowest index that is held at all."""
        return 0

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(exist_ok=True)
        db = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_SCHEMA)
        self._check(db)

    def _check(self, db: sqlite3.Connection) -> None:
        """Throw away what belongs to another home, format or history."""
        meta = dict(db.execute("SELECT name, value FROM meta").fetchall())
        last = db.execute("SELECT MAX(idx) FROM entry").fetchone()[0]
        good = meta.get("format") == FORMAT and meta.get("home") == self._home_id
        if good and last is not None:
            found = list(self._entries(last, last + 1))
            good = bool(found) and leaf_hash(found[0]) == meta.get("leaf")
        first = db.execute("SELECT MIN(idx) FROM entry").fetchone()[0]
        if not good or (first is not None and first > self.start):
            db.execute("BEGIN IMMEDIATE")
            for table in ("meta", "kind", "entry"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - names above
            db.executemany("INSERT INTO meta VALUES (?, ?)", [("format", FORMAT), ("home", self._home_id)])
            db.execute("COMMIT")

    @contextmanager
    def _caught_up(self, size: int) -> Iterator[sqlite3.Connection]:
        """The database, caught up to `size`; one in memory where the home cannot be written, such as a copy for an auditor.

        Raises:
            CouldNotLook: it cannot be made or read.
        """
        try:
            shared = self._shared(size) if self._memory is None else None
            if shared is not None:
                with closing(shared):
                    yield shared
                return
            with self._lock:
                if self._memory is None:
                    self._memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
                    self._prepare(self._memory)
                self._catch_up(self._memory, size)
                yield self._memory
        except sqlite3.Error as error:
            raise CouldNotLook(f"{self._path} cannot be used: {error}.", "Remove derived/ and try again.") from error

    def _shared(self, size: int) -> sqlite3.Connection | None:
        """The file, caught up; damaged ones are made anew once. None where it cannot be written."""
        for again in (True, False):
            db: sqlite3.Connection | None = None
            try:
                db = self._connect()
                self._catch_up(db, size)
                return db
            except (sqlite3.DatabaseError, PermissionError) as error:
                if db is not None:
                    db.close()
                if not os.access(self._path.parent, os.W_OK):
                    return None
                if isinstance(error, sqlite3.OperationalError | PermissionError) or not again:
                    raise CouldNotLook(f"{self._path} cannot be used: {error}.", "Make room, or remove derived/ and try again.") from error
                for suffix in ("", "-wal", "-shm"):
                    self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            except BaseException:
                if db is not None:
                    db.close()
                raise
        raise AssertionError

    def _catch_up(self, db: sqlite3.Connection, size: int) -> None:
        kinds: dict[str, int] = dict(db.execute("SELECT name, id FROM kind").fetchall())
        first = db.execute("SELECT MIN(idx) FROM entry").fetchone()[0]
        if first is not None and first < self.start:
            db.execute("DELETE FROM entry WHERE idx < ?", (self.start,))
        while True:
            if self._next(db) >= size:
                return
            db.execute("BEGIN IMMEDIATE")
            try:
                start = self._next(db)
                stop = min(size, start + ROWS_AT_ONCE)
                if start < stop:
                    self._insert(db, kinds, start, stop)
                db.execute("COMMIT")
            except BaseException:
                db.execute("ROLLBACK")
                raise

    def _next(self, db: sqlite3.Connection) -> int:
        last = db.execute("SELECT MAX(idx) FROM entry").fetchone()[0]
        return self.start if last is None else max(self.start, int(last) + 1)

    def _insert(self, db: sqlite3.Connection, kinds: dict[str, int], start: int, stop: int) -> None:
        rows, data = [], b""
        for number, data in enumerate(self._entries(start, stop), start):
            try:
                row = _read_row(data)
            except (msgspec.DecodeError, msgspec.ValidationError, ValueError, RecursionError) as error:
                raise LedgerFault(f"Entry {number} is no envelope: {error}.", "Run `affiant ledger verify`.") from error
            kind = kinds.get(row.type)
            if kind is None:
                db.execute("INSERT OR IGNORE INTO kind(name) VALUES (?)", (row.type,))
                kind = kinds[row.type] = int(db.execute("SELECT id FROM kind WHERE name = ?", (row.type,)).fetchone()[0])
            rows.append((number, row.at, kind, row.ref))
        if len(rows) != stop - start:
            raise LedgerFault(f"Entries {start} to {stop} cannot all be read.", "Run `affiant ledger verify`.")
        db.executemany("INSERT INTO entry VALUES (?, ?, ?, ?)", rows)
        db.execute("INSERT OR REPLACE INTO meta VALUES ('leaf', ?)", (leaf_hash(data),))

    def find(self, ref: str, size: int) -> list[int]:
        """Indexes of the entries about `ref`, ascending."""
        with self._caught_up(size) as db:
            return [row[0] for row in db.execute("SELECT idx FROM entry WHERE ref = ? AND idx < ? ORDER BY idx", (ref, size))]

    def between(self, from_us: int, to_us: int, size: int) -> list[int]:
        """Indexes of the entries with from_us <= at < to_us, ascending."""
        with self._caught_up(size) as db:
            found = db.execute("SELECT idx FROM entry WHERE at >= ? AND at < ? AND idx < ? ORDER BY idx", (from_us, to_us, size))
            return [row[0] for row in found]

    def first_since(self, at_us: int, size: int) -> int | None:
        """Lowest index of an entry with at >= at_us, or None."""
        with self._caught_up(size) as db:
            row = db.execute("SELECT MIN(idx) FROM entry WHERE at >= ? AND idx < ?", (at_us, size)).fetchone()
            return None if row[0] is None else int(row[0])

    def of_types(self, types: tuple[str, ...], start: int, stop: int) -> Iterator[int]:
        """Indexes in [start, stop) of entries of these types, ascending."""
        with self._caught_up(stop) as db:
            marks = ",".join("?" * len(types))
            query = (
                f"SELECT idx FROM entry WHERE kind IN (SELECT id FROM kind WHERE name IN ({marks})) AND idx >= ? AND idx < ? ORDER BY idx"  # noqa: S608
            )
            found = [row[0] for row in db.execute(query, (*types, start, stop))]
        return iter(found)

    def counts(self, size: int) -> dict[str, int]:
        """How many entries there are of each type."""
        with self._caught_up(size) as db:
            found = db.execute(
                "SELECT kind.name, count(*) FROM entry JOIN kind ON kind.id = entry.kind WHERE idx < ? GROUP BY 1 ORDER BY 1", (size,)
            )
            return dict(found.fetchall())
