"""The verifier's own SQLite as an engine of evidence, for comparison with DuckDB (`columns`). Same tables, same rows.

Leaves out: where rows come from (`evidence`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from affiant.catalog.grammar import check_query
from affiant.kit.blocks import Cells
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.proof import errors as proof_errors
from affiant.proof import grammar as textual
from affiant.proof.views import COMPUTED, Row, SqliteEvidence, Views


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

    def query(self, text: str, params: Mapping[str, int]) -> tuple[list[str], list[Cells]]:
        columns, parts = self._stream(text, params)
        return columns, [row for part in parts for row in part]

    def populate(self, text: str, params: Mapping[str, int]) -> tuple[list[str], Iterator[Sequence[Cells]]]:
        self._evidence.drop_population()
        columns, parts = self._stream(text, params)
        return columns, self._keeping(columns, parts)

    def judge(self, text: str, params: Mapping[str, int]) -> tuple[list[str], Iterator[Sequence[Cells]]]:
        return self._stream(text, params, "pop")

    def _stream(self, text: str, params: Mapping[str, int], *more: str) -> tuple[list[str], Iterator[Sequence[Cells]]]:
        query = check_query(text)
        with _speaking():
            columns, parts = textual.stream(self._evidence.connection, query, params, {*self.views.by_name, *COMPUTED, *more})
        return columns, _spoken(parts)

    def _keeping(self, columns: Sequence[str], parts: Iterator[Sequence[Cells]]) -> Iterator[Sequence[Cells]]:
        """The same rows, each part put into `pop` once it was taken: whoever takes it refuses what is out of order."""
        made = False
        for rows in parts:
            yield rows
            if not made:
                self._evidence.set_population(kinds_of(columns, rows), [])
                made = True
            self._evidence.more_population(rows)
        if not made:
            self._evidence.set_population(kinds_of(columns, []), [])

    def close(self) -> None:
        self._evidence.close()


@contextmanager
def _speaking() -> Iterator[None]:
    """What the verifier's code refuses, in the product's words."""
    try:
        yield
    except proof_errors.CouldNotLook as error:
        raise CouldNotLook(error.message, error.next_step) from error
    except proof_errors.ProofError as error:
        raise BadInput(error.message, error.next_step or "See docs/decisions/0009-populations-and-grammar.md.") from error


def _spoken(parts: Iterator[Sequence[Cells]]) -> Iterator[Sequence[Cells]]:
    with _speaking():
        yield from parts
