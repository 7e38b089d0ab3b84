"""What a population comes to under a procedure, added up inside DuckDB over the parts that it is asked in; no row is taken out.

Leaves out: parts, and which tables the queries read (`columns`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
    """Adds up items over parts.

    Args:
        population: its query; `procedure` reads it as `pop`.
        most: rows that are not met and are kept, the first ones.
    """

    def __init__(self, population: str, procedure: str, most: int) -> None:
        self._population, self._procedure, self._most = population, procedure, most
        self._rows = 0
        self._counts: dict[tuple[int, str], int] = {}
        self._found: list[tuple[int, int, int, str]] = []
        self._parts = 0

    def statement(self, sources: str = "") -> str:
        """All that is asked of a part, in one statement, so that neither rows nor items are laid down as a table."""
        before = f"{sources}, " if sources else ""
        first = f"LIST_SLICE(LIST_SORT(LIST((idx, ord)) FILTER (WHERE item <> 0)), 1, {self._most})"
        return (
            f"WITH {before}pop AS MATERIALIZED ({self._population}) "  # noqa: S608 - checked queries
            f"SELECT item, why, COUNT(*), {first} FROM ({self._procedure}) GROUP BY item, why "
            "UNION ALL SELECT -1, '', COUNT(*), NULL FROM pop"
        )

    def add(self, found: list[Any]) -> None:
        """Take the rows of a part's statement.

        Raises:
            BadInput: the procedure does not give one row for each of the population.
        """
        self._parts += 1
        rows = sum(count for item, _, count, _ in found if item == -1)
        items = [each for each in found if each[0] != -1]
        if (given := sum(count for _, _, count, _ in items)) != rows:
            raise BadInput(f"A procedure gives {given} rows for {rows}.", "Let it give one for each row.")
        self._rows += rows
        for item, why, count, first in items:
            self._counts[item, why] = self._counts.get((item, why), 0) + count
            self._found += [(idx, ordinal, item, why) for idx, ordinal in first or ()]
        self._found = sorted(self._found)[: self._most]

    def weighed(self) -> Weighed:
        """The sums."""
        of = {item: sum(count for (found, _), count in self._counts.items() if found == item) for item in (0, 1, 2)}
        reasons = {key: count for key, count in sorted(self._counts.items()) if key[0]}
        return Weighed(self._rows, of[0], of[1], of[2], reasons, tuple(self._found), self._parts)


def only(text: str, tree: Any, words: frozenset[str]) -> str:
    """A population's query cut down to the columns that its procedure may read: text is what costs most to carry."""
    first = tree.this if isinstance(tree, exp.Subquery) else tree
    while isinstance(first, exp.SetOperation):
        first = first.left
    wanted = [f'"{e.alias_or_name}"' for e in first.expressions if e.alias_or_name.lower() in words]
    return f"SELECT {', '.join(wanted)} FROM ({text})"  # noqa: S608 - names out of a checked query
