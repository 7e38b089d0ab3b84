"""One exchange as a receipt: who, which policy, what was and was not inspected, which link served, proof."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from affiant.console.model import Fact
from affiant.console.pages.nouns import Step


@dataclass(frozen=True, slots=True)
class ExchangePage:
    """`exchange.html`."""

    id: str
    sentence: str
    policy_words: str
    steps: tuple[Step, ...]
    facts: tuple[Fact, ...]
    proof_sub: str
    tree: Markup | None
    proof: tuple[Fact, ...]
    commitments: tuple[Fact, ...]
