"""PostgreSQL as an engine of evidence: temporary tables of one connection, filled with the verifier's own rows.

Nothing stays behind: temporary tables go with the connection and are not written to its log. Needs the extra `server` (asyncpg). For
use outside an event loop. Leaves out: translation (`elsewhere`), where rows come from (`evidence`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from affiant.assurance.elsewhere import MAX_ROWS, Answer, Schema, batches, judge_at_once, populate_at_once, settled, translate
from affiant.assurance.tables import kinds_of
from affiant.kit.blocks import Cells
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.proof.views import COMPUTED, Row, Views

try:
    import asyncpg

    from affiant.kit.postgres_errors import LOST
except ImportError as absent:
    raise CouldNotLook("The package asyncpg is not installed.", "Install the extra: pip install 'affiant[server]'.") from absent

CONNECT_S = 10.0
PENDING = 20_000
_TYPES = {"BIGINT": "BIGINT", "TEXT": 'TEXT COLLATE "C"'}
_SETTINGS = {
    "search_path": "pg_temp", "application_name": "affiant evidence", "standard_conforming_strings": "on", "jit": "off",
    "synchronous_commit": "off",  # nothing here has to outlive the connection
}  # fmt: skip
_TEXTUAL = frozenset({"text", "varchar", "unknown"})
T = TypeVar("T")


class PostgresTables:
    """Tables of one connection. For one thread.

    Args:
        views: which tables to fill.
        url: `postgresql://…`.

    Raises:
        CouldNotLook: it cannot be reached.
    """

    def __init__(self, views: Views, url: str) -> None:
        self.views = views
        self._known = {*views.by_name, *COMPUTED}
        self._pending: dict[str, list[Row]] = {name: [] for name in views.by_name}
        self._count = 0
        self._stale: set[str] = set()
        self._kinds: dict[tuple[str, ...], Schema] = {}
        self._loop = asyncio.Runner()
        try:
            with _speaking():
                self._db = self._run(_connect(url))
                self._create({**{name: view.schema() for name, view in views.by_name.items()}, **COMPUTED})
        except BaseException:
            self._loop.close()
            raise

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run(work)

    def _create(self, tables: Mapping[str, Schema]) -> None:
        made = []
        for name, schema in tables.items():
            columns = ", ".join(f'"{column}" {_TYPES[kind]} NOT NULL' for column, kind in schema)
            made.append(f'DROP TABLE IF EXISTS pg_temp."{name}"; CREATE TEMP TABLE "{name}" ({columns})')
        self._run(self._db.execute("; ".join(made)))

    def _insert(self, name: str, rows: Sequence[Row]) -> None:
        for some in batches(rows, PENDING):
            self._run(self._db.copy_records_to_table(name, schema_name="pg_temp", records=some))
        self._stale.add(name)

    def add(self, view: str, row: Row) -> None:
        """Take a row, sooner or later."""
        self._pending[view].append(row)
        self._count += 1
        if self._count >= PENDING:
            self.flush()

    def flush(self) -> None:
        """Send what is pending.

        Raises:
            CouldNotLook: PostgreSQL cannot hold a text (it has no NUL), or has no room.
        """
        with _speaking():
            for name, rows in self._pending.items():
                if rows:
                    self._insert(name, rows)
                    rows.clear()
        self._count = 0

    def replace(self, name: str, rows: Sequence[Row]) -> None:
        """Fill `expected` or `pledge` anew."""
        with _speaking():
            self._create({name: COMPUTED[name]})
            self._insert(name, rows)

    def populate(self, text: str, params: Mapping[str, int]) -> Answer:
        """A population's rows, of which at most `MAX_ROWS` may be; see `Evidence.populate`."""
        return populate_at_once(self, text, params)

    def judge(self, text: str, params: Mapping[str, int]) -> Answer:
        """A procedure's rows; see `Evidence.judge`."""
        return judge_at_once(self, text, params)

    def set_population(self, columns: Sequence[str], rows: list[Cells]) -> None:
        """Make the table `pop`."""
        kinds = self._kinds.get(tuple(columns)) or kinds_of(columns, rows)
        with _speaking():
            self._create({"pop": kinds})
            self._insert("pop", rows)

    def query(self, text: str, params: Mapping[str, int], pop: bool = False) -> tuple[list[str], list[Cells]]:
        """Run a query inside the grammar; see `tables.SqliteTables.query`.

        Raises:
            CouldNotLook: PostgreSQL cannot answer.
        """
        asked = translate(text, params, "postgres", self._known | ({"pop"} if pop else set()))
        with _speaking():
            self._settle(asked.tables)
            kinds, rows = self._run(self._ask(asked.text))
        columns = [name for name, _ in kinds]
        self._kinds[tuple(columns)] = kinds
        return columns, settled(columns, rows, asked.order)

    def _settle(self, names: frozenset[str]) -> None:
        """Index and count what has been filled since: the planner knows nothing of a temporary table by itself."""
        for name in sorted(names & self._stale):
            view = self.views.by_name.get(name)
            for number, index in enumerate(view.indexes if view else ()):
                parts = ", ".join(f'"{part}"' for part in index)
                self._run(self._db.execute(f'CREATE INDEX IF NOT EXISTS "{name}_by_{number}" ON "{name}" ({parts})'))
            self._run(self._db.execute(f'ANALYZE "{name}"'))
            self._stale.discard(name)

    async def _ask(self, text: str) -> tuple[Schema, list[Any]]:
        async with self._db.transaction(readonly=True):
            statement = await self._db.prepare(text)
            kinds = [(each.name, "TEXT" if each.type.name in _TEXTUAL else "BIGINT") for each in statement.get_attributes()]
            cursor = await statement.cursor()
            return kinds, await cursor.fetch(MAX_ROWS + 1)

    def close(self) -> None:
        """Let go of the connection, and with it of every table."""
        try:
            if not self._db.is_closed():
                self._run(self._db.close(timeout=CONNECT_S))
        except (*LOST, asyncpg.PostgresError):
            self._db.terminate()
        finally:
            self._loop.close()


async def _connect(url: str) -> Any:
    connection = await asyncpg.connect(url, timeout=CONNECT_S, statement_cache_size=0, server_settings=_SETTINGS)
    encoding = connection.get_settings().server_encoding
    if encoding.upper() != "UTF8":
        await connection.close()
        raise BadInput(f"The database has the encoding {encoding}.", "Use a database in UTF8.")
    return connection


@contextmanager
def _speaking() -> Iterator[None]:
    """Errors of PostgreSQL in the product's own words."""
    try:
        yield
    except (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError) as error:
        raise CouldNotLook(f"PostgreSQL cannot hold a text of the ledger: {error}.", "Use duckdb, sqlite or spark.") from error
    except asyncpg.SyntaxOrAccessError as error:
        raise BadInput(f"PostgreSQL refuses: {error}.", "Compare the query's names with views.json, and your rights.") from error
    except (*LOST, asyncpg.PostgresError) as error:
        reason = str(error) or type(error).__name__
        raise CouldNotLook(f"PostgreSQL could not go on: {reason}.", "Check its address and its room, then try again.") from error
