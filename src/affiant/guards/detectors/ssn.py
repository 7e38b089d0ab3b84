"""US social security numbers and taxpayer identification numbers (ITIN) by the rules of their parts.

`078-05-1120` written with hyphens speaks for itself; with blanks, dots, slashes or nothing it needs a word before it. Leaves out:
employer numbers, which identify companies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from affiant.guards.detectors.context import NEVER, WIDE, glued, last, words
from affiant.guards.scan import Candidate, Detector, Found, Pattern

US_SSN, US_ITIN = "US_SSN", "US_ITIN"
_NAMED = words(
    r"ssn\b|s\.s\.n|ss ?#|ss no|social[ -]?security|soc\.? ?sec|socsec|social\b|taxpayer|tax ?id|tin\b|itin\b"
    r"|seguro social|s[eé]curit[eé] sociale|sozialversicherung|sicurezza sociale|previdenza sociale|sofinummer",
    "社会安全|社安|社会保障番号",
)
_OTHER = words(
    r"(?:order|part|ref|reference|invoice|tracking|ticket|case|serial|sku|item|model|claim|policy|lot|batch|catalog|article"
    r"|product|file|docket"
    r"|account|acct|conf(?:irmation)?|po|job|build)[ _-]?(?:id|no\.?|nr\.?|number|code|#)?(?:\W{0,3}(?:is|:|#)\W{0,2})?\W{0,3}$"
)
_NOT_DIGIT = re.compile("[^0-9]+")
_SURE, _LIKELY = 1_000_000, 850_000


def valid_ssn(digits: str) -> bool:
    """Whether nine digits can be a US social security number (area not 000, 666, 9xx; group not 00; serial not 0000)."""
    area = digits[:3]
    return area not in ("000", "666") and area[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def valid_itin(digits: str) -> bool:
    """Whether nine digits can be an ITIN: 9xx, and a group that is given out to taxpayers."""
    group = int(digits[3:5])
    return digits[0] == "9" and (50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99)


def _validate(candidate: Candidate) -> Iterable[Found]:
    digits = _NOT_DIGIT.sub("", candidate.value)
    type_ = US_SSN if valid_ssn(digits) else US_ITIN if valid_itin(digits) else ""
    if not type_ or len(set(digits)) == 1 or glued(candidate.text, candidate.start, candidate.end):
        return ()
    named = last(candidate, _NAMED, WIDE) > NEVER
    if not named and (candidate.pattern.rule != "hyphens" or last(candidate, _OTHER, WIDE) > NEVER):
        return ()
    return (Found(candidate.start, candidate.end, type_, _SURE if named else _LIKELY),)


_HYPHENS = r"[0-9]{3}(?:-| - )[0-9]{2}(?:-| - )[0-9]{4}"
_BARE = r"[0-9]{3}(?:[0-9]{2}| [0-9]{2} |\.[0-9]{2}\.|/[0-9]{2}/)[0-9]{4}"
DETECTOR = Detector(
    "ssn",
    (
        Pattern("hyphens", US_SSN, rf"\b{_HYPHENS}\b", _HYPHENS, width=15),
        Pattern("bare", US_SSN, rf"\b{_BARE}\b", _BARE, width=11),
    ),
    _validate,
    rank=20,
)
