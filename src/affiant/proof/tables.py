"""How rows are written as CSV in a package: one way only, so that two programs write the same bytes.

UTF-8, `\\n` ends each line, a header first; a cell with a comma, quote or line break is quoted; text that a spreadsheet would run as a
formula gets a leading apostrophe. Leaves out: what the rows mean.
"""

from __future__ import annotations

import hashlib
import re
from itertools import islice
from typing import Iterable, Iterator, List, Sequence, Union

from .population import Cell, item_line

_QUOTED = re.compile('[,"\r\n]')
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell_text(cell: Cell) -> str:
    """One cell as it stands in a CSV file."""
    if isinstance(cell, int):
        return str(cell)
    text = "'" + cell if cell.startswith(_FORMULA) else cell
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """Lines of a CSV file, header first."""
    yield (",".join(header) + "\n").encode("utf-8")
    for row in rows:
        yield (",".join([cell_text(cell) for cell in row]) + "\n").encode("utf-8")


def population_csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]], leaves: Iterable[bytes]) -> Iterator[bytes]:
    """`population.csv`: idx, ord, leaf (hex), then the query's further columns."""
    return csv_lines(
        ["idx", "ord", "leaf", *columns[2:]],
        ([row[0], row[1], leaf.hex(), *row[2:]] for row, leaf in zip(rows, leaves)),  # noqa: B905 - Python 3.9
    )


def items_csv(items: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """`items.csv`: a header, then the item lines that `items_root` covers."""
    yield b"idx,ord,item,why\n"
    for idx, ord_, item, why in items:
        yield item_line(int(idx), int(ord_), int(item), str(why))


def digest_and_size(lines: Iterable[bytes]) -> "tuple[str, int]":
    """SHA-256 (hex) and size of the file that these lines make."""
    hash_, size, waiting = hashlib.sha256(), 0, iter(lines)
    while True:
        some = b"".join(islice(waiting, 2_000))
        if not some:
            break
        hash_.update(some)
        size += len(some)
    return hash_.hexdigest(), size


Rows = List[Sequence[Union[int, str]]]
