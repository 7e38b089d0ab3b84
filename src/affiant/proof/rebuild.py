"""Putting the range of the ledger together from the pieces that were scanned: leaves, tree, kept entries, producers, carried state, tables.

Leaves out: reading entries (`scan`), signatures (`verify` checks them first) and what entries prove about controls (`recompute`).
"""

from __future__ import annotations

import mmap
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from . import canonical
from .errors import Lie, Malformed, ProofError
from .expected import Adoptions
from .hashes import HASH_SIZE, CompactRange, leaf_hash, root_of
from .pledges import Pledges
from .producers import Producers
from .scan import KEPT, Job, Piece
from .tiles import TILE_WIDTH
from .views import Row, SqliteEvidence

__all__ = ["Filler", "Leaves", "Producers", "Range", "bundle_name", "bundles_in", "check_roots"]
_HASHES_AT_ONCE = 65_536


def bundle_name(number: int) -> str:
    """Path of a bundle in a package; bundle 0 begins with the first entry after the start checkpoint."""
    return f"ledger/entries/{number:06d}"


def bundles_in(start: int, end: int) -> int:
    """How many bundles a range has."""
    return (end - start + TILE_WIDTH - 1) // TILE_WIDTH


class Leaves:
    """Leaf hashes of the entries [start, end), in a file that other processes may open too.

    Args:
        path: of the file; written by `put`, in order, then read by `leaf` and `all`.
    """

    def __init__(self, path: str, start: int, end: int) -> None:
        self._path, self.start, self.end = path, start, end
        self._out: Optional[BinaryIO] = None
        self._map: Optional[mmap.mmap] = None

    def put(self, hashes: "bytes | bytearray") -> None:
        """Append."""
        if self._out is None:
            self._out = open(self._path, "wb")  # noqa: SIM115 - closed by `close` or the first reading
        self._out.write(hashes)

    def _open(self) -> mmap.mmap:
        if self._out is not None:
            self._out.close()
            self._out = None
        with open(self._path, "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._map

    def leaf(self, idx: int) -> bytes:
        """Leaf hash of an entry.

        Raises:
            Malformed: it is outside the range.
        """
        if not self.start <= idx < self.end:
            raise Malformed(f"A row names the entry {idx}, which is not in the package ({self.start} to {self.end - 1}).")
        at = (idx - self.start) * HASH_SIZE
        return (self._map or self._open())[at : at + HASH_SIZE]

    def leaves(self, indexes: Sequence[int]) -> List[bytes]:
        """Leaf hashes of many entries; raises as `leaf`."""
        if indexes and (min(indexes) < self.start or max(indexes) >= self.end):
            self.leaf(min(indexes))
            self.leaf(max(indexes))
        data, start = self._map or self._open(), self.start
        return [data[at : at + HASH_SIZE] for at in [(idx - start) * HASH_SIZE for idx in indexes]]

    def between(self, start: int, end: int) -> Iterator[bytes]:
        """Leaf hashes of the entries [start, end)."""
        data = self._map or self._open()
        for first in range(start, end, _HASHES_AT_ONCE):
            part = data[(first - self.start) * HASH_SIZE : (min(end, first + _HASHES_AT_ONCE) - self.start) * HASH_SIZE]
            yield from (part[at : at + HASH_SIZE] for at in range(0, len(part), HASH_SIZE))

    def close(self) -> None:
        for thing in (self._out, self._map):
            if thing is not None:
                thing.close()


@dataclass
class Range:
    """What the pieces of the entries [start, end) gave."""

    start: int
    end: int
    view_from: int
    kept: Dict[str, Dict[int, Mapping[str, Any]]] = field(default_factory=lambda: {name: {} for name in sorted(KEPT)})
    probes: List[Tuple[int, Mapping[str, Any]]] = field(default_factory=list)
    counts: Dict[str, int] = field(default_factory=dict)
    producers: Producers = field(default_factory=Producers)
    last_at: int = 0
    file_fault: "Optional[ProofError]" = None
    entry_fault: "Optional[ProofError]" = None

    def __post_init__(self) -> None:
        self.producers = Producers(self.start == 0)

    def join(self, piece: Piece) -> None:
        """Take the piece that follows at once; of what does not hold, the first is remembered."""
        self.file_fault = self.file_fault or piece.file_fault
        self.entry_fault = self.entry_fault or piece.entry_fault
        if self.entry_fault is None and self.file_fault is None:
            try:
                self.producers.join(piece.producers)
            except Lie as error:
                self.entry_fault = error
        for idx, envelope in piece.kept:
            if idx >= self.view_from:
                self.kept[envelope["type"]][idx] = envelope
        self.probes += [(idx, envelope) for idx, envelope in piece.probes if idx >= self.view_from]
        for kind, count in piece.counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + count
        self.last_at = piece.last_at or self.last_at

    def adoptions(self) -> Dict[str, List[Tuple[int, Mapping[str, Any]]]]:
        """Control id -> (index, body) of each entry that put a version of it into force, opening balances included."""
        found = [(idx, e.get("ref", ""), e.get("body", {})) for idx, e in self.kept["control.adopted"].items()]
        for idx, envelope in self.carried():
            body = envelope.get("body", {})
            if body.get("of") == "control.adopted":
                found.append((idx, envelope.get("ref", ""), body.get("body", {})))
        by_control: Dict[str, List[Tuple[int, Mapping[str, Any]]]] = {}
        for idx, ref, body in sorted(found, key=lambda one: one[0]):
            by_control.setdefault(ref, []).append((idx, body))
        return by_control

    def carried(self) -> "List[Tuple[int, Mapping[str, Any]]]":
        """The opening balances that follow the range's opening entry."""
        opening = self.kept["period.opened"].get(self.view_from)
        count = int(opening.get("body", {}).get("carried", 0)) if opening else 0
        return [(idx, envelope) for idx, envelope in self.kept["state.carried"].items() if idx <= self.view_from + count]

    def check_carried(self) -> int:
        """Check the opening balances against the entry that announces them; gives their number.

        Raises:
            Lie: the range does not begin with one, or number or root differ.
        """
        if self.view_from == 0:
            return 0
        opening = self.kept["period.opened"].get(self.view_from)
        if opening is None:
            raise Lie(f"Entry {self.view_from} does not open a period, so that opening balances are missing.")
        body, carried = opening.get("body", {}), self.carried()
        if len(carried) != body.get("carried"):
            raise Lie(f"{body.get('carried')} opening balances are announced; {len(carried)} follow.")
        if root_of(leaf_hash(canonical.dumps(envelope.get("body", {}))) for _, envelope in carried).hex() != body.get("root"):
            raise Lie("The opening balances are not those that the entry before them announces.")
        return len(carried)


def join(pieces: Iterable[Piece], found: Range, leaves: Leaves) -> None:
    """Put the pieces together; stops at the first file that cannot be read, which `found` then names."""
    for piece in pieces:
        found.join(piece)
        leaves.put(piece.leaves)
        if found.file_fault is not None:
            return


def check_roots(leaves: Leaves, tree: CompactRange, roots_wanted: Mapping[int, bytes], end_root: bytes) -> None:
    """Put every leaf onto the left edge and compare roots: at each anchored size, then at the end.

    Args:
        leaves: of the range.
        tree: the left edge at the start checkpoint.
        roots_wanted: size -> root that something outside this range's own checkpoints says.
        end_root: root of the end checkpoint.

    Raises:
        Lie: a root differs.
    """
    for size in sorted({*(size for size in roots_wanted if leaves.start < size <= leaves.end), leaves.end}):
        tree.extend(leaves.between(tree.size, size))
        if roots_wanted.get(size, tree.root()) != tree.root():
            raise Lie(f"Another root was anchored for {size} entries: this history differs from the one that was witnessed.")
    if tree.root() != end_root:
        raise Lie("The entries do not give the root that the end checkpoint signs: one was changed, removed or added.")


class Filler:
    """Fills tables up to the end of one run after another, each time with the entries before that end and no other.

    Args:
        job: that was scanned; its pieces' files lie in its folder.
        found: what was found in it.
        evidence: tables to fill.
    """

    def __init__(self, job: Job, found: Range, evidence: SqliteEvidence) -> None:
        self._job, self._evidence, self._filled = job, evidence, job.start
        self._adoptions, self._pledges = Adoptions(), Pledges()
        kept = [*found.kept["control.adopted"].items(), *found.kept["state.carried"].items()]
        self._events = sorted([*kept, *found.probes], key=lambda one: one[0])
        self._named = {str(envelope.get("body", {}).get("exchange", "")) for _, envelope in found.probes}

    def fill(self, end: int) -> None:
        """Add the entries before `end` that are not there yet."""
        for start, behind in self._job.pieces():
            if start < end and behind > self._filled:
                first, last = max(start, self._filled), min(behind, end)
                self._evidence.merge(self._job.file(start), first, last)
                self._commitments(start, first, last)
                if behind <= end:
                    os.unlink(self._job.file(start))
        while self._events and self._events[0][0] < end:
            idx, envelope = self._events.pop(0)
            (self._pledges if envelope["type"].startswith("probe.") else self._adoptions).add(idx, envelope)
        self._filled = max(end, self._filled)
        self._evidence.flush()

    def _commitments(self, start: int, first: int, last: int) -> None:
        """Commitments of the exchanges that some probe names, as `Pledges` reads them."""
        if not self._named:
            return
        with closing(sqlite3.connect(self._job.file(start))) as part:
            for idx, ref, value in part.execute("SELECT idx, ref, value FROM commitment WHERE idx >= ? AND idx < ?", (first, last)):
                if ref in self._named:
                    self._pledges.add(idx, {"type": "exchange.opened", "ref": ref, "body": {"commit_received": value}})

    def computed(self, from_us: int, to_us: int) -> "Dict[str, List[Row]]":
        """Rows of the computed tables for a period."""
        return {"expected": self._adoptions.rows(from_us, to_us), "pledge": self._pledges.rows()}
