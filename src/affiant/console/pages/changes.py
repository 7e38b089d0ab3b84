"""Changes: the list, one change with what may be done to it, and the form that proposes one."""

from __future__ import annotations

from dataclasses import dataclass

from affiant.console.model import Empty, Fact, Filter, Link, Notice, Option, Pager
from affiant.console.words import State


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change in the list."""

    id: str
    short: str
    at: int
    kind: str
    target: str
    author: str
    approved_by: str
    marks: str
    state: State


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """`changes.html`."""

    sentence: str
    may_propose: bool
    filters: tuple[Filter, ...]
    filtered: bool
    clear: str
    links: tuple[Link, ...]
    rows: tuple[ChangeRow, ...]
    pager: Pager
    empty: Empty


@dataclass(frozen=True, slots=True)
class ChangeAction:
    """A button: `why_not` says why it is there but cannot be used by this person now."""

    verb: str
    word: str
    kind: str = ""
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class ChangeStep:
    """One event of a change."""

    state: State
    what: str
    text: str
    at: int
    index: int | None


@dataclass(frozen=True, slots=True)
class ChangePage:
    """`change.html`."""

    id: str
    title: str
    sentence: str
    crumbs: tuple[Link, ...]
    actions: tuple[ChangeAction, ...]
    may_reject: bool
    content: str
    content_sub: str
    before: str
    facts: tuple[Fact, ...]
    steps: tuple[ChangeStep, ...]


@dataclass(frozen=True, slots=True)
class ChangeNewPage:
    """`change_new.html`; after an error it carries what was typed."""

    crumbs: tuple[Link, ...]
    kinds: tuple[Option, ...]
    target: str = ""
    content: str = ""
    reason: str = ""
    emergency: bool = False
    error: Notice | None = None
