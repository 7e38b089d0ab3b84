"""Two passes over a population that may have millions of rows: its rows, then their items. Neither is ever held as a whole.

Pass one checks the order, looks up leaf hashes and gives the root that is frozen; its rows go into a file (`kit.rowfile`). Pass two sets
each item beside its row, counts, and gives the root over item lines. Rows are taken by column, since a Python object for each cell
would cost more than all else. Leaves out: the queries (`evidence`), the events (`run`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from affiant.assurance.model import Item, Items
from affiant.kit.blocks import Block, Cells, Column, Numbers, Part, Text, in_blocks
from affiant.kit.errors import BadInput
from affiant.kit.rowfile import RowFile
from affiant.proof.errors import Malformed, ProofError
from affiant.proof.hashes import CompactRange, leaf_hashes
from affiant.proof.population import ROW_BYTES, check_order, item_line
from affiant.proof.results import ITEM_RESULTS, Counts

LeavesOf = Callable[[Numbers], bytes]
"""Leaf hashes of entries, by ascending index, one after another."""
See = Callable[[int, Cells, Item], None]
"""Takes a row that is not met: its place among all, its cells, its item."""
DAY_US = 86_400_000_000
_ITEM_COLUMNS = ["idx", "ord", "item", "why"]
_MET = (0, "")
_ROW = np.dtype([("idx", ">u8"), ("leaf", "V32"), ("ord", ">u8")])


def rows_pass(parts: Iterable[Part], leaves_of: LeavesOf) -> tuple[RowFile, bytes]:
    """Take a population's rows, idx and ord first; gives them in a file, and the root over their 48 bytes each.

    Raises:
        Malformed: they are not in strictly ascending order of (idx, ord), or a column has more than one type.
        BadInput: a row names an entry that was not read.
    """
    file, tree = RowFile(), CompactRange()
    last: tuple[int, int] | None = None
    kinds: list[type] = []
    for block in in_blocks(parts):
        kinds = kinds or [type(column) for column in block.columns]
        indexes, ordinals = block.columns[:2]
        if kinds != [type(column) for column in block.columns] or list in kinds:
            raise Malformed("A column gives integers in one row and something else in another.", "Use COALESCE for what may be absent.")
        if not isinstance(indexes, np.ndarray) or not isinstance(ordinals, np.ndarray):
            raise Malformed("A population's idx or ord is text.", "Let both be integers.")
        _check_order(last, indexes, ordinals)
        last = int(indexes[-1]), int(ordinals[-1])
        tree.extend(leaf_hashes(_rows_bytes(indexes, ordinals, leaves_of)))
        file.extend(block)
    return file, tree.root()


def _check_order(last: tuple[int, int] | None, indexes: Numbers, ordinals: Numbers) -> None:
    before, after = indexes[:-1], indexes[1:]
    good = (before < after) | ((before == after) & (ordinals[:-1] < ordinals[1:]))
    if not good.all() or ordinals.min() < 0 or (last is not None and last >= (int(indexes[0]), int(ordinals[0]))):
        check_order([*([last] if last is not None else []), *zip(indexes.tolist(), ordinals.tolist(), strict=True)])


def _rows_bytes(indexes: Numbers, ordinals: Numbers, leaves_of: LeavesOf) -> list[bytes]:
    """The 48 bytes of each row, as `proof.population.row_bytes` gives them."""
    rows = np.empty(len(indexes), _ROW)
    rows["idx"], rows["leaf"], rows["ord"] = indexes, np.frombuffer(leaves_of(indexes), "V32"), ordinals
    found: list[bytes] = rows.view(f"V{ROW_BYTES}").tolist()
    return found


def packed(rows: RowFile, leaves_of: LeavesOf) -> Iterator[bytes]:
    """The 48 bytes of each row, for a draw."""
    for number in range(rows.blocks):
        indexes, ordinals = rows.numbers(number, 0, 1)
        yield from _rows_bytes(indexes, ordinals, leaves_of)


class ItemsPass:
    """Sets items beside the rows of a population.

    Args:
        control: id of the control, for messages.
        columns: of the population, with idx and ord first, and at.
        rows: of the population.
        see: takes rows that are not met.
        most: how many deviations it takes, and as many rows that could not be tested; the first ones.
    """

    def __init__(self, control: str, columns: Sequence[str], rows: RowFile, see: See, most: int) -> None:
        self._control, self._rows, self._see, self._at = control, rows, see, columns.index("at")
        self._left = [0, most, most]
        self._tails: dict[tuple[int, str], bytes] = {}
        self._tree = CompactRange()
        self._file = RowFile()
        self._tallies: list[dict[tuple[int, str], int]] = []
        self._days: dict[int, list[int]] = {}

    def run(self, columns: Sequence[str], parts: Iterable[Part]) -> tuple[Items, Counts, bytes]:
        """Take the items of a procedure; gives them, their counts, and the root over their lines.

        Raises:
            BadInput: it is not one for each row, in order, or an item or reason is none.
        """
        if list(columns) != _ITEM_COLUMNS:
            raise BadInput(f"The procedure of {self._control} gives {', '.join(columns)}.", "Let it give idx, ord, item, why.")
        for number, block in enumerate(in_blocks(parts)):
            self._take(number, block)
        if len(self._file) != len(self._rows):
            raise self._misfit(len(self._file))
        items = Items(self._rows, self._file, tuple(self._tallies), {day: tuple(self._days[day]) for day in sorted(self._days)})
        tally = [sum(count for block in self._tallies for (item, _), count in block.items() if item == wanted) for wanted in (0, 1, 2)]
        return items, Counts(*tally), self._tree.root()

    def _take(self, number: int, block: Block) -> None:
        first = len(self._file)
        indexes, ordinals, items, whys = block.columns
        if number >= self._rows.blocks:
            raise self._misfit(first)
        *keys, at = self._rows.numbers(number, 0, 1, self._at)
        if not _equal(indexes, keys[0]) or not _equal(ordinals, keys[1]):
            raise self._misfit(first)
        odd = self._odd(items, whys)
        tally = Counter(odd.values())
        if len(block) > len(odd):
            tally[_MET] = len(block) - len(odd)
        for item, why in tally.keys() - self._tails.keys():
            self._tails[item, why] = self._tail(item, why)
        tails = [self._tails.get(_MET, b"")] * len(block)
        for place, key in odd.items():
            tails[place] = self._tails[key]
        lines = [b"%d,%d%b" % line for line in zip(keys[0].tolist(), keys[1].tolist(), tails, strict=True)]
        self._tree.extend(leaf_hashes(lines))
        self._file.extend(Block([items, whys]))
        self._tallies.append(dict(tally))
        assert isinstance(items, np.ndarray)
        found, counts = np.unique_counts(at // DAY_US * len(ITEM_RESULTS) + items)
        for code, count in zip(found.tolist(), counts.tolist(), strict=True):
            day, item = divmod(code, len(ITEM_RESULTS))
            self._days.setdefault(day * DAY_US, [0] * len(ITEM_RESULTS))[item] += count
        self._show(number, first, {place: key for place, key in odd.items() if key[0]})

    def _odd(self, items: Column, whys: Column) -> dict[int, tuple[Any, Any]]:
        """Place -> item and reason, where those are not 0 and empty."""
        if isinstance(items, np.ndarray) and isinstance(whys, Text):
            places = np.flatnonzero((items != 0) | (whys.lengths != 0)).tolist()
            return {place: (int(items[place]), whys[place]) for place in places}
        found = enumerate(zip(*(each if isinstance(each, list) else each.tolist() for each in (items, whys)), strict=True))
        return {place: key for place, key in found if type(key[0]) is not int or key != _MET}

    def _tail(self, item: Any, why: Any) -> bytes:
        """What follows index and ordinal in an item's line."""
        if type(item) is not int or item not in (0, 1, 2):
            raise BadInput(f"The procedure of {self._control} gives the item {item}.", "Use 0 met, 1 deviation, 2 could not test.")
        try:
            return item_line(0, 0, item, why)[3:]
        except (ProofError, TypeError) as error:
            raise BadInput(f"The procedure of {self._control} gives the reason {why!r}.", "Use a short code without commas.") from error

    def _show(self, number: int, first: int, odd: dict[int, tuple[int, str]]) -> None:
        shown = []
        for place, (item, _) in odd.items():
            if self._left[item]:
                self._left[item] -= 1
                shown.append(place)
        if shown:
            for place, cells in zip(shown, self._rows.some(number, shown), strict=True):
                self._see(first + place, cells, Item(cells[0], cells[1], *odd[place]))

    def _misfit(self, number: int) -> BadInput:
        return BadInput(
            f"The procedure of {self._control} gives other rows than its population's {len(self._rows)}, from row {number} on.",
            "Let it give one for each population row, in order.",
        )


def _equal(column: Column, known: Numbers) -> bool:
    return isinstance(column, np.ndarray) and np.array_equal(column, known)
