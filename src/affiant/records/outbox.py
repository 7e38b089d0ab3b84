"""Finished events on their way to a ledger that lies apart from `records.db`: rows that the writer fetches (`ledger.outbox`).

Where records and ledger lie in one database there is no outbox (`shared`). Leaves out: what events say (verbs).
"""

from __future__ import annotations

from typing import Protocol

from affiant.kit.sql import Connection


class Events(Protocol):
    """Events of one transaction: each gets its producer's next number, and is in force exactly if the transaction is."""

    def next_seq(self) -> int:
        """Number of the next event; asked once for each."""

    def put(self, seq: int, data: bytes, ref: str) -> None:
        """Take one finished event."""

    def finish(self) -> None:
        """The last statement before the commit."""


class Outbox:
    """The table `outbox` of `records.db`, and the number that is due."""

    def __init__(self, connection: Connection) -> None:
        self._c = connection

    def next_seq(self) -> int:
        """Number of the next event."""
        return int(self._c.execute("UPDATE outbox_seq SET next = next + 1 RETURNING next - 1").fetchone()[0])

    def put(self, seq: int, data: bytes, ref: str) -> None:
        """Put one finished event into the outbox."""
        self._c.execute("INSERT INTO outbox (seq, data, mark, ref) VALUES (?, ?, 0, ?)", (seq, data, ref))

    def finish(self) -> None:
        """Nothing: the rows are there."""

    def number_from(self, following: int) -> None:
        """Let the next event have at least this number."""
        self._c.execute("UPDATE outbox_seq SET next = MAX(next, ?)", (following,))

    def size(self) -> int:
        """Events that the writer has not taken yet."""
        return int(self._c.execute("SELECT count(*) FROM outbox").fetchone()[0])
