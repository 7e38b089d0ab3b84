"""Taking the bytes of a pruned prefix off the disk, once the minimum index says that it is no longer published (`retention`).

Order: copies of lasting entries; packs in a folder outside the home, unless the entries are to go for good; the entry `ledger.removed`;
`HOME/pruned.json`, from which on readers and starts know where the entries begin; then bundles, packs and segments, and what was derived
from them. Hash tiles stay. Killed anywhere, the home starts, and asking again goes on. May run while the home is served.
Leaves out: whether a prefix may go (`retention`), who may ask.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from affiant.kit.clock import Clock
from affiant.kit.errors import BadInput, Conflict, CouldNotLook, LedgerFault, LedgerUnavailable
from affiant.kit.home import Home, home_lock
from affiant.kit.keyring import open_keyring
from affiant.ledger.archive import ARCHIVE, MAX_RUN, Archive, Pack, PackWriter, bundle_number, check_pack, pack_name
from affiant.ledger.archiving import alone_with, remove_bundles
from affiant.ledger.days import time_of
from affiant.ledger.derived import forget_below
from affiant.ledger.envelope import Draft
from affiant.ledger.fileops import FileOps
from affiant.ledger.floor import Floor, Part, read_floor, save_floor
from affiant.ledger.producers import Producers
from affiant.ledger.reader import LedgerReader
from affiant.ledger.recovery import rows_of
from affiant.ledger.retention import keep_copies, lasting_below, minimum_index
from affiant.ledger.segment import Frame, blank, place_of, read_from, segment_firsts, segment_name
from affiant.ledger.syncclient import LedgerClientSync
from affiant.ledger.writer import Writer
from affiant.proof.hashes import leaf_hash
from affiant.proof.tiles import TILE_WIDTH, bundle_path, pack_bundle

REMOVED = "ledger.removed"
ROLE = "retention"
Append = Callable[[Draft], int]
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken away.

    Args:
        start: entries [start, stop) went.
        bundle_bytes: given back by bundles; by packs of the archive `pack_bytes`; by segments `segment_bytes`.
        packs: made outside.
        index: of the entry that says so; -1 where an attempt before wrote it.
        locked: what stays on servers because its lock is not over, and until when: `key`, `version`, `until_us`.
    """

    start: int
    stop: int
    bundle_bytes: int
    pack_bytes: int
    segment_bytes: int
    packs: int
    index: int
    locked: tuple[dict[str, Any], ...] = ()

    @property
    def bytes(self) -> int:
        """Bytes given back."""
        return self.bundle_bytes + self.pack_bytes + self.segment_bytes


def take_away(
    home: Home, append: Append, archive_to: Path | None, by: str, holds: Callable[[], Sequence[str]] = tuple, ops: FileOps | None = None,
    told: Told = lambda step: None,
) -> Taken:  # fmt: skip
    """Take every entry below the minimum index off the disk.

    Args:
        append: writes an event and gives its index (`appending`).
        archive_to: folder outside the home that copies are put into; None: they go for good.
        by: who does it, such as `person:ana`.
        holds: ids of legal holds in force, asked for again before anything goes.
        told: hears the name of each step that was done.

    Raises:
        Conflict: a hold is in force, the pruning is not recorded or not signed yet, or another process archives or prunes.
        BadInput: the folder cannot be used.
        LedgerFault: entries are not those of the tree; nothing of theirs was removed.
        CouldNotLook: a disk fails or is full; asking again goes on.
    """
    try:
        with alone_with(home.root / ARCHIVE):
            return _take(home, append, archive_to, by, holds, ops or FileOps(), told)
    except OSError as error:
        what = f"{error.filename or home.root} cannot be used: {error.strerror}."
        raise CouldNotLook(what, "Make room or look after the disk, then ask again: it goes on where it was.") from error


def _take(
    home: Home, append: Append, archive_to: Path | None, by: str, holds: Callable[[], Sequence[str]], ops: FileOps, told: Told
) -> Taken:  # fmt: skip
    before, minimum = read_floor(home), minimum_index(home)
    if minimum <= before.begin:
        return _clear(home, before, before.begin, 0, -1, ops, told)
    reader = LedgerReader(home)
    check_recorded(reader, minimum)
    held = holds()
    if held:
        raise Conflict(f"The legal hold {held[0]} is in force.", "Nothing is taken off the disk until it is released.")
    lasting = lasting_below(reader, minimum)
    keep_copies(home, reader, [index for index in lasting if index >= before.begin])
    told("copies kept")
    packs = put_packs(home, reader, before.begin, minimum, archive_to, ops) if archive_to is not None else []
    told("packs made")
    floor = _floor(home, reader, before, minimum, str(archive_to.resolve()) if archive_to else "")
    index = _record(reader, floor, before.begin, len(lasting), packs, by, append)
    told("recorded")
    forget_below(home, minimum)
    told("derived removed")
    if holds():
        raise Conflict("A legal hold was placed meanwhile.", "Nothing was taken off the disk; release it and ask again.")
    save_floor(home, floor, ops)
    told("pruned.json written")
    return _clear(home, floor, before.begin, len(packs), index, ops, told)


def check_recorded(reader: LedgerReader, minimum: int) -> None:
    """The decision must stand in the ledger, under a signed head.

    Raises:
        Conflict: it does not.
    """
    for index, event in reader.of_types("ledger.pruned"):
        if event.body.get("minimum") == minimum and event.body.get("root") == reader.root(minimum).hex():
            if index < reader.checkpoint().size:
                return
            raise Conflict(f"No signed head covers entry {index} yet, which prunes the ledger.", "Try again in a second.")
    raise Conflict(f"No entry says that the ledger is published from {minimum} on.", "Prune it first: `affiant ledger prune`.")


# -- copies outside


def put_packs(home: Home, reader: LedgerReader, start: int, stop: int, folder: Path, ops: FileOps) -> list[dict[str, Any]]:
    """Put entries [start, stop) into packs in a folder, each read back and held against the tree, and say what they are."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.resolve().is_relative_to(home.root.resolve()):
            raise BadInput(f"{folder} lies in the home.", "Name a folder elsewhere, on another disk.")
        made, number = [], start // TILE_WIDTH
        while number < stop // TILE_WIDTH:
            count = min(MAX_RUN, stop // TILE_WIDTH - number)
            made.append(_pack(home, reader, folder, number, count, ops))
            number += count
        rows = [{"name": each.path.name, "sha256": _digest(each.path), "entries": each.count * TILE_WIDTH} for each in made]
        head = reader.checkpoint()
        said = {
            "origin": home.origin,
            "from": start,
            "below": stop,
            "root": reader.root(stop).hex(),
            "packs": rows,
            "head": head.note.decode(),
        }
        ops.replace(folder / f"pruned-{stop:015d}.json", json.dumps(said, ensure_ascii=False).encode() + b"\n", durable=True)
    except OSError as error:
        raise BadInput(
            f"{error.filename or folder} cannot be written: {error.strerror}.", "Name another folder; nothing was removed."
        ) from error
    return rows


def _pack(home: Home, reader: LedgerReader, folder: Path, first: int, count: int, ops: FileOps) -> Pack:
    """One pack; a good one of that name is taken as it is."""

    def check(pack: Pack) -> None:
        check_pack(pack, reader.leaf_tile, lambda found: b"".join(map(leaf_hash, found)))

    there = Pack(folder / pack_name(first, count), first, count)
    if there.path.exists():
        with contextlib.suppress(LedgerFault):
            check(there)
            return there
    writer = PackWriter(folder, first, ops)
    try:
        for number in range(first, first + count):
            start = number * TILE_WIDTH
            writer.add(pack_bundle(list(reader.entries(start, start + TILE_WIDTH))))
        check(writer.closed())
        return writer.name()
    except BaseException:
        writer.abandon()
        raise


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# -- what is known of them afterwards


def producers_before(reader: LedgerReader, before: Floor, begin: int) -> dict[str, Any]:
    """What producers had written and left open before entry `begin` (`Producers.dump`), each entry held against the tree.

    Raises:
        LedgerFault: one is not that of the tree.
    """
    producers = Producers.load(before.producers) if before.begin else Producers()
    leaves: list[bytes] = []
    for index, entry in enumerate(reader.entries(before.begin, begin), before.begin):
        if index % TILE_WIDTH == 0:
            leaves = reader.leaf_hashes(index // TILE_WIDTH)
        if leaves[index % TILE_WIDTH] != leaf_hash(entry):
            raise LedgerFault(f"Entry {index} is not that of the tree.", "Run `affiant ledger verify`.")
        producers.replay(index, rows_of([Frame(index, entry, 0, True)]))
    dumped: dict[str, Any] = json.loads(json.dumps(producers.dump()))
    return dumped


def _floor(home: Home, reader: LedgerReader, before: Floor, begin: int, archived: str) -> Floor:
    """What pruned.json will say: where entry `begin` lies, and what producers had written and left open before it."""
    dumped = producers_before(reader, before, begin)
    firsts = [first for first in segment_firsts(home.segments) if first <= begin]
    segment, offset = -1, 0
    if firsts and firsts[-1] < begin:
        segment = firsts[-1]
        known = (before.begin, before.offset) if before.segment == segment else (segment, 0)
        data = read_from(home.segments / segment_name(segment), 0)
        offset = place_of(data, known[0], begin, known[1])
        if offset >= len(data):
            segment, offset = -1, 0
    parts = (*before.parts, Part(before.begin, begin, archived))
    return Floor(begin, reader.root(begin).hex(), time_of(reader.entry(begin)), segment, offset, dumped, parts)


def _record(
    reader: LedgerReader, floor: Floor, start: int, lasting: int, packs: list[dict[str, Any]], by: str, append: Append
) -> int:  # fmt: skip
    """The entry that says what goes and where copies are; one that a killed attempt wrote is taken as it is. Gives its index."""
    body = removal_body(floor, start, lasting, packs, by)
    index = find_removal(reader, body)
    return append(Draft(REMOVED, body, ref=str(floor.begin), actor=by)) if index < 0 else index


def removal_body(floor: Floor, start: int, lasting: int, packs: list[dict[str, Any]], by: str) -> dict[str, Any]:
    """Body of the entry that says that entries [start, floor.begin) go.

    Args:
        lasting: entries below of which copies are kept.
        packs: copies outside (`put_packs`).
        by: who does it, such as `person:ana`.
    """
    body: dict[str, Any] = {
        "below": floor.begin, "from": start, "root": floor.root, "state": floor.digest, "lasting": lasting, "packs": packs, "by": by,
    }  # fmt: skip
    archived = floor.parts[-1].archived
    return body | {"archived": archived} if archived else body


def find_removal(reader: LedgerReader, body: dict[str, Any]) -> int:
    """Index of the entry that says the same, whoever did it; -1 if there is none."""
    return next((index for index, event in reader.of_types(REMOVED) if {**event.body, "by": body["by"]} == body), -1)


# -- taking away


def _clear(home: Home, floor: Floor, start: int, packs: int, index: int, ops: FileOps, told: Told) -> Taken:
    """Take away what lies below the floor; whatever a killed attempt left goes, too."""
    if not floor.begin:
        raise Conflict("There is nothing to take off the disk.", "Prune the ledger first: `affiant ledger prune`.")
    bundles = remove_bundles(home, _bundles_below(home, floor.begin // TILE_WIDTH))
    for path in home.ledger.glob("tile/entries/**/*.p"):
        if bundle_number(path.relative_to(home.ledger).as_posix().removesuffix(".p")) < floor.begin // TILE_WIDTH:
            shutil.rmtree(path, ignore_errors=True)
    told("bundles removed")
    archive = Archive(home.root / ARCHIVE)
    packed = archive.cut(floor.begin // TILE_WIDTH, ops)
    told("packs cut")
    gone = 0
    for first, following in pairwise(segment_firsts(home.segments)):
        if following > floor.begin:
            break
        path = home.segments / segment_name(first)
        gone += path.stat().st_blocks * 512
        path.unlink()
        # One at a time and on disk: what is left after a power cut has no gap.
        ops.sync_directory(home.segments)
        told("a segment removed")
    path = home.segments / segment_name(floor.segment)
    if floor.segment >= 0 and path.exists():
        gone += blank(path, floor.offset, ops)
        told("segment blanked")
    forget_below(home, floor.begin)
    told("derived removed")
    return Taken(start, floor.begin, bundles, packed, gone, packs, index)


def _bundles_below(home: Home, stop: int) -> Iterator[int]:
    """Numbers of plain bundles below `stop` that are there."""
    return (number for number in range(stop) if (home.ledger / bundle_path(number)).exists())


# -- writing the entry


@contextmanager
def appending(home: Home, clock: Clock) -> Iterator[Append]:
    """Write events through the writer that serves the home, or with a writer of one's own; each is under a signed head at once.

    Raises:
        Conflict: another process holds the home and no writer answers.
    """
    client: LedgerClientSync | None = None
    if (home.run / "writer.sock").exists():
        with contextlib.suppress(LedgerUnavailable):
            client = LedgerClientSync(home.run / "writer.sock", home.node, ROLE, clock)
    if client is not None:
        with client as connected:
            connected.outbox()
            connected.checkpoint()

            def through(draft: Draft) -> int:
                index = connected.append([draft])
                connected.checkpoint()
                return index

            yield through
        return
    with home_lock(home):
        yield lambda draft: _alone(home, clock, draft)


def _alone(home: Home, clock: Clock, draft: Draft) -> int:
    with Writer.open(home, open_keyring(home), clock) as writer:
        index = writer.append([draft])
        writer.append(writer.ending(writer.name, "stopped"))
        writer.checkpoint()
        return index


def left(home: Home) -> int:
    """Entries below the minimum index that are still held.

    Raises:
        CouldNotLook: pruned.json or the minimum index cannot be read.
    """
    try:
        return max(0, minimum_index(home) - read_floor(home).begin)
    except LedgerFault as error:
        raise CouldNotLook(error.message, error.next_step) from error
