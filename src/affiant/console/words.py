"""States and figures in words: the one place where a state gets its word, shape and colour, and a number its separators.

Words are those of `docs/words.md`. Pure; leaves out markup (templates/parts.html draws what is named here).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class State:
    """A state as people see it: word + shape + colour, never colour alone.

    Args:
        key: stable name, used in addresses and filters.
        word: what is printed.
        shape: circle, triangle, ring, dash, cross, square, diamond or flag.
        tone: colour role: good, deviation, failed, acted, quiet.
        chart: colour role of its mark in a chart (`kit.charts.STATES`).
    """

    key: str
    word: str
    shape: str
    tone: str
    chart: str


_ALL = (
    # item results
    State("met", "met", "circle", "good", "good"),
    State("deviation", "deviation", "triangle", "deviation", "deviation"),
    State("could_not_test", "could not test", "ring", "quiet", "untested"),
    # control results
    State("no_deviations_noted", "no deviations noted", "circle", "good", "good"),
    State("deviations_noted", "deviations noted", "triangle", "deviation", "deviation"),
    State("no_occurrence", "no occurrence in period", "ring", "quiet", "none"),
    State("not_tested", "not tested", "ring", "quiet", "untested"),
    State("not_implemented", "not implemented", "dash", "quiet", "none"),
    State("design_gap", "design gap", "cross", "failed", "failed"),
    # decisions and outcomes of an exchange
    State("allow", "allowed", "circle", "good", "good"),
    State("flag", "flagged", "flag", "deviation", "deviation"),
    State("redact", "redacted", "diamond", "acted", "acted"),
    State("hold", "held", "ring", "acted", "acted"),
    State("block", "blocked", "square", "failed", "failed"),
    State("refused", "refused", "square", "failed", "failed"),
    State("answered", "answered", "circle", "good", "good"),
    State("interrupted", "interrupted", "cross", "failed", "failed"),
    State("open", "open", "ring", "quiet", "untested"),
    State("failed", "failed", "square", "failed", "failed"),
    State("not_enforced", "not enforced", "ring", "quiet", "untested"),
    # work
    State("due", "due", "flag", "deviation", "deviation"),
    State("done", "done", "circle", "good", "good"),
    State("waiting", "waiting", "ring", "quiet", "untested"),
    State("proposed", "proposed", "ring", "quiet", "untested"),
    State("approved", "approved", "circle", "acted", "acted"),
    State("active", "in force", "circle", "good", "good"),
    State("rejected", "rejected", "square", "failed", "failed"),
    State("revoked", "revoked", "square", "failed", "failed"),
    State("ended", "ended", "dash", "quiet", "none"),
    State("could_not_look", "could not look", "ring", "failed", "untested"),
)
STATES: dict[str, State] = {state.key: state for state in _ALL}

CONTROL_RESULTS = ("no_deviations_noted", "deviations_noted", "not_tested", "no_occurrence", "design_gap", "not_implemented")
_RESULT_KEYS = {STATES[key].word: key for key in CONTROL_RESULTS}
_ITEMS = ("met", "deviation", "could_not_test")


def state(key: str) -> State:
    """The state of that name; one that this program does not know is shown by its own word."""
    return STATES.get(key) or State(key, key.replace("_", " "), "ring", "quiet", "untested")


def result_state(result: str) -> State:
    """A control result as the ledger writes it (its words, or a key)."""
    text = result.strip()
    return state(_RESULT_KEYS.get(text, text.replace(" ", "_")))


def item_state(item: int) -> State:
    """An item result by its number: 0 met, 1 deviation, 2 could not test."""
    return STATES[_ITEMS[item]] if 0 <= item < len(_ITEMS) else state(f"item_{item}")


def number(value: int) -> str:
    """`12345` as `12,345`."""
    return f"{value:,}"


def figure(value: int) -> str:
    """A count in a table where zero is good news: `–` for zero."""
    return f"{value:,}" if value else "–"


def count(value: int, one: str, many: str = "") -> str:
    """`1 entry`, `3 entries`, `no entries`."""
    noun = one if value == 1 else many or one + "s"
    return f"{'no' if value == 0 else number(value)} {noun}"


_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def spelled(value: int) -> str:
    """Small counts as words at the start of sentences: `six`; larger ones as figures."""
    return _SMALL[value] if 0 <= value < len(_SMALL) else number(value)


def sentence(text: str) -> str:
    """First letter upper case, the rest untouched."""
    return text[:1].upper() + text[1:]


def moment(at_us: int) -> datetime:
    """UTC datetime of integer microseconds, without going through a float."""
    whole, part = divmod(at_us, 1_000_000)
    return datetime.fromtimestamp(whole, UTC).replace(microsecond=part)


def when(at_us: int) -> str:
    """`23 Nov 2026, 10:41 UTC`."""
    t = moment(at_us)
    return f"{t.day} {MONTHS[t.month - 1]} {t.year}, {t:%H:%M} UTC"


def when_seconds(at_us: int) -> str:
    """`23 Nov 2026, 10:41:07.218 UTC`."""
    t = moment(at_us)
    return f"{t.day} {MONTHS[t.month - 1]} {t.year}, {t:%H:%M:%S}.{t.microsecond // 1000:03d} UTC"


def exact(at_us: int) -> str:
    """ISO 8601 to the microsecond, for titles and machines."""
    return f"{moment(at_us):%Y-%m-%dT%H:%M:%S}.{at_us % 1_000_000:06d}Z"


def day(at_us: int) -> str:
    """`23 Nov 2026`."""
    t = moment(at_us)
    return f"{t.day} {MONTHS[t.month - 1]} {t.year}"


def short_day(at_us: int) -> str:
    """`23 Nov`."""
    t = moment(at_us)
    return f"{t.day} {MONTHS[t.month - 1]}"


def weekday(at_us: int) -> str:
    """`Fri 27 Nov, 17:00`."""
    t = moment(at_us)
    return f"{WEEKDAYS[t.weekday()]} {t.day} {MONTHS[t.month - 1]}, {t:%H:%M}"


def near(at_us: int, now_us: int) -> str:
    """A time as seen from now: `today 04:12`, `yesterday`, `5 days ago`, `Fri 27 Nov, 17:00`, `23 Nov 2025`."""
    days = at_us // DAY_US - now_us // DAY_US
    if days == 0:
        return f"today {moment(at_us):%H:%M}"
    if days == -1:
        return "yesterday"
    if -14 < days < 0:
        return f"{-days} days ago"
    if days == 1:
        return f"tomorrow {moment(at_us):%H:%M}"
    if 1 < days < 7:
        return weekday(at_us)
    return short_day(at_us) if moment(at_us).year == moment(now_us).year else day(at_us)


def compact_day(day_number: int) -> str:
    """`20261123` as `23 Nov 2026`."""
    year, rest = divmod(day_number, 10_000)
    month, day_of_month = divmod(rest, 100)
    return f"{day_of_month} {MONTHS[month - 1]} {year}" if 1 <= month <= 12 else str(day_number)


_ENTITIES = {"EMAIL": "e-mail", "PHONE": "phone", "CREDIT_CARD": "card number", "US_SSN": "US SSN", "PII": "PII"}


def entity(type_: str) -> str:
    """What a guard found, as people say it: `EMAIL` as e-mail, `INJECTION/override` as injection (override)."""
    kind, _, detail = type_.partition("/")
    word = _ENTITIES.get(kind.upper()) or kind.lower().replace("_", " ")
    return f"{word} ({detail.replace('_', ' ')})" if detail else word


def groups(hex_text: str, shown: int = 3) -> str:
    """A hash for reading: `7c1e 44b0 91fa … 0d3e`; short ones are only grouped."""
    parts = [hex_text[i : i + 4] for i in range(0, len(hex_text), 4)]
    if len(parts) <= shown + 2:
        return " ".join(parts)
    return " ".join(parts[:shown]) + " … " + parts[-1]


def short_id(text: str, keep: int = 12) -> str:
    """An id cut for a table: `x_01jd4tq7m2…e2`; the whole one belongs in the title and the address."""
    return text if len(text) <= keep + 4 else f"{text[:keep]}…{text[-3:]}"


def elapsed(ms: int) -> str:
    """`12 ms`, `1.4 s`, `3 min`."""
    if ms < 1000:
        return f"{ms} ms"
    return f"{ms / 1000:.1f} s" if ms < 120_000 else f"{ms // 60_000} min"


def size(n_bytes: int) -> str:
    """`712 bytes`, `2.1 kB`."""
    return f"{number(n_bytes)} bytes" if n_bytes < 2000 else f"{n_bytes / 1000:.1f} kB"
