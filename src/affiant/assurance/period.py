"""The interval that a run speaks about. Leaves out: what a company calls its audit window (`period.opened`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from affiant.kit.errors import BadInput

DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = "Write A..B with two dates (both inclusive) or two instants (half-open), such as 2026-09-01..2026-11-30."


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def parse_instant(text: str) -> int:
    """Microseconds since the Unix epoch of an ISO 8601 instant; one without an offset is UTC, a date is its first instant.

    Raises:
        BadInput: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"{text!r} is no instant.", "Write 2026-11-25T02:07:00Z, or a date.") from error
    return _us(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Period:
    """[from_us, to_us), µs UTC."""

    from_us: int
    to_us: int

    def __post_init__(self) -> None:
        if self.from_us >= self.to_us:
            raise BadInput("The period is empty.", "Write the earlier end first.")

    @classmethod
    def parse(cls, text: str) -> Period:
        """`A..B`: UTC dates, both inclusive, or instants, half-open.

        Raises:
            BadInput: it is neither, mixes them, or is empty.
        """
        first, dots, second = text.partition("..")
        if not dots:
            raise BadInput(f"{text!r} is no period.", _FORM)
        dates = [_date(first), _date(second)]
        if dates[0] is not None and dates[1] is not None:
            return cls(_us(_midnight(dates[0])), _us(_midnight(dates[1])) + DAY_US)
        if dates[0] is not None or dates[1] is not None:
            raise BadInput(f"{text!r} mixes a date and an instant.", _FORM)
        return cls(parse_instant(first), parse_instant(second))

    def days(self) -> list[int]:
        """First instant of each UTC day that it touches."""
        return list(range(self.from_us - self.from_us % DAY_US, self.to_us, DAY_US))

    def __str__(self) -> str:
        whole = self.from_us % DAY_US == 0 and self.to_us % DAY_US == 0
        if whole:
            return f"{day_text(self.from_us)}..{day_text(self.to_us - DAY_US)}"
        return f"{instant_text(self.from_us)}..{instant_text(self.to_us)}"


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def day_text(at_us: int) -> str:
    """`2026-11-25`."""
    return (_EPOCH + timedelta(microseconds=at_us)).strftime("%Y-%m-%d")


def instant_text(at_us: int) -> str:
    """`2026-11-25T02:07:00Z`, with microseconds where there are any."""
    moment = _EPOCH + timedelta(microseconds=at_us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if moment.microsecond else "%Y-%m-%dT%H:%M:%SZ")
