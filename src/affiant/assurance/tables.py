"""The two engines that queries run on: DuckDB for the product, the verifier's own SQLite for comparison. Same tables, same rows.

DuckDB is filled through CSV files with explicit types, since inserting row by row costs about a millisecond each.
Leaves out: where rows come from (`evidence`).
"""

from __future__ import annotations

import csv
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

import duckdb

from affiant.catalog.grammar import check_query
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.proof import grammar as textual
from affiant.proof.errors import ProofError
from affiant.proof.views import COMPUTED, Row, SqliteEvidence, Views

Cells = tuple[Any, ...]
_PARAM = re.compile(r"'[^']*'|:([a-z][a-z0-9_]*)")


class Tables(Protocol):
    """What an engine offers."""

    def add(self, view: str, row: Row) -> None:
        """Take one row of a view."""
        ...

    def flush(self) -> None:
        """Make all rows taken visible to queries."""
        ...

    def replace(self, name: str, rows: Sequence[Row]) -> None:
        """Fill `expected` or `pledge` anew."""
        ...

    def query(self, text: str, params: Mapping[str, int], pop: bool = False) -> tuple[list[str], list[Cells]]:
        """Run a query inside the grammar.

        Args:
            pop: whether it may read the table `pop`.

        Raises:
            BadInput: it lies outside the grammar, or the engine refuses it.
        """
        ...

    def set_population(self, columns: Sequence[str], rows: list[Cells]) -> None:
        """Make the table `pop`."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


def open_tables(engine: str, views: Views) -> Tables:
    """An engine by name: `duckdb` or `sqlite`.

    Raises:
        BadInput: there is no such engine.
    """
    if engine == "duckdb":
        return DuckTables(views)
    if engine == "sqlite":
        return SqliteTables(views)
    raise BadInput(f"There is no engine {engine!r}.", "Use duckdb or sqlite.")


def kinds_of(columns: Sequence[str], rows: Sequence[Cells]) -> list[tuple[str, str]]:
    """(name, BIGINT or TEXT) of a result's columns, by what is in them."""
    return [(name, "TEXT" if any(type(row[at]) is str for row in rows[:1]) else "BIGINT") for at, name in enumerate(columns)]


class SqliteTables:
    """The verifier's tables, behind its fences."""

    def __init__(self, views: Views) -> None:
        self._evidence = SqliteEvidence(views)
        self._views = views
        self._pending: dict[str, list[Row]] = {name: [] for name in views.by_name}
        self._count = 0

    def add(self, view: str, row: Row) -> None:
        self._pending[view].append(row)
        self._count += 1
        if self._count >= 20_000:
            self.flush()

    def flush(self) -> None:
        connection = self._evidence.connection
        connection.execute("BEGIN")
        for name, rows in self._pending.items():
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)  # noqa: S608 - names are checked by Views
                rows.clear()
        connection.execute("COMMIT")
        self._count = 0

    def replace(self, name: str, rows: Sequence[Row]) -> None:
        self._evidence.replace(name, rows)

    def query(self, text: str, params: Mapping[str, int], pop: bool = False) -> tuple[list[str], list[Cells]]:
        query = check_query(text)
        tables = {*self._views.by_name, *COMPUTED, *(("pop",) if pop else ())}
        try:
            return textual.run(self._evidence.connection, query, params, tables)
        except ProofError as error:
            raise BadInput(error.message, error.next_step or "See docs/decisions/0009-populations-and-grammar.md.") from error

    def set_population(self, columns: Sequence[str], rows: list[Cells]) -> None:
        self._evidence.set_population(kinds_of(columns, rows), rows)

    def close(self) -> None:
        self._evidence.close()


class DuckTables:
    """Tables in an in-memory DuckDB; one thread, spilling to a folder of its own that goes away with it."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._folder = Path(tempfile.mkdtemp(prefix="affiant-evidence-"))
        self._files: dict[str, tuple[TextIO, Any]] = {}
        self._connection = duckdb.connect(
            ":memory:", config={"threads": 2, "temp_directory": str(self._folder / "spill"), "autoinstall_known_extensions": "false"}
        )
        for view in views.by_name.values():
            self._create(view.name, view.schema())
        for name, schema in COMPUTED.items():
            self._create(name, list(schema))

    def _create(self, name: str, schema: Sequence[tuple[str, str]]) -> None:
        columns = ", ".join(f'"{column}" {kind}' for column, kind in schema)
        self._connection.execute(f'CREATE OR REPLACE TABLE "{name}" ({columns})')

    def add(self, view: str, row: Row) -> None:
        known = self._files.get(view)
        if known is None:
            file = open(self._folder / f"{view}.csv", "w", encoding="utf-8", newline="")  # noqa: SIM115 - closed by flush or close
            known = self._files[view] = (file, csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n"))
        known[1].writerow(row)

    def flush(self) -> None:
        for name, (file, _) in self._files.items():
            file.close()
            self._copy(name, self._views.by_name[name].schema(), Path(file.name))
        self._files.clear()

    def _copy(self, name: str, schema: Sequence[tuple[str, str]], path: Path) -> None:
        columns = ", ".join(f"'{column}': '{kind}'" for column, kind in schema)
        names = ", ".join(f"'{column}'" for column, _ in schema)
        # A quoted empty text is '' and not NULL; nothing else may be taken for NULL or for a header.
        self._connection.execute(
            f'INSERT INTO "{name}" SELECT * FROM read_csv(?, columns = {{{columns}}}, header = false, auto_detect = false, '  # noqa: S608
            f"delim = ',', quote = '\"', escape = '\"', new_line = '\\n', force_not_null = [{names}], max_line_size = 4194304)",
            [str(path)],
        )
        path.unlink()

    def replace(self, name: str, rows: Sequence[Row]) -> None:
        self._create(name, list(COMPUTED[name]))
        self._fill(name, COMPUTED[name], rows)

    def _fill(self, name: str, schema: Sequence[tuple[str, str]], rows: Iterable[Cells]) -> None:
        path = self._folder / f"{name}.csv"
        with open(path, "w", encoding="utf-8", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(rows)
        if path.stat().st_size:
            self._copy(name, schema, path)

    def query(self, text: str, params: Mapping[str, int], pop: bool = False) -> tuple[list[str], list[Cells]]:
        query = check_query(text)
        missing = sorted(name for name in query.params if type(params.get(name)) is not int)
        if missing:
            raise BadInput(f"A query needs the parameter {missing[0]}, which has no integer value.", "Add it to the control's `params`.")

        def value(match: re.Match[str]) -> str:
            return f"({params[match[1]]})" if match[1] else match[0]

        try:
            cursor = self._connection.execute(_PARAM.sub(value, text))
            columns = [column[0] for column in cursor.description or ()]
            rows: list[Cells] = cursor.fetchall()
        except duckdb.OutOfMemoryException as error:
            raise CouldNotLook("DuckDB ran out of memory over a query.", "Choose a shorter period.") from error
        except duckdb.Error as error:
            raise BadInput(f"DuckDB refuses a query: {str(error).splitlines()[0]}", "Compare its names with views.json.") from error
        for row in rows[:1]:
            for cell in row:
                if type(cell) is not int and type(cell) is not str:
                    raise BadInput(f"A query gives {type(cell).__name__}, not integers and text.", "Use COALESCE for what may be absent.")
        return columns, rows

    def set_population(self, columns: Sequence[str], rows: list[Cells]) -> None:
        schema = kinds_of(columns, rows)
        self._create("pop", schema)
        self._fill("pop", schema, rows)

    def close(self) -> None:
        for file, _ in self._files.values():
            file.close()
        self._connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)
