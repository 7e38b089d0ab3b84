"""Two passes over a population that may have millions of rows: the rows themselves, then the items that the procedure gives.

Rows come in parts, are checked, hashed and written as they pass, and are kept only in the table `pop` for the procedure. Leaves out:
what the figures are compared with (`recompute`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter, lt
from typing import Any, Callable, Dict, FrozenSet, Iterable, List, Optional, Sequence, Tuple

from .draw import Drawing
from .errors import Malformed
from .hashes import CompactRange, leaf_hashes
from .population import rows_bytes
from .results import Counts
from .tables import Digest, csv_header, csv_part
from .views import SqliteEvidence

Rows = List[Tuple[Any, ...]]
Watch = Callable[[List[str], Rows, Rows], None]
Key = Tuple[int, int]
LeavesOf = Callable[[List[int]], List[bytes]]
_KEY = itemgetter(0, 1)
_SEPARATORS = frozenset(',"\r\n')


@dataclass(frozen=True)
class Sampled:
    """A drawn row: its 48 bytes, its cells, and the item that the procedure gives for it."""

    row: bytes
    cells: Tuple[Any, ...]
    item: int
    why: str


@dataclass(frozen=True)
class Items:
    """What the procedure gives: counts, root over item lines, and the drawn rows by their bytes."""

    counts: Counts
    root: str
    sampled: Dict[bytes, Sampled]


def _kind(cell: Any) -> str:
    return "TEXT" if type(cell) is str else "BIGINT"


def population_pass(
    columns: List[str], parts: Iterable[Rows], evidence: SqliteEvidence, leaves_of: LeavesOf, drawing: "Optional[Drawing]",
    file: Digest, kept: "Optional[FrozenSet[str]]" = None,
) -> Tuple[int, str]:  # fmt: skip
    """Hash, draw from, write and keep (in `pop`) a population's rows; gives their number and root (hex).

    Args:
        columns: names, idx and ord first.
        parts: rows.
        evidence: where `pop` is made.
        leaves_of: gives leaf hashes of entries.
        drawing: takes the rows.
        file: takes `population.csv`.
        kept: names of the columns that `pop` needs besides idx and ord; None for all.

    Raises:
        Malformed: rows are not in strictly ascending order of (idx, ord), or a column mixes integers and text.
    """
    tree, count, last = CompactRange(), 0, (-1, -1)
    kinds: List[type] = []
    places = [at for at, name in enumerate(columns) if at < 2 or kept is None or name.lower() in kept]
    keep = itemgetter(*places)
    file.write(csv_header(["idx", "ord", "leaf", *columns[2:]]))
    for rows in parts:
        if not kinds:
            kinds = [type(cell) for cell in rows[0]]
            evidence.set_population([(columns[at], _kind(rows[0][at])) for at in places], [])
            if kinds[:2] != [int, int]:
                raise Malformed("A population query gives text for idx or ord.")
        if any(set(map(type, column)) != {kind} for column, kind in zip(zip(*rows), kinds)):  # noqa: B905 - Python 3.9
            raise Malformed("A population query gives integers and text in one column.")
        keys: List[Key] = list(map(_KEY, rows))
        _check_order(last, keys)
        last = keys[-1]
        indexes, ordinals = [row[0] for row in rows], [row[1] for row in rows]
        leaves = leaves_of(indexes)
        packed = rows_bytes(indexes, leaves, ordinals)
        tree.extend(leaf_hashes(packed))
        if drawing is not None:
            drawing.add(packed, rows)
        file.write(csv_part([(row[0], row[1], leaf.hex(), *row[2:]) for row, leaf in zip(rows, leaves)]))  # noqa: B905 - Python 3.9
        evidence.more_population(list(map(keep, rows)))
        count += len(rows)
    if not count:
        evidence.set_population([(columns[at], "BIGINT") for at in places], [])
    return count, tree.root().hex()


def _check_order(last: Key, keys: Sequence[Key]) -> None:
    if not all(map(lt, chain((last,), keys), keys)) or min(map(itemgetter(1), keys)) < 0:
        at = next(n for n, (a, b) in enumerate(zip(chain((last,), keys), keys)) if not a < b or b[1] < 0)  # noqa: B905 - Python 3.9
        raise Malformed(f"Row (idx {keys[at][0]}, ord {keys[at][1]}) is repeated, out of order or negative.", "Order by idx, ord.")


def items_pass(
    parts: Iterable[Rows], evidence: SqliteEvidence, drawn: "Sequence[Tuple[bytes, Tuple[Any, ...]]]", file: Digest,
    watch: "Optional[Watch]" = None,
) -> Items:  # fmt: skip
    """Check, count, hash and write the items of a procedure, which must be one for each row of `pop`, in order.

    Args:
        parts: rows of (idx, ord, item, why).
        evidence: holds `pop`.
        drawn: bytes and cells of the rows that were drawn.
        file: takes `items.csv`.
        watch: sees rows of `pop` with their items, in parts.

    Raises:
        Malformed: it is not one for each row, an item is not 0, 1 or 2, or a reason has a comma, quote or line break.
    """
    tree, tally, sampled = CompactRange(), [0, 0, 0], {}
    by_key: Dict[Key, Tuple[bytes, Tuple[Any, ...]]] = {(cells[0], cells[1]): (row, cells) for row, cells in drawn}
    wanted = sorted(by_key)
    what = "*" if watch is not None else "idx, ord"
    pop = evidence.connection.execute(f"SELECT {what} FROM main.pop ORDER BY idx, ord")  # noqa: S608 - constants
    file.write(b"idx,ord,item,why\n")
    for items in parts:
        rows = pop.fetchmany(len(items))
        keys: List[Key] = list(map(_KEY, items))
        if list(map(_KEY, rows)) != keys:
            raise Malformed("The procedure does not give one row for each population row, in order.")
        lines = _lines(items, tally)
        tree.extend(leaf_hashes(lines))
        file.write(b"".join(lines))
        hits = wanted[bisect_left(wanted, keys[0]) : bisect_right(wanted, keys[-1])]
        for key in hits:
            _, _, item, why = items[bisect_left(keys, key)]
            row, cells = by_key[key]
            sampled[row] = Sampled(row, cells, item, why)
        if watch is not None:
            watch([column[0] for column in pop.description], rows, items)
    if pop.fetchone() is not None:
        raise Malformed("The procedure does not give one row for each population row, in order.")
    pop.close()
    return Items(Counts(*tally), tree.root().hex(), sampled)


def _lines(items: Rows, tally: List[int]) -> List[bytes]:
    """Item lines of a part, counted."""
    found = list(map(itemgetter(2), items))
    counts = [found.count(item) for item in (0, 1, 2)]
    whys = set(map(itemgetter(3), items))
    if sum(counts) != len(items) or any(type(why) is not str or not _SEPARATORS.isdisjoint(why) for why in whys):
        raise Malformed("The procedure gives an item other than 0, 1, 2, or a reason with a comma, quote or line break.")
    for number, count in enumerate(counts):
        tally[number] += count
    return [b"%d,%d,%d,%b\n" % (idx, ord_, item, why.encode()) for idx, ord_, item, why in items]
