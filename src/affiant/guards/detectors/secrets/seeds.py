"""Mnemonics of wallets: 12, 15, 18, 21 or 24 words of BIP-39's list whose checksum is right, however they are set apart.

A run of such words begins after a telling word, is numbered, or stands for itself; it ends with the last word of the list, with a
sentence, and with a line that holds enough of them. A few words of prose that are in the list too may touch it. Leaves out: other
languages, and words shortened to four letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from operator import lt

from affiant.guards.detectors.secrets import checks
from affiant.guards.detectors.secrets.form import PREFIX, TRUSTED, open_form
from affiant.guards.detectors.secrets.seed_words import PLACE
from affiant.guards.scan import LOOKBACK, Candidate, Found

KIND = "wallet_seed_phrase"
_SIZES = (24, 21, 18, 15, 12)
_FEWEST = 12
_GAP = 12  # characters between two words at most: numbers, quotes, brackets, rules of a table
_LEAD = 48  # characters from a telling word to the first of the mnemonic at most
_BESIDE = 4  # words of the list that may touch it, such as *seed phrase* before it and *please help* after it
_BEFORE = re.compile(r"(?<![A-Za-z])(?P<word>[A-Za-z]{3,8})(?P<gap>[^A-Za-z]{1,12})\Z")
_WORD = re.compile("[A-Za-z]+")
_SENTENCE = re.compile(r"[.!?](?=\s)")

PATTERNS = (
    open_form(f"{KIND}_told", "(?:seed|mnemonic|recovery|backup|secret|wallet|bip-?39)(?:s|words?)?[^a-z]", "[a-z]{1,16}", case=False),
    open_form(
        f"{KIND}_numbered",
        "1[.):] {0,2}[a-z]{3,8}[^a-z0-9]{1,6}2[.):] {0,2}[a-z]{3,8}[^a-z0-9]{1,6}3[.):]",
        "1[.):] {0,2}[a-z]{3,8}",
        case=False,
    ),
    open_form(f"{KIND}_bare", "(?:[a-z]{3,8}[ ,;\\t\\r\\n]{1,2}){11}[a-z]{3}", "[a-z]{3,8}", case=False),
)


def seed(candidate: Candidate) -> Iterable[Found]:
    """The mnemonic that a hit leads to. Where words beside it make one as well, both are covered: none of its own may be left out."""
    text, start = candidate.text, candidate.start
    told = candidate.pattern.rule.endswith("told")
    if not (told or _begins(text, start)) or _within(text, start):
        return ()
    for run in _runs(text, start, _LEAD if told else 0):
        places = [PLACE[match.group().lower()] for match in run]
        for size in _SIZES:
            others = len(run) - size
            able = range(others + 1) if others <= _BESIDE else ()
            right = [first for first in able if _drawn(places[first : first + size])]
            if right:
                return (Found(run[right[0]].start(), run[right[-1] + size - 1].end(), PREFIX + KIND, TRUSTED),)
    return ()


def _drawn(places: Sequence[int]) -> bool:
    """Whether words make a mnemonic, and are no stretch of the list itself: no twelve that were drawn stand in its order."""
    return checks.mnemonic(places) and not all(map(lt, places, places[1:]))


def _begins(text: str, start: int) -> bool:
    """Whether the first two words of a hit are of the list."""
    first = _WORD.search(text, start)
    second = _WORD.search(text, first.end()) if first else None
    return first is not None and second is not None and first.group().lower() in PLACE and second.group().lower() in PLACE


def _within(text: str, start: int) -> bool:
    """Whether a hit stands in a run of words that was looked at from its beginning."""
    before = _BEFORE.search(text[max(0, start - 2 * _GAP) : start])
    if before is None or before["word"].lower() not in PLACE or any(char in before["gap"] for char in ":="):
        return False
    on_line = 0
    if "\n" in before["gap"]:
        line = text[max(0, start - LOOKBACK) : start].rstrip("\n").rpartition("\n")[2]
        on_line = len(_WORD.findall(line))
    return not _ends(before["gap"], on_line, _FEWEST)


def _runs(text: str, start: int, lead: int) -> Iterator[list[re.Match[str]]]:
    """Runs of enough words of the list that begin at a hit, or `lead` characters after it at most."""
    if start and text[start - 1].isalpha() and (whole := _WORD.match(text, start)):
        start = whole.end() + 1  # a hit within a word
    run: list[re.Match[str]] = []
    on_line = 0
    for match in _WORD.finditer(text, start):
        gap = text[run[-1].end() : match.start()] if run else ""
        if run and (len(gap) > _GAP or _ends(gap, on_line, len(run))):
            if len(run) >= _FEWEST:
                yield run
            run, on_line = [], 0
        if not run and match.start() - start > max(lead, _GAP):
            return
        if match.group().lower() in PLACE:
            run.append(match)
            on_line = 1 if "\n" in gap else on_line + 1
            if len(run) > _SIZES[0] + _BESIDE:
                return
            continue
        if len(run) >= _FEWEST:
            yield run
        run, on_line = [], 0
    if len(run) >= _FEWEST:
        yield run


def _ends(gap: str, on_line: int, words: int) -> bool:
    """Whether what stands between two words of the list keeps them apart: a colon before a mnemonic, a sentence or a line after it."""
    if words <= _BESIDE:
        return any(char in gap for char in ":=") and not any(char.isdigit() for char in gap)
    if words < _FEWEST:
        return False
    if "\n" in gap and (on_line >= _FEWEST or gap.count("\n") > 1):
        return True
    return not any(char.isdigit() for char in gap) and _SENTENCE.search(gap) is not None
