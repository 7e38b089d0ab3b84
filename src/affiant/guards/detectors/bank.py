"""Bank routing numbers (ABA, with check digit) and bank codes (BIC), each announced by a word.

Nine digits pass the check once in ten, and many words of eight capitals have the form of a BIC, so neither speaks for itself.
Leaves out: account numbers without check digits.
"""

from __future__ import annotations

from collections.abc import Iterable

from stdnum import bic
from stdnum.us import rtn

from affiant.guards.detectors.context import NEAR, NEVER, glued, last, seen, words
from affiant.guards.scan import Candidate, Detector, Found, Pattern

BANK_ROUTING, BIC = "BANK_ROUTING", "BIC"
_ROUTING = words(
    r"routing(?:[ _-]?transit)?[ _-]?(?:number|num\b|no\b|nr\b|code|#)|routing[ :=#]{0,3}$|aba\b|rtn\b|transit (?:number|no\b)"
    r"|ach (?:number|routing)|fedwire"
)
_OTHER = words(r"account|acct|order|invoice|ssn|social")
_BIC = words(r"bic\b|swift|b\.i\.c|bankleitzahl|bank ?code|code banque|c[oó]digo (?:swift|bic)|codice (?:swift|bic)|iban|bank identifier")


def _routing(candidate: Candidate) -> Iterable[Found]:
    if glued(candidate.text, candidate.start, candidate.end) or not rtn.is_valid(candidate.value) or candidate.value == "0" * 9:
        return ()
    named = last(candidate, _ROUTING)
    return _found(candidate) if named > NEVER and last(candidate, _OTHER) <= named else ()


def _code(candidate: Candidate) -> Iterable[Found]:
    good = not glued(candidate.text, candidate.start, candidate.end) and bic.is_valid(candidate.value)
    return _found(candidate) if good and seen(candidate, _BIC, NEAR + 24) else ()


def _found(candidate: Candidate) -> Iterable[Found]:
    return (Found(candidate.start, candidate.end, candidate.pattern.type, candidate.pattern.score_ppm),)


ROUTING = Detector(
    "bank_routing", (Pattern("aba", BANK_ROUTING, r"\b[0-9]{9}\b", r"[0-9]{9}", width=9, score_ppm=950_000),), _routing, rank=19
)
CODE = Detector(
    "bic",
    (
        Pattern(
            "code",
            BIC,
            r"\b[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?\b",
            r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?(?![A-Za-z0-9])",
            width=11,
            score_ppm=950_000,
        ),
    ),
    _code,
    rank=26,
)
