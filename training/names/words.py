"""Short word lists written for this tagger (`words.yaml`): honorifics, organizations, jobs, calendar, geography."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_LISTS: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "words.yaml").read_text("utf-8"))

HONORIFICS: list[str] = _LISTS["honorifics"].split()
ORG_WORDS: list[str] = _LISTS["org_words"].split()
CALENDAR: list[str] = _LISTS["calendar"].split()
KATAKANA: list[str] = _LISTS["katakana"].split()
FOREIGN_HAN: str = _LISTS["foreign_han"]
KNOWN_ORGS: list[str] = _LISTS["known_orgs"]
KNOWN_ORGS_HAN: dict[str, list[str]] = _LISTS["known_orgs_han"]
JOBS: dict[str, list[str]] = _LISTS["jobs"]
COMPANY_ENDS: dict[str, list[str]] = _LISTS["company_ends"]
INSTITUTES: dict[str, list[str]] = _LISTS["institutes"]
STREETS: dict[str, list[str]] = _LISTS["streets"]
FORMS: dict[str, dict[str, list[str]]] = _LISTS["forms"]
SMALL_WORDS: list[str] = _LISTS["small_words"].split()
GEOGRAPHY: dict[str, list[str]] = {language: [name.strip() for name in names.split(",")] for language, names in _LISTS["geography"].items()}
STATES: list[str] = _LISTS["states"].split()
SHORT_COUNTRIES: list[str] = _LISTS["short_countries"].split()
