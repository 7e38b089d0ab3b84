"""What nodes that share records must not do twice, and what each of them needs to do it: scheduled work, and sealed things to do it with.

A due time is taken by the first node that asks, in one statement, before the work begins. What was taken is held for `LEASE_S`; whoever
works renews that. If nobody does, another node takes it over, as long as the scheduler asks for it: its window is open. So whoever is
alive does what is due; what a node did before it died may be done again, `MAX_TRIES` times at most, so that work that kills whoever does it
ends. Leaves out: the work (operations).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from affiant.kit.postgres import PostgresDatabase

LEASE_S = 15.0
"""For so long what was taken stays with a node that says nothing more about it."""
MAX_TRIES = 3
"""So often a due time is begun."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of asking for due times.

    Args:
        mine: names of jobs to be done here now, and which try of that due time it is, from 1.
        over: names of jobs that need nothing more: done, or given up.
    """

    mine: dict[str, int]
    over: frozenset[str]


class JobBook(Protocol):
    """Which due time of each job was taken last, and which was done."""

    def last(self, first: dict[str, int]) -> dict[str, int]:
        """Due times (µs) done last, by job; a job that is not known yet begins with the one given."""

    def take(self, due: dict[str, int]) -> Taken:
        """Take due times that nobody does."""

    def renew(self) -> None:
        """Say that what was taken here is being done."""

    def done(self, due: Iterable[tuple[str, int]]) -> None:
        """Say that due times were done, and what came of it is durable."""


class SharedJobs:
    """The table `jobs`.

    Args:
        database: that the nodes share.
        node: this one's name. Another process of it is gone when this one asks.
    """

    def __init__(self, database: PostgresDatabase, node: str) -> None:
        self._database, self._node = database, node
        self._holder = f"{node}/{secrets.token_hex(4)}"

    def last(self, first: dict[str, int]) -> dict[str, int]:
        """As `JobBook.last`."""
        for name, due_us in first.items():
            self._database.at_once(
                "INSERT INTO jobs (name, due_us, done_us) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (name, due_us, due_us)
            )
        rows = self._database.at_once("SELECT name, done_us FROM jobs")
        return {str(name): int(done_us) for name, done_us in rows if name in first}

    def take(self, due: dict[str, int]) -> Taken:
        """As `JobBook.take`."""
        mine: dict[str, int] = {}
        over: set[str] = set()
        for name, due_us in due.items():
            row = self._database.at_once(
                "UPDATE jobs SET due_us = ?, holder = ?, until = clock_timestamp() + make_interval(secs => ?), "
                "tries = CASE WHEN due_us < ? THEN 1 WHEN holder = ? THEN tries ELSE tries + 1 END "
                "WHERE name = ? AND (due_us < ? OR (due_us = ? AND done_us < ? AND (holder = ? OR "
                "(tries < ? AND (until < clock_timestamp() OR split_part(holder, '/', 1) = ?))))) RETURNING tries",
                (due_us, self._holder, LEASE_S, due_us, self._holder, name, due_us, due_us, due_us, self._holder, MAX_TRIES, self._node),
            ).fetchone()
            if row is not None:
                mine[name] = int(row[0])
            elif self._is_over(name, due_us):
                over.add(name)
        return Taken(mine, frozenset(over))

    def _is_over(self, name: str, due_us: int) -> bool:
        sql = "SELECT done_us >= ? OR due_us > ? OR (tries >= ? AND until < clock_timestamp()) FROM jobs WHERE name = ?"
        row = self._database.at_once(sql, (due_us, due_us, MAX_TRIES, name)).fetchone()
        return row is not None and bool(row[0])

    def renew(self) -> None:
        """As `JobBook.renew`. What another node has taken meanwhile stays with it."""
        sql = "UPDATE jobs SET until = clock_timestamp() + make_interval(secs => ?) WHERE holder = ? AND done_us < due_us"
        self._database.at_once(sql, (LEASE_S, self._holder))

    def done(self, due: Iterable[tuple[str, int]]) -> None:
        """As `JobBook.done`."""
        for name, due_us in due:
            self._database.at_once("UPDATE jobs SET done_us = ? WHERE name = ? AND done_us < ?", (due_us, name, due_us))


class Kept:
    """The table `kept`: small things by name, sealed by whoever keeps them."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def get(self, name: str) -> bytes | None:
        """What is kept under a name."""
        row = self._database.at_once("SELECT data FROM kept WHERE name = ?", (name,)).fetchone()
        return bytes(row[0]) if row is not None else None

    def put(self, name: str, data: bytes) -> None:
        """Keep something, in the place of what was there."""
        sql = "INSERT INTO kept (name, data) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET data = excluded.data"
        self._database.at_once(sql, (name, data))
