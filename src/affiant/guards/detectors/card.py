"""Payment card numbers: a brand's prefix, a length that the brand has, the check digit, and groups as people write them.

A number of 13 digits may as well be an article number, and 12 or 19 digits an id: those need a word before them. Leaves out:
expiry dates and verification codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from affiant.guards.detectors.context import NEAR, NEVER, glued, in_url, last, seen, words
from affiant.guards.scan import Candidate, Detector, Found, Pattern

CREDIT_CARD = "CREDIT_CARD"
_GROUP = re.compile("[0-9]+")
_NOT_DIGIT = re.compile("[^0-9]+")
_CARD = words(
    r"card|cc\b|ccn|credit|debit|visa|master ?card|amex|american express|maestro|discover|diners|jcb|pan\b|payment"
    r"|[a-z]{0,12}karte|carte|cb\b|tarjeta|carta|bancomat|cart[aã]o|kaart|pinpas|betaalpas",
    "卡|カード|信用|支付",
)
_OTHER = words(
    r"(?:order|tracking|invoice|ticket|serial|transaction|request|trace|session|build|batch|article|product|item|user|account"
    r"|customer|device)"
    r"[ _-]?(?:id|no\.?|nr\.?|number|code|#)?\b|imei|isbn|ean|gtin|upc|sku|iccid|uuid|timestamp|ts\b|epoch|nonce|hash|snowflake"
    r"|bestell|rechnung|sendung|auftrag|artikel|commande|facture|pedido|factura|fattura|ordine|encomenda|bestelling|factuur",
)
_DOUBLED = str.maketrans("0123456789", "0246813579")
_SURE, _LIKELY, _POSSIBLE = 1_000_000, 850_000, 600_000
_UNBRANDED = (16, 15, 12, 13, 14)
_MIXED = (
    [4, 6, 5], [4, 6, 4], [4, 4, 4, 4, 3], [4, 4, 4, 1], [6, 13], [8, 8], [5, 5, 5], [4, 5, 6], [4, 5, 4], [4, 4, 5], [4, 4, 4, 3],
    [4, 7, 4],
)  # fmt: skip


def lengths(prefix: str) -> tuple[int, ...]:
    """Lengths that a card may have whose number begins with these four digits."""
    two, four = int(prefix[:2]), int(prefix)
    if prefix[0] == "4":
        return (16, 13, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720 or 2200 <= four <= 2204:
        return (16,)
    if two in (34, 37) or four in (1800, 2131):
        return (15,)
    if two in (36, 38, 39) or 3000 <= four <= 3059:
        return (14, 16)
    if two == 35 or four == 6011 or two == 65 or 6440 <= four <= 6499 or two == 62:
        return (16, 17, 18, 19)
    if four in (5018, 5020, 5038, 5893, 6304) or 6759 <= four <= 6763:
        return (16, 12, 13, 14, 15, 17, 18, 19)
    return ()


def luhn(digits: str) -> bool:
    """Whether the check digit is right."""
    return (sum(map(int, digits[-1::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))) % 10 == 0


def _validate(candidate: Candidate) -> Iterable[Found]:
    """The card that begins with this group of digits."""
    text, value = candidate.text, candidate.value
    digits = _NOT_DIGIT.sub("", value)
    branded = lengths(digits[:4])
    for length in branded or _UNBRANDED:
        card = digits[:length]
        if len(card) < length or not luhn(card) or card.count(card[0]) == length:
            continue
        groups = _groups(value, length)
        end = candidate.start + groups[-1][1]
        if not _grouped([stop - begin for begin, stop in groups], length) or glued(text, candidate.start, end):
            continue
        score = _score(candidate, length, len(groups)) if branded else _unbranded(candidate, len(groups))
        return (Found(candidate.start, end, CREDIT_CARD, score),) if score else ()
    return ()


def _groups(value: str, length: int) -> list[tuple[int, int]]:
    """The groups of digits that hold the first `length` digits."""
    groups, total = [], 0
    for match in _GROUP.finditer(value):
        if total >= length:
            break
        groups.append(match.span())
        total += match.end() - match.start()
    return groups


def _grouped(sizes: Sequence[int], length: int) -> bool:
    """Whether groups end with the card and are as people write them: one, even ones, or as a brand prints them."""
    even = all(size == sizes[0] for size in sizes[:-1]) and sizes[-1] <= sizes[0]
    return sum(sizes) == length and (even or list(sizes) in _MIXED)


def _score(candidate: Candidate, length: int, groups: int) -> int:
    """How sure it is; 0: not at all."""
    if groups > 1 and length >= 14:
        return _SURE
    named = last(candidate, _CARD)
    other = last(candidate, _OTHER, NEAR)
    if other > named or in_url(candidate.text, candidate.start):
        return 0
    if named > NEVER:
        return _SURE
    return _LIKELY if 14 <= length <= 16 and not seen(candidate, _OTHER) else 0


def _unbranded(candidate: Candidate, groups: int) -> int:
    """How sure it is of a number that no known brand gives out, directly after the word for a card; 0: not at all."""
    named = last(candidate, _CARD, NEAR // 2)
    return _POSSIBLE if groups == 1 and named > NEVER and last(candidate, _OTHER) == NEVER else 0


DETECTOR = Detector(
    "card",
    (
        Pattern(
            "number",
            CREDIT_CARD,
            r"\b[0-9]{4}[0-9 .-]{8}",
            r"(?:[0-9]{12,19}(?![0-9])|[0-9]{4,8}(?:(?: - |[ .-])[0-9]{1,13}){1,4})",
            width=64,
        ),
    ),
    _validate,
    rank=15,
)
