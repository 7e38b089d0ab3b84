"""Telephone numbers: international, with a trunk prefix, North American, and bare ones that a word announces.

A cheap pattern gives candidates; what they are is decided by how they are grouped, by the words before them, and for the
international and the unannounced ones by the numbering plans of `phonenumbers`. Leaves out: short codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial

import phonenumbers

from affiant.guards.detectors.context import NEAR, NEVER, in_url, last
from affiant.guards.detectors.phone_words import LABEL, NAMED, OTHER, REGIONS
from affiant.guards.scan import Candidate, Detector, Found, Pattern

PHONE = "PHONE"
SURE, LIKELY, POSSIBLE = 1_000_000, 850_000, 700_000
MOST_DIGITS, LEAST_DIGITS = 15, 7
_GROUP = re.compile("[0-9]+")
_JOINT = r"(?: ?[./-] ?|\)[ ./-]?| )?"
_OPEN = r"(?: ?[./-] ?| ?\(|\)[ ./-]?| )?"  # after the first group a bracket may open, as in +49 (0)30
_MORE = re.compile(r"(?: ?[./-] ?| ?\(|\)[ ./-]?| )[0-9]")
_BEFORE = re.compile(r"[0-9](?: ?[./-] ?| ?\(|\)[ ./-]?| )$")
_EXTENSION = re.compile(r"[xX][0-9]{1,6}(?![A-Za-z0-9])")
_SPACED_EXTENSION = re.compile(r"(?: ?[xX]|,? ?(?:ext\.?|extension|Ext\.?)) ?[0-9]{1,6}(?![A-Za-z0-9])")
_SENTENCE_END = re.compile(r"[.!?][\"')]?\s+(?=[A-ZÀ-ÞА-Я])|\n\s*\n")
_KEY = re.compile(r"(?:[\"'](?P<key>[A-Za-z][\w.-]*)[\"']?\]? ?: ?|(?<![\w.-])(?P<name>[A-Za-z][\w.-]*) ?= ?)[\"'\[(]{0,2}$")
_CAMEL = re.compile(r"[_.-]+|(?<=[a-z])(?=[A-Z])")
_MOBILES = re.compile(r"1[3-9][0-9]{9}")
_HAN = re.compile(r"[぀-ヿ一-鿿：] ?$")


class Number:
    """A candidate, its groups of digits and what parts them. Not changed once made.

    Args:
        text: the whole text.
        start: offset of the first digit, or of the plus.
        end: of the candidate.
    """

    __slots__ = ("first", "groups", "sizes", "text")

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text = text
        self.groups = [match.span() for match in _GROUP.finditer(text, start, end)]
        self.sizes = [stop - begin for begin, stop in self.groups]
        self.first = text[slice(*self.groups[0])]

    def digits(self, count: int) -> str:
        """All digits of the first groups."""
        return "".join(self.text[start:end] for start, end in self.groups[:count])

    def joint(self, number: int) -> str:
        """What stands between a group and the next."""
        return self.text[self.groups[number][1] : self.groups[number + 1][0]]

    def fitting(self, least: int, most: int) -> int:
        """How many leading groups make between `least` and `most` digits, as many as possible; 0: none do."""
        total, best = 0, 0
        for count, size in enumerate(self.sizes, 1):
            total += size
            if least <= total <= most:
                best = count
        return best


def _validate(candidate: Candidate, beyond: bool = True) -> Iterable[Found]:
    """The number at a hit.

    Args:
        beyond: whether what follows a blank counts: a word that announces it too (`030 901820 (office)`), an extension.
    """
    text, start = candidate.text, candidate.start
    number = Number(text, start, candidate.end)
    international = candidate.pattern.rule == "international"
    before = text[start - 1 : start] if start else ""
    if before == "(" and ")" in text[number.groups[0][1] : number.groups[0][1] + 2]:
        start, before = start - 1, text[start - 2 : start - 1] if start > 1 else ""
    if before.isascii() and (before.isalnum() or (before in "_$€£#./\\%&?" and before)):
        return ()
    if len(set(number.digits(len(number.groups)))) < 2:
        return ()
    count, score = _international(number) if international else _national(candidate, number, start, before, beyond)
    if not count:
        return ()
    end = number.groups[count - 1][1]
    extension = (_SPACED_EXTENSION if beyond else _EXTENSION).match(text, end)
    end = extension.end() if extension else end
    if _runs_on(text, end) or (not international and in_url(text, start)):
        return ()
    return (Found(start, end, PHONE, score),)


def _runs_on(text: str, end: int) -> bool:
    """Whether what follows makes it part of something else."""
    char, beyond = text[end : end + 1], text[end + 1 : end + 2]
    if char.isascii() and (char.isalnum() or char in ("_", "%", "@")):
        return True
    return char in (".", ",", ":", "/", "-") and beyond.isascii() and beyond.isdigit()


# -- international


def _international(number: Number) -> tuple[int, int]:
    """How many groups are one number after `+`, and how sure that is."""
    best = 0
    if number.first[0] == "0" or (number.text[number.groups[0][0] - 1] == " " and len(number.groups) < 2):
        return 0, 0
    for count in range(number.fitting(LEAST_DIGITS, MOST_DIGITS + 1), 0, -1):
        digits = number.digits(count)
        if len(digits) < LEAST_DIGITS:
            break
        parsed = _parsed("+" + _without_trunk(number, count))
        if parsed is None:
            continue
        if phonenumbers.is_valid_number(parsed):
            return count, SURE
        if not best and phonenumbers.is_possible_number(parsed) and len(digits) > LEAST_DIGITS:
            best = count
    return best, LIKELY


def _without_trunk(number: Number, count: int) -> str:
    """Digits without a trunk zero in brackets, as in `+49 (0)30`."""
    pieces = []
    for start, end in number.groups[:count]:
        piece = number.text[start:end]
        pieces.append("" if piece == "0" and number.text[start - 1] == "(" and number.text[end : end + 1] == ")" else piece)
    return "".join(pieces)


def _parsed(digits: str, region: str | None = None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return None


# -- without a plus


def _national(candidate: Candidate, number: Number, start: int, before: str, beyond: bool) -> tuple[int, int]:
    """How many groups are one number, and how sure that is."""
    text, count, total = candidate.text, _north_american(number), sum(number.sizes)
    joined = _BEFORE.search(text, max(0, start - 4), start) is not None
    if not count and (joined or _dated(number) or not LEAST_DIGITS <= total <= MOST_DIGITS + 3):
        return 0, 0
    named, denied = _announced(candidate, number, start, before, beyond)
    if count and not denied:
        score = _american_score(number, count, joined, before, named)
        if score:
            return count, score
    if joined or (_decimal(number) and (not named or number.digits(9).endswith("000"))):
        return 0, 0
    if number.first.startswith("00") or number.first == "011":
        dialled = _dialled(number, named)
        return dialled if dialled[0] or not named else _named(number)
    if _more(number, text):
        return 0, 0
    if named:
        return _named(number)
    return (0, 0) if denied else _unannounced(candidate, number, start)


def _announced(candidate: Candidate, number: Number, start: int, before: str, beyond: bool) -> tuple[bool, bool]:
    """Whether a word says that it is a telephone number, and whether one says that it is not."""
    text = candidate.text
    if beyond and LABEL.match(text, number.groups[-1][1]) is not None:
        return True, False
    keyed = text[max(0, start - 5) : start].rstrip("\"'[( ")[-1:] in (":", "=")
    key = _KEY.search(text, max(0, start - NEAR), start) if keyed else None
    if key is not None and not NAMED.search(_CAMEL.sub(" ", key.group("key") or key.group("name")).lower()):
        return False, True
    named = last(candidate, NAMED)
    other = last(candidate, OTHER, NEAR if named == NEVER else -named)
    if other > NEVER and _SENTENCE_END.search(text, max(0, start + other), start):
        other = NEVER  # what an earlier sentence speaks of is not this number
    if named > NEVER and other <= named:
        return True, False
    return False, other > NEVER or before == "="


def _american_score(number: Number, count: int, joined: bool, before: str, named: bool) -> int:
    """How sure a number in North American groups is; 0: it may be anything."""
    spaced = all(number.joint(place) == " " for place in range(count - 1))
    if joined and (spaced or before != " "):
        return 0
    if named:
        return SURE
    if not spaced:
        return LIKELY if number.text[number.groups[count - 2][0]] >= "2" else 0
    alone = not joined and _MORE.match(number.text, number.groups[count - 1][1]) is None
    return POSSIBLE if alone and _planned(number.digits(count), ("US",)) else 0


def _more(number: Number, text: str) -> bool:
    """Whether groups go on beyond what was taken as a candidate."""
    return _MORE.match(text, number.groups[-1][1]) is not None


def _north_american(number: Number) -> int:
    """Three, three and four digits, perhaps after a 1: how many groups these are."""
    sizes = number.sizes
    skip = 1 if sizes[0] == 1 and number.first == "1" else 0
    if sizes[skip : skip + 3] != [3, 3, 4]:
        return 0
    area, exchange = number.groups[skip][0], number.groups[skip + 1][0]
    good = number.text[area] >= "2" and number.text[exchange] >= "1"
    return skip + 3 if good and "/" not in number.joint(skip) + number.joint(skip + 1) else 0


def _dialled(number: Number, named: bool) -> tuple[int, int]:
    """A number after an international prefix (00 or 011)."""
    prefix = 3 if number.first.startswith("011") else 2
    count = number.fitting(10, 17)
    if not count or (count < 2 and not named):
        return 0, 0
    parsed = _parsed("+" + number.digits(count)[prefix:])
    if parsed is None or not phonenumbers.is_possible_number(parsed):
        return 0, 0
    american = number.sizes[1:4] == [3, 3, 4] and count == 4
    return (count, LIKELY) if named or american or phonenumbers.is_valid_number(parsed) else (0, 0)


def _named(number: Number) -> tuple[int, int]:
    """A bare number after a word that announces one."""
    total = sum(number.sizes)
    if number.first[0] == "0":
        return (len(number.groups), SURE if total >= 9 else POSSIBLE) if 7 <= total <= (14 if len(number.groups) > 1 else 12) else (0, 0)
    small = len(number.groups) > 6 or (len(number.groups) > 1 and max(number.sizes) < 2)
    return (len(number.groups), LIKELY) if LEAST_DIGITS <= total <= 13 and not small else (0, 0)


def _unannounced(candidate: Candidate, number: Number, start: int) -> tuple[int, int]:
    """A number that only its form speaks for: a trunk prefix and groups, a bracketed area, or a mobile in Chinese text."""
    text, total, count = candidate.text, sum(number.sizes), len(number.groups)
    bracketed = text[start] == "("
    if _MOBILES.fullmatch(number.digits(count)) and _HAN.search(text, max(0, start - 2), start):
        return count, POSSIBLE
    if not 9 <= total <= 12 or count < 2 or count > 6 or not (bracketed or number.first[0] == "0"):
        return 0, 0
    if number.sizes == [5, 4] and number.joint(0) == "-":  # a postcode of the United States
        return 0, 0
    if len(number.first) < 2 or number.first.startswith("00") or (set(number.sizes) == {2} and count != 5):
        return 0, 0
    if _planned(number.digits(count), REGIONS):
        return count, POSSIBLE
    return 0, 0


def _planned(digits: str, regions: Sequence[str]) -> bool:
    """Whether a numbering plan knows the number."""
    for region in regions:
        parsed = _parsed(digits, region)
        if parsed is not None and phonenumbers.is_valid_number_for_region(parsed, region):
            return True
    return False


def _dated(number: Number) -> bool:
    """Whether the leading groups read as a date, an IPv4 address or a book number."""
    sizes, first = number.sizes, number.first
    if len(sizes) == 4 and max(sizes) <= 3 and number.joint(0).strip() == "." == number.joint(1).strip():
        return True
    if first in ("978", "979") and sum(sizes) == 13:
        return True
    year = number.text[slice(*number.groups[2])][:2] if len(sizes) > 2 else ""
    if sizes[:3] in ([2, 2, 4], [1, 2, 4], [2, 1, 4], [1, 1, 4]) and year in ("19", "20"):
        return number.joint(0).strip() == number.joint(1).strip() and number.joint(0) != " "
    if sizes[:3] in ([4, 2, 2], [4, 1, 2], [4, 1, 1], [4, 2, 1]) and first[:2] in ("19", "20"):
        return number.joint(0) == number.joint(1) and number.joint(0) != " "
    return sizes[0] == 8 and first[:2] in ("19", "20") and len(sizes) > 1 and sizes[1] in (4, 6)


def _decimal(number: Number) -> bool:
    """Whether it reads as a number with a fraction or with thousands, or as a range of years."""
    sizes = number.sizes
    if len(sizes) < 2:
        return False
    joints = {number.joint(place) for place in range(len(sizes) - 1)}
    if joints == {"."} and (len(sizes) == 2 or set(sizes[1:]) == {3}):
        return True
    if joints == {" "} and sizes[0] < 3 and number.first[0] != "0" and set(sizes[1:]) == {3}:
        return True
    return sizes == [4, 4] and number.first[:2] in ("19", "20") and number.text[number.groups[1][0]] in "12"


_PATTERNS = (
    Pattern(
        "international",
        PHONE,
        r"\+[ (]{0,2}[1-9](?:[ .()/-]{0,3}[0-9]){6}",
        rf"(?<![A-Za-z0-9+_$#=/\\.-])\+ ?\(?[1-9][0-9]{{0,14}}(?:{_OPEN}[0-9]{{1,14}})?(?:{_JOINT}[0-9]{{1,14}}){{0,7}}",
        width=40,
    ),
    Pattern(
        "national",
        PHONE,
        r"\b[0-9](?:[ .()/-]{0,3}[0-9]){6}",
        rf"(?:(?<![0-9][ ./-])"
        rf"|(?=[0-9]{{3}}[.)-] ?[0-9]{{3}}[ .-][0-9]{{4}}))[0-9]{{1,14}}(?:{_OPEN}[0-9]{{1,12}})?(?:{_JOINT}[0-9]{{1,12}}){{0,6}}",
        width=40,
    ),
)
DETECTOR = Detector("phone", _PATTERNS, _validate, rank=30)
WITHOUT_LABELS = Detector("phone", _PATTERNS, partial(_validate, beyond=False), rank=30)
"""The same for texts whose continuation has not arrived: nothing beyond the number itself decides."""
