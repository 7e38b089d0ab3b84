"""Exchanges whose entries lie in more than one partition: those in flight at midnight, and whatever should not be.

All other exchanges lie whole within one partition, so that a question about single exchanges can be asked day by day. Kept as the
indexes of their entries (`parquet/straddlers.json`), found by 64 bits of each exchange id; two ids that share these only make the list
longer. Leaves out: asking (`assurance.shards`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import duckdb

from affiant.ledger.columnar.partition import KEY, Partition, exchange_views
from affiant.proof.views import Views

NAME = "straddlers.json"


def read_list(paths: Sequence[str]) -> str:
    """A list of files for `read_parquet`."""
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"


class Partitions(Protocol):
    """What is asked of the store: its folder, the bytes of the views file, its partitions up to `stop`, and their files."""

    @property
    def folder(self) -> Path: ...
    @property
    def views(self) -> bytes: ...
    @property
    def partitions(self) -> Sequence[Partition]: ...
    @property
    def stop(self) -> int: ...
    def path(self, partition: Partition, view: str) -> str | None: ...


class Straddlers:
    """See the module text."""

    def __init__(self, store: Partitions) -> None:
        self._store = store
        self._path = store.folder / NAME

    def indexes(self) -> list[int]:
        """Indexes of their entries, ascending; made anew where the file is missing or does not fit the partitions."""
        partitions = self._store.partitions
        kept = self._read()
        if kept is None or kept["stop"] != self._store.stop or kept["root"] != (partitions[-1].root if partitions else ""):
            self.update([], partitions)
            kept = self._read()
        return list(kept["idx"]) if kept is not None else []

    def _read(self) -> dict[str, Any] | None:
        try:
            raw = json.loads(self._path.read_bytes())
            return raw if all(type(index) is int for index in raw["idx"]) and "root" in raw and "stop" in raw else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def update(self, old: Sequence[Partition], new: Sequence[Partition]) -> None:
        """Take notice of partitions that were added."""
        if not old and not new:
            return
        kept = self._read() if old else None
        if old and (kept is None or kept["stop"] != old[-1].stop):
            old, new, kept = [], [*old, *new], None
        found = set(kept["idx"]) if kept is not None else set()
        found |= self._find(old, new)
        last = new[-1] if new else old[-1]
        data = {"stop": last.stop, "root": last.root, "idx": sorted(found)}
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(data), encoding="utf-8")
        os.replace(temporary, self._path)

    def _paths(self, partitions: Sequence[Partition], view: str) -> list[str]:
        return [path for partition in partitions if (path := self._store.path(partition, view)) is not None]

    def _find(self, old: Sequence[Partition], new: Sequence[Partition]) -> set[int]:
        new_keys, old_keys = self._paths(new, KEY), self._paths(old, KEY)
        if not new_keys:
            return set()
        with duckdb.connect(":memory:", config={"threads": 2, "memory_limit": "1GB"}) as db:
            fresh = f"read_parquet({read_list(new_keys)}, hive_partitioning = false)"
            twice = f"SELECT h FROM {fresh} GROUP BY h HAVING COUNT(*) > 1"  # noqa: S608 - own paths
            if old_keys:
                known = f"read_parquet({read_list(old_keys)}, hive_partitioning = false)"
                twice += f" UNION SELECT k.h FROM {known} k WHERE k.h IN (SELECT h FROM {fresh})"  # noqa: S608
            db.execute(f"CREATE TABLE twice AS {twice}")
            if not db.execute("SELECT COUNT(*) FROM twice").fetchall()[0][0]:
                return set()
            touched = set(new_keys)
            if old_keys:
                named = f"read_parquet({read_list(old_keys)}, filename = true, hive_partitioning = false)"
                rows = db.execute(f"SELECT DISTINCT filename FROM {named} WHERE h IN (SELECT h FROM twice)").fetchall()  # noqa: S608
                touched |= {row[0] for row in rows}
            return self._indexes(db, [p for p in (*old, *new) if self._store.path(p, KEY) in touched])

    def _indexes(self, db: Any, partitions: Sequence[Partition]) -> set[int]:
        found: set[int] = set()
        for view in exchange_views(Views.parse(self._store.views).by_name.values()):
            paths = [] if view.each else self._paths(partitions, view.name)
            if paths:
                files = f"read_parquet({read_list(paths)}, hive_partitioning = false)"
                rows = db.execute(f"SELECT idx FROM {files} WHERE md5_number_lower(xid) IN (SELECT h FROM twice)").fetchall()  # noqa: S608
                found |= {row[0] for row in rows}
        return found
