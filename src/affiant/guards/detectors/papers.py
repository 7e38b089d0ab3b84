"""Numbers on papers, which have no check digits that all countries share: passport, driving licence, medical record.

Each needs its word directly before it, in one of seven languages (Chinese and Japanese for passports and records); the value must hold
digits. Leaves out: identifiers with check digits (`national`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from affiant.guards.scan import Candidate, Detector, Found, Pattern

PASSPORT, DRIVER_LICENSE, US_DRIVER_LICENSE, MEDICAL_RECORD = "PASSPORT", "DRIVER_LICENSE", "US_DRIVER_LICENSE", "MEDICAL_RECORD"
_SCORE = 900_000
_LINK = (
    r"(?:[ _-]?(?:number|numbers|num|no|nr|id|nummer|numero|número|numéro|n|document|book|code|card))?[.°º#]?\)?[\"']?"
    r"(?: ?(?:is|was|ist|lautet|est|es|è|é|e|:|=|#|是|为|は|：|-|,|\()){0,2} ?[\"']?#?"
)
_BETWEEN = r"[^0-9\n,;]{0,28}"
_PASSPORT = (
    r"(?:passport|reisepass|pass-?nr|passnummer|passeport|pasaporte|passaporto|passaporte|paspoort"
    r"|护照|護照|パスポート|旅券)"
)
_LICENCE = (
    r"(?:driver'?s?'?[ _-]licen[sc]e|driving licen[sc]e|dl (?:no|number|num|#)|führerschein|fuehrerschein|permis de conduire"
    r"|permiso de conduc"
    r"|licencia de conduc|carnet de conducir|patente(?: di guida)?|carta de condu|carteira de (?:motorista|habilita)|cnh|rijbewijs"
    r"|驾驶证|驾照|運転免許)"
)
_RECORD = (
    r"(?:mrn\b|medical record|health record|patient (?:id|no|number|record)|patient_id|chart (?:no|number|#)|hospital (?:no|number)"
    r"|patientennummer|patienten-?(?:id|nr)|krankenaktennummer|fallnummer"
    r"|numéro de dossier médical|dossier médical|numéro (?:de |du )?patient|ipp\b"
    r"|historia clínica|número de paciente|expediente médico|cartella clinica|numero (?:di )?paziente"
    r"|prontuário|número d[eo] paciente|processo clínico|patiëntnummer|patiënt-?nr"
    r"|病历号|病案号|诊疗号|患者番号|診察券番号)"
)
_VALUES = {
    PASSPORT: r"[A-Z]{0,3}[ -]?[0-9][0-9A-Z]{5,9}",
    DRIVER_LICENSE: r"[A-Z]{0,2}[0-9A-Z]{0,6}[ -]?[0-9][0-9A-Z]{2,15}(?:-[0-9A-Z]{2,8}){0,3}",
    MEDICAL_RECORD: r"(?:[A-Z]{1,4}[ -]?)?[0-9]{1,4}[0-9-]{3,12}",
}
_AMERICAN = re.compile(r"driver|dl ", re.IGNORECASE)


def _pattern(rule: str, type_: str, word: str) -> Pattern:
    return Pattern(
        rule,
        type_,
        word,
        rf"(?<![A-Za-z]){word}(?:{_LINK}|{_BETWEEN}(?<![A-Za-z0-9]))(?P<v>(?<![A-Za-z0-9]){_VALUES[type_]})(?![A-Za-z0-9]"
        rf"|[.,][0-9]|[/:-][0-9A-Za-z])",
        ignore_case=True,
        width=32,
        score_ppm=_SCORE,
    )


def _validate(candidate: Candidate) -> Iterable[Found]:
    value = candidate.value
    digits = sum(char.isdigit() for char in value)
    if digits < 5 or digits * 2 < len(value) or _dated(value) or (value != value.upper() and value != value.lower()):
        return ()
    type_ = candidate.pattern.type
    if type_ == DRIVER_LICENSE and _AMERICAN.search(candidate.before(64)):
        type_ = US_DRIVER_LICENSE
    return (Found(candidate.start, candidate.end, type_, candidate.pattern.score_ppm),)


def _dated(value: str) -> bool:
    """Whether it reads as a date."""
    return re.fullmatch(r"(?:19|20)[0-9]{2}-[0-9]{1,2}-[0-9]{1,2}|[0-9]{1,2}-[0-9]{1,2}-(?:19|20)?[0-9]{2}", value) is not None


DETECTOR = Detector(
    "papers",
    (
        _pattern("passport", PASSPORT, _PASSPORT),
        _pattern("driver_license", DRIVER_LICENSE, _LICENCE),
        _pattern("medical_record", MEDICAL_RECORD, _RECORD),
    ),
    _validate,
    rank=24,
)
