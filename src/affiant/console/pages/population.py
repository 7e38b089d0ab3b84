"""One frozen population: query, parameters, boundary, reconciliation, sample, and rows with item results."""

from __future__ import annotations

from dataclasses import dataclass

from affiant.console.model import Empty, Fact, Filter, Link, Pager
from affiant.console.pages.nouns import Cell, Column, ItemRow, Stat


@dataclass(frozen=True, slots=True)
class PopulationPage:
    """`population.html`."""

    name: str
    title: str
    sentence: str
    crumbs: tuple[Link, ...]
    csv: str
    stats: tuple[Stat, ...]
    query: str
    query_sub: str
    params: tuple[Fact, ...]
    boundary: tuple[Fact, ...]
    reconcile_sub: str
    reconcile_none: str
    unmatched: tuple[tuple[Cell, ...], ...]
    unmatched_columns: tuple[Column, ...]
    sample_sub: str
    sample: tuple[Fact, ...]
    redraw: str
    redraw_sub: str
    filters: tuple[Filter, ...]
    filtered: bool
    clear: str
    rows_sub: str
    rows_links: tuple[Link, ...]
    columns: tuple[str, ...]
    rows: tuple[ItemRow, ...]
    pager: Pager
    rows_empty: Empty
