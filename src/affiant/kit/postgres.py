"""PostgreSQL as records use it: one schema, one writer at a time over all nodes, numbered migrations, calls that block.

asyncpg runs in an event loop of its own, in a thread. Three connections: one for transactions, one for looks, so that whoever waits for
another node's transaction keeps nobody from looking, and one for limits, made when it is needed. A transaction first takes the row of
`records_version`: transactions of all nodes follow one another, and each sees all that those before it committed. A process that is
stopped inside one loses it after `IDLE_S` seconds. Leaves out: every SQL text (each room's `store.py`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from affiant.kit.errors import AffiantError, BadInput, CouldNotLook, NoRoom
from affiant.kit.secretref import resolve
from affiant.kit.sql import Connection

try:
    import asyncpg

    from affiant.kit.postgres_errors import LOST, PASSING
except ImportError as missing:
    raise CouldNotLook("The package asyncpg is not installed.", "Install the extra: pip install 'affiant[server]'.") from missing

T = TypeVar("T")
IDLE_S = 10
"""A transaction whose process says nothing for so long is given up by PostgreSQL."""
CONNECT_S = 5.0
LOOK_S = 5.0
WRITE_S = 30.0
_BAD_VALUE = "22"
_NEXT = "Nothing was changed; try again when PostgreSQL can be reached."


def as_error(error: Exception) -> AffiantError:
    """The error of our tree that an error of asyncpg means to a person; nothing was changed when it was raised."""
    state = str(getattr(error, "sqlstate", "") or "")
    if isinstance(error, asyncpg.DiskFullError):
        return NoRoom("The disk of PostgreSQL is full.", "Make room there; nothing was changed.")
    if isinstance(error, asyncpg.DataError | UnicodeError) or state[:2] == _BAD_VALUE:
        return BadInput(f"PostgreSQL cannot keep a value: {error}.", "Leave out what no text may hold, such as NUL.")
    if isinstance(error, asyncpg.UndefinedTableError | asyncpg.InvalidSchemaNameError):
        return CouldNotLook(f"PostgreSQL lacks tables of records: {error}.", "Restore it, or name the right database in server.json.")
    if isinstance(error, asyncpg.LockNotAvailableError):
        return CouldNotLook("Another node changes records for too long.", "Nothing was changed; see what it does, then try again.")
    if isinstance(error, LOST):
        return CouldNotLook(f"PostgreSQL cannot be reached: {error or type(error).__name__}.", _NEXT)
    if state[:2] in PASSING or state == "42501":
        return CouldNotLook(f"PostgreSQL answered {state}: {error}.", _NEXT)
    return BadInput(f"PostgreSQL refuses ({state}): {error}.", "See the message; nothing was changed.")


@cache
def numbered(sql: str) -> str:
    """A statement with its `?` numbered as PostgreSQL wants them; texts in a statement hold none."""
    first, *rest = sql.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))


class Rows:
    """What a statement gave, whole."""

    def __init__(self, rows: list[Any], status: str) -> None:
        self._rows = rows
        count = status.rpartition(" ")[2]
        self.rowcount = int(count) if count.isdigit() else -1

    def fetchone(self) -> Any:
        """The first row, or None."""
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[Any]:
        """Every row."""
        return self._rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)


class _Session:
    """One connection, made when it is needed and again when it was lost. One thread at a time holds `lock`."""

    def __init__(self, database: PostgresDatabase, name: str, timeout_s: float) -> None:
        self.lock = threading.RLock()
        self.owner = 0
        self._database, self._name, self._timeout_s = database, name, timeout_s
        self._connection: Any = None
        self._statements: dict[str, Any] = {}

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Rows:
        """Run one statement.

        Raises:
            CouldNotLook, NoRoom, BadInput: as `as_error`.
        """
        return self._do(self._execute(numbered(sql), values))

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Run one statement for each of many rows.

        Raises:
            CouldNotLook, NoRoom, BadInput: as `as_error`.
        """
        self._do(self._many(numbered(sql), rows))

    def ready(self) -> None:
        """Connect, if there is no connection or it is known to be lost. Never within a transaction: that is lost with its connection."""
        if self._connection is None or self._connection.is_closed():
            self._statements.clear()
            self._connection = self._do(self._database.connect(self._name, self._timeout_s))

    def begin(self, sql: str) -> None:
        """Begin, on a new connection if the one that is there turns out to be lost."""
        self.ready()
        try:
            self.plain(sql)
        except CouldNotLook:
            self.drop()
            self.ready()
            self.plain(sql)

    def plain(self, sql: str) -> str:
        """Run a statement without values; gives what PostgreSQL calls it when it is done."""
        return str(self._do(self._plain(sql)))

    def drop(self) -> None:
        """Let go of the connection; PostgreSQL undoes what it did not commit."""
        connection, self._connection = self._connection, None
        self._statements.clear()
        if connection is not None:
            self._database.run(_terminated(connection))

    async def close(self) -> None:
        """Disconnect; in the loop's own thread."""
        if self._connection is not None and not self._connection.is_closed():
            try:
                await self._connection.close(timeout=1.0)
            except (*LOST, asyncpg.PostgresError):
                self._connection.terminate()
        self._connection = None

    def _there(self) -> Any:
        if self._connection is None:
            raise CouldNotLook("The connection to PostgreSQL is closed.", _NEXT)
        return self._connection

    async def _plain(self, sql: str) -> str:
        return str(await self._there().execute(sql))

    async def _many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        await self._there().executemany(sql, list(rows))

    async def _execute(self, sql: str, values: Sequence[Any]) -> Rows:
        statement = self._statements.get(sql)
        if statement is None:
            statement = self._statements[sql] = await self._there().prepare(sql)
        rows = await statement.fetch(*values)
        return Rows(list(rows), str(statement.get_statusmsg()))

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._database.run(work)
        except LOST as error:
            self.drop()  # it may hang for ever, or be in the middle of something
            raise as_error(error) from error
        except (asyncpg.PostgresError, UnicodeError) as error:
            raise as_error(error) from error


async def _terminated(connection: Any) -> None:
    connection.terminate()


class PostgresDatabase:
    """Records of all nodes, in one schema.

    Args:
        dsn: reference to the connection string (`env:NAME` or `file:PATH`).
        schema: that holds the tables; a name that `ServerConfig` has checked.
        name: shown in pg_stat_activity as "affiant NAME".
        migrations: SQL scripts; script n brings version n to n+1. Never edit one that was released.
        create: whether missing tables may be made.
        as_it_is: whether tables of an earlier version stay as they are, for a look.

    Raises:
        BadInput: a newer version made the tables, or the connection string is none.
        CouldNotLook: PostgreSQL cannot be reached, or has no records and none may be made.
    """

    def __init__(
        self, dsn: str, schema: str, name: str, migrations: tuple[str, ...], create: bool = False, as_it_is: bool = False
    ) -> None:  # fmt: skip
        self.schema = schema
        self._dsn, self._name = dsn, name
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="records-postgres", daemon=True)
        self._thread.start()
        self._writing = _Session(self, "records", WRITE_S)
        self._looking = _Session(self, "records look", LOOK_S)
        self._leasing = _Session(self, "records limits", LOOK_S)
        try:
            self._migrate(migrations, create, as_it_is)
        except BaseException:
            self.close()
            raise

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one call to its end in the loop's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def connect(self, name: str, timeout_s: float) -> Any:
        """A connection whose statements find this schema's tables and no others."""
        settings = {
            "application_name": f"affiant {name} {self._name}"[:63], "search_path": f"{self.schema}, pg_temp", "synchronous_commit": "on",
            "idle_in_transaction_session_timeout": f"{IDLE_S}s", "lock_timeout": f"{2 * IDLE_S}s", "statement_timeout": f"{WRITE_S:.0f}s",
        }  # fmt: skip
        try:
            return await asyncpg.connect(resolve(self._dsn), timeout=CONNECT_S, command_timeout=timeout_s, server_settings=settings)
        except ValueError as error:
            raise BadInput(f"{self._dsn} holds no connection string: {error}.", "Write postgresql://user@host/database.") from None

    def _migrate(self, migrations: tuple[str, ...], create: bool, as_it_is: bool) -> None:
        there = self._version()
        if there > len(migrations):
            raise BadInput(f"Records have version {there}, this program knows {len(migrations)}.", "Use the newer version of Affiant.")
        if there < 0 and not create:
            raise CouldNotLook(
                f"PostgreSQL holds no records in the schema {self.schema}.",
                "Restore it from a backup, or run `affiant ledger migrate` on the node whose home still has them.",
            )
        if there < len(migrations) and not as_it_is:
            self._bring_forward(migrations)

    def _version(self) -> int:
        """Version of the tables; -1 if there are none."""
        with self.reading() as c:
            if c.execute("SELECT to_regclass(?)", (f"{self.schema}.records_version",)).fetchone()[0] is None:
                return -1
            return int(c.execute("SELECT version FROM records_version").fetchone()[0])

    def _bring_forward(self, migrations: tuple[str, ...]) -> None:
        with self._alone() as session:
            session.execute("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", (f"{self.schema}/records",))
            session.plain("CREATE TABLE IF NOT EXISTS records_version (version BIGINT NOT NULL)")
            row = session.execute("SELECT version FROM records_version").fetchone()
            version = int(row[0]) if row is not None else 0
            for script in migrations[version:]:
                session.plain(script)
            session.plain("DELETE FROM records_version")
            session.execute("INSERT INTO records_version VALUES (?)", (len(migrations),))

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction, alone among those of all nodes: all of it is durable when the block ends, or none of it if the block raises.

        Raises:
            NoRoom, CouldNotLook, BadInput: as `as_error`; nothing was changed.
            CouldNotLook: PostgreSQL was lost while it committed: the change may be in force; the message says so.
        """
        with self._alone() as session:
            if session.execute("SELECT version FROM records_version FOR UPDATE").fetchone() is None:
                raise CouldNotLook("PostgreSQL lost the version of the records.", "Restore it from a backup.")
            yield session

    @contextmanager
    def _alone(self) -> Iterator[_Session]:
        session = self._writing
        with session.lock:
            if session.owner:
                raise RuntimeError("a transaction is already open on this connection")
            session.begin("BEGIN")
            session.owner = threading.get_ident()
            try:
                yield session
                _commit(session)
            except BaseException:
                _undo(session)
                raise
            finally:
                session.owner = 0

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A look at one moment: all statements of the block see the same commits; inside `transaction`, what that wrote so far.

        Raises:
            CouldNotLook, BadInput: as `as_error`.
        """
        if self._writing.owner == threading.get_ident():
            yield self._writing
            return
        session = self._looking
        with session.lock:
            if session.owner:
                yield session
                return
            session.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            session.owner = threading.get_ident()
            try:
                yield session
            finally:
                session.owner = 0
                _undo(session)

    def at_once(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """One statement in a transaction of its own, which waits for no other node's.

        Raises:
            CouldNotLook, NoRoom, BadInput: as `as_error`.
        """
        session = self._looking
        with session.lock:
            if session.owner:
                raise RuntimeError("a look is open on this connection")
            session.ready()
            return session.execute(sql, values)

    def of_limits(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """One statement in a transaction of its own, on the connection for limits.

        Raises:
            CouldNotLook, NoRoom, BadInput: as `as_error`.
        """
        with self._leasing.lock:
            self._leasing.ready()
            return self._leasing.execute(sql, values)

    def forget_pages(self, *tables: str) -> None:
        """Write these tables anew without what was overwritten in them. The server's log of changes and its backups keep that until
        they expire."""
        session = self._writing
        with session.lock:
            session.ready()
            for table in tables:
                session.plain(f"VACUUM (FULL) {table}")

    def close(self) -> None:
        """Disconnect."""
        if self._loop.is_closed():
            return
        for session in (self._writing, self._looking, self._leasing):
            self.run(session.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _commit(session: _Session) -> None:
    try:
        done = session.plain("COMMIT")
    except CouldNotLook as error:
        raise CouldNotLook(
            f"PostgreSQL was lost while it committed: {error.message}", "The change may be in force: look before you make it again."
        ) from error
    if done != "COMMIT":
        raise CouldNotLook(f"PostgreSQL answered {done} to COMMIT.", _NEXT)


def _undo(session: _Session) -> None:
    """End a transaction without effect; a connection that cannot say so is dropped, which PostgreSQL undoes by itself."""
    try:
        session.plain("ROLLBACK")
    except AffiantError:
        session.drop()
