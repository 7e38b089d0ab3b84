"""The list of exchanges, refusals included, newest first."""

from __future__ import annotations

from dataclasses import dataclass

from affiant.console.model import Empty, Filter, Link, Pager
from affiant.console.words import State


@dataclass(frozen=True, slots=True)
class ExchangeRow:
    """One exchange in the list."""

    id: str
    short: str
    at: int
    route: str
    key: str
    short_key: str
    decisions: str
    served: str
    tokens: str
    took: str
    state: State
    word: str = ""


@dataclass(frozen=True, slots=True)
class ExchangesPage:
    """`exchanges.html`."""

    sentence: str
    sub: str
    filters: tuple[Filter, ...]
    filtered: bool
    clear: str
    links: tuple[Link, ...]
    rows: tuple[ExchangeRow, ...]
    pager: Pager
    empty: Empty
