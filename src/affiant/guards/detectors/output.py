"""What must not leave in an answer beside what the scan finds: links that carry data out, private keys, the system text, canaries in it.

Links are found in source text, because their case matters; the system text in folded words. Leaves out: personal data (`pii`) and
secrets (`secrets`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from affiant.guards.text import Folded

SYSTEM_TEXT, CANARY, EXFIL_LINK, SECRET = "SYSTEM_TEXT", "CANARY", "EXFIL_LINK", "SECRET"
TYPES = (SYSTEM_TEXT, CANARY, EXFIL_LINK, SECRET)
LOOKBACK = 64

PEM_OPEN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----")
PEM_CLOSE = "-----END"
LINK_MARKS = re.compile(r"!\[|<img\b|\n[ \t\r]*\n|[>)]|(?:https?:)?//[!#-&(*-;=?-\[^-~]{4,900}", re.IGNORECASE)
_CANARY = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9][A-Za-z0-9_-]{14,120}[A-Za-z0-9](?![A-Za-z0-9_-])")
_WORD = re.compile(r"[a-z0-9_']+|[^\x00-\x7f]")

GRAM = 4
RUN = 14  # words in a row that also stand in a row in the system text


def carries_data(url: str) -> bool:
    """Whether a URL has room for data: a query or fragment of eight characters, or an over-long path part or host label."""
    rest = url.partition("//")[2]
    host, _, path = rest.partition("/")
    query = max(len(path.partition("?")[2]), len(path.partition("#")[2]), len(host.partition("?")[2]))
    if query >= 8:
        return True
    return any(len(label) >= 32 for label in host.split(".")) or any(
        len(part) >= 48 and "-" not in part for part in path.partition("?")[0].split("/")
    )


class SystemText:
    """What must not be repeated of the system text.

    Args:
        texts: system texts of the request.
    """

    def __init__(self, texts: tuple[str, ...]) -> None:
        self.grams, self.canaries = _system(texts)


@lru_cache(maxsize=256)
def _system(texts: tuple[str, ...]) -> tuple[frozenset[tuple[str, ...]], frozenset[str]]:
    grams: set[tuple[str, ...]] = set()
    canaries: set[str] = set()
    for text in texts:
        found = words(Folded(text).text)
        if len(found) >= RUN:
            grams.update(zip(found, found[1:], found[2:], found[3:]))  # noqa: B905 - shorter ones end it
        canaries.update(match.group() for match in _CANARY.finditer(text) if _random(match.group()))
    return frozenset(grams), frozenset(canaries)


def _random(token: str) -> bool:
    """Whether a token looks like a planted mark or a key rather than a name: digits and letters mixed more than once."""
    kinds = ["d" if char.isdigit() else "l" for char in token if char.isalnum()]
    return sum(1 for one, two in pairwise(kinds) if one != two) >= 3


def words(folded: str) -> list[str]:
    """Words of folded text; a character beyond ASCII is a word of its own, so that cuts beside it change nothing."""
    return _WORD.findall(folded)


def word_spans(folded: str) -> list[tuple[int, int, str]]:
    """The same with offsets."""
    return [(match.start(), match.end(), match.group()) for match in _WORD.finditer(folded)]
