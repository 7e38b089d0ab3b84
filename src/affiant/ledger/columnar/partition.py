"""One partition: a run of whole bundles of a day as Parquet files, one a view that has rows, and the manifest that says what they hold.

    parquet/<view>/day=YYYY-MM-DD/<first>-<stop>.parquet
    parquet/_key/day=…                    64 bits of each exchange id, to find exchanges that lie in two partitions
    parquet/_manifest/<first>-<stop>.json

Files of exchanges have one column more than their view, `_begun`: the index of the exchange's first entry within the partition, which
stands for its id there and is a third of the work to join by. The day is that of the first entry of the first bundle. The manifest
names index range, root of the tree at its end, size and SHA-256 of each file; it is written last. Leaves out: which partitions there
are (`store`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affiant.kit.errors import LedgerFault
from affiant.ledger.columnar.convert import Converter, Summary
from affiant.ledger.columnar.plan import create_table
from affiant.ledger.days import day_of
from affiant.ledger.lookup import write_refs
from affiant.proof.producers import Producers
from affiant.proof.views import View

FORMAT = "affiant-columns/1"
KEY = "_key"
NUMBER = "_begun"
MANIFEST = "_manifest"
EXCHANGE_TYPES = frozenset({"exchange.opened", "exchange.closed", "exchange.refused", "exchange.interrupted"})
PARQUET = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 5, PARQUET_VERSION v2, ROW_GROUP_SIZE 131072"


@dataclass(frozen=True, slots=True)
class File:
    """A Parquet file: its view, path below `parquet/`, rows, size and SHA-256 (hex)."""

    view: str
    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Partition:
    """What a manifest says.

    Args:
        start: first index; `stop` is behind the last.
        day: `YYYY-MM-DD`.
        views: hex SHA-256 of the views file that it was made with.
        root: hex root of the tree over the first `stop` entries.
        files: by view.
        summary: what the entries say beside rows.
    """

    start: int
    stop: int
    day: str
    views: str
    root: str
    files: dict[str, File]
    summary: Summary = field(compare=False)

    @property
    def name(self) -> str:
        return f"{self.start:012d}-{self.stop}"

    @property
    def bytes(self) -> int:
        """Size of its Parquet files."""
        return sum(file.bytes for file in self.files.values())


def exchange_views(views: Iterable[View]) -> list[View]:
    """Views of exchanges: those of an exchange's own events, with its id as `xid`."""
    return [view for view in views if view.type in EXCHANGE_TYPES and not view.carried and any(c.name == "xid" for c in view.columns)]


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def build_partition(
    folder: Path, converter: Converter, db: Any, entries: Iterable[bytes], start: int, at_us: int, root: bytes, views_sha: str, refs: Path
) -> Partition:
    """Write the files and manifest of one partition.

    Args:
        folder: `derived/parquet`.
        db: a connection of DuckDB of one's own.
        entries: in order; held against the tree by whoever gives them.
        start: index of the first.
        at_us: time of the first.
        root: of the tree behind the last.
        views_sha: hex SHA-256 of the views file.
        refs: file for the lookup by reference.
    """
    folder.mkdir(parents=True, exist_ok=True)
    day = day_of(at_us)
    names = converter.views.by_name
    for view in names.values():
        db.execute(create_table(view.name, view))
    try:
        pairs: list[tuple[str, int]] = []
        summary = converter.load(db, entries, start, pairs)
        write_refs(refs, start, pairs)
        stem = f"{start:012d}-{summary.stop}.parquet"
        files = {}
        exchange = {view.name: view for view in exchange_views(names.values())}
        if exchange:
            plain = " UNION ALL ".join(f'SELECT idx, xid FROM "{view.name}"' for view in exchange.values() if not view.each)  # noqa: S608
            db.execute(f"CREATE TEMP TABLE begun AS SELECT xid, MIN(idx) AS {NUMBER} FROM ({plain}) GROUP BY xid")  # noqa: S608
        for view in names.values():
            select = f'SELECT * FROM "{view.name}" ORDER BY idx, ord'  # noqa: S608
            if view.name in exchange:
                select = f'SELECT v.*, b.{NUMBER} FROM "{view.name}" v INNER JOIN begun b ON b.xid = v.xid ORDER BY v.idx, v.ord'  # noqa: S608
            made = _write(folder, db, view.name, select, f"{view.name}/day={day}/{stem}")
            if made is not None:
                files[view.name] = made
        if exchange:
            made = _write(folder, db, KEY, "SELECT md5_number_lower(xid) AS h FROM begun ORDER BY h", f"{KEY}/day={day}/{stem}")
            if made is not None:
                files[KEY] = made
    finally:
        for name in (*names, "begun"):
            db.execute(f'DROP TABLE IF EXISTS "{name}"')
    partition = Partition(start, summary.stop, day, views_sha, root.hex(), files, summary)
    path = folder / MANIFEST / f"{partition.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(json.dumps(_plain(partition), ensure_ascii=False, separators=(",", ":")).encode())
    os.replace(temporary, path)
    return partition


def _write(folder: Path, db: Any, view: str, select: str, relative: str) -> File | None:
    path, temporary = folder / relative, folder / f"{os.getpid()}.tmp"
    rows = int(db.execute(f"COPY ({select}) TO '{_quoted(temporary)}' ({PARQUET})").fetchall()[0][0])
    if not rows:
        temporary.unlink()
        return None
    made = File(view, relative, rows, temporary.stat().st_size, file_digest(temporary))
    path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(temporary, path)
    return made


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _plain(partition: Partition) -> dict[str, Any]:
    summary, files = partition.summary, partition.files.values()
    return {
        "format": FORMAT, "start": partition.start, "stop": partition.stop, "day": partition.day, "views": partition.views,
        "root": partition.root, "files": [[f.view, f.path, f.rows, f.bytes, f.sha256] for f in files],
        "counts": summary.counts, "first_at": summary.first_at, "last_at": summary.last_at, "fault": summary.fault,
        "producers": {name: value for name, value in vars(summary.producers).items() if name != "from_start"},
        "kept": [[index, data.decode()] for index, data in summary.kept], "missing": summary.missing, "rare": summary.rare,
    }  # fmt: skip


def read_partition(path: Path) -> Partition | None:
    """A manifest; None where it is damaged or of another format, so that its partition must be made again."""
    try:
        raw = json.loads(path.read_bytes())
        if raw["format"] != FORMAT:
            return None
        producers = dict(raw["producers"])
        producers["_firsts"] = {name: tuple(first) for name, first in producers["_firsts"].items()}
        producers["_ends"] = [tuple(end) for end in producers["_ends"]]
        summary = Summary(
            raw["start"], raw["stop"], raw["counts"], raw["first_at"], raw["last_at"], Producers(**producers), raw["fault"],
            [(index, data.encode()) for index, data in raw["kept"]], raw["missing"], raw["rare"],
        )  # fmt: skip
        files = {file[0]: File(*file) for file in raw["files"]}
        found = Partition(raw["start"], raw["stop"], raw["day"], raw["views"], raw["root"], files, summary)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None
    return found if found.name == path.stem else None


def damaged(folder: Path, file: File) -> str:
    """What is wrong with a file, "" for nothing.

    Raises:
        LedgerFault: it is there and cannot be read.
    """
    path = folder / file.path
    try:
        if path.stat().st_size != file.bytes:
            return f"{file.path} has another size than its manifest says"
        if file_digest(path) != file.sha256:
            return f"{file.path} is not the file that was derived from the entries"
    except FileNotFoundError:
        return f"{file.path} is missing"
    except OSError as error:
        raise LedgerFault(f"{path} cannot be read: {error.strerror}.", "Check the disk, then run `affiant ledger rebuild`.") from error
    return ""
