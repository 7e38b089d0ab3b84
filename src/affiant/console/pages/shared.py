"""What the pages on controls share: the period looked at, the state of a control, strips of days, and rows with item results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from affiant.catalog import CATEGORIES, Control
from affiant.console import words
from affiant.console.context import DayItems, Item, Table
from affiant.console.pages.nouns import Cell, Column, ItemRow
from affiant.console.queries import Run
from affiant.console.render import svg
from affiant.console.visit import Visit
from affiant.console.words import DAY_US, STATES, State
from affiant.kit import charts

MAX_STRIP_DAYS = 400
_SLOT = re.compile(r"\{([a-z0-9_]+)(\|time)?\}")


@dataclass(frozen=True, slots=True)
class Period:
    """The period that pages look at: half-open µs; `open` where it goes on beyond today."""

    name: str
    from_us: int
    to_us: int
    open: bool

    @property
    def from_day(self) -> int:
        """First UTC day."""
        return self.from_us // DAY_US

    @property
    def to_day(self) -> int:
        """The UTC day after the last."""
        return -(-self.to_us // DAY_US)

    @property
    def words(self) -> str:
        """`1 Sep – 28 Feb 2027`."""
        return period_words(self.from_us, self.to_us)

    @property
    def argument(self) -> str:
        """As the command line takes it: both days inclusive."""
        return period_argument(self.from_us, self.to_us)


def period_words(from_us: int, to_us: int) -> str:
    """A half-open span as inclusive days, in words."""
    last = max(to_us - 1, from_us)
    same = words.moment(from_us).year == words.moment(last).year
    return f"{words.short_day(from_us) if same else words.day(from_us)} – {words.day(last)}"


def period_argument(from_us: int, to_us: int) -> str:
    """A half-open span as `A..B`, both inclusive where it consists of whole days, else as instants."""
    if from_us % DAY_US or to_us % DAY_US:
        return f"{words.exact(from_us)}..{words.exact(to_us)}"
    return f"{words.moment(from_us):%Y-%m-%d}..{words.moment(to_us - DAY_US):%Y-%m-%d}"


def period_of(visit: Visit) -> Period:
    """The configured period; else from the first day of the ledger to today, or to the end of what the newest run speaks about."""
    if visit.context.period is not None:
        return Period(*visit.context.period, True)
    now = visit.now_us
    from_us = (visit.queries.first_at() or now) // DAY_US * DAY_US
    ends = [run.to_us for run in visit.queries.latest_runs().values() if now < run.to_us <= from_us + 2 * MAX_STRIP_DAYS * DAY_US]
    to_us = max([now // DAY_US * DAY_US + DAY_US, *ends])
    return Period("since the ledger began", from_us, to_us, bool(ends) and to_us > now + DAY_US)


def control_state(control: Control, run: Run | None, adopted: bool) -> State:
    """The result of a control so far; one that was never run is not tested, and says so elsewhere."""
    if run is not None:
        return words.result_state(run.result)
    if not control.implemented:
        return STATES["not_implemented"]
    if control.population is None or not control.procedure:
        return STATES["design_gap"]
    return STATES["not_tested"]


def category_word(key: str) -> str:
    """Name of a category."""
    return CATEGORIES.get(key, key.replace("_", " "))


def _day_title(day: int, items: DayItems | None) -> str:
    name = words.day(day * DAY_US)
    if items is None:
        return f"{name}: no occurrence"
    parts = [f"{words.number(items.met)} met"] if items.met else []
    parts += [words.count(items.deviations, "deviation")] if items.deviations else []
    parts += [f"{words.number(items.could_not_test)} could not be tested"] if items.could_not_test else []
    return f"{name}: {', '.join(parts)}"


def _day_state(items: DayItems | None) -> str:
    if items is None:
        return "none"
    return "deviation" if items.deviations else "untested" if items.could_not_test else "good"


def month_ticks(from_day: int, days: int) -> list[charts.Tick]:
    """Labels at the first day, at each first of a month, and at the last day, never closer than an eighth of the width."""
    ticks = [charts.Tick(0, words.short_day(from_day * DAY_US))]
    for offset in range(1, days):
        if words.moment((from_day + offset) * DAY_US).day == 1 and offset / days - ticks[-1].at > 0.13:
            ticks.append(charts.Tick(offset / days, words.short_day((from_day + offset) * DAY_US)))
    if days > 1:
        if len(ticks) > 1 and 1 - ticks[-1].at < 0.14:
            ticks.pop()
        ticks.append(charts.Tick(1, words.short_day((from_day + days - 1) * DAY_US)))
    return ticks


def strip(period: Period, days: Sequence[DayItems], now_us: int, title: str, ticks: bool = False, href: str = "") -> Markup:
    """One mark per UTC day of the period; days to come are one frame."""
    known = {each.day: each for each in days}
    today = now_us // DAY_US
    first = max(period.from_day, period.to_day - MAX_STRIP_DAYS)
    cells = []
    for day in range(first, period.to_day):
        if day > today:
            cells.append(charts.Cell("future", ""))
            continue
        items = known.get(day)
        cells.append(charts.Cell(_day_state(items), _day_title(day, items), href if items and items.deviations else ""))
    marks = month_ticks(first, len(cells)) if ticks and cells else []
    return svg(charts.day_strip(cells, title, height=22 if ticks else 17, ticks=marks))


def why_text(control: Control | None, code: str, cells: dict[str, str | int]) -> str:
    """What a short code means for a row, in the control's words."""
    known = control.whys.get(code) if control else None
    if known is None:
        return code.replace("_", " ")

    def value(match: re.Match[str]) -> str:
        found = cells.get(match[1], "")
        return words.when(found) if match[2] and isinstance(found, int) else str(found)

    return _SLOT.sub(value, known.text)


def is_time(value: str | int) -> bool:
    """Whether a value is µs since the epoch, of this century: no other figure in a population is that large."""
    return isinstance(value, int) and 10**15 < value < 4 * 10**15


def cell_of(name: str, value: str | int) -> Cell:
    """A value of a population's column, with its whole form on hover and where it leads."""
    if isinstance(value, int):
        if is_time(value):
            return Cell(words.when(value), words.exact(value), tight=True)
        if name == "day" and 19_700_101 <= value <= 29_991_231:
            return Cell(words.compact_day(value), str(value), tight=True)
        return Cell(words.number(value), str(value))
    if not value:
        return Cell("–")
    href = ""
    if value.startswith(("xc_", "x_")):
        href = f"/exchanges/{value}"
    elif value.startswith("chg_"):
        href = f"/changes/{value}"
    if _HASH.fullmatch(value):
        return Cell(words.groups(value, 2), value, href, True)
    short = words.short_id(value, 14) if "_" in value and len(value) > 20 else value
    return Cell(short, value, href, len(short) < 24)


_NAMES = {"xid": "Exchange", "key_id": "Key", "change_id": "Change", "pledge_id": "Pledge", "item": "What"}


HIDDEN = ("at", "tenant")
SHOWN_COLUMNS = 6
_HASH = re.compile(r"[0-9a-f]{32,}")


def shown(columns: Sequence[str], items: Sequence[Item]) -> list[int]:
    """Which columns are worth showing: not the time (it has its own), none empty in every row, no hashes, the first six.

    The entry and the CSV hold the others.
    """
    out: list[int] = []
    for place, name in enumerate(columns):
        values = [item.cells[place] for item in items]
        if name in HIDDEN or (name == "due" and "at" in columns) or (values and all(value == "" for value in values)):
            continue
        if values and all(isinstance(value, str) and _HASH.fullmatch(value) for value in values):
            continue
        out.append(place)
    return out[:SHOWN_COLUMNS]


def column_name(name: str) -> str:
    """Head of a column, in words."""
    return _NAMES.get(name) or words.sentence(name.replace("_", " "))


def column_names(columns: Sequence[str], items: Sequence[Item]) -> tuple[str, ...]:
    """Heads of the columns that are shown."""
    return tuple(column_name(columns[place]) for place in shown(columns, items))


def item_rows(control: Control | None, columns: Sequence[str], items: Sequence[Item], times: dict[int, int]) -> tuple[ItemRow, ...]:
    """Rows with their item results."""
    out, places = [], shown(columns, items)
    for item in items:
        named = dict(zip(columns, item.cells, strict=True))
        at = named.get("at") or named.get("due") or times.get(item.idx, 0)
        cells = tuple(cell_of(columns[place], item.cells[place]) for place in places)
        why = why_text(control, item.why, named) if item.why else ""
        ordinal = 0 if is_time(item.ord) else item.ord
        out.append(ItemRow(item.idx, ordinal, at if isinstance(at, int) else 0, cells, words.item_state(item.item), why))
    return tuple(out)


def unmatched_of(table: Table, limit: int) -> tuple[tuple[Column, ...], tuple[tuple[Cell, ...], ...]]:
    """Columns and rows of a reconciliation, at most `limit` rows."""
    columns = tuple(Column(column_name(name), name in ("ours", "theirs", "at_least", "at_most")) for name in table.columns)
    rows = tuple(tuple(cell_of(name, value) for name, value in zip(table.columns, row, strict=True)) for row in table.rows[:limit])
    return columns, rows
