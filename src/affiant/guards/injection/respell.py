"""Whole texts spelt otherwise: rot13, reversed, leet, spaced letters.

A spelling is tried where words that it makes of frequent words stand in the text. Works on folded text of one case.
Leaves out: encoded runs (`decode`).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import pairwise

_FREQUENT = """
the and you that for are with not this your have all from they will but what can any was who how when there which would their
about into them then than other please only also just like more must should could never always being been here does did
ignore disregard forget previous prior above earlier instruction instructions prompt prompts system rules reveal print show
tell give repeat output write say send secret password key hidden message messages user users assistant model developer mode
jailbreak restrictions filter filters guidelines pretend act now new override bypass answer respond following task text words
everything anything data email make do does its his her our out use using word first last know want need conversation api
command execute run file files delete call function tool without before after instead stop starting confidential information
unrestricted policy policies role character story safety content
und der die das nicht alle anweisungen ignoriere vergiss vorherigen regeln dein deine sie ist mit auf ein eine
les des vous votre toutes instructions ignorez oubliez dans une pour est sur que precedentes
los las instrucciones anteriores ignora olvida todas una por para con tus del
istruzioni precedenti dimentica tutte che non sono della per come
instrucoes anteriores esqueca todas voce nao com uma seu sua
"""
_WORDS = frozenset(_FREQUENT.split())
_TWO = "a i to of in is it on or as at be by if me my no we us an up so go he do"
_SHORT = frozenset(_TWO.split())
_VOCABULARY = _WORDS | _SHORT
_STRONG = frozenset(word for word in _WORDS if len(word) > 5)


def _mapped(spell: dict[str, str]) -> tuple[frozenset[str], frozenset[str]]:
    """Spelt words that are no words themselves: all of them, and the strong ones."""
    odd = {spelt for word, spelt in spell.items() if spelt not in _VOCABULARY and len(spelt) > 2}
    return frozenset(odd), frozenset(spelt for word, spelt in spell.items() if word in _STRONG and spelt in odd)


_REVERSED, _REVERSED_STRONG = _mapped({word: word[::-1] for word in _WORDS})
_ROT13, _ROT13_STRONG = _mapped({word: codecs.encode(word, "rot13") for word in _WORDS})

_LETTERS = re.compile(r"[a-z]{3,}")
_LEET_WORD = re.compile(r"[a-z0-9@$!|+]*[0-9@$!|+][a-z0-9@$!|+]*")
_LEET_SIGN = re.compile(r"[a-z][013457@$!|+][a-z]|[013457@$!][a-z]{2}")
_LEET = str.maketrans("0134567894@$!|+", "oieasgtbgaasilt")
_LEET_L = str.maketrans("0134567894@$!|+", "oleasgtbgaaslit")
_SPACED = re.compile(r"(?<![^\W_])[^\W_](?:([ ._*|~+\n-])[^\W_](?![^\W_])|[ ._*|~+\n-]{2,4}[^\W_](?![^\W_])){5,}")
_GAP = re.compile(r"[ ._*|~+\n-]+")
_LONGEST = max(map(len, _VOCABULARY))
MAX_JOINED = 4096
"""Characters of one run of spaced letters that are joined at once."""


def respelled(text: str) -> Iterator[tuple[str, str]]:
    """Readings of a folded text as (how, text)."""
    words = _LETTERS.findall(text)
    distinct = set(words)
    if _shows(distinct, _REVERSED, _REVERSED_STRONG):
        backwards = text[::-1]
        yield "reversed", backwards
        yield "reversed-words", " ".join(word[::-1] for word in text.split())
    if _shows(distinct, _ROT13, _ROT13_STRONG):
        yield "rot13", codecs.encode(text, "rot13")
    if _LEET_SIGN.search(text) is not None:
        plain, changed = _unleet(text)
        if changed:
            yield "leet", plain
    if len(words) * 12 < len(text):
        joined = _join(text)
        if joined:
            yield "spaced", joined


def _shows(words: set[str], odd: frozenset[str], strong: frozenset[str]) -> bool:
    """Whether frequent words stand here in this spelling: a long one, or more of them than words as they are usually spelt."""
    hits = words & odd
    if not hits:
        return False
    return not hits.isdisjoint(strong) or (len(hits) > 1 and 2 * len(hits) > len(words & _VOCABULARY))


def _unleet(text: str) -> tuple[str, bool]:
    """The text with digits in words read as letters, and whether frequent words appeared by it."""
    gained = 0

    def spell(match: re.Match[str]) -> str:
        nonlocal gained
        token = match.group()
        core = token.strip("!|+")
        for table in (_LEET, _LEET_L):
            plain = core.translate(table)
            if plain in _VOCABULARY:
                gained += 1 if len(plain) > 2 else 0
                return plain
        digits = sum(char.isdigit() for char in core)
        letters = sum(char.isalpha() for char in core)
        return core.translate(_LEET).replace("ii", "ll") if letters and digits < 2 + letters else token

    plain = _LEET_WORD.sub(spell, text)
    return plain, gained > 1 or (gained == 1 and len(text) < 200)


def _join(text: str) -> str:
    """Runs of spaced letters as words, the text between them as it is; "" where there is none."""
    pieces: list[str] = []
    cursor = 0
    for match in _SPACED.finditer(text):
        pieces.append(text[cursor : match.start()])
        run = match.group()
        pieces.extend(_joined(run[place : place + MAX_JOINED]) for place in range(0, len(run), MAX_JOINED))
        cursor = match.end()
    if not cursor:
        return ""
    pieces.append(text[cursor:])
    return "".join(pieces)


def _joined(run: str) -> str:
    """`i g n o r e   a l l` -> `ignore all`: the shortest gap parts letters, wider ones words; else words are looked up."""
    gaps = _GAP.findall(run)
    if not gaps:
        return run
    narrow = min(len(gap) for gap in gaps)
    wide = [gap for gap in gaps if len(gap) > narrow or gap != gaps[0]]
    if wide and len(gaps) < 25 * len(wide):
        return _GAP.sub(lambda gap: "" if len(gap.group()) == narrow and gap.group() == gaps[0] else " ", run)
    return _segmented(_GAP.sub("", run))


def _segmented(letters: str) -> str:
    """Letters without gaps as words, as few letters as possible outside known words."""
    best: list[tuple[int, int]] = [(0, 0)]
    for end in range(1, len(letters) + 1):
        cost, start = best[end - 1][0] + 12, end - 1
        for begin in range(max(0, end - _LONGEST), end):
            if letters[begin:end] in _VOCABULARY and best[begin][0] + 4 <= cost:
                cost, start = best[begin][0] + 4, begin
        best.append((cost, start))
    cuts = [len(letters)]
    while cuts[-1]:
        cuts.append(best[cuts[-1]][1])
    cuts.reverse()
    words: list[str] = []
    unknown = ""
    for begin, end in pairwise(cuts):
        if end - begin == 1 and letters[begin] not in "ai":
            unknown += letters[begin]
            continue
        if unknown:
            words.append(unknown)
            unknown = ""
        words.append(letters[begin:end])
    return " ".join([*words, unknown] if unknown else words)
