"""One control: statement and versions, occurrences, population, sample, deviations, limits of reliance."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from affiant.console.model import Empty, Fact, Link
from affiant.console.pages.nouns import Cell, Column, ItemRow, Stat
from affiant.console.words import State


@dataclass(frozen=True, slots=True)
class DeviationRow:
    """Items that deviate (or could not be tested) for one reason."""

    state: State
    why: str
    items: int
    span: str
    href: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of the control."""

    at: int
    items: int
    deviations: int
    state: State
    index: int


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version of the control and the entry that put it in force."""

    version: int
    at: int
    sha: str
    index: int


@dataclass(frozen=True, slots=True)
class ControlPage:
    """`control.html`."""

    id: str
    title: str
    statement: str
    crumbs: tuple[Link, ...]
    tags: tuple[Link, ...]
    may_run: bool
    stats: tuple[Stat, ...]
    strip_title: str
    strip_sub: str
    strip: Markup | None
    empty: Empty
    rows_sub: str
    rows_links: tuple[Link, ...]
    columns: tuple[str, ...]
    rows: tuple[ItemRow, ...]
    rows_empty: Empty
    deviations: tuple[DeviationRow, ...]
    deviations_sub: str
    deviations_none: str
    unmatched: tuple[tuple[Cell, ...], ...]
    unmatched_columns: tuple[Column, ...]
    reliance: tuple[Fact, ...]
    runs: tuple[RunRow, ...]
    runs_links: tuple[Link, ...]
    runs_empty: Empty
    versions: tuple[VersionRow, ...]
    procedure: str
