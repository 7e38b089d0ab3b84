"""Checking that readable pages say what was recomputed. A page marks each control result as `<data value="ID result">result</data>`.

Only those marks are checked; the rest of a page is covered by the manifest's hash and is its maker's prose. A page must mark at
least one result of each control that it is about. Leaves out: making pages (`affidavit`).
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any, Dict, List, Mapping, Tuple

from .errors import Lie, Malformed

_ACTIVE = frozenset({"script", "iframe", "object", "embed", "form", "base", "link", "frame", "applet"})


class _Marks(HTMLParser):
    """Collects `<data>` marks and refuses whatever could run or load something."""

    def __init__(self, name: str) -> None:
        super().__init__(convert_charrefs=True)
        self.name = name
        self.found: List[Tuple[str, str]] = []
        self._open: "str | None" = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: "List[Tuple[str, str | None]]") -> None:
        if tag in _ACTIVE or any(key.startswith("on") or "javascript:" in (value or "").lower() for key, value in attrs):
            raise Lie(f"{self.name} has an element that could run or load something: {tag}.")
        if tag == "data":
            self._open, self._text = dict(attrs).get("value") or "", ""

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "data" and self._open is not None:
            self.found.append((self._open, " ".join(self._text.split())))
            self._open = None


def check_page(name: str, data: bytes, results: Mapping[str, str]) -> "set[str]":
    """Check one page; gives the controls whose results it marks.

    Args:
        name: its path.
        data: its bytes.
        results: control id -> result as recomputed.

    Raises:
        Lie: a mark says something else, or the page could run or load something.
    """
    marks = _Marks(name)
    try:
        marks.feed(data.decode("utf-8"))
        marks.close()
    except UnicodeDecodeError:
        raise Malformed(f"{name} is not UTF-8.") from None
    except AssertionError as error:
        # Python's reader gives up so on a broken declaration, such as `<![--d->`.
        raise Malformed(f"{name} is not written as HTML: {error}.") from None
    seen: Dict[str, Any] = {}
    for value, text in marks.found:
        control, _, result = value.partition(" ")
        if results.get(control) != result or text != result:
            raise Lie(f"{name} shows {text!r} for {control}; recomputed is {results.get(control)!r}.")
        seen[control] = True
    return set(seen)
