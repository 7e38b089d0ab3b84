"""Stand-ins that keep a value's shape, so that a tool's schema accepts them: e-mail addresses, telephone and card numbers, SSNs.

None can be anybody's: addresses are of a reserved domain, numbers of ranges that are fictitious, reserved for tests or never given out.
A value has the same stand-in each time, by a key. Leaves out: forms without a shape of their own (`redact`).
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from affiant.guards.places import dataurl

DOMAIN = "pseudonym.example"  # RFC 2606
_LETTERS = "bcdfghjkmnpqrstvwxz23456789"
LOCAL = 9
_EMAIL = re.compile(rf"(?<![A-Za-z0-9.])q[a-z0-9]{{{LOCAL - 1}}}(?P<at>@|%40){re.escape(DOMAIN)}", re.IGNORECASE)
_RUN = re.compile(r"\+?\(?\d(?:[ ().\-]{0,2}\d)*")
_DIGITS = re.compile(r"\d+")
_TAIL = re.compile(r"(?:\+?\(?\d(?:[ ().\-]{0,2}\d)*[ ().\-]{0,2}|\+\(?|\()\Z")
_MAX_RUN = 96
_BEGIN = re.compile(r"(?<![A-Za-z0-9.])[qQ]")
_CUT = re.compile(r"%4?\Z")


class Form(NamedTuple):
    """A placeholder or stand-in as it stands in a text.

    Args:
        start: str offset, inclusive.
        end: str offset, exclusive.
        name: its canonical form.
        close: escapes an original as this form was escaped.
    """

    start: int
    end: int
    name: str
    close: Callable[[str], str]


def plain(text: str) -> str:
    """An original in a form that is not escaped."""
    return text


def percent(text: str) -> str:
    """An original in a form that is percent-encoded."""
    return dataurl.quote(text.encode("utf-8", "surrogatepass"))


_FORMATS = {"email": "EMAIL", "idn-email": "EMAIL", "phone": "PHONE", "tel": "PHONE", "credit-card": "CREDIT_CARD", "ssn": "US_SSN"}
MAX_NODES = 100_000


def wanted(schemas: Any) -> frozenset[str]:
    """Entity types that a request's tools accept only in their shape: those of a `format` that their schemas name.

    Args:
        schemas: tool definitions as they stand in the body; what is no object or list says nothing. Read to `MAX_NODES` values.
    """
    types: set[str] = set()
    left, seen = [schemas], 0
    while left and seen < MAX_NODES:
        value = left.pop()
        seen += 1
        if isinstance(value, dict):
            name = value.get("format")
            if isinstance(name, str) and name.lower() in _FORMATS:
                types.add(_FORMATS[name.lower()])
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)
    return frozenset(types)


def stand_in(type_: str, original: str, number: int) -> str | None:
    """A stand-in of the same shape; None where the type has no shape that is kept.

    Args:
        type_: entity type.
        original: the value as it stood.
        number: 128 bits or more that the value and a key determine.
    """
    if type_ == "EMAIL":
        local = "q"
        for _ in range(LOCAL - 1):
            number, digit = divmod(number, len(_LETTERS))
            local += _LETTERS[digit]
        return f"{local}@{DOMAIN}"
    digits = "".join(_DIGITS.findall(original))
    home = not original.lstrip().startswith("+") or digits.startswith("1")
    made = _digits(type_, digits, number, home) if digits.isascii() else None
    if made is None:
        return None
    source = iter(made)
    return "".join(next(source) if char.isdigit() else char for char in original)


def _digits(type_: str, digits: str, number: int, home: bool) -> str | None:
    """Digits in place of a number's; `home` says that a telephone number may be of North America."""
    random = str(number).zfill(40)[-36:]
    if type_ == "CREDIT_CARD" and 13 <= len(digits) <= 19:
        body = "400000" + random[: len(digits) - 7]  # a range that issuers keep for tests
        return body + str(_luhn(body))
    if type_ == "US_SSN" and len(digits) == 9:
        return f"9{random[:2]}{1 + number % 49:02d}{random[2:6]}"  # area 9xx, group below 50: neither an SSN nor an ITIN
    if type_ == "PHONE":
        if home and len(digits) in (10, 11) and (len(digits) == 10 or digits[0] == "1"):
            return f"{digits[:-10]}{2 + number % 8}{random[:2]}55501{random[2:4]}"  # 555-0100 to -0199 are for fiction
        if 7 <= len(digits) <= 15:
            return digits[:2] + "00" + random[: len(digits) - 4]  # no national number goes on with 00
    return None


def _luhn(body: str) -> int:
    total = 0
    for place, char in enumerate(reversed(body)):
        digit = int(char) * (2 if place % 2 == 0 else 1)
        total += digit - 9 if digit > 9 else digit
    return -total % 10


def written(texts: Iterable[str]) -> frozenset[str]:
    """What stands in texts and could be taken for a stand-in: see `identity`."""
    found: set[str] = set()
    for text in texts:
        if DOMAIN in text.lower().replace("%40", "@"):
            found.update(identity(match.group().replace("%40", "@")) for match in _EMAIL.finditer(text))
        found.update(identity(match.group()) for match in _RUN.finditer(text))
    return frozenset(found)


def identity(name: str) -> str:
    """What stays of a stand-in in every spelling: the address in lower case, or the digits."""
    return name.lower() if "@" in name else "".join(_DIGITS.findall(name))


def _token_start(text: str, place: int) -> int:
    """Where the first whole run of digits may begin: not in the middle of one."""
    if place and text[place - 1].isdigit():
        while place < len(text) and text[place].isdigit():
            place += 1
    return place


class Shapes:
    """Stand-ins of one exchange, found again with other separators, in another case, or percent-encoded."""

    def __init__(self) -> None:
        self._emails: list[str] = []
        self._numbers: list[str] = []
        self._names: dict[str, str] = {}
        self._longest = 0

    def add(self, name: str) -> None:
        """Know one more stand-in."""
        if "@" in name:
            insort(self._emails, name)
            return
        digits = "".join(_DIGITS.findall(name))
        insort(self._numbers, digits)
        self._names[digits] = name
        self._longest = max(self._longest, len(digits))

    def taken(self, name: str) -> bool:
        """Whether it could be mistaken for one that is known."""
        return name in self._emails if "@" in name else "".join(_DIGITS.findall(name)) in self._names

    def find(self, text: str, start: int) -> Iterator[Form]:
        """Stand-ins of this exchange at or after `start`."""
        if self._emails:
            for match in _EMAIL.finditer(text, start):
                name = match.group().lower().replace("%40", "@")
                yield Form(match.start(), match.end(), name, percent if match["at"] != "@" else plain)
        if self._numbers:
            for match in _RUN.finditer(text, start):
                yield from self._within(text, _token_start(text, match.start()), match.end())

    def _within(self, text: str, start: int, end: int) -> Iterator[Form]:
        """Numbers in a run of digits and separators: the leftmost, then the longest."""
        runs = [(match.start(), match.end()) for match in _DIGITS.finditer(text, start, end)]
        place = 0
        while place < len(runs):
            found, digits = -1, ""
            for last in range(place, len(runs)):
                digits += text[runs[last][0] : runs[last][1]]
                if len(digits) > self._longest:
                    break
                if digits in self._names:
                    found = last
            if found < 0:
                place += 1
                continue
            begin = runs[place][0]
            name = self._names["".join(_DIGITS.findall(text[begin : runs[found][1]]))]
            lead = name[: next(i for i, char in enumerate(name) if char.isdigit())]
            while lead and begin > start and text[begin - 1] == lead[-1]:
                begin, lead = begin - 1, lead[:-1]
            yield Form(begin, runs[found][1], name, plain)
            place = found + 1

    def held(self, text: str, start: int) -> int:
        """Length of the longest suffix that may still become one."""
        held = 0
        low = max(start, len(text) - _MAX_RUN)
        if self._emails:
            held = next(
                (len(text) - begin.start() for begin in _BEGIN.finditer(text, low) if self._address_begins(text[begin.start() :])), 0
            )
        if self._numbers and (match := _TAIL.search(text, low)):
            held = max(held, self._number_held(text, match.start()))
        return held

    def _address_begins(self, text: str) -> bool:
        read = _CUT.sub("@", text.lower().replace("%40", "@"))
        place = bisect_left(self._emails, read)
        return place < len(self._emails) and self._emails[place].startswith(read) and self._emails[place] != read

    def _number_held(self, text: str, start: int) -> int:
        if not text[start:].strip("+("):
            return len(text) - start
        runs = list(_DIGITS.finditer(text, _token_start(text, start)))
        for number, run in enumerate(runs):
            digits = "".join(match.group() for match in runs[number:])
            place = bisect_left(self._numbers, digits)
            if place < len(self._numbers) and self._numbers[place].startswith(digits):
                begin = run.start()
                while begin > start and text[begin - 1] in "+(":
                    begin -= 1
                return len(text) - begin
        return 0
