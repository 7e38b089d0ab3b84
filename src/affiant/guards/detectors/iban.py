"""International bank account numbers: a country that gives them out, its length and structure, and the check digits."""

from __future__ import annotations

from collections.abc import Iterable

from stdnum import iban
from stdnum.exceptions import ValidationError

from affiant.guards.scan import Candidate, Detector, Found, Pattern

IBAN = "IBAN"
_LENGTHS = {
    country: int(length)
    for length, countries in {
        "15": "NO", "16": "BE", "18": "DK FK FI FO GL NL", "19": "MK SI", "20": "AT BA EE KZ LT LU MN XK", "21": "CH HR LI LV",
        "22": "BG BH CR DE GB GE IE ME RS VA", "23": "AE GI IL IQ OM SO TL", "24": "AD CZ ES MD PK RO SA SE SK TN VG",
        "25": "LY PT ST", "26": "IS TR", "27": "BI DJ FR GR IT MC MR SM", "28": "AL AZ BY CY DO GT HU LB NI PL SV", "29": "BR EG PS QA UA",
        "30": "JO KW MU YE", "31": "MT SC", "32": "LC", "33": "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
_GAPS = " -"


def _validate(candidate: Candidate) -> Iterable[Found]:
    text, start = candidate.text, candidate.start
    length = _LENGTHS.get(text[start : start + 2].upper(), 0)
    end, count = start, 0
    while end < candidate.end and count < length:
        count += text[end] not in _GAPS
        end += 1
    value = text[start:end]
    compact = value.replace(" ", "").replace("-", "")
    if count < length or not length or _word(text[start - 1 : start]) or _word(text[end : end + 1]):
        return ()
    if not (compact.isupper() or compact.islower()) or not valid(compact.upper()):
        return ()
    return (Found(start, end, IBAN, candidate.pattern.score_ppm),)


def _word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")


def valid(compact: str) -> bool:
    """Whether structure and check digits are right; check digits of a country's own scheme are not looked at."""
    if int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 != 1:
        return False
    try:
        iban.validate(compact, check_country=False)
    except ValidationError:
        return False
    return True


DETECTOR = Detector(
    "iban",
    (
        Pattern(
            "number",
            IBAN,
            r"\b[A-Z]{2}[ -]?[0-9]{2}(?:[ -]?[A-Z0-9]){11}",
            r"[A-Z]{2}[ -]?[0-9]{2}(?:[ -]?[A-Z0-9]){11,29}",
            ignore_case=True,
            width=48,
        ),
    ),
    _validate,
    rank=12,
)
