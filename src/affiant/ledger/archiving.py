"""Moving closed days into the archive: deflate, read back and hold against the tree, then take plain bundles and segments away.

May run while the home is served and may be killed anywhere: a pack without its name is begun again, files that a pack made needless
go the next time. Segments stay as far back as the writer's state file reaches, since a start reads from there. Leaves out: the format
(`archive`), which entries are still published (`retention`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from affiant.kit.errors import Conflict, LedgerFault
from affiant.kit.home import Home
from affiant.ledger.archive import ARCHIVE, Archive, Pack, PackWriter, check_pack
from affiant.ledger.days import Run, closed_runs, day_of, time_of
from affiant.ledger.fileops import FileOps
from affiant.ledger.floor import read_floor
from affiant.ledger.reader import LedgerReader
from affiant.ledger.recovery import STATE
from affiant.ledger.segment import segment_firsts, segment_name
from affiant.proof.hashes import leaf_hash
from affiant.proof.tiles import TILE_WIDTH, bundle_path, pack_bundle

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Archived:
    """What was done: packs made, entries in them, their size, bytes of plain bundles and of segments that went."""

    packs: int
    entries: int
    bytes: int
    bundles_removed: int
    segments_removed: int


@contextmanager
def alone_with(directory: Path) -> Iterator[None]:
    """Be the only process that changes the archive.

    Raises:
        Conflict: another one does.
    """
    directory.mkdir(exist_ok=True)
    handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"{directory} is being written by another process.", "Wait until it ends.") from None
        yield
    finally:
        os.close(handle)


def archive_days(home: Home, keep_days: int = 7, ops: FileOps | None = None, say: Say = lambda text: None) -> Archived:
    """Archive closed days.

    Args:
        keep_days: days before the newest entry's that stay as they lie, readable in place.

    Raises:
        LedgerFault: entries are not those of the tree; nothing of theirs was removed.
        Conflict: another process archives.
    """
    ops = ops or FileOps()
    directory = home.root / ARCHIVE
    with alone_with(directory):
        reader, archive = LedgerReader(home), Archive(directory)
        for path in directory.glob("*.tmp"):
            path.unlink()
        made = size = gone = 0
        for pack in archive.packs()[-1:]:
            gone += remove_bundles(home, range(pack.first, pack.stop))
        for run in closed_runs(reader, max(archive.stop, read_floor(home).begin // TILE_WIDTH), keep_days):
            pack = _pack(reader, directory, run, ops)
            made, size = made + 1, size + pack.path.stat().st_size
            say(f"{day_of(time_of(reader.entry(run.first * TILE_WIDTH)))}: bundles {run.first} to {run.stop - 1}")
            gone += remove_bundles(home, range(pack.first, pack.stop))
        entries = sum(pack.count for pack in archive.packs()[-made:]) * TILE_WIDTH if made else 0
        segments = _remove_segments(home, archive.stop * TILE_WIDTH, ops)
        archive.close()
    return Archived(made, entries, size, gone, segments)


def _pack(reader: LedgerReader, directory: Path, run: Run, ops: FileOps) -> Pack:
    writer = PackWriter(directory, run.first, ops)
    try:
        for number in range(run.first, run.stop):
            start = number * TILE_WIDTH
            entries = list(reader.entries(start, start + TILE_WIDTH))
            if [leaf_hash(entry) for entry in entries] != reader.leaf_hashes(number):
                raise LedgerFault(f"Entries {start} to {start + TILE_WIDTH - 1} are not those of the tree.", "Run `affiant ledger verify`.")
            writer.add(pack_bundle(entries))
        check_pack(writer.closed(), reader.leaf_tile, lambda found: b"".join(map(leaf_hash, found)))
        return writer.name()
    except BaseException:
        writer.abandon()
        raise


def remove_bundles(home: Home, numbers: Iterable[int]) -> int:
    """Take plain bundles away; gives their bytes."""
    gone = 0
    folders: set[Path] = set()
    for number in numbers:
        path = home.ledger / bundle_path(number)
        with contextlib.suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            gone += size
            folders.add(path.parent)
    for emptied in sorted(folders, key=lambda each: -len(each.parts)):
        folder = emptied
        while folder != home.ledger / "tile" / "entries":
            try:
                folder.rmdir()
            except OSError:
                break
            folder = folder.parent
    return gone


def _remove_segments(home: Home, below: int, ops: FileOps) -> int:
    """Take segments away of which every entry is archived, and that no start reads; gives their bytes."""
    firsts = segment_firsts(home.segments)
    needed = _state_first(home)
    gone = 0
    for first, following in pairwise(firsts):
        if following > below or first >= needed:
            break
        path = home.segments / segment_name(first)
        gone += path.stat().st_size
        path.unlink()
    if gone:
        ops.sync_directory(home.segments)
    return gone


def _state_first(home: Home) -> int:
    """First entry of the segment that the writer's state file names: that one and later ones stay."""
    try:
        _, _, body = (home.derived / STATE).read_bytes().partition(b"\n")
        return int(json.loads(body)[2])
    except (OSError, ValueError, LookupError, TypeError):
        return 1 << 62
