"""Readable pages of a package: a cover with the control matrix, and one page a control. HTML and SVG alone: no script, nothing loaded.

Each control result is marked up as `<data value="ID result">`, which the verifier compares with what it recomputes. Leaves out: the
figures themselves (`proof.recompute`), charts (`kit.charts`).
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from affiant.affidavit.recalculate import Look
from affiant.catalog import CATEGORIES, Catalog, Control
from affiant.kit.charts import CHART_CSS, Cell, Tick, day_strip
from affiant.proof import results
from affiant.proof.anchors import Anchor, span
from affiant.proof.recompute import Outcome, Recorded

DAY_US = 86_400_000_000
UNMATCHED_SHOWN = 200
_SHAPES = {
    results.NO_DEVIATIONS: ("circle", "good"),
    results.DEVIATIONS: ("triangle", "deviation"),
    results.NO_OCCURRENCE: ("ring", "quiet"),
    results.NOT_TESTED: ("ring", "quiet"),
    results.NOT_IMPLEMENTED: ("dash", "quiet"),
    results.DESIGN_GAP: ("cross", "failed"),
}
_ITEM_SHAPES = (("circle", "good"), ("triangle", "deviation"), ("ring", "quiet"))


@dataclass(frozen=True, slots=True)
class Facts:
    """What the cover says of the whole package; times in µs UTC."""

    id: str
    origin: str
    demo: bool
    mode: str
    log: str
    witnesses: tuple[str, ...]
    by: str
    built_us: int
    software: str
    from_us: int
    to_us: int
    start_size: int
    view_from: int
    end_size: int
    end_root: str
    counts: Mapping[str, int]
    last_at_us: int
    anchors: tuple[Anchor, ...]
    longest_gap_s: int
    cosigned: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """One control: its recomputed outcome, its entries, the catalog's words for it (None where the catalog has moved on), its rows."""

    outcome: Outcome
    recorded: Recorded
    control: Control | None
    look: Look

    @property
    def id(self) -> str:
        return self.outcome.definition.id

    @property
    def known(self) -> Control | None:
        """The catalog's control, if it is the version that was run."""
        return self.control if self.control is not None and self.control.sha == self.outcome.definition.sha else None

    @property
    def title(self) -> str:
        return self.known.title if self.known else self.outcome.definition.statement.split(".")[0]

    @property
    def category(self) -> str:
        return self.control.category if self.control else ""

    @property
    def file(self) -> str:
        return f"control-{self.id}.html"

    @property
    def freeze(self) -> Mapping[str, Any]:
        """Body of the freeze, empty where there was none."""
        body: Mapping[str, Any] = self.recorded.freeze[1]["body"] if self.recorded.freeze else {}
        return body

    @property
    def sample(self) -> Mapping[str, Any]:
        """Body of the draw, empty where there was none."""
        body: Mapping[str, Any] = self.recorded.sample[1]["body"] if self.recorded.sample else {}
        return body


@dataclass(frozen=True, slots=True)
class Line:
    """One population row as a page shows it."""

    idx: int
    ord: int
    when: str
    cells: tuple[str, ...]
    item: int
    why: str


def day(at_us: int) -> str:
    """`23 Nov 2026`."""
    return _moment(at_us).strftime("%-d %b %Y")


def instant(at_us: int) -> str:
    """`23 Nov 2026, 10:41 UTC`."""
    return _moment(at_us).strftime("%-d %b %Y, %H:%M UTC")


def plural(count: int, noun: str) -> str:
    """`1 deviation`, `2 deviations`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def cell_words(cell: Any) -> str:
    """A cell as a page shows it: a hash is cut to its beginning, the CSV file has all of it."""
    text = str(cell)
    return text[:12] + "…" if len(text) == 64 and all(c in "0123456789abcdef" for c in text) else text


def _moment(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC)


def period_words(from_us: int, to_us: int) -> str:
    """A period of whole days by its first and last day, another by its instants."""
    if from_us % DAY_US == 0 and to_us % DAY_US == 0:
        return f"{day(from_us)} – {day(to_us - 1)}"
    return f"{instant(from_us)} – {instant(to_us)}"


def state_mark(shape: str, tone: str) -> Markup:
    """The shape that stands before a state's word."""
    return Markup('<span class="mark {} t-{}" aria-hidden="true"></span>').format(shape, tone)


def result_mark(control: str, result: str) -> Markup:
    """A control result as the verifier looks for it."""
    shape, tone = _SHAPES[result]
    return Markup('<span class="state t-{}">{}<data value="{} {}">{}</data></span>').format(
        tone, state_mark(shape, tone), control, result, result
    )


def item_mark(item: int) -> Markup:
    """An item result: word, shape, colour."""
    shape, tone = _ITEM_SHAPES[item]
    return Markup('<span class="state t-{}">{}{}</span>').format(tone, state_mark(shape, tone), results.ITEM_RESULTS[item])


def strip(shown: Shown, from_us: int, to_us: int) -> Markup:
    """One mark a day of the period: deviations, items met, nothing."""
    days = max(1, min(800, -(-(to_us - from_us) // DAY_US)))
    tallies = [[0, 0, 0] for _ in range(days)]
    for number, counts in shown.look.days.items():
        tally = tallies[min(days - 1, max(0, number))]
        tally[:] = [before + more for before, more in zip(tally, counts, strict=True)]
    cells = []
    for number in range(days):
        met, deviating, untested = tallies[number]
        words = f"{day(from_us + number * DAY_US)}: {met:,} met"
        words += f", {deviating:,} deviations" if deviating else ""
        words += f", {untested:,} could not be tested" if untested else ""
        state = "deviation" if deviating else "untested" if untested else "good" if met else "none"
        cells.append(Cell(state, words))
    ticks = (Tick(0.0, day(from_us)), Tick(1.0, day(to_us - 1)))
    return Markup(day_strip(cells, f"{shown.id} by day", ticks=ticks))  # noqa: S704 - kit.charts escapes its text


def lines_of(shown: Shown, pairs: Sequence[tuple[Sequence[Any], Sequence[Any]]]) -> list[Line]:
    """Population rows with their items (idx, ord, item, why), as a page shows them."""
    columns, found = shown.outcome.columns, []
    at = columns.index("at") if "at" in columns else -1
    for row, item in pairs:
        cells = tuple(
            cell_words(cell) for position, cell in enumerate(row) if position > 1 and position != at and columns[position] != "tenant"
        )
        when = instant(row[at]) if at >= 0 and row[at] > 0 else ""
        found.append(Line(row[0], row[1], when, cells, item[2], _why(shown, row, str(item[3]))))
    return found


def _why(shown: Shown, row: Sequence[Any], code: str) -> str:
    """The sentence behind a short code, with the row's values."""
    control = shown.known
    if not code or control is None or code not in control.whys:
        return code
    text = control.whys[code].text
    for name, cell in zip(shown.outcome.columns, row, strict=True):
        text = text.replace("{" + name + "}", str(cell))
        if "{" + name + "|time}" in text:
            text = text.replace("{" + name + "|time}", instant(cell))
    return text


def headline(shown: Sequence[Shown]) -> str:
    """One sentence that says the state in words."""
    tally = Counter(one.outcome.result for one in shown)
    parts = [f"{tally[result]} {result}" for result in reversed(results.CONTROL_RESULTS) if tally[result]]
    return f"{len(shown)} controls: {', '.join(parts)}."


def render_pages(facts: Facts, shown: Sequence[Shown], catalog: Catalog) -> dict[str, bytes]:
    """Path in the package -> bytes, for each page and the README."""
    environment = Environment(
        loader=PackageLoader("affiant.affidavit"), undefined=StrictUndefined, autoescape=select_autoescape(["html"]),
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    font = base64.b64encode(resources.files("affiant.affidavit").joinpath("fonts/inter-latin-wght-normal.woff2").read_bytes()).decode()
    environment.globals.update(
        day=day, instant=instant, plural=plural, period=period_words(facts.from_us, facts.to_us), result_mark=result_mark,
        item_mark=item_mark,
        strip=strip, span=span, facts=facts, whole=facts.mode == "full", chart_css=Markup(CHART_CSS), font=font,  # noqa: S704 - a constant
        utc_s=lambda seconds: instant(seconds * 1_000_000),
    )  # fmt: skip
    groups = [(title, [one for one in shown if one.category == key]) for key, title in (*CATEGORIES.items(), ("", "Other"))]
    pages = {
        "pages/index.html": environment.get_template("index.html").render(
            shown=shown, groups=[group for group in groups if group[1] or group[0] != "Other"], headline=headline(shown),
            criteria=_criteria(shown, catalog),
        ),
        "README.txt": environment.get_template("README.txt").render(shown=shown, headline=headline(shown)),
    }  # fmt: skip
    template = environment.get_template("control.html")
    for one in shown:
        pages[f"pages/{one.file}"] = template.render(one=one, **_control_values(one))
    return {path: text.encode() for path, text in pages.items()}


def _criteria(shown: Sequence[Shown], catalog: Catalog) -> list[tuple[str, str, list[Shown]]]:
    """(criterion, title in our words, controls) of every criterion that a control names."""
    named: dict[str, list[Shown]] = {}
    for one in shown:
        for criterion in one.outcome.definition.criteria:
            named.setdefault(criterion, []).append(one)
    order = {criterion: number for number, criterion in enumerate(catalog.criteria)}
    titles = {criterion.id: criterion.title for criterion in catalog.criteria.values()}
    return [(name, titles.get(name, ""), named[name]) for name in sorted(named, key=lambda name: (order.get(name, 10_000), name))]


def _control_values(one: Shown) -> dict[str, Any]:
    outcome, look = one.outcome, one.look
    counts = outcome.counts
    return {
        "headers": [name for name in outcome.columns[2:] if name not in ("at", "tenant")],
        "deviations": lines_of(one, look.noted),
        "more_deviations": counts.deviations + counts.could_not_test - len(look.noted),
        "sampled": lines_of(one, [(drawn.cells, (*drawn.cells[:2], drawn.item, drawn.why)) for drawn in outcome.sample]),
        "first_rows": lines_of(one, look.first),
        "unmatched": [[cell_words(cell) for cell in row] for row in outcome.unmatched[:UNMATCHED_SHOWN]],
        "more_unmatched": max(0, len(outcome.unmatched) - UNMATCHED_SHOWN),
        "times_us": {"from": one.recorded.body["from"], "to": one.recorded.body["to"]},
    }
