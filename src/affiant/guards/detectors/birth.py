"""Dates of birth: a date that a word announces, in the orders and with the months of seven languages, Chinese and Japanese.

Leaves out: dates that nothing says to be somebody's birth, ages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from affiant.guards.scan import Candidate, Detector, Found, Pattern

DATE_OF_BIRTH = "DATE_OF_BIRTH"
_WORD = (
    r"(?:d\.?o\.?b\b|date of birth|birth ?date|birthday|birth_date|date_of_birth|born|geboren|geburtsdatum|geb\.|geburtstag"
    r"|née? le|né\(e\) le"
    r"|date de naissance|naissance|nacid[oa]|fecha de nacimiento|nacimiento|nat[oa] (?:il|a)|data di nascita|nascita|nascid[oa]|nasceu"
    r"|data de nascimento|nascimento|geboortedatum|geboren op|出生日期|生日|出生|生年月日|誕生日|生まれ)"
)
_MONTHS = (
    r"(?:jan(?:uary|uar|vier|eiro)?|jänner|enero|gennaio|januari|feb(?:ruary|ruar|braio|rero|ruari)?|fév(?:rier)?|fevereiro"
    r"|mar(?:ch|s|zo|ço)?|märz|maart"
    r"|apr(?:il|ile)?|avril|abril|may|mai|mayo|maggio|maio|mei|june?|juni|juin|junio|giugno|junho|july?|juli|juillet|julio|luglio|julho"
    r"|aug(?:ust|ustus)?|août|agosto|sep(?:t(?:ember|embre|iembre)?)?|settembre|setembro|oct(?:ober|obre|ubre)?|okt(?:ober)?"
    r"|ottobre|outubro"
    r"|nov(?:ember|embre|iembre|embro)?|d[ei][cz](?:ember|embre|iembre|embro)?|déc(?:embre)?)"
)
_YEAR = r"(?:19|20)[0-9]{2}"
_DATE = (
    rf"(?:[0-9]{{1,2}}(?:[./-]| ?[./-] ?)[0-9]{{1,2}}(?:[./-]| ?[./-] ?)(?:{_YEAR}|[0-9]{{2}})"
    rf"|{_YEAR}[./-][0-9]{{1,2}}[./-][0-9]{{1,2}}"
    rf"|{_YEAR} ?年 ?[0-9]{{1,2}} ?月 ?[0-9]{{1,2}} ?日"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th|er|º|\.)?[ -](?:of |de |d')?{_MONTHS}\.?,?[ -](?:de |del )?{_YEAR}"
    rf"|{_MONTHS}\.? [0-9]{{1,2}}(?:st|nd|rd|th)?,? {_YEAR})"
)
_GAP = r"[^0-9\n]{0,32}?\n?[^0-9\n]{0,4}?"
_NUMBER = re.compile("[0-9]+")


def _validate(candidate: Candidate) -> Iterable[Found]:
    numbers = [int(number) for number in _NUMBER.findall(candidate.value)]
    small = [number for number in numbers if number <= 31]
    if len(numbers) == 3 and (not small or (min(small) > 12 and not candidate.value[-1].isdigit())):
        return ()
    if (len(numbers) == 3 and len(small) < 2) or 0 in numbers[:2]:
        return ()
    return (Found(candidate.start, candidate.end, DATE_OF_BIRTH, candidate.pattern.score_ppm),)


DETECTOR = Detector(
    "birth",
    (
        Pattern(
            "date",
            DATE_OF_BIRTH,
            _WORD,
            rf"(?<![A-Za-z]){_WORD}{_GAP}(?<![0-9A-Za-z])(?P<v>{_DATE})(?![0-9])",
            ignore_case=True,
            width=40,
            score_ppm=950_000,
        ),
    ),
    _validate,
    rank=21,
)
