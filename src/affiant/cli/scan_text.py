"""What `affiant scan` reads out of one file or blob: its text, in parts with line numbers, and what may be skipped.

Notebooks are read cell by cell, sources and outputs, as a person sees them. Leaves out: where files come from (`scan`, `scan_git`).
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from affiant.guards.scan import Scanner
from affiant.kit.errors import BadInput

ALLOW_MARK = "affiant:allow"
ALLOW_FILE = ".affiant-scan-allow"
PREVIEW_FROM = 16  # characters that a secret has at least before four of them are shown
_SNIFF = 8_192


@dataclass(frozen=True, slots=True)
class Spot:
    """One secret, without the secret.

    Args:
        kind: such as `github_pat`.
        line: 1-based, within the part.
        column: 1-based, in characters.
        part: "" for a plain text, else such as `cell 3 output`.
        fingerprint: 16 hexadecimal characters of a SHA-256 of the secret: the same secret has the same one everywhere.
        preview: its first four characters, if it is long, and its length.
        score_ppm: how sure, parts per million.
    """

    kind: str
    line: int
    column: int
    part: str
    fingerprint: str
    preview: str
    score_ppm: int


def fingerprint(secret: str) -> str:
    """What names a secret without holding it; 64 bits, so that it cannot be inverted with confidence."""
    return hashlib.sha256(b"affiant scan\0" + secret.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def preview(secret: str) -> str:
    """The first four characters of a long secret, and how long it is."""
    shown = secret[:4] if len(secret) >= PREVIEW_FROM and secret[:4].isprintable() else ""
    return f"{shown}… ({len(secret)} characters)"


def decoded(raw: bytes) -> str | None:
    """The text of a file; None for a binary one."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    if b"\0" in raw[:_SNIFF]:
        return None
    return raw.decode("utf-8-sig", "replace")


def parts(name: str, text: str) -> Iterator[tuple[str, str]]:
    """What a file's text consists of: label and text; one part with the label "" unless it is a notebook."""
    if name.endswith(".ipynb"):
        try:
            cells = json.loads(text)["cells"]
            found = list(_notebook(cells))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            found = []
        if found:
            yield from found
            return
    yield "", text


def _notebook(cells: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for number, cell in enumerate(cells, 1):
        yield f"cell {number}", _joined(cell.get("source", ""))
        for output in cell.get("outputs", ()):
            for value in (output.get("text"), *output.get("data", {}).values(), output.get("traceback"), output.get("evalue")):
                text = _joined(value)
                if text:
                    yield f"cell {number} output", text


def _joined(value: object) -> str:
    """A notebook writes a text as one string or as a list of lines; other data as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return json.dumps(value, ensure_ascii=False) if value else ""


class Allowed:
    """Secrets that somebody looked at and let stand, each with a reason.

    Args:
        text: lines `FINGERPRINT REASON`; empty lines and those that begin with `#` say nothing.
        name: of the file, for errors.

    Raises:
        BadInput: a line without a fingerprint or a reason.
    """

    def __init__(self, text: str = "", name: str = ALLOW_FILE) -> None:
        self.fingerprints: set[str] = set()
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            mark, _, reason = line.strip().partition(" ")
            if len(mark) != 16 or set(mark) - set("0123456789abcdef") or not reason.strip():
                raise BadInput(
                    f"{name}, line {number}, allows nothing.", "Write the fingerprint of a finding (16 characters), a blank and the reason."
                )
            self.fingerprints.add(mark)


def spots(scanner: Scanner, name: str, text: str, allowed: Allowed) -> tuple[list[Spot], int]:
    """Secrets in one text, and how many were allowed.

    Args:
        scanner: of secrets.
        name: of the file; its ending says how to read it.
        text: of the file.
        allowed: what is let stand.
    """
    found: list[Spot] = []
    let = 0
    for label, part in parts(name, text):
        hits = scanner.find(part)
        if not hits:
            continue
        starts = [0]
        starts.extend(place + 1 for place, char in enumerate(part) if char == "\n")
        for hit in hits:
            row = bisect_right(starts, hit.start) - 1
            stop = part.find("\n", hit.start)
            line = part[starts[row] : stop if stop >= 0 else len(part)]
            secret = part[hit.start : hit.end]
            mark = fingerprint(secret)
            if mark in allowed.fingerprints or ALLOW_MARK in line:
                let += 1
                continue
            kind = hit.type.removeprefix("SECRET/")
            found.append(Spot(kind, row + 1, hit.start - starts[row] + 1, label, mark, preview(secret), hit.score_ppm))
    return found, let
