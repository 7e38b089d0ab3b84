"""Exchanges whose entries lie in more than one partition: those in flight at midnight, and whatever should not be.

All other exchanges lie whole within one partition, so that a question about single exchanges can be asked day by day. Their rows are
kept once more and by themselves (`parquet/_straddle/<view>.parquet`, named by SHA-256 in `parquet/straddlers.json`), so that asking about
them reads no whole days. Found by 64 bits of each exchange id; two ids that share these only make them more. Leaves out: asking
(`assurance.shards`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import duckdb

from affiant.ledger.columnar.partition import KEY, PARQUET, Partition, exchange_views, file_digest
from affiant.proof.views import View, Views

NAME = "straddlers.json"
ROWS = "_straddle"


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
    def paths(self, partitions: Sequence[Partition], view: str) -> list[str]: ...


class Straddlers:
    """See the module text."""

    def __init__(self, store: Partitions) -> None:
        self._store = store
        self._path = store.folder / NAME

    def files(self) -> dict[str, str]:
        """View -> file with their rows, by entry; made anew where anything that is kept is missing or does not fit the partitions."""
        kept = self._kept()
        return {view: str(self._file(view)) for view in kept["files"]} if kept is not None else {}

    def _kept(self) -> dict[str, Any] | None:
        partitions = self._store.partitions
        kept = self._read()
        if kept is None or kept["stop"] != self._store.stop or kept["root"] != (partitions[-1].root if partitions else ""):
            self.update([], partitions)
            kept = self._read()
        return kept

    def _file(self, view: str) -> Path:
        return self._store.folder / ROWS / f"{view}.parquet"

    def _read(self) -> dict[str, Any] | None:
        try:
            raw = json.loads(self._path.read_bytes())
            good = "root" in raw and "stop" in raw
            return raw if good and all(file_digest(self._file(view)) == sha for view, sha in raw["files"].items()) else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def update(self, old: Sequence[Partition], new: Sequence[Partition]) -> None:
        """Take notice of partitions that were added."""
        if not old and not new:
            return
        kept = self._read() if old else None
        if old and (kept is None or kept["stop"] != old[-1].stop):
            old, new, kept = [], [*old, *new], None
        files: dict[str, str] = kept["files"] if kept is not None else {}
        with duckdb.connect(":memory:", config={"threads": 2, "memory_limit": "1GB"}) as db:
            touched = self._find(db, old, new)
            files = self._write(db, touched, files) if self._more(db, touched, files) else files
        last = new[-1] if new else old[-1]
        data = {"stop": last.stop, "root": last.root, "files": files}
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(data), encoding="utf-8")
        os.replace(temporary, self._path)

    @property
    def _views(self) -> list[View]:
        return exchange_views(Views.parse(self._store.views).by_name.values())

    def _write(self, db: Any, touched: Sequence[Partition], kept: dict[str, str]) -> dict[str, str]:
        """The rows of `found` beside those that are kept; gives view -> SHA-256."""
        (self._store.folder / ROWS).mkdir(parents=True, exist_ok=True)
        files = dict(kept)
        for view in self._views:
            parts = [f"SELECT * FROM {_files([str(self._file(view.name))])}"] if view.name in kept else []  # noqa: S608 - own paths
            if paths := self._store.paths(touched, view.name):
                parts.append(f"SELECT * FROM {_files(paths)} WHERE idx IN (SELECT idx FROM found)")  # noqa: S608 - own paths
            if not parts:
                continue
            temporary = self._file(view.name).with_suffix(".tmp")
            target = str(temporary).replace("'", "''")
            made = db.execute(f"COPY ({' UNION ALL '.join(parts)} ORDER BY idx, ord) TO '{target}' ({PARQUET})").fetchall()
            if not made[0][0]:
                temporary.unlink()
                continue
            os.replace(temporary, self._file(view.name))
            files[view.name] = file_digest(self._file(view.name))
        return files

    def _find(self, db: Any, old: Sequence[Partition], new: Sequence[Partition]) -> list[Partition]:
        """Partitions with an exchange that lies in a new one and in another; leaves the table `twice` of its 64 bits."""
        new_keys, old_keys = self._store.paths(new, KEY), self._store.paths(old, KEY)
        if not new_keys:
            return []
        fresh = _files(new_keys)
        twice = f"SELECT h FROM {fresh} GROUP BY h HAVING COUNT(*) > 1"  # noqa: S608 - own paths
        if old_keys:
            twice += f" UNION SELECT k.h FROM {_files(old_keys)} k WHERE k.h IN (SELECT h FROM {fresh})"  # noqa: S608 - own paths
        db.execute(f"CREATE TABLE twice AS {twice}")
        named = _files([*old_keys, *new_keys], "filename = true, ")
        rows = db.execute(f"SELECT DISTINCT filename FROM {named} WHERE h IN (SELECT h FROM twice)").fetchall()  # noqa: S608 - own paths
        touched = {row[0] for row in rows}
        return [partition for partition in (*old, *new) if self._store.path(partition, KEY) in touched]

    def _more(self, db: Any, touched: Sequence[Partition], kept: dict[str, str]) -> bool:
        """Whether entries of these exchanges are not kept; leaves the table `found` of them."""
        db.execute("CREATE TABLE found (idx BIGINT)")
        plain = [view.name for view in self._views if not view.each]
        for view in plain:
            if paths := self._store.paths(touched, view):
                among = "md5_number_lower(xid) IN (SELECT h FROM twice)"
                db.execute(f"INSERT INTO found SELECT idx FROM {_files(paths)} WHERE {among}")  # noqa: S608 - own paths
            if view in kept:
                db.execute(f"DELETE FROM found WHERE idx IN (SELECT idx FROM {_files([str(self._file(view))])})")  # noqa: S608 - own paths
        return bool(db.execute("SELECT COUNT(*) FROM found").fetchall()[0][0])


def _files(paths: Sequence[str], more: str = "") -> str:
    return f"read_parquet({read_list(paths)}, {more}hive_partitioning = false)"
