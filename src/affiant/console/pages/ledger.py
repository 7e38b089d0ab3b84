"""The ledger: its signed head, its outside anchors, and its entries by type and reference."""

from __future__ import annotations

from dataclasses import dataclass

from affiant.console.model import Empty, Fact, Filter, Link, Pager


@dataclass(frozen=True, slots=True)
class AnchorRow:
    """One cosignature."""

    witness: str
    at: int
    size: int


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One entry in the list."""

    index: int
    at: int
    type: str
    ref: str
    short_ref: str
    ref_href: str
    actor: str
    short_actor: str
    producer: str


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """`ledger.html`."""

    sentence: str
    checkpoint: str
    checkpoint_sub: str
    facts: tuple[Fact, ...]
    anchors: tuple[AnchorRow, ...]
    anchors_sub: str
    anchors_none: str
    filters: tuple[Filter, ...]
    filtered: bool
    clear: str
    links: tuple[Link, ...]
    entries_sub: str
    rows: tuple[EntryRow, ...]
    pager: Pager
    empty: Empty
