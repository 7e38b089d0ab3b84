"""What verbs need of a database, whichever it is: statements over an open connection, and transactions.

`kit.db` gives it over an SQLite file, `kit.postgres` over PostgreSQL. Statements keep to what both read alike: `?` for values, ON
CONFLICT, RETURNING, no order that is not asked for. Leaves out: every SQL text (each room's `store.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Row(Protocol):
    """One row: values by position or by name, in the order of its columns."""

    def __getitem__(self, key: Any, /) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...


class Result(Protocol):
    """What a statement gave: rows, or how many rows it changed."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """Statements within one transaction, or one look."""

    def execute(self, sql: str, values: Sequence[Any] = ..., /) -> Result: ...

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object: ...


class Transactions(Protocol):
    """A database that threads take turns at."""

    def transaction(self) -> AbstractContextManager[Connection]:
        """One transaction alone: all of it is durable when the block ends, or none of it if the block raises."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A look at what is committed; inside `transaction`, at what that wrote so far."""

    def forget_pages(self, *tables: str) -> None:
        """Have overwritten values of these tables leave the files, too."""

    def close(self) -> None:
        """Disconnect."""
