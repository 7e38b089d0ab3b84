"""The list of frozen populations."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from affiant.console import words
from affiant.console.csvfile import MAX_ROWS, csv_response
from affiant.console.model import Empty, Filter, Link, Pager, address, choose, page_of
from affiant.console.pages.shared import period_words
from affiant.console.visit import Visit


@dataclass(frozen=True, slots=True)
class PopulationRow:
    """One frozen population."""

    name: str
    href: str
    control: str
    period: str
    rows: int
    unmatched: int
    root: str
    at: int
    index: int


@dataclass(frozen=True, slots=True)
class PopulationsPage:
    """`populations.html`."""

    sentence: str
    filters: tuple[Filter, ...]
    filtered: bool
    clear: str
    links: tuple[Link, ...]
    rows: tuple[PopulationRow, ...]
    pager: Pager
    empty: Empty


LIMIT = 50
EMPTY = Empty(
    "No population is frozen yet",
    "Running a control freezes its population first, as an entry, so that a sample can be drawn and anyone can redraw it.",
    "affiant control run --all --period 2026-01-01..2026-12-31",
)


def show(visit: Visit) -> Response:
    """The list."""
    control, name, offset = visit.query("control"), visit.query("population"), visit.offset()
    total = visit.queries.count_freezes(control, name)
    found = visit.queries.freezes(control, name, offset, LIMIT)
    rows = tuple(
        PopulationRow(
            f.population.replace("_", " "),
            f"/populations/{f.id}",
            f.control,
            period_words(f.from_us, f.to_us),
            f.rows,
            f.unmatched,
            f.root,
            f.at,
            f.idx,
        )
        for f in found
    )
    newest = visit.queries.freezes(limit=1)
    everything = visit.queries.count_freezes()
    sentence = f"{words.sentence(words.count(everything, 'population'))} frozen" + (
        f"; the newest {words.near(newest[0].at, visit.now_us)}." if newest else "."
    )
    filters = (
        choose("control", "Control", control, [(each, each) for each in visit.context.catalog.controls]),
        choose("population", "Population", name, [(each, each.replace("_", " ")) for each in visit.queries.populations()]),
    )
    empty = (
        Empty("Nothing matches", "No frozen population fits these filters.", "", "/populations", "Show all") if control or name else EMPTY
    )
    page = PopulationsPage(
        sentence,
        filters,
        bool(control or name),
        "/populations",
        (Link("CSV", address("/populations.csv", control=control, population=name)),),
        rows,
        page_of("/populations", total, offset, LIMIT, control=control, population=name),
        empty,
    )
    return visit.page("populations.html", page, "/populations")


def csv(visit: Visit) -> Response:
    """The list as CSV, with the same filters."""
    found = visit.queries.freezes(visit.query("control"), visit.query("population"), 0, MAX_ROWS)
    columns = ("frozen", "population", "freeze", "control", "from", "to", "end_size", "rows", "unmatched", "root", "entry")
    rows = (
        (
            words.exact(f.at),
            f.population,
            f.id,
            f.control,
            words.exact(f.from_us),
            words.exact(f.to_us),
            f.end_size,
            f.rows,
            f.unmatched,
            f.root,
            f.idx,
        )
        for f in found
    )
    return csv_response("populations", columns, rows)
