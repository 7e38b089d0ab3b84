"""Prompt injection by rules: phrases that address a model's instructions, in a text and in its other readings.

English phrases are patterns, tried only around their gate words. In other languages a phrase is words of certain classes near
each other: imperative and object, with what makes it speak of the model's own orders. Every gap is bounded, so that time stays
linear. Quoted talk about injections scores lower than speech to the model; families that agree raise each other a little.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from affiant.guards.injection.decode import Reading, readings
from affiant.guards.injection.english import RULES, Rule
from affiant.guards.injection.lexicon import ENGLISH, Seen, automaton
from affiant.guards.injection.near import Phrase, phrases
from affiant.guards.text import Folded

Hit = tuple[int, int, str, int]
"""start, end (in the source), `INJECTION/<rule>`, score in parts per million."""

FULL = 1_000_000
MAX_HITS = 32
AROUND = (200, 360)
"""Characters before and after a gate word in which its rule is tried."""
_HIDDEN_BONUS = 50_000
"""Added where the phrase stood in a reading that its writer hid."""
_SOFTENERS = re.compile(
    r"\b(?:prompt injections?|injection attacks?|jailbreaks?|attackers?|phishing|for example|such as|e\.g\.|examples? of|as an example"
    r"|detect(?:s|ing|ion)?|what happens (?:if|when)|why (?:do|does|would)|phrases?|research|paper|training data|filter(?:s|ed)?"
    r"|(?:he|she|they) (?:said|wrote|told)|told (?:him|her|them)|wrote|this line|the (?:line|string|words?|sentence)|in the log"
    r"|flagged|titled|manual|teacher|test set)\b"
)
_TOLD = re.compile(
    r"\b(?:he|she|they|people|who|which|students|users|drivers|we|it|that|to)(?: (?:often|always|never|would|can|will|may|simply))? ?$"
)
_ORDERED = re.compile(r"\b(?:you|must|please|want|need|have|instruct\w*|order\w*|command\w*|going|required|free|now|permission) to ?$")
_DEVICES = "手机 手機 携帯 휴대폰 태블릿 タブレット телефон планшет फोन फ़ोन टैबलेट هاتف جهاز"
_DEVICE = re.compile(
    r"\b(?:android|tablet|chromebook|windows|iphone|ipad|handy|phone|tv|quest|samsung|browser|telefon\w*)\b|"
    + Folded(_DEVICES).text.replace(" ", "|")
)
_OWN_PROMPT = re.compile(r"\b(?:an?|my|our|good|better|custom|sample|best|new) (?:\w{1,12} ){0,2}(?:system|initial) (?:prompt|message)")
_STOP = re.compile(r"[.!?。！？؟\n;]")
_QUOTES = "\"'`"
_SPACE_RUN = re.compile(r"[ \t\r\n]{2,}|[\t\r\n]")


def find(folded: Folded) -> list[Hit]:
    """Hits in one text and in its other readings; one in a reading spans what was decoded."""
    hits = scan(folded)
    for reading in readings(folded):
        inner = scan(Folded(reading.text))
        if inner:
            hits.append(decoded(reading, inner))
    return hits


def decoded(reading: Reading, inner: list[Hit]) -> Hit:
    """The strongest hit within a reading, as one on what was decoded; hiding it counts against it."""
    worst = max(inner, key=lambda hit: hit[3])
    return reading.start, reading.end, f"{worst[2]}+{reading.how}", min(FULL, worst[3] + _HIDDEN_BONUS)


def scan(folded: Folded) -> list[Hit]:
    """Hits in one text as it stands."""
    squeezed = Squeezed(folded.text)
    return judged(folded, squeezed, automaton().see(squeezed.text))


def judged(folded: Folded, squeezed: Squeezed, seen: Seen) -> list[Hit]:
    """Hits in a text of which it is known what words stand in it."""
    text = squeezed.text
    hits: list[Hit] = []
    for number, gates in seen.gates.items():
        rule = RULES[number]
        for start, end in _around(gates, len(text)):
            _tried(rule, squeezed, folded, start, end, hits)
            if len(hits) >= MAX_HITS:
                return hits
    for language, words in seen.words.items():
        if language == ENGLISH:
            continue
        for phrase in phrases(text, language, words):
            hits.append(_placed(phrase, squeezed, folded))
            if len(hits) >= MAX_HITS:
                return hits
    return _agreed(hits)


def _around(gates: list[int], length: int) -> list[tuple[int, int]]:
    """Regions about gate words, merged."""
    regions: list[tuple[int, int]] = []
    for gate in gates:
        start, end = max(0, gate - AROUND[0]), min(length, gate + AROUND[1])
        if regions and start <= regions[-1][1]:
            regions[-1] = (regions[-1][0], end)
        else:
            regions.append((start, end))
    return regions


def _tried(rule: Rule, squeezed: Squeezed, folded: Folded, start: int, end: int, hits: list[Hit]) -> None:
    text = squeezed.text
    for match in rule.pattern.finditer(text, start, end):
        if match.end() > match.start():
            first, last = folded.span(*squeezed.span(match.start(), match.end()))
            score = _weighed(text, match.start(), match.end(), rule.name, rule.score_ppm)
            hits.append((first, last, f"INJECTION/{rule.name}", score))
            if len(hits) >= MAX_HITS:
                return


def _placed(phrase: Phrase, squeezed: Squeezed, folded: Folded) -> Hit:
    first, last = folded.span(*squeezed.span(phrase.start, phrase.end))
    score = _weighed(squeezed.text, phrase.start, phrase.end, phrase.name, phrase.score_ppm)
    return first, last, f"INJECTION/{phrase.name}_{phrase.language}", score


class Squeezed:
    """A text with white space squeezed: a phrase broken over lines still reads, an empty line ends it."""

    __slots__ = ("_places", "_surplus", "text")

    def __init__(self, text: str) -> None:
        self._places: list[int] = []
        self._surplus: list[int] = []
        if "  " in text or "\n" in text or "\t" in text or "\r" in text:
            self._squeeze(text)
        else:
            self.text = text

    def _squeeze(self, text: str) -> None:
        pieces: list[str] = []
        cursor = surplus = 0
        for run in _SPACE_RUN.finditer(text):
            start, end = run.span()
            pieces.append(text[cursor:start])
            pieces.append("\n" if text.count("\n", start, end) > 1 else " ")
            cursor = end
            surplus += end - start - 1
            if end - start > 1:
                self._places.append(end - surplus)
                self._surplus.append(surplus)
        pieces.append(text[cursor:])
        self.text = "".join(pieces)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Offsets of a non-empty span before squeezing."""
        return self._place(start), self._place(end - 1) + 1

    def _place(self, place: int) -> int:
        number = bisect_left(self._places, place + 1)
        return place + self._surplus[number - 1] if number else place


def _weighed(text: str, start: int, end: int, name: str, score: int) -> int:
    """Lower the score of talk about injections, of questions about devices, and of what others do."""
    quoted = start > 0 and text[start - 1] in _QUOTES and text.find(text[start - 1], end, end + 80) >= 0
    about = _SOFTENERS.search(text, max(0, start - 120), start) is not None
    share = 45 if quoted and about else 80 if quoted or about else 100
    if name == "extraction" and _OWN_PROMPT.search(text, start, end) is not None:
        share = 40
    elif name in ("override", "persona"):
        if _DEVICE.search(text, max(0, start - 60), end + 60) is not None:
            share = min(share, 40)
        elif _asked(text, start, end) or _reported(text, start):
            share = min(share, 50)
    return score * share // 100


def _asked(text: str, start: int, end: int) -> bool:
    """Whether the sentence is a question."""
    stop = _STOP.search(text, end, end + 120)
    return stop is not None and stop.group() in "?？؟" and text.find("you", start, stop.start()) < 0


def _reported(text: str, start: int) -> bool:
    """Whether somebody else is said to do it."""
    head = text[max(0, start - 40) : start]
    return _TOLD.search(head) is not None and _ORDERED.search(head) is None


def _agreed(hits: list[Hit]) -> list[Hit]:
    """Raise scores where different families agree."""
    families = {hit[2].partition("_")[0] for hit in hits}
    if len(families) < 2:
        return hits
    return [(start, end, name, min(FULL, score + 50_000 * (len(families) - 1))) for start, end, name, score in hits]
