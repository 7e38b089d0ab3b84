"""SQLite as Affiant uses it: WAL, synchronous FULL, STRICT tables, foreign keys, numbered migrations, immediate transactions.

One `Database` is one connection behind one lock; threads take turns. Leaves out: every SQL text (each room's `store.py`).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from affiant.kit.errors import AffiantError, BadInput, CouldNotLook, NoRoom

BUSY_MS = 5_000


def as_error(error: sqlite3.Error, path: Path) -> AffiantError:
    """The error of our tree that an SQLite error means to a person; nothing was changed when it was raised."""
    text = str(error)
    if "full" in text:
        return NoRoom(f"{path} cannot grow: {text}.", "Free space on that disk.")
    if "readonly" in text or "unable to open" in text or "attempt to write" in text:
        return CouldNotLook(f"{path} cannot be written: {text}.", "Make the home writable for Affiant.")
    if "locked" in text or "busy" in text:
        return CouldNotLook(f"{path} stayed locked for {BUSY_MS} ms.", "See which process holds it, then try again.")
    if isinstance(error, sqlite3.DatabaseError) and ("malformed" in text or "not a database" in text):
        return BadInput(f"{path} is damaged: {text}.", "Restore it from a backup.")
    return BadInput(f"{path}: {text}.", "See the message; nothing was changed.")


class Database:
    """A connection with Affiant's settings.

    Args:
        path: the file; made with mode 0600 if it is not there and `create` is set.
        migrations: SQL scripts; script n brings version n to n+1. Never edit one that was released.
        create: whether a missing file may be made.

    Raises:
        BadInput: a newer version wrote the file, or it is damaged.
        CouldNotLook: it cannot be opened or written.
    """

    def __init__(self, path: Path, migrations: tuple[str, ...], create: bool = True) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        if not path.exists():
            if not create:
                raise CouldNotLook(f"{path} is not there.", "Restore it from a backup; Affiant does not make a new one over lost data.")
            try:
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            except OSError as error:
                raise CouldNotLook(f"{path} cannot be made: {error.strerror}.", "Make the home writable for Affiant.") from error
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000)
        except sqlite3.Error as error:
            raise as_error(error, path) from error
        try:
            self._connection.row_factory = sqlite3.Row
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", f"busy_timeout={BUSY_MS}"):
                self._connection.execute(f"PRAGMA {pragma}").fetchall()
            self._migrate(migrations)
        except sqlite3.Error as error:
            self._connection.close()
            raise as_error(error, path) from error
        except AffiantError:
            self._connection.close()
            raise

    def _migrate(self, migrations: tuple[str, ...]) -> None:
        with self.transaction() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT")
            row = connection.execute("SELECT version FROM schema_version").fetchone()
            version = 0 if row is None else int(row[0])
            if version > len(migrations):
                raise BadInput(
                    f"{self.path} has version {version}, this program knows {len(migrations)}.", "Use the newer version of Affiant."
                )
            if row is None:
                connection.execute("INSERT INTO schema_version VALUES (0)")
            for script in migrations[version:]:
                for statement in script.split(";\n"):
                    if statement.strip():
                        connection.execute(statement)
            connection.execute("UPDATE schema_version SET version = ?", (len(migrations),))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One immediate transaction: all of it is on disk when the block ends, or none of it if the block raises.

        Raises:
            NoRoom, CouldNotLook, BadInput: as `as_error`; nothing was changed.
        """
        with self._lock:
            if self._depth:
                raise RuntimeError("a transaction is already open on this connection")
            self._depth = 1
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise as_error(error, self.path) from error
            finally:
                self._depth = 0

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection for reads: each statement sees the last commit; inside `transaction`, what it wrote so far.

        Raises:
            CouldNotLook, BadInput: as `as_error`.
        """
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise as_error(error, self.path) from error

    def forget_pages(self, *tables: str) -> None:
        """Move the write-ahead log into the file and cut it to nothing, so that overwritten values of any table leave it too."""
        with self._lock:
            try:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.Error as error:
                raise as_error(error, self.path) from error

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()
