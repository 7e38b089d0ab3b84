"""Rebuilding the range of the ledger that a package carries: tree, entries, producers' sequences, carried state.

One pass hashes and reads every entry and keeps what later steps need; a second pass fills tables. Leaves out: signatures
(`verify` checks them first) and what entries prove about controls (`recompute`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Mapping, Tuple

from . import canonical
from .errors import Lie, Malformed
from .expected import Adoptions
from .hashes import HASH_SIZE, CompactRange, leaf_hash, root_of
from .tiles import TILE_WIDTH, unpack_bundle

_TEXT_FIELDS = ("tenant", "actor", "policy", "ref")
_KEPT = ("control.adopted", "population.frozen", "sample.drawn", "procedure.run", "period.opened")


def bundle_name(number: int) -> str:
    """Path of a bundle in a package; bundle 0 begins with the first entry after the start checkpoint."""
    return f"ledger/entries/{number:06d}"


def bundles_in(start: int, end: int) -> int:
    """How many bundles a range has."""
    return (end - start + TILE_WIDTH - 1) // TILE_WIDTH


@dataclass
class Producers:
    """Checks that each producer's numbers follow one another within the range."""

    from_start: bool
    next_seq: Dict[str, int] = field(default_factory=dict)
    began_before: int = 0
    ended: Dict[str, int] = field(default_factory=dict)

    def add(self, idx: int, envelope: Mapping[str, Any]) -> None:
        """Take one entry.

        Raises:
            Lie: a number is missing, repeated, or comes after its producer ended.
        """
        name, seq = envelope["producer"], envelope["seq"]
        expected = self.next_seq.get(name)
        if expected is None:
            if seq != 0 and self.from_start:
                raise Lie(f"Entry {idx}: the first entry of the producer {name} has the number {seq}, not 0.")
            self.began_before += seq != 0
        elif seq != expected:
            raise Lie(f"Entry {idx}: the producer {name} jumps from number {expected - 1} to {seq}.")
        if name in self.ended:
            raise Lie(f"Entry {idx}: the producer {name} wrote after entry {self.ended[name]} said that it had ended.")
        self.next_seq[name] = seq + 1
        if envelope["type"] == "producer.ended":
            self._end(idx, envelope.get("body", {}))

    def _end(self, idx: int, body: Mapping[str, Any]) -> None:
        name, last = str(body.get("producer", "")), body.get("last_seq", -1)
        seen = self.next_seq.get(name)
        # One that began and last wrote before the range shows nothing here.
        if (seen is not None and last != seen - 1) or (seen is None and self.from_start and last != -1):
            raise Lie(f"Entry {idx}: the producer {name} ended at number {last}, but its entries end at {(seen or 0) - 1}.")
        self.ended[name] = idx


@dataclass
class Range:
    """What one pass over the entries [start, end) found."""

    start: int
    end: int
    view_from: int
    leaves: bytearray = field(default_factory=bytearray)
    kept: Dict[str, Dict[int, Mapping[str, Any]]] = field(default_factory=lambda: {name: {} for name in _KEPT})
    counts: Dict[str, int] = field(default_factory=dict)
    adoptions: Dict[str, List[Tuple[int, Mapping[str, Any]]]] = field(default_factory=dict)
    producers: Producers = field(default_factory=lambda: Producers(True))
    first_at: int = 0
    last_at: int = 0
    _carried: List[bytes] = field(default_factory=list)

    def leaf(self, idx: int) -> bytes:
        """Leaf hash of an entry.

        Raises:
            Malformed: it is outside the range.
        """
        if not self.start <= idx < self.end:
            raise Malformed(f"A row names the entry {idx}, which is not in the package ({self.start} to {self.end - 1}).")
        at = (idx - self.start) * HASH_SIZE
        return bytes(self.leaves[at : at + HASH_SIZE])

    def add(self, idx: int, entry: bytes) -> None:
        """Take one entry, in order.

        Raises:
            Lie: it is no canonical envelope of version 1, or contradicts its producer's sequence.
        """
        try:
            envelope = canonical.loads(entry)
            check_envelope(envelope)
        except Malformed as error:
            raise Lie(f"Entry {idx} is no event of the form that this ledger writes: {error.message}") from None
        self.producers.add(idx, envelope)
        kind = envelope["type"]
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.first_at = self.first_at or envelope["at"]
        self.last_at = envelope["at"]
        if idx < self.view_from:
            return
        if kind in _KEPT:
            self.kept[kind][idx] = envelope
        if kind == "control.adopted":
            self.adoptions.setdefault(envelope.get("ref", ""), []).append((idx, envelope.get("body", {})))
        elif kind == "state.carried" and idx <= self.view_from + self.carried_count():
            body = envelope.get("body", {})
            self._carried.append(canonical.dumps(body))
            if body.get("of") == "control.adopted":
                self.adoptions.setdefault(envelope.get("ref", ""), []).append((idx, body.get("body", {})))

    def carried_count(self) -> int:
        """How many carried entries the range's opening entry announces; 0 where the range begins with the ledger."""
        opening = self.kept["period.opened"].get(self.view_from)
        return int(opening.get("body", {}).get("carried", 0)) if opening else 0

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
        body = opening.get("body", {})
        if len(self._carried) != body.get("carried"):
            raise Lie(f"{body.get('carried')} opening balances are announced; {len(self._carried)} follow.")
        if root_of(leaf_hash(item) for item in self._carried).hex() != body.get("root"):
            raise Lie("The opening balances are not those that the entry before them announces.")
        return len(self._carried)


def check_envelope(envelope: Any) -> None:
    """Refuse what is not an envelope of version 1.

    Raises:
        Malformed: says what is wrong.
    """
    if type(envelope) is not dict or envelope.get("v") != 1:
        raise Malformed("It is no envelope of version 1.")
    for name in ("type", "producer"):
        if type(envelope.get(name)) is not str or not envelope[name]:
            raise Malformed(f"Its {name} is missing.")
    for name in ("tv", "seq", "at"):
        if type(envelope.get(name)) is not int:
            raise Malformed(f"Its {name} is missing.")
    for name in _TEXT_FIELDS:
        if type(envelope.get(name, "")) is not str:
            raise Malformed(f"Its {name} is no text.")
    if type(envelope.get("body", {})) is not dict:
        raise Malformed("Its body is no object.")


def read_entries(read: Callable[[str], bytes], start: int, end: int) -> Iterator[Tuple[int, bytes]]:
    """(index, bytes) of each entry of a package.

    Args:
        read: gives a file's bytes.
        start: first index.
        end: index after the last.

    Raises:
        Lie: a bundle has another number of entries than its place demands.
    """
    idx = start
    for number in range(bundles_in(start, end)):
        entries = unpack_bundle(read(bundle_name(number)))
        if len(entries) != min(TILE_WIDTH, end - idx):
            raise Lie(f"{bundle_name(number)} has {len(entries)} entries; {min(TILE_WIDTH, end - idx)} belong there.")
        for entry in entries:
            yield idx, entry
            idx += 1


def rebuild(
    entries: Iterator[Tuple[int, bytes]], found: Range, tree: CompactRange, roots_wanted: Mapping[int, bytes], end_root: bytes
) -> None:
    """Hash every entry onto the left edge and compare roots: at each anchored size, then at the end.

    Args:
        entries: of the range, in order.
        found: takes what is read.
        tree: the left edge at the start checkpoint.
        roots_wanted: size -> root that something outside this range's own checkpoints says.
        end_root: root of the end checkpoint.

    Raises:
        Lie: a root differs.
    """
    found.producers = Producers(found.start == 0)
    for idx, entry in entries:
        leaf = leaf_hash(entry)
        found.leaves += leaf
        tree.append(leaf)
        found.add(idx, entry)
        wanted = roots_wanted.get(tree.size)
        if wanted is not None and tree.root() != wanted:
            raise Lie(f"Another root was anchored for {tree.size} entries: this history differs from the one that was witnessed.")
    if tree.root() != end_root:
        raise Lie("The entries do not give the root that the end checkpoint signs: one was changed, removed or added.")


def load_tables(
    entries: Iterator[Tuple[int, bytes]], found: Range, add: Callable[[int, Mapping[str, Any]], None], adoptions: Adoptions
) -> "Iterator[int]":
    """Second pass: give each entry that queries may read to `add`, and yield its index after it was given."""
    for idx, entry in entries:
        if idx >= found.view_from:
            envelope = json.loads(entry)
            add(idx, envelope)
            adoptions.add(idx, envelope)
        yield idx
