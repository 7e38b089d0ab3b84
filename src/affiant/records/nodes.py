"""Which nodes are in contact with the records, and what their workers decide from.

A home that keeps its own records is its only node. Nodes that share records say four times a second which epoch their workers have all
confirmed (table `contact`, by PostgreSQL's clock). A node that is silent for longer than its workers may go on without news does not
count any more: they have stopped by themselves. Leaves out: workers of this node (`server`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from affiant.kit.sql import Connection, Transactions
from affiant.records.snapshot import STALE_OK_MS

if TYPE_CHECKING:
    from affiant.kit.postgres import PostgresDatabase

BEAT_S = 0.25
SILENT_S = STALE_OK_MS / 1000 + 2.0
"""Real seconds of silence after which a node's workers have stopped for want of news."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """One look at the records and at all other nodes.

    Args:
        began_ns: monotonic time before the look, and before the last word about this node that the others have.
        epoch: the newest.
        confirmed: by all workers of all other nodes; None where there are no others.
        workers: of the others.
    """

    began_ns: int
    epoch: int
    confirmed: int | None = None
    workers: int = 0


class Nodes(Protocol):
    """The nodes that share the records."""

    def look(self, confirmed: int, workers: int) -> Elsewhere:
        """Say what this node's workers have confirmed, and see what there is.

        Raises:
            CouldNotLook: records cannot be read.
        """

    def leave(self) -> None:
        """Say that this node has no workers any more."""

    def others(self, connection: Connection) -> bool:
        """Whether another node is in contact, within a transaction."""


class OneNode:
    """A home with records of its own."""

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def look(self, confirmed: int, workers: int) -> Elsewhere:
        """As `Nodes.look`."""
        began_ns = time.monotonic_ns()
        with self._database.reading() as connection:
            return Elsewhere(began_ns, int(connection.execute("SELECT value FROM counters WHERE name = 'epoch'").fetchone()[0]))

    def leave(self) -> None:
        """Nobody asks."""

    def others(self, connection: Connection) -> bool:
        """There are none."""
        return False


class SharedNodes:
    """Nodes whose records lie in PostgreSQL.

    Args:
        node: this one's name.
    """

    def __init__(self, database: PostgresDatabase, node: str) -> None:
        self._database, self._node = database, node
        self._told = (-1, -1)
        self._told_ns = 0

    def look(self, confirmed: int, workers: int) -> Elsewhere:
        """As `Nodes.look`. The word about this node goes out first: so the others never wait less long than its workers go on."""
        now_ns = time.monotonic_ns()
        if (confirmed, workers) != self._told or now_ns - self._told_ns >= BEAT_S * 1e9:
            self._database.at_once(
                "INSERT INTO contact (node, epoch, workers, seen) VALUES (?, ?, ?, clock_timestamp()) ON CONFLICT (node) DO UPDATE "
                "SET epoch = excluded.epoch, workers = excluded.workers, seen = excluded.seen",
                (self._node, confirmed, workers),
            )
            self._told, self._told_ns = (confirmed, workers), now_ns
        row = self._database.at_once(
            "SELECT (SELECT value FROM counters WHERE name = 'epoch'), min(epoch), COALESCE(sum(workers), 0)::bigint FROM contact "
            "WHERE node <> ? AND seen > clock_timestamp() - make_interval(secs => ?)",
            (self._node, SILENT_S),
        ).fetchone()
        return Elsewhere(self._told_ns, int(row[0]), None if row[1] is None else int(row[1]), int(row[2]))

    def leave(self) -> None:
        """As `Nodes.leave`."""
        self._database.at_once("DELETE FROM contact WHERE node = ?", (self._node,))

    def others(self, connection: Connection) -> bool:
        """As `Nodes.others`."""
        sql = "SELECT 1 FROM contact WHERE node <> ? AND seen > clock_timestamp() - make_interval(secs => ?) LIMIT 1"
        return connection.execute(sql, (self._node, SILENT_S)).fetchone() is not None
