"""Holds the ledger of a stopped home against what the outside saw: the provider's ids and the callers' answers.

1. Every producer's numbers are gap-free, and every index is there.
2. Every exchange that was opened ended once: closed or interrupted.
3. Every request id that the provider saw belongs to an exchange that was opened: those of closed ones are named, the others lie within
   the attempt caps of the interrupted ones.
4. Every answer that came whole to a caller is closed as answered, and released in full.

Leaves out: hashes and signatures (`affiant ledger verify`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affiant.kit.home import open_home
from affiant.ledger import Event, LedgerReader, decode
from affiant.testing.callers import Got


@dataclass(frozen=True, slots=True)
class Found:
    """Counts of what was checked.

    Args:
        entries: in the ledger.
        opened, closed, interrupted, refused: exchanges.
        seen: request ids that the provider saw.
        unmatched: of these, not named by a closed exchange.
        caps: attempts that interrupted exchanges were permitted.
    """

    entries: int
    opened: int
    closed: int
    interrupted: int
    refused: int
    seen: int
    unmatched: int
    caps: int


def read_events(home: Path) -> list[Event]:
    """Every entry of a home's ledger, decoded."""
    reader = LedgerReader(open_home(home))
    return [decode(data) for data in reader.entries(0, reader.size)]


def check_evidence(home: Path, seen: Sequence[Sequence[Any]], got: Iterable[Got]) -> Found:
    """Check the four points.

    Args:
        home: of a ledger that nothing writes to now.
        seen: rows of the simulator's `/sim/seen`.
        got: what callers got.

    Raises:
        AssertionError: one does not hold; the message names the entry.
    """
    events = read_events(home)
    _check_numbers(events)
    opened = {event.ref: event for event in events if event.type == "exchange.opened"}
    closed = {event.ref: event for event in events if event.type == "exchange.closed"}
    interrupted = [event.ref for event in events if event.type == "exchange.interrupted"]
    ends = Counter([event.ref for event in events if event.type == "exchange.closed"] + interrupted)
    _check_ends(opened, ends)
    named = {attempt["id"] for event in closed.values() for attempt in event.body["attempts"]}
    ids = [str(row[0]) for row in seen]
    assert len(set(ids)) == len(ids), f"the provider saw an id twice: {[i for i, n in Counter(ids).items() if n > 1][:3]}"
    unmatched = set(ids) - named
    caps = sum(link["cap"] for ref in interrupted for link in opened[ref].body["links"])
    assert len(unmatched) <= caps, (
        f"{len(unmatched)} ids seen outside belong to no closed exchange; interrupted ones explain at most {caps}"
    )
    for each in got:
        if each.whole and each.status == 200:
            assert each.exchange in closed, f"the whole answer {each.exchange} has no exchange.closed ({ends[each.exchange]} ends)"
            body = closed[each.exchange].body
            assert (body["outcome"], body["released"]) == ("answered", "all"), (
                f"{each.exchange} is closed as {body['outcome']}, {body['released']}"
            )
    refused = sum(event.type == "exchange.refused" for event in events)
    return Found(len(events), len(opened), len(closed), len(interrupted), refused, len(ids), len(unmatched), caps)


def _check_numbers(events: Sequence[Event]) -> None:
    following: dict[str, int] = {}
    for index, event in enumerate(events):
        due = following.get(event.producer, 0)
        assert event.seq == due, f"entry {index}: {event.producer} wrote {event.seq} where {due} was due"
        following[event.producer] = due + 1


def _check_ends(opened: dict[str, Event], ends: Counter[str]) -> None:
    assert not ends.keys() - opened.keys(), f"ended but never opened: {sorted(ends.keys() - opened.keys())[:3]}"
    assert not opened.keys() - ends.keys(), f"opened and never ended: {sorted(opened.keys() - ends.keys())[:3]}"
    twice = [ref for ref, count in ends.items() if count > 1]
    assert not twice, f"ended twice: {twice[:3]}"
