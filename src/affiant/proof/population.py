"""The fixed bytes of population rows, item lines and unmatched lines, and the roots over them.

A row is 48 bytes: index of the anchoring entry (u64, big endian), that entry's leaf hash, ordinal (u64). A population's root is
the RFC 9162 root over its rows in order, so that one drawn row can prove itself. Leaves out: the queries that find rows.
"""

from __future__ import annotations

import struct
from typing import Iterable, List, Sequence, Tuple, Union

from . import canonical
from .errors import Malformed
from .hashes import leaf_hash, root_of

ROW_BYTES = 48
MET, DEVIATION, COULD_NOT_TEST = 0, 1, 2
_SEPARATORS = frozenset(',"\r\n')
_ROW = struct.Struct(">Q32sQ")
Cell = Union[int, str]


def row_bytes(idx: int, leaf: bytes, ord_: int) -> bytes:
    """The 48 bytes of a row."""
    if len(leaf) != 32:
        raise Malformed("A leaf hash does not have 32 bytes.")
    try:
        return _ROW.pack(idx, leaf, ord_)
    except struct.error:
        raise Malformed(f"A population row has the index {idx} and ordinal {ord_}.") from None


def rows_bytes(indexes: Iterable[int], leaves: Iterable[bytes], ordinals: Iterable[int]) -> List[bytes]:
    """The 48 bytes of many rows; leaf hashes have 32 bytes each."""
    try:
        return list(map(_ROW.pack, indexes, leaves, ordinals))
    except struct.error:
        raise Malformed("A population row has an index or ordinal beyond 64 bits.") from None


def parse_row(row: bytes) -> Tuple[int, bytes, int]:
    """Index, leaf hash and ordinal of a row."""
    if len(row) != ROW_BYTES:
        raise Malformed("A population row does not have 48 bytes.")
    idx, leaf, ord_ = _ROW.unpack(row)
    return idx, leaf, ord_


def population_root(rows: Iterable[bytes]) -> bytes:
    """Root over rows in the population's order."""
    return root_of(leaf_hash(row) for row in rows)


def check_order(keys: Sequence[Tuple[int, int]]) -> None:
    """Refuse rows that are not in strictly ascending order of (index, ordinal), as a population's must be.

    Raises:
        Malformed: a row is repeated or out of order, or a number is negative.
    """
    last = (-1, -1)
    for key in keys:
        if key <= last or key[1] < 0:
            raise Malformed(f"Row (idx {key[0]}, ord {key[1]}) is repeated, out of order or negative.", "Order by idx, ord.")
        last = key


def item_line(idx: int, ord_: int, item: int, why: str) -> bytes:
    """One line of `items.csv`: `idx,ord,item,why` and a newline; `why` is a short code, empty where met.

    Raises:
        Malformed: `item` is not 0 (met), 1 (deviation) or 2 (could not test), or `why` has a comma, quote or line break.
    """
    if item not in (MET, DEVIATION, COULD_NOT_TEST) or not _SEPARATORS.isdisjoint(why):
        raise Malformed(f"Item (idx {idx}, ord {ord_}) has the result {item!r} and the reason {why!r}.")
    return f"{idx},{ord_},{item},{why}\n".encode()


def items_root(lines: Iterable[bytes]) -> bytes:
    """Root over item lines in order."""
    return root_of(leaf_hash(line) for line in lines)


def unmatched_line(cells: Sequence[Cell]) -> bytes:
    """One unmatched row of a reconciliation: its cells as a canonical JSON list and a newline."""
    return canonical.dumps(list(cells)) + b"\n"


def unmatched_root(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Root over unmatched rows in order."""
    return root_of(leaf_hash(unmatched_line(row)) for row in rows)


def sha256_leaves(entries: Iterable[bytes]) -> List[bytes]:
    """Leaf hashes of entries."""
    return [leaf_hash(entry) for entry in entries]
