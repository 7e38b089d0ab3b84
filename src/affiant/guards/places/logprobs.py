"""Tokens with their probabilities, which repeat a text in pieces and show what else might have been said.

Chosen tokens are read as one text, the n-th alternatives of all places as one text each, and bytes where they say something
else than their token. Where any of it changes, or the text beside it did, all of it is withheld: half a list would still tell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from affiant.guards.model import Role

Json = Any
Visit = Callable[[str, Role, str], str]
MAX_ALTERNATIVES = 32


def withheld(value: Json) -> Json:
    """What stands in place of it."""
    return [] if isinstance(value, list) else None


def differ(value: Json, where: str, role: Role, visit: Visit) -> bool:
    """Whether the visitor changes any text of it. True too where its form is not known."""
    if not value:
        return False
    lists = list(value.items()) if isinstance(value, dict) else [("", value)]
    changed = False
    for name, entries in lists:
        at = f"{where}.{name}" if name in ("content", "refusal") else where
        if entries is None:
            continue
        columns = _columns(entries) if isinstance(entries, list) and name in ("", "content", "refusal") else None
        if columns is None:
            return True
        for column in columns:
            text = "".join(column)
            if text and visit(at, role, text) != text:
                changed = True
    return changed


def _columns(entries: list[Json]) -> list[list[str]] | None:
    """Chosen tokens, then each rank of alternatives, then bytes that differ; None for another form."""
    columns: list[list[str]] = [[]]
    odd: list[str] = []
    for entry in entries:
        alternatives = entry.get("top_logprobs") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(alternatives, list | None) or len(alternatives or ()) > MAX_ALTERNATIVES:
            return None
        for rank, token in enumerate([entry, *(alternatives or ())]):
            text = _token(token, odd)
            if text is None:
                return None
            while len(columns) <= rank:
                columns.append([])
            columns[rank].append(text)
    return [*columns, odd]


def _token(token: Json, odd: list[str]) -> str | None:
    if not isinstance(token, dict) or not set(token) <= {"token", "bytes", "logprob", "top_logprobs"}:
        return None
    text, raw = token.get("token"), token.get("bytes")
    if not isinstance(text, str | None) or not isinstance(raw, list | None):
        return None
    if raw is not None:
        if not all(type(byte) is int and 0 <= byte < 256 for byte in raw):
            return None
        data = bytes(raw)
        if data != (text or "").encode("utf-8", "surrogatepass"):
            odd.append(data.decode("utf-8", "replace"))
    return text or ""
