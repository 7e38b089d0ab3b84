"""What nodes that share records must not do twice, and what each of them needs to do it: scheduled work, and sealed things to do it with.

A due time is taken by the first node that asks, in one statement, before the work begins: whoever is alive takes what is due, nothing is
done twice, and a node that dies in the middle misses that one occurrence, as a home with one node does. Leaves out: the work
(operations).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from affiant.kit.postgres import PostgresDatabase


class JobBook(Protocol):
    """Which due time each job was taken for last."""

    def last(self, first: dict[str, int]) -> dict[str, int]:
        """Due times (µs) by job; a job that is not known yet begins with the one given."""

    def take(self, due: dict[str, int]) -> set[str]:
        """Take due times; gives the jobs whose due time nobody had taken."""


class SharedJobs:
    """The table `jobs`."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def last(self, first: dict[str, int]) -> dict[str, int]:
        """As `JobBook.last`."""
        for name, due_us in first.items():
            self._database.at_once("INSERT INTO jobs (name, due_us) VALUES (?, ?) ON CONFLICT DO NOTHING", (name, due_us))
        rows = self._database.at_once("SELECT name, due_us FROM jobs")
        return {str(name): int(due_us) for name, due_us in rows if name in first}

    def take(self, due: dict[str, int]) -> set[str]:
        """As `JobBook.take`."""
        sql = "UPDATE jobs SET due_us = ? WHERE name = ? AND due_us < ?"
        return {name for name, due_us in due.items() if self._database.at_once(sql, (due_us, name, due_us)).rowcount == 1}


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
