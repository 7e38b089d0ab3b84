"""Structured personal data: EMAIL, PHONE, CREDIT_CARD (brand, length, Luhn) and US_SSN (validity rules).

Works on folded text (`guards.text`) in linear time: an `@` or a cluster of at least seven digits must be there before
anything else is tried. A span never crosses a place where `guards.cut.safe` would cut, so that a text scanned in pieces
gives the spans of the whole. Leaves out: names, addresses, other identifiers, other languages' context words.
"""

from __future__ import annotations

import re

EMAIL, PHONE, CREDIT_CARD, US_SSN = "EMAIL", "PHONE", "CREDIT_CARD", "US_SSN"
TYPES = (EMAIL, PHONE, CREDIT_CARD, US_SSN)
LOOKBACK = 48  # characters before a span that may decide about it
MAX_SPAN = 320  # longest span in folded characters: an e-mail address of 64 + 1 + 255

Span = tuple[int, int, str]

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")  # of ASCII: beyond it every place may be a cut
_ALNUM = _LETTERS | frozenset("0123456789")
_LOCAL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+/=?^_`{|}~.-")
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9-]{1,63}){1,7}")
_CLUSTER = re.compile(r"\d(?:(?: ?[.\-/()]{1,2} ?| )?\d){6,}")
_DIGITS = frozenset("0123456789")
_CARD_GAPS = frozenset((" ", "-", ".", " - "))
_GROUP = re.compile(r"\d+")
_PHONE_WORD = re.compile(
    r"\b(?:phone|tel|telephone|mobile|cell|cellphone|call|calling|fax|whatsapp|sms|dial|hotline|reach|ring|text|messages to|ph|desk|"
    r"telefon|handy|rufnummer|telefono|movil|llamar\w*|llamada|linea directa|portable|appel\w*|ligne directe|contact)\b"
    r"|电话|回拨|拨打|手机|致电|電話|携帯"
)
_SSN_WORD = re.compile(r"\b(?:ssn|ss#|social security|social-security|soc sec|taxpayer id|itin)")


def find(text: str, start: int = 0) -> list[Span]:
    """Spans of personal data in folded text.

    Args:
        text: folded text; what lies before `start` is context only.
        start: offset from which spans may begin.
    """
    spans: list[Span] = []
    if "@" in text:
        _emails(text, start, spans)
    for cluster in _CLUSTER.finditer(text, start):
        _numbers(text, cluster, spans)
    if len(spans) > 1:
        spans.sort()
        return _without_overlap(spans)
    return spans


def _without_overlap(spans: list[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in spans:
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept


def _emails(text: str, start: int, spans: list[Span]) -> None:
    at = text.find("@", start)
    while at >= 0:
        left = at
        floor = max(start, at - 64)
        while left > floor and text[left - 1] in _LOCAL:
            left -= 1
        while left < at and text[left] in ".'`{|*/=?!#$&":
            left += 1
        domain = _DOMAIN.match(text, at + 1)
        if domain and left < at and text[at - 1] != ".":
            end = _domain_end(text, at + 1, domain.end())
            if end:
                spans.append((left, end, EMAIL))
        at = text.find("@", at + 1)


def _domain_end(text: str, begin: int, end: int) -> int:
    """The end of the longest prefix of a domain that ends in an alphabetic (or xn--) label; 0 if there is none."""
    while end > begin:
        last_dot = text.rfind(".", begin, end)
        if last_dot < 0:
            return 0
        label = text[last_dot + 1 : end].rstrip("-")
        if len(label) >= 2 and (label.isalpha() or label.startswith("xn--")):
            return last_dot + 1 + len(label)
        end = last_dot
    return 0


def _numbers(text: str, cluster: re.Match[str], spans: list[Span]) -> None:
    groups = [match.span() for match in _GROUP.finditer(text, cluster.start(), cluster.end())]
    used = [False] * len(groups)
    _cards(text, groups, used, spans)
    _ssns(text, groups, used, spans)
    before = text[cluster.start() - 1] if cluster.start() else " "
    if before not in _LETTERS:
        _phones(text, groups, used, spans)


# -- cards


def _lengths(prefix: str) -> tuple[int, ...]:
    """Lengths that a card may have whose number begins with these four digits."""
    two, four = int(prefix[:2]), int(prefix)
    if prefix[0] == "4":
        return (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return (16,)
    if two in (34, 37) or four in (1800, 2131):
        return (15,)
    if two in (36, 38, 39) or 3000 <= four <= 3059:
        return (14, 16)
    if two == 35 or four == 6011 or two == 65 or 6440 <= four <= 6499 or two == 62:
        return (16, 17, 18, 19)
    if four in (5018, 5020, 5038, 5893, 6304) or 6759 <= four <= 6763:
        return (12, 13, 14, 15, 16, 17, 18, 19)
    return ()


_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn(digits: str) -> bool:
    """Whether the check digit is right."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        digit = ord(char) - 48
        total += _DOUBLED[digit] if place & 1 else digit
    return total % 10 == 0


def _cards(text: str, groups: list[tuple[int, int]], used: list[bool], spans: list[Span]) -> None:
    first = 0
    while first < len(groups):
        last = first
        while last + 1 < len(groups) and text[groups[last][1] : groups[last + 1][0]] in _CARD_GAPS:
            last += 1
        _cards_in_run(text, groups, first, last + 1, used, spans)
        first = last + 1


def _cards_in_run(text: str, groups: list[tuple[int, int]], first: int, stop: int, used: list[bool], spans: list[Span]) -> None:
    """Cards within groups that only blanks, hyphens or dots part; a card begins and ends with a group."""
    digits = "".join(text[begin:end] for begin, end in groups[first:stop])
    if len(digits) < 12:
        return
    ends: dict[int, int] = {}
    offset = 0
    for number in range(first, stop):
        offset += groups[number][1] - groups[number][0]
        ends[offset] = number
    offset = 0
    taken = first
    for number in range(first, stop):
        if number >= taken and digits[offset] in "123456" and offset + 12 <= len(digits):
            for length in _lengths(digits[offset : offset + 4]):
                last = ends.get(offset + length, -1)
                card = digits[offset : offset + length]
                if last >= 0 and luhn(card) and card.count(card[0]) < length and not _inside_word(text, groups[number][0], groups[last][1]):
                    spans.append((groups[number][0], groups[last][1], CREDIT_CARD))
                    taken = last + 1
                    used[number:taken] = [True] * (taken - number)
                    break
        offset += groups[number][1] - groups[number][0]


def _inside_word(text: str, start: int, end: int) -> bool:
    """Whether letters touch both sides, as in a hexadecimal string, or it is the fraction of a decimal number."""
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    if before == "." and start > 1 and text[start - 2].isdigit() and after not in _LETTERS:
        return True
    return before in _LETTERS and after in _LETTERS


# -- social security numbers


def valid_ssn(digits: str) -> bool:
    """Whether nine digits can be a US social security number (area not 000, 666, 9xx; group not 00; serial not 0000)."""
    area = digits[:3]
    return area not in ("000", "666") and area[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def _ssns(text: str, groups: list[tuple[int, int]], used: list[bool], spans: list[Span]) -> None:
    sizes = [end - begin for begin, end in groups]
    for number in range(len(groups)):
        if used[number]:
            continue
        if sizes[number : number + 3] == [3, 2, 4] and not any(used[number : number + 3]):
            one = text[groups[number][1] : groups[number + 1][0]]
            two = text[groups[number + 1][1] : groups[number + 2][0]]
            start, end = groups[number][0], groups[number + 2][1]
            digits = text[start : start + 3] + text[groups[number + 1][0] : groups[number + 1][1]] + text[end - 4 : end]
            if one.strip() == two.strip() and one in ("-", " ", ".", " - ", "/") and valid_ssn(digits) and not _glued(text, start, end):
                spans.append((start, end, US_SSN))
                used[number : number + 3] = [True] * 3
        elif sizes[number] == 9:
            start, end = groups[number]
            if valid_ssn(text[start:end]) and _SSN_WORD.search(text, max(0, start - LOOKBACK), start) and not _glued(text, start, end):
                spans.append((start, end, US_SSN))
                used[number] = True


def _glued(text: str, start: int, end: int) -> bool:
    """Whether more of the same number stands directly before or after, as in a part number."""
    before = text[max(0, start - 2) : start]
    after = text[end : end + 2]
    if before[-1:] in ("-", ".") and before[:1] in _ALNUM:
        return True
    if before[-1:] in _LETTERS or before[-1:] == "_" or after[:1] in _LETTERS:
        return True
    return after[:1] == "-" and after[1:] in _ALNUM


# -- telephone numbers


def _phones(text: str, groups: list[tuple[int, int]], used: list[bool], spans: list[Span]) -> None:
    number = 0
    while number < len(groups):
        if used[number]:
            number += 1
            continue
        end = number
        while end < min(len(groups), number + 6) and not used[end]:
            end += 1
        taken = _phone_at(text, groups[number:end])
        if taken:
            start = groups[number][0]
            while start and text[start - 1] in "+(":
                start -= 1
            spans.append((start, groups[number + taken - 1][1], PHONE))
            number += taken
        else:
            number += 1


def _phone_at(text: str, groups: list[tuple[int, int]]) -> int:
    """How many of `groups`, from the first, are one telephone number; 0 if none."""
    start = groups[0][0]
    before = text[start - 1] if start else " "
    plus = before == "+" or (before == "(" and start > 1 and text[start - 2] == "+")
    if not plus and (before in _ALNUM or before in "_$€£#=.-/\\"):
        return 0
    sizes: list[int] = []
    total = 0
    for begin, end in groups[:6]:
        total += end - begin
        if total > 15:
            break
        sizes.append(end - begin)
    if sum(sizes) < 7:
        return 0
    first = text[groups[0][0] : groups[0][1]]
    if len(set(text[start : groups[len(sizes) - 1][1]]) & _DIGITS) < 2:
        return 0
    if plus:
        return _international(first, sizes)
    taken = _north_american(text, groups, sizes)
    if not taken and first[0] == "0" and not _dated(text, groups, sizes):
        taken = _prefix(sizes, 10, 15) if first.startswith("00") else _prefix(sizes, 9, 12) if len(sizes) > 1 else 0
    if not taken and not _dated(text, groups, sizes) and _PHONE_WORD.search(text, max(0, start - LOOKBACK // 2), start):
        taken = _prefix(sizes, 7, 15)
    if taken and _follows_badly(text, groups[taken - 1][1]):
        return 0
    return taken


def _follows_badly(text: str, end: int) -> bool:
    after = text[end : end + 2]
    if after[:1] == "x" and after[1:].isdigit():  # an extension
        return False
    return after[:1] in _LETTERS or after[:1] in ("_", "%") or (after[:1] in (".", ",", ":") and after[1:].isdigit())


def _prefix(sizes: list[int], least: int, most: int) -> int:
    """How many leading groups make between `least` and `most` digits, as many as possible."""
    total, best = 0, 0
    for count, size in enumerate(sizes, 1):
        total += size
        if least <= total <= most:
            best = count
    return best


def _international(first: str, sizes: list[int]) -> int:
    if first[0] == "0":
        return 0
    if first == "1":
        return 4 if sizes[1:4] == [3, 3, 4] else _prefix(sizes, 11, 11)
    return _prefix(sizes, 8, 15)


def _north_american(text: str, groups: list[tuple[int, int]], sizes: list[int]) -> int:
    skip = 1 if sizes[0] == 1 and text[groups[0][0]] == "1" else 0
    if sizes[skip : skip + 3] != [3, 3, 4]:
        return 0
    area, exchange = text[groups[skip][0]], text[groups[skip + 1][0]]
    return skip + 3 if area >= "2" and exchange >= "1" else 0


def _dated(text: str, groups: list[tuple[int, int]], sizes: list[int]) -> bool:
    """Whether the leading groups read as a date or as an IPv4 address."""
    if len(sizes) == 4 and max(sizes) <= 3 and text[groups[0][1]] == ".":
        return True
    if sizes[:3] in ([2, 2, 4], [1, 2, 4], [2, 1, 4]):
        return text[groups[2][0] : groups[2][0] + 2] in ("19", "20")
    return sizes[:3] in ([4, 2, 2], [4, 1, 2], [4, 1, 1], [4, 2, 1]) and text[groups[0][0] : groups[0][0] + 2] in ("19", "20")
