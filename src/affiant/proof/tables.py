"""How rows are written as CSV in a package: one way only, so that two programs write the same bytes.

UTF-8, `\\n` ends each line, a header first; a cell with a comma, quote or line break is quoted; text that a spreadsheet would run as a
formula gets a leading apostrophe. Leaves out: what the rows mean.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Iterable, Sequence, Tuple

from .population import Cell

_QUOTED = re.compile('[,"\r\n]')
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell_text(cell: Cell) -> str:
    """One cell as it stands in a CSV file."""
    if isinstance(cell, int):
        return str(cell)
    text = "'" + cell if cell.startswith(_FORMULA) else cell
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def csv_header(names: Sequence[str]) -> bytes:
    """The first line."""
    return (",".join(names) + "\n").encode("utf-8")


def csv_part(rows: Sequence[Tuple[Any, ...]]) -> bytes:
    """Lines of some rows of equal length: as `cell_text` writes each cell, found in one go where no cell needs care."""
    if not rows:
        return b""
    form = ",".join(["%s"] * len(rows[0])) + "\n"
    text = "\n" + "".join([form % row for row in rows])
    even = text.count(",") == (len(rows[0]) - 1) * len(rows) and text.count("\n") == len(rows) + 1
    formula = any(mark in text and ("," + mark in text or "\n" + mark in text) for mark in _FORMULA)
    if even and not formula and '"' not in text and "\r" not in text:
        return text[1:].encode("utf-8")
    return "".join([",".join(map(cell_text, row)) + "\n" for row in rows]).encode("utf-8")


class Digest:
    """A file of which only SHA-256 and size are kept."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._hash.update(data)
        self._size += len(data)

    def close(self) -> None:
        """No more bytes come."""

    def result(self) -> Tuple[str, int]:
        """SHA-256 (hex) and size of what was written."""
        return self._hash.hexdigest(), self._size


def write_table(file: Digest, header: Sequence[str], rows: Iterable[Tuple[Any, ...]]) -> None:
    """A whole CSV file of a few rows."""
    file.write(csv_header(header))
    file.write(csv_part(list(rows)))
