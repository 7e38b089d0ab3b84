"""Who has written what: each live producer's last sequence number and the exchanges that it left open. Pure.

Leaves out: connections and grace (`server`), reading entries from disk (`recovery`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from affiant.kit.errors import LedgerFault
from affiant.ledger.wire import CLOSES, MARKS, OPENS

ENDED_KEPT = 10_000
RECENT_KEPT = 8


@dataclass(slots=True)
class Producer:
    """One incarnation.

    Args:
        name: node/role/incarnation.
        last: its last sequence number, -1 if none.
        open: exchange id -> index of its `exchange.opened`.
        recent: its last batches as (first seq, first index, count), to answer a resend.
    """

    name: str
    last: int = -1
    open: dict[str, int] = field(default_factory=dict)
    recent: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=RECENT_KEPT))

    @property
    def permanent(self) -> bool:
        """Whether it never ends (the records outbox)."""
        return self.name.split("/")[1:2] == ["records"]

    def index_of(self, seq: int) -> int | None:
        """Index of one of the recently written entries."""
        for first, index, count in self.recent:
            if first <= seq < first + count:
                return index + seq - first
        return None


class Producers:
    """All live producers, and the names of those that ended lately."""

    def __init__(self) -> None:
        self.live: dict[str, Producer] = {}
        self.ended: dict[str, None] = {}

    def get(self, name: str) -> Producer:
        """The producer of that name, new if unknown."""
        producer = self.live.get(name)
        if producer is None:
            producer = self.live[name] = Producer(name)
        return producer

    def wrote(self, name: str, first_seq: int, first_index: int, marks: list[tuple[int, str]]) -> None:
        """Take note of a written batch."""
        producer = self.get(name)
        producer.last = first_seq + len(marks) - 1
        producer.recent.append((first_seq, first_index, len(marks)))
        for position, (mark, ref) in enumerate(marks):
            if mark == OPENS:
                producer.open[ref] = first_index + position
            elif mark == CLOSES:
                producer.open.pop(ref, None)

    def interrupted(self, name: str, ref: str) -> None:
        """Take note that an exchange of that producer was interrupted."""
        if name in self.live:
            self.live[name].open.pop(ref, None)

    def end(self, name: str) -> None:
        """Take note that a producer ended; its name is not taken again."""
        self.live.pop(name, None)
        self.ended[name] = None
        while len(self.ended) > ENDED_KEPT:
            del self.ended[next(iter(self.ended))]

    def replay(self, index: int, rows: list[tuple[str, str, int, str, dict[str, Any]]]) -> None:
        """Take note of one batch read back from disk: (type, producer, seq, ref, body) of each entry.

        Raises:
            LedgerFault: a producer's numbers jump.
        """
        first = rows[0]
        known = self.live.get(first[1])
        last = known.last if known is not None else -1
        for position, (_, name, seq, _, _) in enumerate(rows):
            if name != first[1] or seq != last + 1 + position:
                raise LedgerFault(
                    f"Entry {index + position} of producer {name} has number {seq}; {last + 1 + position} was due.",
                    "Restore the segments from a backup, or ask who wrote to them.",
                )
        self.wrote(first[1], first[2], index, [(MARKS.get(row[0], 0), row[3]) for row in rows])
        for kind, _, _, ref, body in rows:
            if kind == "exchange.interrupted":
                self.interrupted(str(body.get("producer", "")), ref)
            elif kind == "producer.ended":
                self.end(str(body.get("producer", "")))

    def dump(self) -> dict[str, Any]:
        """Plain values for the state file."""
        return {
            "live": [[p.name, p.last, p.open, [list(run) for run in p.recent]] for p in self.live.values()],
            "ended": list(self.ended),
        }

    @classmethod
    def load(cls, data: dict[str, Any]) -> Producers:
        """From `dump`."""
        producers = cls()
        for name, last, open_, recent in data["live"]:
            runs = deque(((run[0], run[1], run[2]) for run in recent), maxlen=RECENT_KEPT)
            producers.live[name] = Producer(name, last, dict(open_), runs)
        producers.ended = dict.fromkeys(data["ended"])
        return producers
