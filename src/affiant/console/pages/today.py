"""Today: what is due, controls by category, probes, traffic, and what the evidence does not show."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from affiant.console.model import Empty, Fact, Link
from affiant.console.words import State


@dataclass(frozen=True, slots=True)
class DueRow:
    """One thing that needs a person; `at` is µs or 0, `urgent` that it cannot be repaired afterwards."""

    state: State
    ref: str
    text: str
    href: str
    owner: str
    consequence: str
    when: str
    at: int = 0
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """Controls of one category, counted by result; `apart` are those that are no test result (gap, no occurrence, not implemented)."""

    name: str
    href: str
    bar: Markup
    none_noted: int
    noted: int
    not_tested: int
    apart: int
    all: int


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """One probe over the last 30 days."""

    name: str
    strip: Markup
    last: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class TodayPage:
    """`today.html`."""

    sentence: str
    may_run: bool
    due: tuple[DueRow, ...]
    due_sub: str
    due_all: Link | None
    due_empty: Empty
    categories: tuple[CategoryRow, ...]
    category_sentence: str
    controls_link: str
    controls_empty: Empty
    probes: tuple[ProbeRow, ...]
    probes_link: str
    probes_href: str
    probes_empty: Empty
    traffic: Markup | None
    traffic_sub: str
    traffic_empty: Empty
    not_shown: tuple[Fact, ...]
