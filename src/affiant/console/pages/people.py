"""Keys and people: who may do what, and which gateway keys exist."""

from __future__ import annotations

from dataclasses import dataclass

from affiant.console.model import Empty, Link
from affiant.console.words import State


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person."""

    id: str
    roles: str
    how: str


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One gateway key; times are µs or 0."""

    id: str
    short: str
    owner: str
    tenant: str
    scope: str
    made: int
    expires: int
    state: State
    may_revoke: bool


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A key just made: the only time its secret is shown."""

    id: str
    value: str


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """`people.html`."""

    sentence: str
    people: tuple[PersonRow, ...]
    people_links: tuple[Link, ...]
    people_empty: Empty
    keys: tuple[KeyRow, ...]
    keys_links: tuple[Link, ...]
    keys_empty: Empty
    may_create: bool
    secret: NewSecret | None = None
