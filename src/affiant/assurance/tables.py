"""The verifier's own SQLite as an engine of evidence, for comparison with DuckDB (`columns`). Same tables, same rows.

Leaves out: where rows come from (`evidence`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from affiant.catalog.grammar import check_query
from affiant.kit.errors import BadInput
from affiant.proof import grammar as textual
from affiant.proof.errors import ProofError
from affiant.proof.views import COMPUTED, Row, SqliteEvidence, Views

Cells = tuple[Any, ...]


def kinds_of(columns: Sequence[str], rows: Sequence[Cells]) -> list[tuple[str, str]]:
    """(name, BIGINT or TEXT) of a result's columns, by what is in them."""
    return [(name, "TEXT" if any(type(row[at]) is str for row in rows[:1]) else "BIGINT") for at, name in enumerate(columns)]


class SqliteTables:
    """The verifier's tables, behind its fences."""

    def __init__(self, views: Views) -> None:
        self._evidence = SqliteEvidence(views)
        self.views = views
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
        tables = {*self.views.by_name, *COMPUTED, *(("pop",) if pop else ())}
        try:
            return textual.run(self._evidence.connection, query, params, tables)
        except ProofError as error:
            raise BadInput(error.message, error.next_step or "See docs/decisions/0009-populations-and-grammar.md.") from error

    def set_population(self, columns: Sequence[str], rows: list[Cells]) -> None:
        self._evidence.set_population(kinds_of(columns, rows), rows)

    def close(self) -> None:
        self._evidence.close()
