"""The Parquet copy of one home: which partitions there are, making those that are due, noticing those that are not what they were.

Partitions cover the entries of closed days without a gap, from 0 or from the first entry on that was not pruned. A partition is used
only if the tree's root at its end is the one in its manifest, and a file only if its SHA-256 is; anything else is made again from the
entries. Every entry that is read for it is hashed and held against the hash tiles. Leaves out: queries (`assurance`).
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import duckdb

from affiant.kit.errors import LedgerFault
from affiant.kit.home import Home, open_home
from affiant.ledger.columnar.convert import Converter
from affiant.ledger.columnar.partition import MANIFEST, File, Partition, build_partition, damaged, read_partition
from affiant.ledger.columnar.straddle import Straddlers
from affiant.ledger.days import Run, closed_runs, time_of
from affiant.ledger.opening import close_reader, open_reader
from affiant.ledger.reader import LedgerReader
from affiant.proof.hashes import leaf_hash
from affiant.proof.tiles import TILE_WIDTH

DUE_AT = 50_000
Say = Callable[[str], None]


class ColumnStore:
    """The partitions of a home. For one thread.

    Args:
        reader: of the home's ledger.
        views: bytes of the views file.
    """

    def __init__(self, reader: LedgerReader, views: bytes) -> None:
        self.reader = reader
        self.folder = reader.home.derived / "parquet"
        self.views = views
        self.views_sha = hashlib.sha256(views).hexdigest()
        self._checked: dict[str, tuple[int, int, int]] = {}
        self._partitions: list[Partition] | None = None

    @property
    def partitions(self) -> list[Partition]:
        """Those that can be used, in order, from entry 0 on, or from the first that begins behind what was pruned."""
        if self._partitions is None:
            self._partitions = self._read()
        return self._partitions

    @property
    def stop(self) -> int:
        """Entry behind the last one covered."""
        return self.partitions[-1].stop if self.partitions else self.reader.begin

    def _read(self) -> list[Partition]:
        found: list[Partition] = []
        signed = self.reader.checkpoint().size
        try:
            paths = sorted(path for path in (self.folder / MANIFEST).iterdir() if path.suffix == ".json")
        except OSError:
            return []
        begin = due = self.reader.begin
        for path in paths:
            made = read_partition(path)
            if made is not None and begin and not found:
                if made.start < begin:
                    continue
                due = made.start  # the day that was cut by pruning is made again by `catch_up`
            if made is None or made.start != due or made.views != self.views_sha or made.stop > signed:
                break
            found.append(made)
            due = made.stop
        # Roots follow from the tiles; those of all partitions hold where each does.
        while found and self.reader.root(found[-1].stop).hex() != found[-1].root:
            found.pop()
        return found

    def path(self, partition: Partition, view: str) -> str | None:
        """A file that may be read now, or None where the partition has no rows of that view. A damaged one is made again first.

        Raises:
            LedgerFault: the entries themselves are damaged.
        """
        file = partition.files.get(view)
        if file is None:
            return None
        full = self.folder / file.path
        if self._fresh(full, file):
            return str(full)
        partition = self.rebuild_one(partition)
        file = partition.files.get(view)
        return str(self.folder / file.path) if file is not None else None

    def paths(self, partitions: Sequence[Partition], view: str) -> list[str]:
        """The files of a view over several partitions, as `path`; those not read before are held against their digests two at a time."""
        held = [(partition, file) for partition in partitions if (file := partition.files.get(view)) is not None]
        waiting = [file for _, file in held if file.path not in self._checked]
        if len(waiting) > 1:
            with ThreadPoolExecutor(2) as threads:
                list(threads.map(lambda file: self._fresh(self.folder / file.path, file), waiting))
        return [path for partition, _ in held if (path := self.path(partition, view)) is not None]

    def _fresh(self, path: Path, file: File) -> bool:
        try:
            stat = path.stat()
        except OSError:
            return False
        stamp = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if self._checked.get(file.path) == stamp:
            return True
        if damaged(self.folder, file):
            return False
        self._checked[file.path] = stamp
        return True

    def rebuild_one(self, partition: Partition) -> Partition:
        """Make a partition again from the entries."""
        run = Run(partition.start // TILE_WIDTH, partition.stop // TILE_WIDTH)
        with closing(_Builder(self.reader.home, self.views)) as builder:
            made = builder.build(run)
        index = next(n for n, each in enumerate(self.partitions) if each.start == partition.start)
        self.partitions[index] = made
        return made

    def due(self) -> list[Run]:
        """Runs of closed days that have no partition: whole bundles before the day of the newest signed entry."""
        return closed_runs(self.reader, self.stop // TILE_WIDTH)

    def catch_up(self, due_at: int = DUE_AT, processes: int = 1, say: Say = lambda text: None) -> int:
        """Make partitions of closed days that have none, once `due_at` entries wait for it.

        Returns:
            How many were made. 0 too where the home cannot be written, such as a copy for an auditor.
        """
        if not os.access(self.reader.home.derived, os.W_OK):
            return 0
        if self.partitions and self.partitions[0].start > self.reader.begin:
            with closing(_Builder(self.reader.home, self.views)) as builder:
                self.partitions.insert(0, builder.build(Run(self.reader.begin // TILE_WIDTH, self.partitions[0].start // TILE_WIDTH)))
            Straddlers(self).update([], self.partitions)
        if self.reader.checkpoint().size - self.stop < due_at:
            return 0
        runs = self.due()
        if not runs:
            return 0
        self._clear_stale()
        known = len(self.partitions)
        for made in _built(self.reader.home, self.views, runs, processes):
            self.partitions.append(made)
            say(f"{made.day}: entries {made.start} to {made.stop - 1}, {made.bytes} bytes")
        Straddlers(self).update(self.partitions[:known], self.partitions[known:])
        return len(runs)

    def straddling_rows(self) -> dict[str, str]:
        """View -> file with the rows of exchanges that lie in more than one partition."""
        return Straddlers(self).files()

    def rebuild(self, processes: int = 1, say: Say = lambda text: None) -> int:
        """Throw everything away and make it again."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.reader.home.derived / "refs", ignore_errors=True)
        self._partitions, self._checked = [], {}
        return self.catch_up(0, processes, say)

    def _clear_stale(self) -> None:
        """Remove what lies behind the last partition that can be used."""
        names = {partition.name for partition in self.partitions}
        if (self.folder / MANIFEST).exists():
            for path in (self.folder / MANIFEST).iterdir():
                if path.stem not in names:
                    path.unlink()
        wanted = {file.path for partition in self.partitions for file in partition.files.values()}
        for path in self.folder.glob("*/day=*/*"):
            if str(path.relative_to(self.folder)) not in wanted:
                path.unlink()

    def check(self, say: Say = lambda text: None) -> list[str]:
        """Derive every partition again, beside, and compare; gives what differs."""
        faults = []
        with closing(_Builder(self.reader.home, self.views, beside=True)) as builder:
            for partition in self.partitions:
                faults += [text for file in partition.files.values() if (text := damaged(self.folder, file))]
                again = builder.build(Run(partition.start // TILE_WIDTH, partition.stop // TILE_WIDTH))
                for view in sorted({*partition.files, *again.files}):
                    if not builder.same(self.folder, partition.files.get(view), again.files.get(view)):
                        faults.append(f"{view} of {partition.day} differs from what its entries give")
                builder.forget()
                say(f"{partition.day}: {len(faults)} faults so far")
        return faults


class _Builder:
    """Makes partitions in one process.

    Args:
        beside: into a folder of its own, for comparison.
    """

    def __init__(self, home: Home, views: bytes, beside: bool = False) -> None:
        self._reader = open_reader(home)
        self._converter = Converter(views)
        self._sha = hashlib.sha256(views).hexdigest()
        self._db = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "600MB"})
        self._folder = home.derived / ("parquet.check" if beside else "parquet")
        self._refs = home.derived / ("refs.check" if beside else "refs")

    def build(self, run: Run) -> Partition:
        """One partition.

        Raises:
            LedgerFault: an entry is not that of the tree.
        """
        start, stop = run.first * TILE_WIDTH, run.stop * TILE_WIDTH
        root = self._reader.root(stop)
        at = time_of(self._reader.entry(start))
        refs = self._refs / f"{start:012d}-{stop}.refs"
        return build_partition(self._folder, self._converter, self._db, self._entries(run), start, at, root, self._sha, refs)

    def _entries(self, run: Run) -> Iterator[bytes]:
        for number in range(run.first, run.stop):
            start = number * TILE_WIDTH
            entries = list(self._reader.entries(start, start + TILE_WIDTH))
            if [leaf_hash(entry) for entry in entries] != self._reader.leaf_hashes(number):
                raise LedgerFault(f"Entries {start} to {start + TILE_WIDTH - 1} are not those of the tree.", "Run `affiant ledger verify`.")
            yield from entries

    def same(self, folder: Path, one: File | None, other: File | None) -> bool:
        """Whether two files hold the same rows."""
        if one is None or other is None:
            return one is other
        if one.sha256 == other.sha256:
            return True
        left, right = (str(base / file.path).replace("'", "''") for base, file in ((folder, one), (self._folder, other)))
        for first, second in ((left, right), (right, left)):
            query = f"SELECT COUNT(*) FROM (SELECT * FROM '{first}' EXCEPT ALL SELECT * FROM '{second}')"  # noqa: S608 - own paths
            if self._db.execute(query).fetchall()[0][0]:
                return False
        return True

    def forget(self) -> None:
        """Remove what was made beside."""
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.rmtree(self._refs, ignore_errors=True)

    def close(self) -> None:
        self._db.close()
        close_reader(self._reader)


_builders: list[_Builder] = []


def _begin(root: str, views: bytes) -> None:
    _builders[:] = [_Builder(open_home(Path(root)), views)]


def _build(run: Run) -> Partition:
    return _builders[0].build(run)


def _built(home: Home, views: bytes, runs: list[Run], processes: int) -> Iterator[Partition]:
    if processes <= 1 or len(runs) < 4:
        with closing(_Builder(home, views)) as builder:
            yield from map(builder.build, runs)
        return
    with multiprocessing.get_context("spawn").Pool(min(processes, len(runs)), _begin, (str(home.root), views)) as pool:
        yield from pool.imap(_build, runs)
