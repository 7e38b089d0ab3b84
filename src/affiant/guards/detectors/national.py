"""Identifiers that states give to persons, with their check digits: `NATIONAL_ID/<country>`.

An identifier of digits alone needs a word before it, in the country's language or in English, or its country's own punctuation; one
with letters and a strong check speaks for itself. Check digits and dates are judged by `python-stdnum`. Leaves out: numbers
of the United States (`ssn`), passports and driving licences (`papers`), identifiers of companies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from stdnum.at import vnr
from stdnum.au import tfn
from stdnum.be import nn
from stdnum.bg import egn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.cl import rut
from stdnum.cn import ric
from stdnum.cz import rc
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.es import dni, nie
from stdnum.exceptions import ValidationError
from stdnum.fi import hetu
from stdnum.fr import nif as fr_nif
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.gr import amka
from stdnum.hr import oib
from stdnum.ie import pps
from stdnum.il import idnr as il_idnr
from stdnum.in_ import aadhaar, pan
from stdnum.it import codicefiscale
from stdnum.jp import in_ as my_number
from stdnum.kr import rrn
from stdnum.mx import curp
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.nz import ird
from stdnum.pl import pesel
from stdnum.pt import nif as pt_nif
from stdnum.ro import cnp
from stdnum.se import personnummer
from stdnum.tr import tckimlik
from stdnum.za import idnr as za_idnr

from affiant.guards.detectors import national_words as said
from affiant.guards.detectors.context import WIDE, glued, seen, words
from affiant.guards.scan import Candidate, Detector, Found, Pattern

NATIONAL_ID = "NATIONAL_ID"
_SURE, _LIKELY, _GENERAL = 1_000_000, 900_000, 800_000
_NOT_DIGIT = re.compile("[^0-9]+")
_GROUP = re.compile("[0-9]+")
_EMPLOYER = re.compile("[0-9]{2}-[0-9]{7}")  # of the United States; identifies companies


@dataclass(frozen=True)
class Scheme:
    """One kind of identifier.

    Args:
        country: lower-case code.
        valid: whether a value, with its punctuation, has the form and the check digits.
        word: what announces it: alternatives of scripts with blanks, and of others.
        digits: how many digits it has; 0: it has letters.
        alone: punctuation with which it needs no word; None: it always needs one.
        general: whether a word for identifiers in general is enough.
    """

    country: str
    valid: Callable[[str], bool]
    word: tuple[str, str]
    digits: int = 0
    alone: re.Pattern[str] | None = None
    general: bool = True


def _form(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _resident(value: str) -> bool:
    """Whether a Chinese identifier has a date and the check digit; places are renumbered, so the place is not looked at."""
    try:
        ric.get_birth_date(value)
    except ValidationError:
        return False
    return bool(ric.calc_check_digit(value) == value[-1])


def _any(_value: str) -> bool:
    """Where the form is all that can be judged."""
    return True


_DIGITS = (
    Scheme("de", idnr.is_valid, said.DE, 11),
    Scheme("fr", nir.is_valid, said.FR, 15, _form(r"[12] \d\d \d\d \d[\dAB] \d{3} \d{3} \d\d")),
    Scheme("fr", fr_nif.is_valid, said.FR_TAX, 13, general=False),
    Scheme("pt", pt_nif.is_valid, said.PT, 9),
    Scheme("nl", bsn.is_valid, said.NL, 9),
    Scheme("be", nn.is_valid, said.BE, 11, _form(r"\d\d\.\d\d\.\d\d-\d{3}[.-]\d\d")),
    Scheme("pl", pesel.is_valid, said.PL, 11),
    Scheme("se", personnummer.is_valid, said.SE, 10),
    Scheme("se", personnummer.is_valid, said.SE, 12),
    Scheme("gb", nhs.is_valid, said.GB_NHS, 10, general=False),
    Scheme("br", cpf.is_valid, said.BR, 11, _form(r"\d{3}\.\d{3}\.\d{3}-\d\d")),
    Scheme("cn", _resident, said.CN, 18, _form(r"[1-8]\d{17}")),
    Scheme("jp", my_number.is_valid, said.JP, 12),
    Scheme("in", aadhaar.is_valid, said.IN_AADHAAR, 12),
    Scheme("ca", sin.is_valid, said.CA, 9),
    Scheme("au", tfn.is_valid, said.AU, 9),
    Scheme("au", tfn.is_valid, said.AU, 8, general=False),
    Scheme("ch", ahv.is_valid, said.CH, 13, _form(r"756\.\d{4}\.\d{4}\.\d\d")),
    Scheme("at", vnr.is_valid, said.AT, 10, general=False),
    Scheme("dk", cpr.is_valid, said.DK, 10, general=False),
    Scheme("no", fodselsnummer.is_valid, said.NO, 11),
    Scheme("cz", rc.is_valid, said.CZ, 10, _form(r"\d{6}/\d{4}"), general=False),
    Scheme("ro", cnp.is_valid, said.RO, 13),
    Scheme("gr", amka.is_valid, said.GR, 11, general=False),
    Scheme("bg", egn.is_valid, said.BG, 10, general=False),
    Scheme("hr", oib.is_valid, said.HR, 11, general=False),
    Scheme("kr", rrn.is_valid, said.KR, 13, _form(r"\d{6}-[1-8]\d{6}")),
    Scheme("za", za_idnr.is_valid, said.ZA, 13),
    Scheme("tr", tckimlik.is_valid, said.TR, 11),
    Scheme("il", il_idnr.is_valid, said.IL, 9, general=False),
    Scheme("cl", rut.is_valid, said.CL, 9, general=False),
    Scheme("nz", ird.is_valid, said.NZ, 9, general=False),
)
_BY_DIGITS: dict[int, list[Scheme]] = {}
for _scheme in _DIGITS:
    _BY_DIGITS.setdefault(_scheme.digits, []).append(_scheme)
_WORDS = sorted({scheme.word for scheme in _DIGITS} | {said.GENERAL})
_ANY_WORD = "|".join(alternatives for word in _WORDS for alternatives in word if alternatives)
_NUMBER = re.compile(r"(?<![0-9][ ./-])(?<![0-9A-Za-z+(])[0-9]{1,18}(?:[ ./-][0-9]{1,18}){0,8}")


@lru_cache(maxsize=128)
def _compiled(word: tuple[str, str]) -> re.Pattern[str]:
    return words(*word)


def _announced(candidate: Candidate) -> Iterable[Found]:
    """Identifiers that follow a word."""
    text = candidate.text
    for match in _NUMBER.finditer(text, candidate.end, candidate.end + WIDE):
        number = _NUMBER.match(text, match.start())  # whole, where the stretch cut it
        if number is not None:
            yield from _number(Candidate(text, number.start(), number.end(), candidate.pattern))


def _number(candidate: Candidate) -> Iterable[Found]:
    """The identifier that begins with this group of digits."""
    for end in reversed([match.end() + candidate.start for match in _GROUP.finditer(candidate.value)]):
        value = candidate.text[candidate.start : end]
        schemes = _BY_DIGITS.get(len(_NOT_DIGIT.sub("", value)))
        if not schemes or glued(candidate.text, candidate.start, end) or _EMPLOYER.fullmatch(value):
            continue
        score, country = max((_score(candidate, scheme, value), scheme.country) for scheme in schemes)
        if score:
            return (Found(candidate.start, end, f"{NATIONAL_ID}/{country}", score),)
    return ()


def _score(candidate: Candidate, scheme: Scheme, value: str) -> int:
    """How sure it is that a value is an identifier of a scheme; 0: it is none."""
    if seen(candidate, _compiled(scheme.word), WIDE):
        score = _SURE
    elif scheme.alone is not None and scheme.alone.fullmatch(value):
        score = _LIKELY
    else:
        score = _GENERAL if scheme.general and seen(candidate, _compiled(said.GENERAL), WIDE) else 0
    return score if score and scheme.valid(value) else 0


_LETTERED: dict[str, Scheme] = {
    "dni": Scheme("es", dni.is_valid, said.ES),
    "nie": Scheme("es", nie.is_valid, said.ES),
    "codice_fiscale": Scheme("it", codicefiscale.is_valid, said.IT, alone=_form(".*")),
    "hetu": Scheme("fi", hetu.is_valid, said.FI, alone=_form(".*")),
    "nino": Scheme(
        "gb", _any, said.GB_NINO, alone=_form("(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ([0-9]{2} ){3}[A-D]")
    ),
    "ric": Scheme("cn", _resident, said.CN, alone=_form(".*")),
    "curp": Scheme("mx", curp.is_valid, said.MX, alone=_form(".*")),
    "pan": Scheme("in", pan.is_valid, said.IN_PAN),
    "pps": Scheme("ie", pps.is_valid, said.IE),
    "rut": Scheme("cl", rut.is_valid, said.CL, alone=_form(r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-.")),
    "nir_corsica": Scheme("fr", nir.is_valid, said.FR, alone=_form(".*")),
}
_NINO = r"[A-Z]{2}[ -]?[0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{2}[ -]?[A-Z]"
_CURP = r"[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[A-Z0-9][0-9]"
_CODICE = r"[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]"
_FORMS = {
    "dni": r"[0-9]{2}\.?[0-9]{3}\.?[0-9]{3}[ -]?[A-HJ-NP-TV-Z]",
    "nie": r"[XYZ][ -]?[0-9]{7}[ -]?[A-HJ-NP-TV-Z]",
    "codice_fiscale": _CODICE,
    "hetu": r"[0-3][0-9][01][0-9][0-9]{2}[+A-FU-Y-][0-9]{3}[0-9A-FHJ-NPR-Y]",
    "nino": _NINO,
    "ric": r"[1-8][0-9]{16}X",
    "curp": _CURP,
    "pan": r"[A-Z]{3}[ABCFGHJLPT][A-Z][0-9]{4}[A-Z]",
    "pps": r"[0-9]{7}[A-W][A-IW]?",
    "rut": r"[0-9]{1,2}\.?[0-9]{3}\.?[0-9]{3}-[0-9K]",
    "nir_corsica": r"[12] ?[0-9]{2} ?[01][0-9] ?2[AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
}


def _lettered(candidate: Candidate) -> Iterable[Found]:
    """An identifier with letters of its own."""
    scheme = _LETTERED[candidate.pattern.rule]
    value = candidate.value
    if glued(candidate.text, candidate.start, candidate.end) or value not in (value.upper(), value.lower()):
        return ()
    specific = seen(candidate, _compiled(scheme.word), WIDE)
    score = _SURE if specific else _GENERAL if seen(candidate, _compiled(said.GENERAL), WIDE) else 0
    if score < _LIKELY and scheme.alone is not None and scheme.alone.fullmatch(value.upper()):
        score = _LIKELY
    if not score or not scheme.valid(value.upper()):
        return ()
    return (Found(candidate.start, candidate.end, f"{NATIONAL_ID}/{scheme.country}", score),)


ANNOUNCED = Detector(
    "national_number",
    (Pattern("word", NATIONAL_ID, f"(?:{_ANY_WORD})", f"(?<![A-Za-z])(?:{_ANY_WORD})", ignore_case=True, width=32),),
    _announced,
    rank=22,
)
_ALONE = {
    "nir": r"[12] [0-9]{2} [0-9]{2} [0-9][0-9AB] [0-9]{3} [0-9]{3} [0-9]{2}",
    "nn": r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}[.-][0-9]{2}",
    "cpf": r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}",
    "ric": r"[1-8][0-9]{17}",
    "ahv": r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}",
    "rc": r"[0-9]{6}/[0-9]{4}",
    "rrn": r"[0-9]{6}-[1-8][0-9]{6}",
}
PUNCTUATED = Detector(
    "national_form", tuple(Pattern(rule, NATIONAL_ID, rf"\b{form}\b", form, width=32) for rule, form in _ALONE.items()), _number, rank=23
)
CODES = Detector(
    "national_code",
    tuple(Pattern(rule, NATIONAL_ID, rf"\b{form}", form, ignore_case=True, width=32) for rule, form in _FORMS.items()),
    _lettered,
    rank=18,
)
