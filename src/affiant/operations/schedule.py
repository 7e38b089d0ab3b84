"""Due times, computed from wall time alone: the same rule that the expected occurrences of a control follow.

All times are UTC in integer microseconds. Pure. Leaves out: what runs (`scheduler`), and daylight saving (there is none in UTC).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
MINUTE_US = 60_000_000


class Every(StrEnum):
    """How often."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something is due.

    Args:
        every: hour, day or month.
        minute: minutes after the start of that hour, day or month.
    """

    every: Every
    minute: int

    def start_of(self, at_us: int) -> int:
        """Start of the hour, day or month that an instant lies in."""
        if self.every is Every.HOUR:
            return at_us - at_us % HOUR_US
        if self.every is Every.DAY:
            return at_us - at_us % DAY_US
        moment = datetime.fromtimestamp(at_us // 1_000_000, UTC)
        return int(moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()) * 1_000_000

    def latest_due(self, now_us: int) -> int:
        """The last due time at or before now."""
        start = self.start_of(now_us)
        due = start + self.minute * MINUTE_US
        return due if due <= now_us else self.start_of(start - 1) + self.minute * MINUTE_US

    def end_of_window(self, due_us: int) -> int:
        """Until when (exclusive) a run still belongs to the occurrence due then: the end of its hour, day or month."""
        start = self.start_of(due_us)
        if self.every is Every.HOUR:
            return start + HOUR_US
        if self.every is Every.DAY:
            return start + DAY_US
        return self.start_of(start + 32 * DAY_US)


def month_of(at_us: int) -> int:
    """yyyymm of an instant."""
    moment = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    return moment.year * 100 + moment.month


def iso(at_us: int) -> str:
    """An instant for people: `2026-11-25T02:07:00Z`."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).strftime("%Y-%m-%dT%H:%M:%SZ")
