"""E-mail addresses: a local part, `@`, and a domain whose last label is a word.

Latin letters with accents count, as in internationalized addresses; letters that fold to none of ASCII end an address, since
Chinese and Japanese put no blank before it and a stream may be cut there; signs such as `=` and `/` end it too. Leaves out:
quoted local parts, addresses spelt with words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from affiant.guards.detectors.context import WIDE, token_start
from affiant.guards.scan import Candidate, Detector, Found, Pattern
from affiant.guards.text import fold_char

EMAIL = "EMAIL"
_LATIN = [chr(code) for code in range(0xC0, 0x250) if chr(code).isalpha()]
_ACCENTS = "".join(char for char in _LATIN if fold_char(char)[:1].isascii() and fold_char(char)[-1:].isascii())
_BACKWARDS = re.compile(rf"[A-Za-z0-9{_ACCENTS}_%+-][A-Za-z0-9{_ACCENTS}_%+'.-]*$")
_DOMAIN = re.compile(rf"[A-Za-z0-9{_ACCENTS}](?:[A-Za-z0-9{_ACCENTS}-]{{0,62}})(?:\.[A-Za-z0-9{_ACCENTS}-]{{1,63}}){{1,7}}")
_FILES = "png jpg jpeg gif svg webp ico css scss js jsx mjs ts tsx pyc rb go java class jar json yaml yml toml xml html txt csv"
_UNITS = "cpp hpp log lock zip gz tar tgz pdf service socket target timer slice scope mount"
_NOT_DOMAINS = frozenset(f"{_FILES} {_UNITS}".split())  # what ends the name of a file or of a unit, and no domain
_TRANSPORT = re.compile(
    r"(?:(?:message-id|in-reply-to|references|x-request-id) *[:=] *[<\"]?"
    r"|\b(?:ssh|sftp|mosh) (?:-[A-Za-z0-9]{1,3} (?:[^ \n]{1,24} )?){0,2})$",
    re.IGNORECASE,
)
_MOST_LABEL, _MOST_LOCAL = 63, 64


def _validate(candidate: Candidate) -> Iterable[Found]:
    """The address around one `@`."""
    text, at = candidate.text, candidate.start + 1
    domain = _DOMAIN.match(text, at + 1)
    if domain is None or text[at - 1] == ".":
        return ()
    local = _BACKWARDS.search(text[max(0, at - _MOST_LOCAL) : at])
    if local is None:
        return ()
    left = at - len(local.group())
    end = _end(text, at + 1, domain.end())
    if not end or left >= at or _other(text, left, at, end):
        return ()
    return (Found(left, end, EMAIL, candidate.pattern.score_ppm),)


def _end(text: str, begin: int, end: int) -> int:
    """The end of the longest prefix of a domain that ends in a top-level domain; 0 if there is none."""
    while end > begin:
        dot = text.rfind(".", begin, end)
        if dot < 0:
            return 0
        label = text[dot + 1 : end].rstrip("-")
        if 2 <= len(label) <= _MOST_LABEL and (label.isalpha() or label.lower().startswith("xn--")):
            return 0 if label.lower() in _NOT_DOMAINS else dot + 1 + len(label)
        end = dot
    return 0


def _other(text: str, left: int, at: int, end: int) -> bool:
    """Whether it is something else of that form: credentials in a URL, a remote of version control, a message's id, a log-in."""
    if text[left:at].lower() == "git" or (text[end : end + 1] == ":" and text[end + 1 : end + 2] in ("~", "/")):
        return True
    lead = text[max(0, left - WIDE) : left]
    _, scheme, rest = text[token_start(text, left) : left].rpartition("://") if "://" in lead else ("", "", "")
    if scheme and not any(char in rest for char in "/?#"):
        return True
    return _TRANSPORT.search(text, max(0, left - 32), left) is not None


DETECTOR = Detector(
    "email",
    (Pattern("address", EMAIL, "[^ \\t\\r\\n@]@[A-Za-z0-9\\x80-\\xff]", "(?s).@", score_ppm=1_000_000),),
    _validate,
    rank=10,
)
