"""Lists as CSV, safe to open in a spreadsheet: a cell that would run as a formula is quoted with an apostrophe."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from starlette.responses import Response

MAX_ROWS = 200_000
"""Rows that one CSV carries at most; a longer list says so in its last line."""


def cell(value: object) -> str:
    """One value as CSV text."""
    text = str(value)
    return "'" + text if isinstance(value, str) and text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def csv_response(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]], limit: int = MAX_ROWS) -> Response:
    """A file to save.

    Args:
        name: file name without its ending.
        columns: first line.
        rows: what follows.
        limit: rows written at most; a cut file says so in its last line.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    for number, row in enumerate(rows):
        if number >= limit:
            writer.writerow([f"cut after {limit} rows: narrow the filter"])
            break
        writer.writerow([cell(value) for value in row])
    safe = "".join(c if c.isalnum() or c in "._-" else "-" for c in name)
    headers = {"content-disposition": f'attachment; filename="{safe}.csv"'}
    return Response(buffer.getvalue().encode(), media_type="text/csv; charset=utf-8", headers=headers)
