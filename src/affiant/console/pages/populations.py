"""The list of frozen populations."""

from __future__ import annotations

from dataclasses import dataclass

from affiant.console.model import Empty, Filter, Link, Pager


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
