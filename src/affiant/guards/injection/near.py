"""Phrases of languages other than English: words of certain classes near each other.

Distances are in characters, halved for languages written without blanks. An imperative counts fully at the start of a clause,
and in languages whose verb comes last; after a negation or a subject not at all.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from affiant.guards.injection.languages import NEGATIONS, UNSPACED, VERB_LAST
from affiant.guards.injection.lexicon import Word
from affiant.guards.text import Folded


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase found.

    Args:
        start: character offset in the text searched.
        end: exclusive.
        name: family of attack.
        language: whose words it is made of.
        score_ppm: of a phrase that nothing softens.
    """

    start: int
    end: int
    name: str
    language: str
    score_ppm: int


_STOP = re.compile(r"[.!?。！？\n।]")
_SINK = re.compile(r"https?:|@|\burl\b|webhook|\[email")
_CLAUSE = frozenset(".!?:;,\n\"'([{-*>|、，。：；！？।«»„“”؛،/")
_POLITE_WORDS = (
    "bitte jetzt nun und also dann por favor ahora y e entonces agora então per adesso ora s'il vous plaît te plaît maintenant et puis"
    " alstublieft nu en dan proszę teraz i a lütfen şimdi ve пожалуйста теперь и а please now then and so just 请 現在 现在 请你"
)
_POLITE = frozenset(Folded(word).text for word in _POLITE_WORDS.split())
_ARTICLE_WORDS = "ein eine einen einem un une uno una um uma een bir a an jakis"
_ARTICLES = frozenset(_ARTICLE_WORDS.split())
_QUESTION_WORDS = (
    "wie lautet|wie lauten|was ist|was sind|quel est|quelles sont|quels sont|cuál es|cuáles son|qual è|quali sono"
    "|qual é|quais são|wat is|wat zijn|welke|jakie|jaki jest|neler|nedir|какие|какой|каков|是什么"
    "|何ですか|뭐야|무엇|ما هي|ما هو|क्या हैं|क्या है"
)
_QUESTIONS = frozenset(Folded(word).text for word in _QUESTION_WORDS.split("|"))
_GENERAL_WORDS = "system systeem sistem prompt システム 시스템 系统 تعليمات موجه सिस्टम системн"
_GENERAL = tuple(Folded(word).text for word in _GENERAL_WORDS.split())
"""How words for a system prompt begin that may be any system prompt: to ask what one is, is no attack."""
_LEAST = 400_000
_NEGATIONS = {language: frozenset(Folded(word).text for word in listed.split("|") if word) for language, listed in NEGATIONS.items()}

_Kinds = dict[str, list[Word]]


def phrases(text: str, language: str, words: Sequence[Word]) -> Iterator[Phrase]:
    """Phrases that the words of one language make in a folded text."""
    kinds: _Kinds = defaultdict(list)
    for word in words:
        kinds[word.kind].append(word)
    scale = 0.5 if language in UNSPACED else 1.0
    for finder in (_override, _void, _extraction, _persona, _exfiltration, _tool):
        for start, end, name, score in finder(text, language, kinds, scale):
            if score >= _LEAST:
                yield Phrase(start, end, name, language, score)


_Found = Iterator[tuple[int, int, str, int]]


def _override(text: str, language: str, kinds: _Kinds, scale: float) -> _Found:
    for verb in kinds["drop"]:
        if _negated(text, verb, language):
            continue
        last = language in VERB_LAST or (language in ("de", "nl") and verb.text.endswith("en"))
        found = _nearest(text, verb, kinds["orders"], 70 * scale, before=last)
        if found is None:
            continue
        start, end = min(verb.start, found.start), max(verb.end, found.end)
        imperative = language in VERB_LAST or language in UNSPACED or _clause_start(text, verb.start)
        own = _any(kinds["prior"], start - 25 * scale, end + 35 * scale)
        whole = _any(kinds["all"], start - 12 * scale, end)
        if own:
            yield start, end, "override", 900_000 if imperative else 650_000
        elif imperative:
            yield start, end, "override", 850_000 if whole else 450_000


def _void(text: str, language: str, kinds: _Kinds, scale: float) -> _Found:
    for word in kinds["void"]:
        found = _nearest(text, word, kinds["orders"], 60 * scale, before=True)
        if found is not None:
            start, end = min(word.start, found.start), max(word.end, found.end)
            own = _any(kinds["prior"], start - 25 * scale, end)
            yield start, end, "override", 800_000 if own else 550_000


def _extraction(text: str, language: str, kinds: _Kinds, scale: float) -> _Found:
    for told in kinds["hidden"]:
        if _word_before(text, told.start) in _ARTICLES:
            continue
        for verb in kinds["reveal"]:
            start, end = min(verb.start, told.start), max(verb.end, told.end)
            apart = _STOP.search(text, min(verb.end, told.end), max(verb.start, told.start)) is not None
            if end - start > 100 * scale + len(told.text) or apart:
                continue
            if verb.text not in _QUESTIONS:
                yield start, end, "extraction", 800_000
                break
            if not told.text.startswith(_GENERAL):
                yield start, end, "extraction", 550_000
                break


def _persona(text: str, language: str, kinds: _Kinds, scale: float) -> _Found:
    for word in kinds["persona"]:
        free = _within(kinds["free"], word.start - 80 * scale, word.end + 170 * scale)
        if free is not None:
            yield min(word.start, free.start), max(word.end, free.end), "persona", 800_000


def _exfiltration(text: str, language: str, kinds: _Kinds, scale: float) -> _Found:
    for verb in kinds["send"]:
        data = _within(kinds["data"], verb.start - 80 * scale, verb.end + 80 * scale)
        if data is None:
            continue
        start, end = min(verb.start, data.start), max(verb.end, data.end)
        sink = _SINK.search(text, max(0, start - 60), end + 120) is not None
        quiet = _any(kinds["silent"], start - 80 * scale, end + 120 * scale)
        yield start, end, "exfiltration", 850_000 if sink and quiet else 750_000 if sink or quiet else 0


def _tool(text: str, language: str, kinds: _Kinds, scale: float) -> _Found:
    for word in kinds["silent"]:
        act = _within(kinds["act"], word.start - 140 * scale, word.end + 100 * scale)
        if act is not None:
            yield min(word.start, act.start), max(word.end, act.end), "tool", 650_000


def _nearest(text: str, word: Word, others: Sequence[Word], width: float, before: bool) -> Word | None:
    """The first other word after this one (or before it) within a width and the same sentence."""
    for other in others:
        if word.end <= other.start <= word.end + width and _STOP.search(text, word.end, other.start) is None:
            return other
        if before and word.start - width <= other.end <= word.start and _STOP.search(text, other.end, word.start) is None:
            return other
    return None


def _within(words: Sequence[Word], start: float, end: float) -> Word | None:
    return next((word for word in words if start <= word.start and word.end <= end), None)


def _any(words: Sequence[Word], start: float, end: float) -> bool:
    return _within(words, start, end) is not None


def _word_before(text: str, place: int) -> str:
    head = text[max(0, place - 24) : place].rstrip(" ")
    return head[head.rfind(" ") + 1 :] if head and head[-1].isalpha() else ""


def _word_after(text: str, place: int) -> str:
    tail = text[place : place + 24].lstrip(" ")
    return tail.partition(" ")[0].rstrip(",.!")


def _negated(text: str, verb: Word, language: str) -> bool:
    """Whether an imperative is turned by a word beside it, or is none: a Korean polite statement."""
    negations = _NEGATIONS[language]
    if language in UNSPACED:
        return any(text.startswith(word, max(0, verb.start - len(word))) for word in negations)
    if language == "ko":
        return text.startswith("요", verb.end)
    return _word_before(text, verb.start) in negations or _word_after(text, verb.end) in negations


def _clause_start(text: str, place: int) -> bool:
    """Whether what begins here may be an order: at the start, after a mark, or after a word such as *please*."""
    head = text[max(0, place - 24) : place].rstrip(" ")
    return not head or head[-1] in _CLAUSE or head[head.rfind(" ") + 1 :].lstrip("'\"(") in _POLITE
