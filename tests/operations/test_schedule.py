"""Due times: hourly, daily, monthly, in UTC."""

from datetime import UTC, datetime

import pytest

from affiant.operations.schedule import Every, Schedule, month_of


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("every", "minute", "now", "due", "end"),
    [
        (Every.HOUR, 4, "2026-11-25T10:04:00", "2026-11-25T10:04:00", "2026-11-25T11:00:00"),
        (Every.HOUR, 4, "2026-11-25T10:03:59", "2026-11-25T09:04:00", "2026-11-25T10:00:00"),
        (Every.DAY, 187, "2026-11-25T00:10:00", "2026-11-24T03:07:00", "2026-11-25T00:00:00"),
        (Every.DAY, 0, "2026-11-25T00:00:00", "2026-11-25T00:00:00", "2026-11-26T00:00:00"),
        (Every.MONTH, 0, "2026-12-01T00:00:00", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        (Every.MONTH, 90, "2027-01-01T01:00:00", "2026-12-01T01:30:00", "2027-01-01T00:00:00"),
        (Every.MONTH, 0, "2028-03-01T00:00:00", "2028-03-01T00:00:00", "2028-04-01T00:00:00"),
    ],
)
def test_latest_due_and_its_window(every: Every, minute: int, now: str, due: str, end: str) -> None:
    """The last due time at or before now, and the end of the hour, day or month that it belongs to."""
    schedule = Schedule(every, minute)
    assert schedule.latest_due(at(now)) == at(due)
    assert schedule.end_of_window(at(due)) == at(end)


def test_month_of() -> None:
    """A month is read in UTC."""
    assert month_of(at("2026-11-30T23:59:59")) == 202611
    assert month_of(at("2026-12-01T00:00:00")) == 202612
