"""Opening a ledger that exists: read back what is on disk, and refuse to go on if it contradicts what was signed.

A state file (`derived/writer.state`, authenticated, disposable) lets a large ledger start from its last segment; without it
everything that is held is read again: all, or from the first entry on that was not pruned (`floor`). Leaves out: writing (`writer`),
the full check of every file (`verify`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from affiant.kit.errors import LedgerFault
from affiant.kit.home import Home
from affiant.ledger.archive import ARCHIVE, Archive, archived_segments
from affiant.ledger.checkpoints import SignedHead, open_head, read_kept, read_note
from affiant.ledger.durable import read_durable
from affiant.ledger.fileops import NO_ROOM_ERRORS, FileOps
from affiant.ledger.floor import NOTHING_PRUNED, Floor, read_floor
from affiant.ledger.producers import Producers
from affiant.ledger.segment import Frame, Place, batches, read_from, recover_tail, segment_firsts, segment_name
from affiant.ledger.tiles import TileWriter, root_in_tiles
from affiant.ledger.tree import Put, Tree
from affiant.proof.logkeys import KEY_EVENTS, LogKeys
from affiant.proof.note import VerifierKey

STATE = "writer.state"
_RESTORE = "Restore segments/, ledger/ and checkpoints.log from one backup."


class _Row(msgspec.Struct, frozen=True):
    type: str
    producer: str
    seq: int
    ref: str = ""
    body: msgspec.Raw = msgspec.Raw(b"{}")


_read_row = msgspec.json.Decoder(_Row).decode
_read_body = msgspec.json.Decoder(dict[str, Any]).decode
_WITH_BODY = frozenset({"exchange.interrupted", "producer.ended", *KEY_EVENTS})


@dataclass(slots=True)
class Recovered:
    """A ledger as found: number of entries, where the next frame goes, producers, tree over all entries, signed head.

    `key_statements` are those of the entries read, some of which the head covers.
    """

    size: int
    place: Place
    producers: Producers
    tree: Tree
    head: SignedHead
    key_statements: list[str]


@dataclass(frozen=True, slots=True)
class State:
    """What the writer knew when it published a head: a start that spares reading older segments."""

    size: int
    root: bytes
    place: Place
    producers: dict[str, Any]


def state_key(seed: bytes) -> bytes:
    """Key that authenticates the state file, from a secret of the keyring that stays."""
    return hashlib.sha256(b"affiant writer state v1" + seed).digest()


def save_state(home: Home, key: bytes, state: State, ops: FileOps) -> None:
    """Write the state file, on disk with its name; losing it costs time at start, nothing else."""
    body = json.dumps([state.size, state.root.hex(), state.place.first, state.place.offset, state.producers]).encode()
    tag = hmac.new(key, body, hashlib.sha256).hexdigest().encode()
    ops.replace(home.derived / STATE, tag + b"\n" + body, durable=True)


def load_state(home: Home, key: bytes) -> State | None:
    """The state file, or None if there is none that this keyring wrote."""
    try:
        tag, _, body = (home.derived / STATE).read_bytes().partition(b"\n")
    except OSError:
        return None
    if not hmac.compare_digest(tag, hmac.new(key, body, hashlib.sha256).hexdigest().encode()):
        return None
    size, root, first, offset, producers = json.loads(body)
    return State(size, bytes.fromhex(root), Place(first, offset), producers)


def rows_of(batch: list[Frame]) -> list[tuple[str, str, int, str, dict[str, Any]]]:
    """(type, producer, seq, ref, body where the producers' table needs it) of a batch's entries.

    Raises:
        LedgerFault: an entry is no envelope.
    """
    rows = []
    for frame in batch:
        try:
            row = _read_row(frame.data)
            body = _read_body(row.body) if row.type in _WITH_BODY else {}
        except (msgspec.DecodeError, msgspec.ValidationError, ValueError, RecursionError) as error:
            raise LedgerFault(f"Entry {frame.index} is no envelope: {error}.", _RESTORE) from error
        rows.append((row.type, row.producer, row.seq, row.ref, body))
    return rows


def segments_from(home: Home, place: Place | None, ops: FileOps, floor: Floor = NOTHING_PRUNED) -> Iterator[tuple[int, bytes, int, bool]]:
    """(first index, bytes, offset to read from, whether newest) of each segment from a place on.

    Args:
        place: None: from the first entry that is held.

    Raises:
        LedgerFault: segments are missing, or the newest cannot be put on disk.
    """
    firsts = segment_firsts(home.segments)
    archived = firsts[0] if firsts and place is None and firsts[0] > floor.begin else 0
    place = place or (Place(firsts[0], 0) if archived else _first_place(firsts, floor))
    packed = any((home.root / ARCHIVE).glob("*.pack"))
    if not firsts or (firsts[0] > floor.begin and not packed) or place.first not in firsts:
        missing = place.first if firsts and firsts[0] <= floor.begin else floor.begin
        pruned = "" if floor.begin or not (home.ledger / "minimum-index").exists() else " If entries were pruned, pruned.json is missing."
        raise LedgerFault(f"{home.segments} lacks {segment_name(missing)}.{pruned}", _RESTORE)
    if archived:
        yield from ((first, data, 0, False) for first, data in archived_segments(Archive(home.root / ARCHIVE), archived, floor.begin))
    for first in firsts:
        if first < place.first:
            continue
        newest = first == firsts[-1]
        if newest:
            settle_newest(home, first, ops)
        yield first, read_from(home.segments / segment_name(first), 0), place.offset if first == place.first else 0, newest


def _first_place(firsts: list[int], floor: Floor) -> Place:
    """Where the first entry that is held lies in the segments."""
    if floor.segment in firsts:
        return Place(floor.segment, floor.offset)
    return Place(floor.begin, 0)


def settle_newest(home: Home, first: int, ops: FileOps) -> None:
    """Sync the newest segment and drop its cached pages: after a failed sync the cache holds what the disk does not."""
    path = home.segments / segment_name(first)
    fd = os.open(path, os.O_RDWR)
    try:
        ops.datasync(fd)
        ops.forget(fd)
    except OSError as error:
        raise LedgerFault(f"{path} cannot be put on disk: {error.strerror}.", "Check the disk before starting again.") from error
    finally:
        os.close(fd)


class _Compare:
    """Takes the files that the tree puts while it passes over entries that a checkpoint covers, and compares."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.damaged = 0

    def put(self, relative: str, data: bytes, full: bool) -> None:
        try:
            same = (self._home.ledger / relative).read_bytes() == data
        except OSError:
            same = False
        self.damaged += not same


def _start(home: Home, key: bytes, head: SignedHead, compare: _Compare, floor: Floor) -> tuple[Place | None, Producers, Tree]:
    """Where to begin reading: from the state file if all that it says holds, else from the first entry that is held (None)."""
    state = load_state(home, key)
    if state is not None and state.size > head.size:
        raise LedgerFault(
            f"The checkpoint covers {head.size} entries; this home has signed {state.size}: it was rolled back.",
            "Restore the newer ledger. If going back is meant, remove derived/ and run/durable; witnesses will still refuse.",
        )
    if state is not None and _usable(home, state, floor):
        try:
            tree = Tree.resume(home.ledger, state.size, compare.put)
        except LedgerFault:
            compare.damaged += 1
        else:
            if tree.root() == state.root and (state.size != head.size or state.root == head.root):
                return state.place, Producers.load(state.producers), tree
            compare.damaged += 1
    return None, Producers.load(floor.producers) if floor.begin else Producers(), _held(home, floor, compare.put)


def _usable(home: Home, state: State, floor: Floor) -> bool:
    """Whether what a state file names was not pruned since."""
    return state.size >= floor.begin and (not floor.begin or (home.segments / segment_name(state.place.first)).exists())


def _held(home: Home, floor: Floor, put: Put) -> Tree:
    """The tree over the entries that were pruned, out of the hash tiles, which stay; empty where none were.

    Raises:
        LedgerFault: the tiles give another root than pruned.json names.
    """
    if not floor.begin:
        return Tree(put)
    tree = Tree.resume(home.ledger, floor.begin, put)
    if tree.root().hex() != floor.root:
        raise LedgerFault(
            f"The hash tiles give another root over the {floor.begin} pruned entries than pruned.json names.",
            "Restore ledger/ and pruned.json from one backup: without their entries, tiles cannot be made again.",
        )
    return tree


def recover(home: Home, keys: VerifierKey | LogKeys, key: bytes, ops: FileOps, tiles: TileWriter) -> Recovered:
    """Read a ledger back.

    Raises:
        LedgerFault: it is truncated, rolled back, forked, altered or unreadable; says which, and what to do.
    """
    # 1. The signed head in force, and heads signed before it.
    _check_created(home)
    head = open_head(read_note(home), keys, str(home.ledger / "checkpoint"))
    kept = read_kept(home)
    if kept and kept[-1].size > head.size:
        raise LedgerFault(
            f"checkpoints.log holds a head of {kept[-1].size} entries, the checkpoint covers {head.size}: it was rolled back.", _RESTORE
        )
    # 2. Entries from the state file's place on, up to the head: the root must be the signed one.
    compare, floor = _Compare(home), read_floor(home)
    _check_floor(floor, head)
    begin, producers, tree = _start(home, key, head, compare, floor)
    covered = tree.size == head.size
    noted = {kept[-1].size: b""} if kept else {}
    statements: list[str] = []
    tree.put = tiles.put if covered else compare.put
    place = begin or Place(0, 0)
    for first, data, offset, newest in segments_from(home, begin, ops, floor):
        if offset == 0 and first != tree.size:
            raise LedgerFault(f"{segment_name(first)} follows entry {tree.size - 1}.", _RESTORE)
        if offset > len(data):
            raise LedgerFault(
                f"{segment_name(first)} ends at byte {len(data)}; {offset} bytes of it were on disk: it was truncated or rolled back.",
                _RESTORE,
            )
        good = offset
        for batch in batches(data, tree.size, offset):
            rows = rows_of(batch)
            producers.replay(batch[0].index, rows)
            statements += [str(row[4].get("statement", "")) for row in rows if row[0] in KEY_EVENTS]
            entries = [frame.data for frame in batch]
            if not covered and tree.size + len(entries) >= head.size:
                cut = head.size - tree.size
                _add(tree, entries[:cut], noted)
                _check_root(tree, head)
                covered, entries = True, entries[cut:]
                tree.put = tiles.put
            _add(tree, entries, noted)
            good = batch[-1].end
        place = Place(first, good)
        if covered:
            _flush(tiles)
        # 3. Nothing but the rest of an unfinished write may follow, and only in the newest segment.
        if not newest and good != len(data):
            raise LedgerFault(f"{segment_name(first)} is damaged at byte {good} (entry {tree.size}).", _RESTORE)
        if newest:
            _check_size(home, tree.size, head)
            recover_tail(home.segments, ops, first, good)
    # 4. Tiles are made from entries: put right those that are missing or damaged.
    if compare.damaged:
        tree = _rebuild_tiles(home, head, tiles, ops, tree.size, floor)
    _check_kept(home, kept, keys, noted, ops, floor)
    tiles.sweep(head.size)
    return Recovered(tree.size, place, producers, tree, head, statements)


def _check_floor(floor: Floor, head: SignedHead) -> None:
    if floor.begin > head.size:
        raise LedgerFault(
            f"pruned.json says that {floor.begin} entries were pruned; the checkpoint covers {head.size}: the ledger was rolled back.",
            "Restore segments/, ledger/, checkpoints.log and pruned.json from one backup.",
        )


def _check_created(home: Home) -> None:
    """Tell a ledger whose creation was broken off, which held nothing yet, from one that lost its head."""
    if (home.ledger / "checkpoint").exists() or home.checkpoints_log.exists() or segment_firsts(home.segments) not in ([], [0]):
        return
    path = home.segments / segment_name(0)
    if not path.exists() or len(list(batches(read_from(path, 0), 0))) <= 1:
        raise LedgerFault(
            f"{home.root} has no signed head and no more than its first entries: its creation was broken off, or its files are gone.",
            "If it ever served, restore it from a backup; otherwise create a home in an empty directory.",
        )


def _flush(tiles: TileWriter) -> None:
    """Write tiles that filled since the head; on a full disk they wait for the first publication that finds room."""
    try:
        tiles.flush()
    except OSError as error:
        if error.errno not in NO_ROOM_ERRORS:
            raise LedgerFault(f"Tiles cannot be written: {error.strerror}.", "Check the disk and who may write to ledger/.") from error


def _check_root(tree: Tree, head: SignedHead) -> None:
    if tree.root() != head.root:
        raise LedgerFault(
            f"The segments give another root for {head.size} entries than the signed checkpoint: entries were altered or the log forked.",
            f"{_RESTORE} Keep the present files: they are evidence.",
        )


def _check_size(home: Home, size: int, head: SignedHead) -> None:
    if size < head.size:
        raise LedgerFault(
            f"The segments end at entry {size}; the checkpoint covers {head.size}: they were truncated or rolled back.", _RESTORE
        )
    published = read_durable(home.run)
    if published is not None and size < published:
        raise LedgerFault(
            f"The segments end at entry {size}; {published} were acknowledged since the machine started: they were truncated.",
            f"{_RESTORE} If going back is meant, remove run/durable and derived/.",
        )


def _rebuild_tiles(home: Home, head: SignedHead, tiles: TileWriter, ops: FileOps, size: int, floor: Floor) -> Tree:
    """Write every tile and bundle of the entries held again from the segments, whose root over `head.size` entries is the signed one."""
    tree = _held(home, floor, tiles.put)
    for _, data, offset, _ in segments_from(home, None, ops, floor):
        for batch in batches(data, tree.size, offset):
            entries = [frame.data for frame in batch]
            if tree.size < head.size <= tree.size + len(entries):
                cut = head.size - tree.size
                tree.add(entries[:cut])
                _check_root(tree, head)
                tree.put_partial()
                entries = entries[cut:]
            tree.add(entries)
        tiles.flush()
    if tree.size != size:
        raise LedgerFault("The segments changed while they were read.", "Stop whatever else writes to this home.")
    tiles.settle()
    return tree


def _add(tree: Tree, entries: list[bytes], noted: dict[int, bytes]) -> None:
    """Grow the tree, and note its root at the sizes asked for."""
    for size in noted:
        if tree.size < size <= tree.size + len(entries):
            cut = size - tree.size
            tree.add(entries[:cut])
            noted[size], entries = tree.root(), entries[cut:]
    tree.add(entries)


def _root_at(home: Home, size: int, ops: FileOps, floor: Floor) -> bytes:
    """Root over the first entries: from tiles, or, where a power cut took a partial one that nothing later covers, from the segments."""
    if size <= floor.begin:
        return root_in_tiles(home.ledger, size)
    try:
        return Tree.resume(home.ledger, size, lambda path, data, full: None).root()
    except LedgerFault:
        tree = _held(home, floor, lambda path, data, full: None)
    for _, data, offset, _ in segments_from(home, None, ops, floor):
        for batch in batches(data, tree.size, offset):
            tree.add([frame.data for frame in batch[: size - tree.size]])
            if tree.size == size:
                return tree.root()
    raise LedgerFault(f"The segments end at entry {tree.size}; a head over {size} was signed.", _RESTORE)


def _check_kept(
    home: Home, kept: list[SignedHead], keys: VerifierKey | LogKeys, noted: dict[int, bytes], ops: FileOps, floor: Floor
) -> None:
    """The newest kept head must lie on the same history; older ones are checked by `verify`."""
    if not kept:
        return
    last = open_head(kept[-1].note, keys, f"The newest line of {home.checkpoints_log}")
    if (last.size, last.root) != (kept[-1].size, kept[-1].root):
        raise LedgerFault(f"The newest line of {home.checkpoints_log} contradicts its own note.", "Restore the file from a backup.")
    if last.size and (noted[last.size] or _root_at(home, last.size, ops, floor)) != last.root:
        raise LedgerFault(f"checkpoints.log holds another root for {last.size} entries: the log forked.", _RESTORE)
