"""What a population comes to under a procedure, added up inside DuckDB over the parts that it is asked in; no row is taken out.

Leaves out: parts, and which tables the queries read (`columns`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import duckdb
from sqlglot import exp

from affiant.kit.errors import BadInput


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a population's rows came to, without the rows.

    Args:
        rows: of the population.
        met: items 0; `deviations` items 1; `could_not_test` items 2.
        reasons: (item, why) -> count, of items that are not met.
        found: (idx, ord, item, why) of the first that are not met.
        parts: how many parts it was asked in; 1 for all at once.
    """

    rows: int
    met: int
    deviations: int
    could_not_test: int
    reasons: dict[tuple[int, str], int]
    found: tuple[tuple[int, int, int, str], ...]
    parts: int


class Tally:
    """Adds up items over parts."""

    def __init__(self, db: Any, population: str, procedure: str, most: int) -> None:
        self._db, self._population, self._procedure, self._most = db, population, procedure, most
        self._rows = 0
        self._counts: dict[tuple[int, str], int] = {}
        self._found: list[tuple[int, int, int, str]] = []
        self._parts = 0

    def take(self) -> None:
        """Ask of what the views show now."""
        db = self._db
        with suppress(duckdb.CatalogException):
            db.execute("DROP TABLE IF EXISTS pop")
        db.execute(f"CREATE TEMP TABLE pop AS {self._population}")
        try:
            rows = db.execute("SELECT COUNT(*) FROM pop").fetchall()[0][0]
            self._parts += 1
            if not rows:
                return
            db.execute(f"CREATE TEMP TABLE items AS {self._procedure}")
            counts = db.execute("SELECT item, why, COUNT(*) FROM items GROUP BY item, why").fetchall()
            if sum(count for _, _, count in counts) != rows:
                raise BadInput(
                    f"A procedure gives {sum(count for _, _, count in counts)} rows for {rows}.", "Let it give one for each row."
                )
            self._rows += rows
            for item, why, count in counts:
                self._counts[item, why] = self._counts.get((item, why), 0) + count
            left = self._most - len(self._found)
            if left > 0:
                found = db.execute("SELECT idx, ord, item, why FROM items WHERE item <> 0 ORDER BY idx, ord LIMIT ?", [left]).fetchall()
                self._found += found
        finally:
            db.execute("DROP TABLE IF EXISTS items")
            db.execute("DROP TABLE IF EXISTS pop")

    def weighed(self) -> Weighed:
        """The sums."""
        of = {item: sum(count for (found, _), count in self._counts.items() if found == item) for item in (0, 1, 2)}
        reasons = {key: count for key, count in sorted(self._counts.items()) if key[0]}
        return Weighed(self._rows, of[0], of[1], of[2], reasons, tuple(sorted(self._found)), self._parts)


def only(text: str, tree: Any, words: frozenset[str]) -> str:
    """A population's query cut down to the columns that its procedure may read: text is what costs most to carry."""
    first = tree.this if isinstance(tree, exp.Subquery) else tree
    while isinstance(first, exp.SetOperation):
        first = first.left
    wanted = [f'"{e.alias_or_name}"' for e in first.expressions if e.alias_or_name.lower() in words]
    return f"SELECT {', '.join(wanted)} FROM ({text})"  # noqa: S608 - names out of a checked query
