"""Rows of queries as Parquet files in a folder of one DuckDB: a population that is read again and again, and items part by part.

Leaves out: which queries, and when (`columns`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from pathlib import Path
from typing import Any

from affiant.assurance.arrow import rows_of
from affiant.kit.blocks import Block
from affiant.kit.errors import BadInput
from affiant.ledger.columnar.straddle import read_list

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_KINDS = {"VARCHAR": "VARCHAR", **dict.fromkeys(_WHOLE, "BIGINT")}


class QueryFiles:
    """Files of one DuckDB.

    Args:
        db: its connection.
        folder: where they lie; whoever made it removes it.
    """

    def __init__(self, db: Any, folder: Path) -> None:
        self._db, self._folder, self._numbers = db, folder, count()

    def typed(self, text: str) -> tuple[list[str], str]:
        """Columns of a query, and the query with 64-bit integers and text only.

        Raises:
            BadInput: it gives something else.
        """
        kinds = self._db.execute(f"DESCRIBE {text}").fetchall()
        for name, kind, *_ in kinds:
            if kind not in _KINDS:
                raise BadInput(f"A query gives {kind} for {name}, not integers and text.", "Use COALESCE for what may be absent.")
        cells = ", ".join(f'CAST("{name}" AS {_KINDS[kind]}) AS "{name}"' for name, kind, *_ in kinds)
        return [name for name, *_ in kinds], f"SELECT {cells} FROM ({text})"  # noqa: S608 - names of a checked query

    def write(self, select: str) -> Path:
        """Run a query; its rows are a new file."""
        path, statement = self.copying(select)
        self._db.execute(statement)
        return path

    def copying(self, select: str) -> tuple[Path, str]:
        """A new file, and the statement that fills it with the rows of a query."""
        path = self._folder / f"rows-{next(self._numbers)}.parquet"
        place = str(path).replace("'", "''")
        return path, f"COPY ({select}) TO '{place}' (FORMAT parquet)"

    def stand(self, name: str, files: Sequence[Path]) -> None:
        """Let files stand as a table."""
        self._db.execute(f'CREATE OR REPLACE VIEW "{name}" AS SELECT * FROM {parquet(files)}')  # noqa: S608 - own paths

    def rows(self, select: str, order: Sequence[str], cuts: Sequence[int]) -> Iterator[Block]:
        """Rows of a query in order, as they come; its columns are as `typed` makes them.

        Args:
            order: columns.
            cuts: ascending; where `idx` leads the order, rows below the first, between two, and from the last on are put in order apart,
                which takes no more room than the most of them.
        """
        terms = ", ".join(f'"{name}"' for name in order)
        for condition in _within(cuts if order[0] == "idx" else []):
            yield from rows_of(self._db.sql(f"FROM ({select}) WHERE {condition} ORDER BY {terms}"))

    @staticmethod
    def drop(files: list[Path]) -> None:
        """Remove files."""
        for path in files:
            path.unlink()
        files.clear()


def _within(cuts: Sequence[int]) -> list[str]:
    """Conditions of which each row meets one."""
    if not cuts:
        return ["TRUE"]
    between = [f"idx >= {start} AND idx < {stop}" for start, stop in pairwise(cuts)]
    return [f"idx < {cuts[0]}", *between, f"idx >= {cuts[-1]} OR idx IS NULL"]


def parquet(files: Sequence[Path]) -> str:
    """Files as a table expression."""
    return f"read_parquet({read_list([str(path) for path in files])}, hive_partitioning = false)"
