"""Structured personal data: all detectors of this room's PII, and the four of the first release as one function.

`DETECTORS` go into a `Scanner` with others. `find` keeps the reading that `guards.cut` knows safe places for: EMAIL, PHONE,
CREDIT_CARD and US_SSN on folded text; a span of these never crosses a place where `cut.safe` would cut.
Leaves out: names (`guards.names`), secrets (`detectors.secrets`).
"""

from __future__ import annotations

from functools import lru_cache

from affiant.guards.detectors import address, bank, birth, card, email, iban, national, network, papers, phone, ssn, url
from affiant.guards.scan import Scanner

EMAIL, PHONE, CREDIT_CARD, US_SSN = email.EMAIL, phone.PHONE, card.CREDIT_CARD, ssn.US_SSN
TYPES = (EMAIL, PHONE, CREDIT_CARD, US_SSN)
LOOKBACK = 64  # characters before a span that may decide about it
MAX_SPAN = 320  # longest span in folded characters: an e-mail address of 64 + 1 + 255

Span = tuple[int, int, str]

DETECTORS = (
    email.DETECTOR,
    iban.DETECTOR,
    card.DETECTOR,
    national.CODES,
    bank.ROUTING,
    ssn.DETECTOR,
    birth.DETECTOR,
    national.ANNOUNCED,
    national.PUNCTUATED,
    papers.DETECTOR,
    network.MACS,
    bank.CODE,
    network.FOUR,
    network.SIX,
    phone.DETECTOR,
    address.DETECTOR,
    url.DETECTOR,
)
"""Every detector of structured personal data."""


@lru_cache(maxsize=1)
def _first_four() -> Scanner:
    return Scanner((email.DETECTOR, card.DETECTOR, ssn.DETECTOR, phone.WITHOUT_LABELS))


def find(text: str, start: int = 0) -> list[Span]:
    """Spans of the four types of `TYPES` in folded text.

    Args:
        text: folded text; what lies before `start` is context only.
        start: offset from which spans may begin.
    """
    return [(found.start, found.end, found.type) for found in _first_four().find(text, start) if found.type in TYPES]
