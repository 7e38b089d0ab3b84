"""Closed days of a ledger as runs of whole bundles: what is archived together and becomes one Parquet partition.

A bundle belongs to the UTC day of its first entry. A clock that jumped and came back may make several runs of one day, or be passed over.
Leaves out: what is done with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from affiant.ledger.reader import LedgerReader
from affiant.proof.tiles import TILE_WIDTH

MOST_BUNDLES = 1 << 14
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _At(msgspec.Struct, frozen=True):
    at: int


_read_at = msgspec.json.Decoder(_At).decode


@dataclass(frozen=True, slots=True)
class Run:
    """Bundles [first, stop) of one day."""

    first: int
    stop: int


def day_of(at_us: int) -> str:
    """UTC date of an instant, for a name."""
    return (_EPOCH + timedelta(microseconds=at_us)).strftime("%Y-%m-%d")


def time_of(entry: bytes) -> int:
    """Wall time of an entry, µs."""
    return _read_at(entry).at


def closed_runs(reader: LedgerReader, first: int, keep_days: int = 0) -> list[Run]:
    """Runs from the bundle `first` on that end before the day of the newest signed entry.

    Args:
        keep_days: further days before that one which are left out too.
    """
    size = reader.checkpoint().size
    end = size // TILE_WIDTH
    if first >= end:
        return []
    newest = time_of(reader.entry(size - 1))
    today = day_of(newest - keep_days * 86_400_000_000)
    runs: list[Run] = []
    while first < end:
        day = _day(reader, first)
        stop = _end(reader, first, end, day)
        if day == today or stop == end or (keep_days and day > today):
            break
        while stop - first > MOST_BUNDLES:
            runs.append(Run(first, first + MOST_BUNDLES))
            first += MOST_BUNDLES
        runs.append(Run(first, stop))
        first = stop
    return runs


def _day(reader: LedgerReader, bundle: int) -> str:
    return day_of(time_of(reader.entry(bundle * TILE_WIDTH)))


def _end(reader: LedgerReader, first: int, end: int, day: str) -> int:
    """First bundle behind `first` that begins on another day, found by hops."""
    step, low = 1, first
    while low + step < end and _day(reader, low + step) == day:
        low += step
        step *= 2
    high = min(low + step, end)
    while high - low > 1:
        middle = (low + high) // 2
        if _day(reader, middle) == day:
            low = middle
        else:
            high = middle
    return high
