"""Addresses of machines: IPv4 and IPv6, and MAC. Leaves out: host names, ports.

Four numbers with dots are a version as often as an address, so what stands directly before decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv6Address

from affiant.guards.scan import Candidate, Detector, Found, Pattern

IP, MAC = "IP", "MAC"
_VERSION = re.compile(
    r"(?:\bv|\bv\.? |version[ :=\"']{0,4}|ver\.? |release |rev\.? |build |section |chapter |[a-z][/@-]|==|[~^]|package "
    r"|upgrad\w+ to |\bto v?|§ ?)$",
    re.IGNORECASE,
)
_SURE_VERSION = re.compile(r"(?:\bv|version[ :=\"']{0,4}|[A-Za-z]/|==)$", re.IGNORECASE)
_GLUE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def _four(candidate: Candidate) -> Iterable[Found]:
    text, start, end = candidate.text, candidate.start, candidate.end
    parts = candidate.value.split(".")
    if any(int(part) > 255 or (part[0] == "0" and len(part) > 1) for part in parts) or candidate.value == "0.0.0.0":  # noqa: S104
        return ()
    if text[start - 1 : start] in (".", "_") or (text[end : end + 1] in _GLUE and text[end : end + 1]):
        return ()
    if text[end : end + 1] in (".", "-") and text[end + 1 : end + 2] in _GLUE and text[end + 1 : end + 2]:
        return ()
    before = candidate.before(16)
    small = all(int(part) < 32 for part in parts)
    if (_VERSION if small else _SURE_VERSION).search(before) and not before.endswith("//"):
        return ()
    return (Found(start, end, IP, candidate.pattern.score_ppm),)


def _six(candidate: Candidate) -> Iterable[Found]:
    text, start = candidate.text, candidate.start
    value = candidate.value.rstrip(".")
    if value.endswith(":") and not value.endswith("::"):
        value = value[:-1]
    before, after = text[max(0, start - 1) : start], text[start + len(value) : start + len(value) + 1]
    if (before and before in _GLUE) or before == ":" or (after and after in _GLUE):
        return ()
    digits = value.replace(":", "")
    if len(digits) < 4 or not any(char.isdigit() for char in digits):
        return ()
    try:
        IPv6Address(value)
    except ValueError:
        return ()
    return (Found(start, start + len(value), IP, candidate.pattern.score_ppm),)


def _mac(candidate: Candidate) -> Iterable[Found]:
    text, value = candidate.text, candidate.value
    before, after = text[max(0, candidate.start - 1) : candidate.start], text[candidate.end : candidate.end + 1]
    if (before and (before in _GLUE or before in ":-.")) or (after and (after in _GLUE or after in ":-")):
        return ()
    separators = {char for char in value if char in ":-."}
    plain = "".join(char for char in value if char not in ":-.")
    if len(separators) != 1 or len(set(plain)) < 2 or (separators != {":"} and plain.isdigit()):
        return ()
    return (Found(candidate.start, candidate.end, MAC, candidate.pattern.score_ppm),)


_HEX = "[0-9A-Fa-f]"
_OCTET = "[0-9]{1,3}"
FOUR = Detector(
    "ipv4", (Pattern("address", IP, rf"\b(?:{_OCTET}\.){{3}}{_OCTET}\b", rf"(?:{_OCTET}\.){{3}}{_OCTET}", width=15),), _four, rank=27
)
SIX = Detector(
    "ipv6",
    (
        Pattern("full", IP, rf"\b(?:{_HEX}{{1,4}}:){{2}}[0-9A-Fa-f:]", rf"[0-9A-Fa-f:]{{6,39}}(?:\.{_OCTET}){{0,3}}", width=45),
        Pattern(
            "short", IP, rf"{_HEX}{{1,4}}::{_HEX}", rf"(?<![0-9A-Fa-f:]){_HEX}{{1,4}}::[0-9A-Fa-f:]{{1,34}}(?:\.{_OCTET}){{0,3}}", width=45
        ),
    ),
    _six,
    rank=27,
)
MACS = Detector(
    "mac",
    (
        Pattern("pairs", MAC, rf"\b{_HEX}{{2}}(?:[:-]{_HEX}{{2}}){{5}}\b", rf"{_HEX}{{2}}(?:[:-]{_HEX}{{2}}){{5}}", width=17),
        Pattern("dotted", MAC, rf"\b{_HEX}{{4}}\.{_HEX}{{4}}\.{_HEX}{{4}}\b", rf"{_HEX}{{4}}\.{_HEX}{{4}}\.{_HEX}{{4}}(?!\.)", width=14),
    ),
    _mac,
    rank=25,
)
