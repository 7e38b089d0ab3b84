"""The computed table `expected`: times at which a control's schedule says that it must have operated.

Anchored on the entry that put a control version in force (`control.adopted`, or the `state.carried` entry that repeats it), with the due
time as ordinal, so that a scheduler that is down misses occurrences visibly. All times are µs UTC; windows are the calendar hour, day
or month, half-open. Leaves out: what was done in a window (the control's query joins that).
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Tuple

from .errors import Malformed
from .views import Row, carried_envelope

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MAX_ROWS = 2_000_000


class Adoptions:
    """Collects `control.adopted` entries, then gives the rows of `expected`."""

    def __init__(self) -> None:
        self._by_control: Dict[str, List[Tuple[int, int, List[Dict[str, Any]]]]] = {}

    def add(self, idx: int, envelope: Mapping[str, Any]) -> None:
        """Take notice of one entry, in the ledger's order."""
        if envelope["type"] == "state.carried":
            envelope = carried_envelope(envelope)
        if envelope["type"] == "control.adopted":
            schedule = envelope.get("body", {}).get("schedule", [])
            self._by_control.setdefault(envelope.get("ref", ""), []).append((idx, envelope["at"], schedule))

    def rows(self, from_us: int, to_us: int) -> "List[Row]":
        """(control, item, idx, ord, due, from_us, to_us, day, month) for each due time within [from_us, to_us).

        A version's occurrences begin when it was adopted and end when the next version of its control was.
        """
        found: List[Row] = []
        for control in sorted(self._by_control):
            versions = self._by_control[control]
            for number, (idx, at, schedule) in enumerate(versions):
                until = min(to_us, versions[number + 1][1]) if number + 1 < len(versions) else to_us
                for row in _occurrences(control, idx, schedule, max(from_us, at), until):
                    found.append(row)
                    if len(found) > MAX_ROWS:
                        raise Malformed(f"The schedules give more than {MAX_ROWS} expected occurrences.")
        return found


def _occurrences(control: str, idx: int, schedule: Iterable[Mapping[str, Any]], begin: int, end: int) -> "Iterator[Row]":
    for entry in schedule:
        try:
            item, every, minute = str(entry["item"]), entry["every"], int(entry.get("minute", 0))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Malformed(f"The schedule of {control} (entry {idx}) cannot be read.") from None
        if every not in _STARTS or not 0 <= minute < _MINUTES[every]:
            raise Malformed(f"The schedule of {control} (entry {idx}) has every {every!r} at minute {minute}.")
        start = _STARTS[every](begin)
        while start < end:
            following = _following(every, start)
            due = start + minute * MINUTE_US
            if begin <= due < end:
                moment = _EPOCH + timedelta(microseconds=due)
                month = moment.year * 100 + moment.month
                yield control, item, idx, due, due, start, following, month * 100 + moment.day, month
            start = following


def _start_of_month(at_us: int) -> int:
    moment = (_EPOCH + timedelta(microseconds=at_us)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (moment - _EPOCH) // timedelta(microseconds=1)


_STARTS = {"hour": lambda at: at - at % HOUR_US, "day": lambda at: at - at % DAY_US, "month": _start_of_month}
_MINUTES = {"hour": 60, "day": 24 * 60, "month": 28 * 24 * 60}


def _following(every: str, start: int) -> int:
    if every == "hour":
        return start + HOUR_US
    if every == "day":
        return start + DAY_US
    return _start_of_month(start + 32 * DAY_US)
