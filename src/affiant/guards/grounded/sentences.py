"""Sentences of a text, by offsets, in languages with spaces and in Chinese and Japanese.

Linear in the length of the text. Leaves out: sentences without any mark between them.
"""

from __future__ import annotations

import re

_BREAK = re.compile(
    r"[.!?…]+[\"'”’»)\]]*(?=\s|$)"  # a mark, what closes with it, then space
    r"|[。！？｡]+[」』”’）]*"  # Chinese and Japanese need no space
    r"|\n\s*\n|\n(?=\s*(?:[-*•]|\d+[.)])\s)|\n"
)
_ABBREVIATION_TEXT = (
    "mr mrs ms dr prof sr jr st vs etc inc ltd co corp gen col sgt lt capt rev hon no nos vol fig eq al ca cf eg ie approx dept est gov sen"
    " rep mt jan feb mar apr jun jul aug sept sep oct nov dec bzw usw ggf nr abs hr fr dipl ing str tel bsp mio mrd mme mlle m mm art av"
    " sra srta dra ud uds pag sig dott avv pp p bijv dhr mevr o.a z.b d.h u.a e.g i.e a.m p.m u.s u.k"
)
_ABBREVIATIONS = frozenset(_ABBREVIATION_TEXT.split())
_WORD_BEFORE = re.compile(r"[^\s(\[\"'“‘]+$")
_MONTH_AFTER = re.compile(r"\s+(?:Jan|Feb|M.r|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez)[a-z]*\b")  # German: am 3. Mai
_MAX_LOOK = 24
MAX_SENTENCE = 2_000


def split(text: str) -> list[tuple[int, int]]:
    """Spans (start, end) of the sentences of a text, without surrounding space; longer ones than `MAX_SENTENCE` are cut."""
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _BREAK.finditer(text):
        if match.group()[0] == "." and len(match.group()) == 1 and _abbreviated(text, start, match.start(), match.end()):
            continue
        _add(spans, text, start, match.end())
        start = match.end()
    _add(spans, text, start, len(text))
    return spans


def _abbreviated(text: str, start: int, dot: int, after: int) -> bool:
    """Whether a single dot at `dot` ends an abbreviation, an initial or an ordinal, and not a sentence."""
    following = text[after : after + 2].lstrip()
    if following and following[0].islower() and text[dot - 1 : dot] != " ":
        before = _WORD_BEFORE.search(text, max(start, dot - _MAX_LOOK), dot)
        word = before.group().lower() if before else ""
        return word in _ABBREVIATIONS or len(word) == 1
    before = _WORD_BEFORE.search(text, max(start, dot - _MAX_LOOK), dot)
    if before is None:
        return False
    word = before.group()
    if len(word) == 1 and word.isupper():
        return True
    if word.isdecimal() and len(word) <= 2:
        return len(text[start:dot].strip()) <= 2 or bool(_MONTH_AFTER.match(text, after))
    return word.lower() in _ABBREVIATIONS and bool(following)


def _add(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start == end:
        return
    if not any(char.isalnum() for char in text[start:end]):
        if spans and spans[-1][1] <= start:
            spans[-1] = (spans[-1][0], end)
        return
    while end - start > MAX_SENTENCE:
        cut = text.rfind(" ", start + MAX_SENTENCE // 2, start + MAX_SENTENCE)
        cut = cut if cut > 0 else start + MAX_SENTENCE
        spans.append((start, cut))
        start = cut
        while start < end and text[start].isspace():
            start += 1
    if start < end:
        spans.append((start, end))
