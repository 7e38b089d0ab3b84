"""What must not leave in an answer: secrets by their form, links that carry data out, the system text, canaries in it.

Secrets and links are found in source text, because their case matters; the system text in folded words. Leaves out: personal
data (`pii`), which the output guard also looks for, and generic keyword-and-entropy secrets.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from affiant.guards.text import Folded

SYSTEM_TEXT, CANARY, EXFIL_LINK, SECRET = "SYSTEM_TEXT", "CANARY", "EXFIL_LINK", "SECRET"
TYPES = (SYSTEM_TEXT, CANARY, EXFIL_LINK, SECRET)
LOOKBACK = 64

Span = tuple[int, int, str]

_SECRETS = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"(?P<affiant>sk-aff-[A-Za-z0-9_-]{20,200})"
    r"|(?P<anthropic>sk-ant-[A-Za-z0-9_-]{20,200})"
    r"|(?P<openai>sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,200})"
    r"|(?P<aws>(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})(?![A-Za-z0-9])"
    r"|(?P<github>gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})"
    r"|(?P<gitlab>glpat-[A-Za-z0-9_-]{20,64})"
    r"|(?P<slack>xox[abeoprs]-[A-Za-z0-9-]{10,200}|xapp-\d-[A-Za-z0-9-]{20,200})"
    r"|(?P<google>AIza[A-Za-z0-9_-]{35})(?![A-Za-z0-9_-])"
    r"|(?P<stripe>[sr]k_(?:live|test)_[A-Za-z0-9]{16,200})"
    r"|(?P<npm>npm_[A-Za-z0-9]{36})(?![A-Za-z0-9])"
    r"|(?P<pypi>pypi-AgE[A-Za-z0-9_-]{50,300})"
    r"|(?P<huggingface>hf_[A-Za-z]{34})(?![A-Za-z0-9])"
    r"|(?P<sendgrid>SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64})"
    r"|(?P<jwt>eyJ[A-Za-z0-9_-]{10,400}\.eyJ[A-Za-z0-9_-]{10,400}\.[A-Za-z0-9_-]{10,200})"
    r")"
)
_SECRET_SIGNS = (
    "sk-",
    "AKIA",
    "ASIA",
    "ABIA",
    "ACCA",
    "gh",
    "glpat-",
    "xox",
    "xapp-",
    "AIza",
    "k_live_",
    "k_test_",
    "npm_",
    "pypi-",
    "hf_",
    "SG.",
    "eyJ",
)
PEM_OPEN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----")
PEM_CLOSE = "-----END"
LINK_MARKS = re.compile(r"!\[|<img\b|\n[ \t\r]*\n|[>)]|(?:https?:)?//[!#-&(*-;=?-\[^-~]{4,900}", re.IGNORECASE)
_CANARY = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9][A-Za-z0-9_-]{14,120}[A-Za-z0-9](?![A-Za-z0-9_-])")
_WORD = re.compile(r"[a-z0-9_']+|[^\x00-\x7f]")

GRAM = 4
RUN = 14  # words in a row that also stand in a row in the system text


def secrets(text: str, start: int = 0) -> list[Span]:
    """API keys and tokens by their form."""
    if not any(sign in text for sign in _SECRET_SIGNS):
        return []
    return [(match.start(), match.end(), f"{SECRET}/{match.lastgroup}") for match in _SECRETS.finditer(text, start)]


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
