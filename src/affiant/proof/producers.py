"""Each producer numbers its own events from 0 without a gap, and writes nothing after it was said to have ended.

Leaves out: what the events say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .errors import Lie


@dataclass
class Producers:
    """Checks that each producer's numbers follow one another within a range, or a piece of one that is `join`ed later.

    Args:
        from_start: whether the range begins with the ledger, so that every producer must begin at 0.
        piece: whether it is a piece: what came before it is not known yet.
    """

    from_start: bool = False
    next_seq: Dict[str, int] = field(default_factory=dict)
    began_before: int = 0
    ended: Dict[str, int] = field(default_factory=dict)
    piece: bool = False
    _firsts: Dict[str, Tuple[int, int]] = field(default_factory=dict)
    _ends: List[Tuple[int, str, Any, Optional[int]]] = field(default_factory=list)

    def add(self, idx: int, envelope: Mapping[str, Any]) -> None:
        """Take one entry.

        Raises:
            Lie: a number is missing, repeated, or comes after its producer ended.
        """
        self.add_plain(idx, envelope["producer"], envelope["seq"])
        if envelope["type"] == "producer.ended":
            body = envelope.get("body", {})
            self._end(idx, str(body.get("producer", "")), body.get("last_seq", -1))

    def add_plain(self, idx: int, name: str, seq: int) -> None:
        """Take one entry that ends nothing; raises as `add`."""
        if self.next_seq.get(name) != seq or name in self.ended:
            self._unusual(idx, name, seq)
        self.next_seq[name] = seq + 1

    def _unusual(self, idx: int, name: str, seq: int) -> None:
        """The first entry of a producer, or a lie."""
        expected = self.next_seq.get(name)
        if name in self.ended:
            raise Lie(f"Entry {idx}: the producer {name} wrote after entry {self.ended[name]} said that it had ended.")
        if expected is not None:
            if seq != expected:
                raise Lie(f"Entry {idx}: the producer {name} jumps from number {expected - 1} to {seq}.")
        elif self.piece:
            self._firsts[name] = (idx, seq)
        else:
            if seq != 0 and self.from_start:
                raise Lie(f"Entry {idx}: the first entry of the producer {name} has the number {seq}, not 0.")
            self.began_before += seq != 0

    def _end(self, idx: int, name: str, last: Any) -> None:
        seen = self.next_seq.get(name)
        if self.piece:
            self._ends.append((idx, name, last, seen))
        else:
            self._check_end(idx, name, last, seen)
        self.ended[name] = idx

    def _check_end(self, idx: int, name: str, last: Any, seen: Optional[int]) -> None:
        # One that began and last wrote before the range shows nothing here.
        if (seen is not None and last != seen - 1) or (seen is None and self.from_start and last != -1):
            raise Lie(f"Entry {idx}: the producer {name} ended at number {last}, but its entries end at {(seen or 0) - 1}.")

    def join(self, piece: "Producers") -> None:
        """Take the piece that follows at once.

        Raises:
            Lie: as `add`.
        """
        for idx, name, last, seen in piece._ends:
            self._check_end(idx, name, last, self.next_seq.get(name) if seen is None else seen)
        for name, (idx, seq) in piece._firsts.items():
            self._unusual(idx, name, seq)
        self.next_seq.update(piece.next_seq)
        self.ended.update(piece.ended)
