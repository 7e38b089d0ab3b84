"""What a value looks like: random or made of words, a placeholder, an identifier, a digest, a path.

Statistics of character classes, Shannon entropy and a small table of letter pairs; linear in the value, which the caller has cut
to a few hundred characters. Leaves out: what stands around the value (`assigned`).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise

from affiant.guards.detectors.secrets.letters import PAIRS
from affiant.guards.detectors.secrets.services import words

WORD_SCORE = 4.35  # mean digit of a run's letter pairs; 95 % of words are above, 94 % of random letters below
_SCORES = [int(digit) for digit in PAIRS]
_RUN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_HEX = re.compile(r"(?:0x)?(?:[0-9a-f]+|[0-9A-F]+)")
_UUID = re.compile(r"[0-9a-zA-Z]{8}-[0-9a-zA-Z]{4}-[0-9a-zA-Z]{4}-[0-9a-zA-Z]{4}-[0-9a-zA-Z]{12}")
_LETTERS = re.compile(r"[a-z]+")
_HOLDERS = words(
    """
    you your yours example sample placeholder dummy redacted insert replace todo changeme fake mock lorem ipsum foo foobar bar baz null
    none nil undefined enter put default hidden masked removed some here goes unused invalid value change not testkey testtoken
    """
)
_HOLDER_HEADS = ("xxx", "mysecret", "mytoken", "mykey", "myapi", "mypass", "testpass")
_HOLDER_PAIRS = frozenset((first, second) for first in ("my", "test") for second in ("secret", "token", "key", "api", "pass", "password"))
_MASK = re.compile(r"[xX]{5}|[*]{3}|[•]{3}|[_]{4}|[.]{3}|…|[#]{3}|[?]{3}")
_SPECIAL = re.compile(r"[<>{}$%#@&\\\[(:]")
_TEMPLATE = re.compile(
    r"<[A-Za-z][\w .|-]*>|^<|>$|\{\{[^{}]*\}\}|\$\{[\w.:?/ -]+\}|\$\([\w. /-]|^\$[A-Za-z_]+$|^\$[{(]|%\(\w*\)|^%[A-Za-z_]+%"
    r"|#\{[\w. ]*\}|\{[a-z_.]*\}|^@[A-Za-z]|^\$\$|^&[a-z]|^\\u|^%[sdv]$"
    r"|\[\^?[a-zA-Z0-9]-[zZ9]|a-z|\\\\?[dws][+*{]|\{\d+,?\d*\}|\(\?[:P<=!]"
    r"|\\[.*+?-]|^\[|^env[:.]|process\.env|environ"
    r"|^(?:arn|urn|ocid1|projects|vault|ssm|op|secretsmanager|file|keyring|gcp|kms|ref|resource|secret):"
)
_PATH = re.compile(
    r"^(?:\.{0,2}/|~/|[A-Za-z]:\\|[a-z]+://|www\.)"
    r"|\.(?:pem|key|crt|cer|json|ya?ml|txt|py|js|ts|go|rs|java|rb|php|html?|css|md|png|jpe?g|svg|gif|sh"
    r"|toml|ini|cfg|conf|env|lock|log|zip|gz|tgz|xml|war|jar|exe|bin|tar|whl|rpm|deb"
    r"|pdf|csv|pub|p12|pfx|com|org|net|io|dev|local)\b(?!.)|/[a-z]{3,}/[a-z]{3,}"
)
_MARKED = re.compile(r"[/.\\]")
_CODE = re.compile(r"\w\([\w\s,.\"\']*\)|\($|=>|\|\||&&|^\w+\[|;$")
_ADDRESS = re.compile(
    r"(?:\d{1,3}\.){3}\d{1,3}(?:[:/]\d+)?|(?:[0-9A-Fa-f]{2}[:-]){5,}[0-9A-Fa-f]{2}|[\w.+-]+@[\w-]+\.[\w.-]+"
    r"|\d{4}-\d\d-\d\d(?:[T ].*)?|v?\d+\.\d+(?:\.\d+)*(?:[-+~][\w.+~-]{1,40})?"
    r"|[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io|dev|local|internal)(?:[:/].*)?"
)
_MEMBER = re.compile(r"^[A-Za-z_$][\w$]*(?:(?:\.|::|->|\?\.)[A-Za-z_$][\w$]*)+$")
_CLASS = re.compile(r"(?:Key|Token|Secret|Password|Credential)s?$")
_MEDIA = ("iVBORw0KGgo", "/9j/4AAQ", "R0lGOD", "UklGR", "PHN2Zy", "Qk0", "AAABAA", "JVBERi0", "UEsDB", "H4sI", "d09G", "data:")
_PUBLIC = (
    "AAAAB3NzaC1",
    "AAAAC3NzaC1",
    "AAAAE2VjZHNh",
    "MIIBIjANBgkq",
    "MIICIjANBgkq",
    "MFkwEwYHKoZI",
    "MCowBQYDK2Vw",
    "MIGfMA0GCSqG",
    "MIID",
    "MIIE",
    "MIIF",
    "MIIC",
    "LS0tLS1CRUdJTiBDRVJU",
    "LS0tLS1CRUdJTiBQVUJM",
)
_HEX_LETTERS = frozenset("abcdef")
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "zyxwvutsrqponmlkjihgfedcba",
    "01234567890123456789",
    "98765432109876543210",
    "qwertyuiopasdfghjklzxcvbnm",
)

_STEPS = frozenset(row[place : place + 3] for row in _ROWS for place in range(len(row) - 2))


def entropy(value: str) -> float:
    """Shannon entropy in bits a character."""
    total = len(value)
    return -sum(count / total * math.log2(count / total) for count in Counter(value).values()) if total else 0.0


def letter_score(run: str) -> float:
    """Mean digit of the pairs of a run of ASCII letters; 0 for fewer than two."""
    places = [ord(char) - 97 for char in run.lower()]
    if len(places) < 2:
        return 0.0
    return sum(_SCORES[26 * first + second] for first, second in pairwise(places)) / (len(places) - 1)


def _word(run: str) -> bool:
    """Whether lower-case letters read like a word; letters of hexadecimal numbers alone never do."""
    return letter_score(run) >= WORD_SCORE and len(set(run)) > 2 and not _HEX_LETTERS.issuperset(run)


def wordiness(value: str) -> float:
    """Share of the letters and digits that stand in runs which read like words."""
    total = sum(map(str.isalnum, value))
    if not total:
        return 1.0
    return sum(len(run) for run in _RUN.findall(value) if len(run) >= 4 and _word(run.lower())) / total


def is_hex(value: str) -> bool:
    """Whether it is one hexadecimal number in one case."""
    return _HEX.fullmatch(value) is not None


def is_uuid(value: str) -> bool:
    """Whether it has the grouping of a UUID (whatever its letters)."""
    return _UUID.fullmatch(value) is not None


def in_sequence(value: str) -> float:
    """Share of characters that continue a run of the alphabet, the digits or the keyboard by one."""
    low = value.lower()
    steps = sum(low[place : place + 3] in _STEPS for place in range(len(low) - 2))
    return steps / max(1, len(low) - 2)


def mask(value: str) -> bool:
    """Whether words in it, or a row of one mark, say that the value stands elsewhere."""
    runs = _LETTERS.findall(value.lower())
    if not _HOLDERS.isdisjoint(runs) or any(run.startswith(_HOLDER_HEADS) for run in runs):
        return True
    return "EXAMPLE" in value or _MASK.search(value) is not None or not _HOLDER_PAIRS.isdisjoint(pairwise(runs))


def template(value: str) -> bool:
    """Whether it is, or has in it, something that is filled in later."""
    return (_SPECIAL.search(value) is not None or "env" in value or "a-z" in value) and _TEMPLATE.search(value) is not None


def placeholder(value: str) -> bool:
    """Whether it stands for a value rather than being one."""
    return mask(value) or template(value) or len(set(value)) < 5


def machinery(value: str) -> bool:
    """Whether it is a path, an address, an expression, an image or a public key."""
    if (
        (_MARKED.search(value) and _PATH.search(value) is not None)
        or _CODE.search(value) is not None
        or value.startswith(_MEDIA)
        or value.startswith(_PUBLIC)
    ):
        return True
    if _ADDRESS.fullmatch(value):
        return True
    return _MEMBER.match(value) is not None and (_CLASS.search(value) is not None or wordiness(value) > 0.4)


def transitions(value: str) -> int:
    """How often the class (digit, lower, upper, other) changes."""
    kinds = [0 if char.isdigit() else 1 if char.islower() else 2 if char.isupper() else 3 for char in value]
    return sum(1 for first, second in pairwise(kinds) if first != second)


def random_looking(value: str, least: int = 10) -> bool:
    """Whether a value looks drawn at random from letters and digits.

    Args:
        value: without quotes.
        least: characters that it must have.
    """
    size = len(value)
    if size < least:
        return False
    digits = sum(map(str.isdigit, value))
    letters = sum(map(str.isalpha, value))
    distinct = len(set(value))
    if letters == 0 or distinct < min(8, 4 + size // 6):
        return False
    if is_hex(value):
        return digits >= 2 and distinct >= 6
    share = wordiness(value)
    if digits >= 2 or (digits and size < 24):
        return (
            share <= (0.34 if digits * 6 < size else 0.5) and entropy(value) >= min(3.0, 0.72 * math.log2(size)) and transitions(value) >= 2
        )
    if share > 0.25 or size < 14:
        return False
    upper = sum(map(str.isupper, value))
    if 2 <= upper <= letters - 2:
        return transitions(value) * 4 >= size
    return letters * 10 >= size * 9 and letter_score("".join(char for char in value if char.isalpha())) < 4.0
