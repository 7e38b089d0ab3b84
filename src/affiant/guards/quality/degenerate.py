"""Answers that went wrong as text: empty, cut off, or caught in a loop. Linear in the length of the text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from affiant.guards.quality.model import FULL, Code, Finding

_WORD = re.compile(r"\w+|[^\w\s]")
_RUN = re.compile(r"([^\s\d._=*#~|+-])\1{24,}", re.ASCII)
_GRAM = 6
_MIN_WORDS = 40
_MIN_LOOP = 24
_MAX_PERIOD = 200
_ENDS = frozenset('.!?…。！？)]}"”’»`*|>:;—-')
_OPEN_END = re.compile(
    r"(?:\b(?:the|a|an|and|or|of|to|in|for|with|that|und|oder|der|die|das|et|ou|de|le|la|y|el|e|il|en|het)|,)\s*$", re.IGNORECASE
)
_FENCE = re.compile(r"^\s{0,3}```", re.MULTILINE)
_LONG_ANSWER = 200
_WEAK = 600_000


def empty(text: str) -> Iterator[Finding]:
    """An answer without a letter or digit."""
    if not any(char.isalnum() for char in text):
        yield Finding(Code.EMPTY, 0, len(text))


def truncated(text: str, finish: str, structured: bool = False) -> Iterator[Finding]:
    """An answer that was cut, as the provider says or, in prose, as its end shows."""
    end = len(text.rstrip())
    if finish in ("length", "max_tokens", "max_output_tokens", "MAX_TOKENS"):
        yield Finding(Code.TRUNCATED, end, end, FULL, "finish reason")
    elif structured:
        return
    elif len(_FENCE.findall(text)) % 2:
        yield Finding(Code.TRUNCATED, end, end, _WEAK, "open code block")
    elif end >= _LONG_ANSWER and text[end - 1] not in _ENDS and _OPEN_END.search(text, max(0, end - 12), end):
        yield Finding(Code.TRUNCATED, end, end, _WEAK, "open sentence")


def repetition(text: str) -> Iterator[Finding]:
    """A loop: one character, a phrase said over and over at the end or anywhere, or a text made of few phrases."""
    run = _RUN.search(text)
    if run:
        yield Finding(Code.REPETITION, run.start(), run.end(), FULL, "character")
    spans = [match.span() for match in _WORD.finditer(text)]
    if len(spans) < _MIN_WORDS:
        return
    words = [text[start:end].lower() for start, end in spans]
    loop = _loop(words)
    if loop is not None:
        yield Finding(Code.REPETITION, spans[loop[0]][0], spans[loop[1] - 1][1], FULL, "loop")
        return
    said = [word for word in words if word[0].isalnum()]
    if sum(word[0].isalpha() for word in said) < _MIN_WORDS:
        return
    grams = [hash(tuple(said[number : number + _GRAM])) for number in range(len(said) - _GRAM + 1)]
    share = 1 - len(set(grams)) / len(grams)
    if share > 0.5:
        yield Finding(Code.REPETITION, spans[0][0], spans[-1][1], min(FULL, round(share * 1.2 * FULL)), "phrases")


def _loop(words: list[str]) -> tuple[int, int] | None:
    """The longest stretch that repeats with one period, if it goes round at least four times: word numbers (start, end).

    A stretch with period p is a run of words equal to those p places before; the last place of each 3-gram gives the periods to try.
    """
    last: dict[tuple[str, str, str], int] = {}
    best: tuple[int, int] | None = None
    period = run = 0
    for number in range(2, len(words)):
        gram = (words[number - 2], words[number - 1], words[number])
        before = last.get(gram, -_MAX_PERIOD - 1)
        last[gram] = number
        distance = number - before
        if distance == period:
            run += 1
        else:
            period, run = (distance, 1) if distance <= _MAX_PERIOD else (0, 0)
        length = run + period + 2
        if period and run >= 3 * period and length >= _MIN_LOOP and (best is None or length > best[1] - best[0]):
            best = number - length + 1, number + 1
    if best is None or not any(word.isalpha() for word in words[best[0] : best[1]][:_MAX_PERIOD]):  # rules of tables, rows of zeros
        return None
    start = max(0, best[0])
    while not words[start][0].isalnum():
        start += 1
    return start, best[1]
