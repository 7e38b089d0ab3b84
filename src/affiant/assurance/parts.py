"""The tables of a large ledger in parts: some days of partitions each, what lies in memory, and the exchanges that lie in several of these.

A part is said in the statement itself, as table expressions in front of it, so that several parts can be asked at once, each by one
thread. Small tables of records, which every part reads, are laid into memory once. Leaves out: which questions may be asked so
(`shards`), and asking them (`columns`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from affiant.ledger.columnar.partition import KEY, NUMBER, Partition, exchange_views
from affiant.ledger.columnar.plan import empty_select
from affiant.ledger.columnar.store import ColumnStore
from affiant.ledger.columnar.straddle import read_list
from affiant.proof.views import View

SMALL_ROWS = 200_000


class Parts:
    """Which rows of which table a part has.

    Args:
        db: has a table for each view in the schema `mem`, with the rows that lie in no partition.
        views: all, by name.
        store: of the ledger's Parquet, or None.
        entries: a part.
        threads: parts that are asked at once.
    """

    def __init__(self, db: Any, views: Mapping[str, View], store: ColumnStore | None, entries: int, threads: int) -> None:
        self._db, self._views, self._store, self._entries, self._threads = db, views, store, entries, threads
        self.partitions: list[Partition] = []
        self.exchange = {view.name: view for view in exchange_views(views.values())}
        self.apart: list[int] = []
        """Indexes of the entries of exchanges that lie in more than one partition, or in a partition and in memory."""
        self._apart_of: tuple[int, int] | None = None
        self._laid: dict[str, int] = {}

    @property
    def large(self) -> bool:
        """Whether it takes more than one part."""
        return bool(self.partitions) and self.partitions[-1].stop - self.partitions[0].start > self._entries

    def groups(self) -> list[list[Partition]]:
        """Partitions in groups of about `entries`."""
        groups: list[list[Partition]] = [[]]
        for each in self.partitions:
            if groups[-1] and each.stop - groups[-1][0].start > self._entries:
                groups.append([])
            groups[-1].append(each)
        return groups

    def select(self, view: str, partitions: Sequence[Partition], memory: bool, by_number: bool = False) -> str:
        """The rows of a view in some partitions, and in memory."""
        assert self._store is not None or not partitions
        parts = [f'SELECT * FROM mem."{view}"'] if memory else []  # noqa: S608 - names are checked by Views
        paths = self._store.paths(partitions, view) if self._store is not None else []
        if paths:
            columns = self._columns(view)
            if by_number and view in self.exchange:
                columns = columns.replace('"xid"', f"{NUMBER} AS xid")
            parts.append(f"SELECT {columns} FROM {_files(paths)}")  # noqa: S608 - own paths
        return " UNION ALL ".join(parts) or empty_select(self._views[view].schema())

    def _columns(self, view: str) -> str:
        return ", ".join(f'"{name}"' for name, _ in self._views[view].schema())

    def each(self, words: Iterable[str], by_number: bool = False) -> list[str]:
        """For every part the table expressions (what stands behind `WITH`) in which the views of exchanges show that part alone.

        Args:
            words: of a query that is asked; views among them are what it can read.
            by_number: let a number stand for an exchange's id where all its entries lie within one partition.
        """
        self._set_apart()
        words = set(words)
        names = sorted(words & set(self.exchange))
        small = [f'"{name}" AS NOT MATERIALIZED (SELECT * FROM laid."{name}")' for name in self._lay(words)]  # noqa: S608 - names of views
        found = [self._one(names, group, False, by_number) for group in self.groups()]
        found.append(self._one(names, [], True, False))
        found.append([f'"{name}" AS NOT MATERIALIZED (SELECT * FROM apart."{name}")' for name in names])  # noqa: S608 - names of views
        return [", ".join([*each, *small]) for each in found]

    def _one(self, names: Sequence[str], group: Sequence[Partition], memory: bool, by_number: bool) -> list[str]:
        start, stop = (group or self.partitions)[0].start, (group or self.partitions)[-1].stop
        within = [index for index in self.apart if (start <= index < stop) == bool(group)]  # memory has what lies in no partition
        condition = f" WHERE idx NOT IN ({', '.join(map(str, within))})" if within else ""
        return [
            f'"{name}" AS NOT MATERIALIZED (SELECT * FROM ({self.select(name, group, memory, by_number)}){condition})'  # noqa: S608 - as above
            for name in names
        ]

    def _lay(self, words: set[str]) -> list[str]:
        """Lay the small tables among these words into memory; gives their names."""
        laid = []
        self._db.execute("CREATE SCHEMA IF NOT EXISTS laid")
        for name in sorted(words & (set(self._views) - set(self.exchange))):
            fresh = self._db.execute(f'SELECT COUNT(*) FROM mem."{name}"').fetchall()[0][0]  # noqa: S608 - names of views
            rows = fresh + sum(each.files[name].rows for each in self.partitions if name in each.files)
            if rows > SMALL_ROWS:
                continue
            if self._laid.get(name) != rows:
                self._db.execute(f'CREATE OR REPLACE TABLE laid."{name}" AS {self.select(name, self.partitions, True)}')
                self._laid[name] = rows
            laid.append(name)
        return laid

    def over(self, statements: Iterable[str]) -> Iterator[list[Any]]:
        """Rows of each statement, in order; several are asked at once, each by a thread of its own."""
        idle: list[Any] = []

        def ask(statement: str) -> list[Any]:
            cursor = idle.pop() if idle else self._db.cursor()
            rows: list[Any] = cursor.execute(statement).fetchall()
            idle.append(cursor)
            return rows

        self._db.execute("SET threads = 1")
        pool = ThreadPoolExecutor(self._threads)
        try:
            yield from pool.map(ask, statements)
        finally:
            pool.shutdown(cancel_futures=True)
            self._db.execute(f"SET threads = {self._threads}")
            for cursor in idle:
                cursor.close()

    # -- exchanges that lie in several parts

    def _set_apart(self) -> None:
        """Fill tables in the schema `apart` with them, unless that was done and nothing was read since."""
        assert self._store is not None
        counts = [self._db.execute(f'SELECT COUNT(*) FROM mem."{name}"').fetchall()[0][0] for name in self.exchange]  # noqa: S608 - names of views
        stamp = len(self.partitions), sum(counts)
        if self._apart_of == stamp:
            return
        rows = self._store.straddling_rows()
        plain = [view.name for view in self.exchange.values() if not view.each]
        touched = self._in_memory_too(plain)
        first, stop = self.partitions[0].start, self.partitions[-1].stop
        self._db.execute("CREATE SCHEMA IF NOT EXISTS apart")
        for name in self.exchange:
            columns = self._columns(name)
            parts = [f'SELECT {columns} FROM mem."{name}" WHERE xid IN (SELECT xid FROM both_sides)']  # noqa: S608 - names of views
            kept = _files([rows[name]]) if name in rows else ""
            if kept:
                parts.append(f"SELECT {columns} FROM {kept} WHERE idx >= {first} AND idx < {stop}")  # noqa: S608 - own path
            if touched:
                old = f"SELECT {columns} FROM ({self.select(name, touched, False)}) WHERE xid IN (SELECT xid FROM both_sides)"  # noqa: S608 - as above
                parts.append(f"{old} AND idx NOT IN (SELECT idx FROM {kept})" if kept else old)  # noqa: S608 - as above
            self._db.execute(f'CREATE OR REPLACE TABLE apart."{name}" AS {" UNION ALL ".join(parts)}')
        every = " UNION ALL ".join(f'SELECT idx FROM apart."{name}"' for name in plain)  # noqa: S608 - names of views
        self.apart = [row[0] for row in self._db.execute(f"SELECT DISTINCT idx FROM ({every}) ORDER BY idx").fetchall()]  # noqa: S608 - as above
        self._apart_of = stamp

    def _in_memory_too(self, plain: Sequence[str]) -> list[Partition]:
        """Partitions with an exchange that lies in memory too; leaves the table `both_sides` of the ids of these."""
        assert self._store is not None
        fresh = " UNION ALL ".join(f'SELECT xid FROM mem."{name}"' for name in plain)  # noqa: S608 - names of views
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT DISTINCT xid, md5_number_lower(xid) AS h FROM ({fresh})")  # noqa: S608 - as above
        keys = {path: each for each in self.partitions if (path := self._store.path(each, KEY)) is not None}
        shared: list[int] = []
        if keys:
            joined = f"{_files(list(keys))} k INNER JOIN fresh f ON f.h = k.h"
            shared = [row[0] for row in self._db.execute(f"SELECT DISTINCT k.h FROM {joined}").fetchall()]  # noqa: S608 - own paths
        listed = f"h IN ({', '.join(map(str, shared)) or 'NULL'})"
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE both_sides AS SELECT xid FROM fresh WHERE {listed}")  # noqa: S608 - own numbers
        if not shared:
            return []
        named = _files(list(keys), "filename = true, ")
        found = self._db.execute(f"SELECT DISTINCT filename FROM {named} WHERE {listed} ORDER BY filename").fetchall()  # noqa: S608 - as above
        return [keys[row[0]] for row in found]


def among(sources: str, select: str) -> str:
    """A query that reads these table expressions."""
    return f"WITH {sources} SELECT * FROM ({select})" if sources else select  # noqa: S608 - own text around a checked query


def _files(paths: Sequence[str], more: str = "") -> str:
    return f"read_parquet({read_list(paths)}, {more}hive_partitioning = false)"
