"""One entry with its proof: the decoded envelope, the bytes as stored, and the path from its leaf to a signed root."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from affiant.console.model import Fact, Link


@dataclass(frozen=True, slots=True)
class EntryPage:
    """`entry.html`."""

    index: int
    sentence: str
    crumbs: tuple[Link, ...]
    before: str
    after: str
    envelope: tuple[Fact, ...]
    envelope_sub: str
    body: tuple[Fact, ...]
    body_sub: str
    raw: str
    raw_sub: str
    raw_links: tuple[Link, ...]
    tree: Markup | None
    proof: tuple[Fact, ...]
    proof_sub: str
    path: str
    path_words: str
    checkpoint: str
    checkpoint_sub: str
    cosignatures: tuple[Fact, ...]
    cosignatures_none: str
    verify: str
