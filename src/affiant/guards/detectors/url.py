"""URLs, and URLs that carry a user's password (`URL_CREDENTIALS`). Leaves out: bare domains without a scheme or `www.`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from affiant.guards.scan import Candidate, Detector, Found, Pattern

URL, URL_CREDENTIALS = "URL", "URL_CREDENTIALS"
_TRAILING = ".,;:!?'*_"
_USER = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/?#@:]{0,128}:[^\s/?#@]{1,256}@")
_PLACEHOLDER = re.compile(r":(?:\$|%|\*{2,}|<|\{|x{3,}@|password@|pass@|pwd@)", re.IGNORECASE)


def _validate(candidate: Candidate) -> Iterable[Found]:
    text, value = candidate.text, candidate.value.rstrip(_TRAILING)
    before = text[max(0, candidate.start - 1) : candidate.start]
    if before.isascii() and before.isalnum():
        return ()
    for opening, closing in (("(", ")"), ("[", "]"), ("{", "}")):
        while value.endswith(closing) and value.count(closing) > value.count(opening):
            value = value[:-1].rstrip(_TRAILING)
    credentials = _USER.match(value)
    secret = credentials is not None and _PLACEHOLDER.search(credentials.group(), value.find("//")) is None
    if candidate.pattern.rule == "any" and not secret:
        return ()
    end = candidate.start + len(value)
    return (Found(candidate.start, end, URL_CREDENTIALS if secret else URL, candidate.pattern.score_ppm),) if len(value) > 10 else ()


_REST = r"[^\s<>\"'`|\\^　-〿！-～一-鿿぀-ヿ]"
DETECTOR = Detector(
    "url",
    (
        Pattern("web", URL, r"https?://[^\s<>\"]", rf"https?://{_REST}{{1,2000}}", ignore_case=True, width=2000),
        Pattern(
            "www", URL, r"\bwww\.[a-z0-9]", rf"(?<![/@.A-Za-z0-9])www\.[a-z0-9-]{{1,63}}\.{_REST}{{2,2000}}", ignore_case=True, width=2000
        ),
        Pattern(
            "any",
            URL_CREDENTIALS,
            r"\b[a-z][a-z0-9+.-]{1,15}://[^ \t\r\n/@:]{0,64}:",
            rf"(?!https?:)[a-z][a-z0-9+.-]{{1,20}}://{_REST}{{1,2000}}",
            ignore_case=True,
            width=2000,
        ),
    ),
    _validate,
    rank=60,
)
