"""The list of controls: each by day, its items, and its result so far."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from affiant.console.model import Empty, Filter
from affiant.console.words import State


@dataclass(frozen=True, slots=True)
class ControlRow:
    """One control in the list."""

    id: str
    name: str
    href: str
    strip: Markup
    items: str
    population_href: str
    unmatched: str
    state: State


@dataclass(frozen=True, slots=True)
class ControlsPage:
    """`controls.html`."""

    sentence: str
    may_run: bool
    filters: tuple[Filter, ...]
    filtered: bool
    clear: str
    csv: str
    legend: tuple[State, ...]
    axis: str
    rows: tuple[ControlRow, ...]
    empty: Empty
