"""Reading the ledger of a home from any process, while it is written or at rest.

Sealed by nothing but hashes: use `verify` to check, this to look. Full bundles give old entries, segments the newest ones, and only
entries that are on disk are seen. Of entries that were pruned there are hashes and proofs, and the entries of lasting types. Leaves out:
checks of the whole (`verify`), outside anchors (`anchors`).
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from affiant.kit.errors import BadInput, CouldNotLook, LedgerFault, NotFound
from affiant.kit.home import Home
from affiant.ledger.archive import ARCHIVE, Archive
from affiant.ledger.checkpoints import SignedHead, parse_vkey, read_kept, read_note
from affiant.ledger.durable import read_durable
from affiant.ledger.envelope import Event, decode
from affiant.ledger.floor import NOTHING_PRUNED, Floor, PrunedError, floor_stamp, read_floor
from affiant.ledger.index import Index
from affiant.ledger.lookup import Lookup
from affiant.ledger.segment import batches, place_of, read_from, segment_firsts, segment_name
from affiant.ledger.tiles import read_bundle, read_hashes, read_tile
from affiant.proof.errors import ProofError
from affiant.proof.hashes import (
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    peaks_of,
    tree_root,
)
from affiant.proof.logkeys import KEY_EVENTS, LogKeys
from affiant.proof.note import Checkpoint, Note, VerifierKey
from affiant.proof.tiles import TILE_WIDTH
from affiant.proof.tlogproof import TlogProof

BUNDLES_KEPT = 16
PIECE_BYTES, PIECES_BYTES = 1 << 16, 1 << 20
TILES_KEPT = 1_024


class _Tail:
    """The newest entries, read from segments behind the last full bundle of the signed head."""

    def __init__(self, segments: Path, floor: Callable[[], Floor]) -> None:
        self._segments = segments
        self._floor = floor
        self.first = 0
        self.entries: list[bytes] = []
        self._segment = -1
        self._offset = 0

    @property
    def end(self) -> int:
        return self.first + len(self.entries)

    def _seek(self, index: int) -> None:
        """Go to an entry: hop from frame to frame of the segment that holds it."""
        firsts = [first for first in segment_firsts(self._segments) if first <= index]
        if not firsts:
            raise LedgerFault(f"No segment holds entry {index}.", "Restore the segments from a backup.")
        self._segment, self._offset, self.first, self.entries = firsts[-1], 0, index, []
        data, floor = read_from(self._segments / segment_name(firsts[-1]), 0), self._floor()
        known = (floor.begin, floor.offset) if floor.segment == firsts[-1] else (firsts[-1], 0)
        self._offset = place_of(data, known[0], index, known[1])

    def catch_up(self, base: int, size: int | None) -> None:
        """Read on to `size` (None: to the last whole batch), dropping entries below `base`."""
        if self._segment < 0 or self.first > base or self.end < base:
            self._seek(base)
        elif base - self.first >= TILE_WIDTH * 4:
            del self.entries[: base - self.first]
            self.first = base
        most = PIECE_BYTES
        while size is None or self.end < size:
            data = read_from(self._segments / segment_name(self._segment), self._offset, most)
            before, whole = self.end, len(data) == most and any(data[:4])
            for batch in batches(data, before):
                if size is not None and batch[-1].index >= size:
                    whole = False
                    break
                self.entries += [frame.data for frame in batch]
                end = batch[-1].end
            if self.end > before:
                self._offset, most = self._offset + end, min(most * 4, PIECES_BYTES)
            elif whole:
                most *= 4  # of a batch that is longer than what was read
            elif (self._segments / segment_name(self.end)).exists() and self.end != self._segment:
                self._segment, self._offset = self.end, 0
            else:
                return


class _HeldIndex(Index):
    """The index of what is held: entries that were pruned are not in it."""

    def __init__(self, path: Path, home_id: str, entries: Callable[[int, int], Iterator[bytes]], begin: Callable[[], int]) -> None:
        self._begin, self._start = begin, 0
        super().__init__(path, home_id, entries)

    @property
    def begin(self) -> int:
        """Lowest index that is held."""
        return self._begin()

    @property
    def start(self) -> int:
        """See `Index`."""
        return max(self._start, self._begin())

    @start.setter
    def start(self, value: int) -> None:
        self._start = value


class LedgerReader:
    """Reads one home's ledger. Safe for several threads.

    Raises (any method):
        LedgerFault: files of the ledger are missing or damaged.
        PrunedError: entries were asked for that are no longer held; says where they are archived.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self._lock = threading.RLock()
        self._note = b""
        self._head: SignedHead | None = None
        self._size = 0
        self._floor, self._floor_stamp = NOTHING_PRUNED, (0, 0)
        self._lasting: tuple[int, dict[int, bytes]] = (-1, {})
        self._tail = _Tail(home.segments, self.floor)
        self._bundles: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()
        self._tiles: OrderedDict[tuple[int, int, int], list[bytes]] = OrderedDict()
        self._archive = Archive(home.root / ARCHIVE)
        index = _HeldIndex(home.derived / "index.db", home.id, self.entries, lambda: self.begin)
        self._index = Lookup(home.derived, index, self.entries)

    # -- heads and size

    def checkpoint(self) -> SignedHead:
        """The signed head in force. Its signature is checked by `verify`, not here."""
        with self._lock:
            note = read_note(self.home)
            if note != self._note or self._head is None:
                self._head = _parse_head(note)
                self._note = note
            return self._head

    def checkpoints(self) -> list[SignedHead]:
        """Kept heads, oldest first: the first in each wall minute with new entries, each that was asked for, and the one in force."""
        kept, head = read_kept(self.home), self.checkpoint()
        if not kept or kept[-1].size < head.size:
            kept.append(head)
        return kept

    @property
    def size(self) -> int:
        """Number of entries on disk, those that no head covers yet included."""
        with self._lock:
            head = self.checkpoint()
            published = read_durable(self.home.run)
            if published is not None:
                self._size = max(published, head.size)
            else:
                self._tail.catch_up(head.size // TILE_WIDTH * TILE_WIDTH, None)
                self._size = max(self._tail.end, head.size)
            return self._size

    def floor(self) -> Floor:
        """What is known of the entries that were pruned from this home; read again when that changes."""
        stamp = floor_stamp(self.home)
        if stamp != self._floor_stamp:
            self._floor, self._floor_stamp = read_floor(self.home), stamp
        return self._floor

    @property
    def begin(self) -> int:
        """Lowest index that is held: 0 unless entries were pruned."""
        return self.floor().begin

    def lasting(self) -> dict[int, bytes]:
        """Entries of lasting types that were kept when those around them were pruned, by index; each held against the tree.

        Raises:
            LedgerFault: one is damaged.
        """
        folder = self.home.files / "lasting"
        try:
            stamp = folder.stat().st_mtime_ns
        except OSError:
            return {}
        if self._lasting[0] != stamp:
            indexes = sorted(int(path.stem) for path in folder.iterdir() if path.suffix == ".json" and path.stem.isdigit())
            self._lasting = (stamp, {index: self._kept_entry(folder / f"{index}.json", index) for index in indexes})
        return self._lasting[1]

    def _kept_entry(self, path: Path, index: int) -> bytes:
        try:
            entry = str(json.loads(path.read_bytes())["entry"]).encode()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LedgerFault(f"{path} cannot be read: {error}.", "Restore it from a backup.") from error
        if leaf_hash(entry) != self.leaf_hash(index):
            raise LedgerFault(f"{path} does not hold entry {index} of the tree.", "Restore it from a backup.")
        return entry

    @property
    def vkey(self) -> VerifierKey:
        """The verifier key that the log began with, as entry 0 names it."""
        event = self.event(0)
        if event.type != "ledger.created":
            raise LedgerFault(f"Entry 0 is {event.type}, not ledger.created.", "This is no ledger of Affiant's.")
        return parse_vkey(str(event.body.get("log_vkey", "")))

    def key_statements(self, size: int | None = None) -> list[bytes]:
        """Signed statements by which one key of the log handed over to the next or was revoked, in the first `size` entries."""
        return [str(event.body.get("statement", "")).encode() for _, event in self.of_types(*KEY_EVENTS, stop=size)]

    def log_keys(self) -> LogKeys:
        """The log's keys one after another, from the one that entry 0 names.

        Raises:
            LedgerFault: the entries about keys contradict one another.
        """
        try:
            return LogKeys(self.vkey, self.key_statements())
        except ProofError as error:
            raise LedgerFault(f"The entries about the log's keys do not hold: {error.message}", "Run `affiant ledger verify`.") from error

    # -- entries

    def _bundle(self, number: int, width: int) -> list[bytes]:
        key = (number, width)
        with self._lock:
            found = self._bundles.get(key)
            if found is None:
                archived = self._archive.entries(number) if width == TILE_WIDTH else None
                found = self._bundles[key] = archived or self._plain_bundle(number, width)
                if len(self._bundles) > BUNDLES_KEPT:
                    self._bundles.popitem(last=False)
            else:
                self._bundles.move_to_end(key)
            return found

    def _plain_bundle(self, number: int, width: int) -> list[bytes]:
        """A bundle as it lies in `ledger/`; one that was archived while we looked is read there."""
        try:
            return read_bundle(self.home.ledger, number, width)
        except LedgerFault:
            archived = self._archive.entries(number)
            if archived is not None:
                return archived
            if number * TILE_WIDTH < self.begin:
                raise self.floor().refusal(number * TILE_WIDTH) from None
            raise

    def _from_tail(self, start: int, stop: int) -> list[bytes]:
        with self._lock:
            size = self.size
            base = self.checkpoint().size // TILE_WIDTH * TILE_WIDTH
            base = min(base, start)
            if self._tail.end < stop or self._tail.first > start:
                self._tail.catch_up(base, size)
            found = self._tail.entries[start - self._tail.first : stop - self._tail.first]
        if len(found) != stop - start:
            raise LedgerFault(
                f"Entries {start + len(found)} to {stop - 1} cannot be read from the segments.", "Run `affiant ledger verify`."
            )
        return found

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """Stored bytes of the entries [start, stop), in order.

        Raises:
            BadInput: the range goes beyond what is on disk.
        """
        if start >= stop and start >= 0:
            return
        if start < 0 or stop > self.size:
            raise BadInput(f"There are no entries {start} to {stop - 1}; the ledger has {self._size}.", "Ask for fewer.")
        if start < self.begin:
            raise self.floor().refusal(start, stop)
        full = self.checkpoint().size // TILE_WIDTH
        while start < stop:
            number = start // TILE_WIDTH
            if number < full:
                end = min(stop, (number + 1) * TILE_WIDTH)
                yield from self._bundle(number, TILE_WIDTH)[start - number * TILE_WIDTH : end - number * TILE_WIDTH]
            else:
                end = min(stop, start + 4_096)
                yield from self._from_tail(start, end)
            start = end

    def entry(self, index: int) -> bytes:
        """Stored bytes of one entry.

        Raises:
            NotFound: there is none.
            PrunedError: it was pruned and is not of a lasting type.
        """
        if index < 0 or index >= self.size:
            raise NotFound(f"There is no entry {index}; the ledger has {self._size}.", "Indexes count from 0.")
        if index < self.begin and index in self.lasting():
            return self.lasting()[index]
        return next(iter(self.entries(index, index + 1)))

    def event(self, index: int) -> Event:
        """One entry, decoded."""
        return decode(self.entry(index))

    def find(self, ref: str) -> list[int]:
        """Indexes of the entries about an exchange or record, ascending; of those that were pruned only lasting ones are known."""
        kept = [index for index, event in self._lasting_below() if event.ref == ref]
        return kept + self._index.find(ref, self.size)

    def _lasting_below(self) -> Iterator[tuple[int, Event]]:
        """(index, event) of the lasting entries among those that were pruned."""
        begin = self.begin
        if begin:
            yield from ((index, decode(entry)) for index, entry in self.lasting().items() if index < begin)

    def of_types(self, *types: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Event]]:
        """(index, event) of entries of these types in [start, stop), ascending; of those that were pruned only lasting ones."""
        end = self.size if stop is None else stop
        yield from ((index, event) for index, event in self._lasting_below() if event.type in types and start <= index < end)
        begin = max(start, self.begin)
        if begin < end:
            for index in self._index.of_types(types, begin, end):
                yield index, self.event(index)

    def first_since(self, at_us: int) -> int | None:
        """Lowest index of an entry written at or after an instant, or None."""
        return self._index.first_since(at_us, self.size)

    def counts(self) -> dict[str, int]:
        """Number of entries of each type."""
        return self._index.counts(self.size)

    # -- the tree

    def leaf_hash(self, index: int) -> bytes:
        """Leaf hash of one entry."""
        return self._hash(0, index)

    def leaf_hashes(self, number: int) -> list[bytes]:
        """Leaf hashes of the 256 entries of a full bundle, out of its tile."""
        return self._tile(0, number, TILE_WIDTH)

    def leaf_tile(self, number: int) -> bytes:
        """The same, one after another; for whoever goes through many, once."""
        return read_hashes(self.home.ledger, 0, number)

    def _tile(self, level: int, number: int, width: int) -> list[bytes]:
        key = (level, number, width)
        with self._lock:
            found = self._tiles.get(key)
            if found is None:
                found = self._tiles[key] = read_tile(self.home.ledger, level, number, width)
                if len(self._tiles) > TILES_KEPT:
                    self._tiles.popitem(last=False)
            else:
                self._tiles.move_to_end(key)
            return found

    def _hash(self, level: int, index: int) -> bytes:
        """Hash of the complete subtree over [index·2^level, (index+1)·2^level)."""
        covered = self._head.size if self._head is not None else self.checkpoint().size
        if (index + 1) << level > covered:
            if level == 0:
                return leaf_hash(self.entry(index))
            return node_hash(self._hash(level - 1, 2 * index), self._hash(level - 1, 2 * index + 1))
        tile_level, above = divmod(level, 8)
        first, count = index << above, 1 << above
        number = first // TILE_WIDTH
        width = min(TILE_WIDTH, (covered >> 8 * tile_level) - number * TILE_WIDTH)
        at = first % TILE_WIDTH
        hashes = self._tile(tile_level, number, width)[at : at + count]
        while len(hashes) > 1:
            hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
        return hashes[0]

    def _check_size(self, size: int) -> None:
        self.checkpoint()
        if size > self.size:
            raise BadInput(f"The ledger has {self._size} entries, not {size}.", "Ask for a smaller tree.")

    def root(self, size: int) -> bytes:
        """Root hash of the tree over the first `size` entries."""
        self._check_size(size)
        return tree_root(size, self._hash)

    def compact_range(self, size: int) -> CompactRange:
        """Right edge of the tree over the first `size` entries."""
        self._check_size(size)
        return CompactRange(size, peaks_of(size, self._hash))

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Audit path of an entry in the tree over `size` entries, leaf to root.

        Raises:
            BadInput: there is no such entry in that tree.
        """
        self._check_size(size)
        try:
            return inclusion_proof(index, size, self._hash)
        except ProofError as error:
            raise BadInput(error.message, error.next_step) from error

    def consistency(self, size1: int, size2: int) -> list[bytes]:
        """Proof that the first `size2` entries begin with the first `size1`; 0 < size1 <= size2.

        Raises:
            BadInput: nothing can be proved between these sizes.
        """
        self._check_size(size2)
        try:
            return consistency_proof(size1, size2, self._hash)
        except ProofError as error:
            raise BadInput(error.message, error.next_step) from error

    def prove(self, index: int, head: SignedHead | None = None) -> str:
        """A C2SP tlog-proof of an entry.

        Args:
            head: the signed head to prove against, such as a cosigned one; the one in force if None.

        Raises:
            NotFound: there is no such entry.
            CouldNotLook: no signed head covers it yet.
        """
        head = head or self.checkpoint()
        if index >= head.size:
            if index < self.size:
                raise CouldNotLook(f"No signed head covers entry {index} yet.", "Try again in a second.")
            raise NotFound(f"There is no entry {index}; the ledger has {self._size}.", "Indexes count from 0.")
        return TlogProof(index, tuple(self.inclusion(index, head.size)), head.note).to_bytes().decode()

    # -- streams of entries

    def export(self, from_us: int, to_us: int) -> Iterator[bytes]:
        """One JSON object a line for each entry with from_us <= at < to_us: `index`, `leaf` (hex) and `entry` as stored.

        Raises:
            PrunedError: entries of that time were pruned.
        """
        floor = self.floor()
        if floor.begin and from_us < floor.at_us:
            held = datetime.fromtimestamp(floor.at_us / 1_000_000, UTC).isoformat(timespec="seconds")
            raise PrunedError(floor.refusal(0, floor.begin).message, f"Ask for a time from {held} on.")
        for index in self._index.between(from_us, to_us, self.size):
            yield self.line(index)

    def line(self, index: int) -> bytes:
        """One entry as a line of `export`."""
        data = self.entry(index)
        return b'{"index":%d,"leaf":"%s","entry":%s}\n' % (index, leaf_hash(data).hex().encode(), data)

    def tail(
        self, start: int | None = None, follow: bool = False, stopped: Callable[[], bool] = lambda: False, poll_s: float = 0.2
    ) -> Iterator[int]:
        """Indexes from `start` (default: the last ten) on; with `follow`, new ones as they come, until `stopped()`."""
        index = max(0, self.size - 10) if start is None else start
        while True:
            size = self.size
            while index < size:
                yield index
                index += 1
            if not follow or stopped():
                return
            time.sleep(poll_s)


def _parse_head(note: bytes) -> SignedHead:
    try:
        checkpoint = Checkpoint.parse(Note.parse(note).text)
    except ProofError as error:
        raise LedgerFault(f"ledger/checkpoint is no checkpoint: {error.message}", "Restore it from a backup.") from error
    return SignedHead(0, checkpoint.size, checkpoint.root, note)
