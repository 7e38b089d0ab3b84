"""Citations that cannot be right by their form: ISBN and ISSN with failing check digits, impossible DOI, arXiv and year numbers.

A citation of good form may still be made up: nothing is looked up. Check digits come from python-stdnum.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stdnum import isbn, issn

from affiant.guards.quality.model import FULL, Code, Finding

_CITED = re.compile(
    r"\bISBN(?:-1[03])?:?\s*(?P<isbn>97[89][\d\s-]{9,14}\d|\d[\d\s-]{7,11}[\dX])\b"
    r"|\be?ISSN:?\s*(?P<issn>\d{4}-?\d{3}[\dX])\b"
    r"|(?:\bdoi:\s*|\bdoi\.org/)(?P<doi>[^\s\"'<>]{1,200})"
    r"|\barxiv(?::|\.org/(?:abs|pdf)/)\s*(?P<arxiv>\d{2,5}\.\d{1,6})(?:v\d+)?\b",
    re.IGNORECASE,
)
_DOI = re.compile(r"10\.\d{4,9}(?:\.\d+)*/\S+")


def impossible(text: str) -> Iterator[Finding]:
    """Citations whose form or check digit is wrong."""
    for match in _CITED.finditer(text):
        kind = match.lastgroup or ""
        value = match.group(kind).rstrip(".,;)")
        if kind == "isbn":
            wrong = not isbn.is_valid(value)
        elif kind == "issn":
            wrong = not issn.is_valid(value)
        elif kind == "doi":
            wrong = _DOI.fullmatch(value) is None
        else:
            wrong = not _arxiv(value)
        if wrong:
            yield Finding(Code.BAD_CITATION, match.start(), match.start(kind) + len(value), FULL, kind)


def _arxiv(value: str) -> bool:
    """Whether an identifier has a month, and as many digits as its time had: four until 2014, five since."""
    date, _, number = value.partition(".")
    if len(date) != 4 or not 1 <= int(date[2:]) <= 12 or int(date) < 704:
        return False
    return len(number) == (5 if int(date) >= 1501 else 4)
