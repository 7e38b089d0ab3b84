"""Refusals, and what was forgotten in an answer: placeholders, template fields, filler text. Seven languages.

Leaves out: whether a refusal was right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from affiant.guards.quality.model import FULL, Code, Finding

_LOOK = 600
_STRONG = 950_000
_WEAK = 600_000
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"'})

_ABLE = r"(?:help|assist|comply|provide|answer|fulfil|fulfill|do|share|generate|create|write|support|continue|discuss|engage|give|offer)"
_REFUSALS = re.compile(
    "|".join(
        (
            r"\bI(?:'m| am)? ?(?:really |very |so )?(?:sorry|afraid)\b[^.!?\n]{0,40}\b(?:can't|cannot|can not|won't|unable|not able)\b",
            rf"\bI (?:can't|cannot|can not|won't|will not|must decline to|am unable to|am not able to)(?: \w+){{0,2}}? {_ABLE}\b",
            r"\bI'm (?:unable|not able|not allowed|not permitted|not comfortable)\b",
            r"\bI (?:must|have to|need to) (?:decline|refuse)\b",
            r"\bas an? (?:AI|artificial intelligence|(?:large )?language model)\b[^.!?\n]{0,60}\b(?:can't|cannot|not able|unable|don't)\b",
            r"\b(?:against|violates?) (?:my|our|the) (?:guidelines|policy|policies|programming)\b",
            r"\b(?:tut mir leid|bedaure|bedauere)\b[^.!?\n]{0,60}\b(?:kann|darf|möchte)\b[^.!?\n]{0,60}\b(?:nicht|keine[nr]?)\b",
            r"\bich kann (?:dir |ihnen |dabei |hierbei |das |leider )*nicht (?:helfen|weiterhelfen|beantworten|erfüllen|unterstützen)\b",
            r"\bje suis désolée?\b[^.!?\n]{0,60}\b(?:ne (?:peux|puis)|impossible)\b",
            r"\bje ne (?:peux|puis) (?:pas |malheureusement )*(?:vous |t'|te )?(?:aider|répondre|fournir|satisfaire)",
            r"\blo siento\b[^.!?\n]{0,60}\bno puedo\b",
            r"\bno puedo (?:ayudar|proporcionar|responder|cumplir|asistir)",
            r"\bmi dispiace\b[^.!?\n]{0,60}\bnon posso\b",
            r"\bnon posso (?:aiutar|fornir|rispondere|soddisfare)",
            r"\b(?:desculpe|sinto muito|lamento)\b[^.!?\n]{0,60}\bnão posso\b",
            r"\bnão posso (?:ajudar|fornecer|responder|atender)",
            r"\b(?:het spijt me|sorry)\b[^.!?\n]{0,60}\bkan (?:ik )?(?:\w+ ){0,3}?niet\b",
            r"\bik kan (?:je |u |hier |daar |dit |hiermee )*niet (?:helpen|mee helpen|beantwoorden)",
        )
    ),
    re.IGNORECASE,
)
_PLACEHOLDERS = re.compile(
    r"(?P<template>\{\{[^{}\n]{1,60}\}\}|\{%[^{}\n]{1,60}%\}|<%[^<>\n]{1,60}%>|\$\{[A-Za-z_][\w.]{0,40}\})"
    r"|(?P<bracket>\[(?:insert|your|enter|add|company|client|customer|recipient|first|last|full|name|date|address|phone|e-?mail|title|link|url"
    r"|ihr|name|votre|nom|su|nombre|il tuo|nome|seu|uw|naam)\b[^\[\]\n]{0,50}\](?!\())"
    r"|(?P<angle><(?:your|insert|enter)[ _-][a-z _-]{2,40}>)"
    r"|(?P<filler>\blorem ipsum\b)"
    r"|(?P<todo>\b(?:TODO|FIXME|TBD|XXXX+)\b)",
    re.IGNORECASE,
)


def refusal(text: str) -> Iterator[Finding]:
    """A refusal at the beginning of an answer, or making up most of it."""
    head = text[:_LOOK].translate(_QUOTES)
    found = _REFUSALS.search(head)
    if found and found.start() < 200:
        whole = len(text.strip()) <= _LOOK
        yield Finding(Code.REFUSAL, found.start(), found.end(), _STRONG if whole and found.start() < 80 else _WEAK)


def placeholders(text: str) -> Iterator[Finding]:
    """Fields that were never filled in."""
    for match in _PLACEHOLDERS.finditer(text):
        kind = match.lastgroup or ""
        if kind == "todo" and not match.group().isupper():
            continue
        yield Finding(Code.PLACEHOLDER, match.start(), match.end(), _WEAK if kind == "todo" else FULL, kind)
