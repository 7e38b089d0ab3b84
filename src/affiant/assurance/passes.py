"""Two passes over a population that may have millions of rows: its rows, then their items. Neither is ever held as a whole.

Pass one checks the order, looks up leaf hashes and gives the root that is frozen; its rows go into a file (`kit.rowfile`). Pass two sets
each item beside its row, counts, and gives the root over item lines. Leaves out: the queries (`evidence`), the events (`run`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import lt
from typing import Any

from affiant.assurance.model import Item, Items
from affiant.assurance.tables import Cells
from affiant.kit.errors import BadInput
from affiant.kit.rowfile import RowFile, in_blocks
from affiant.proof.errors import Malformed, ProofError
from affiant.proof.hashes import CompactRange, leaf_hashes
from affiant.proof.population import check_order, item_line, rows_bytes
from affiant.proof.results import ITEM_RESULTS, Counts

LeavesOf = Callable[[Sequence[int]], list[bytes]]
"""Leaf hashes of entries, by ascending index."""
See = Callable[[int, Cells, Item], None]
"""Takes a row that is not met: its place among all, its cells, its item."""
DAY_US = 86_400_000_000
_ITEM_COLUMNS = ["idx", "ord", "item", "why"]


def rows_pass(parts: Iterable[Sequence[Cells]], leaves_of: LeavesOf) -> tuple[RowFile, bytes]:
    """Take a population's rows, idx and ord first; gives them in a file, and the root over their 48 bytes each.

    Raises:
        Malformed: they are not in strictly ascending order of (idx, ord), or a column has more than one type.
        BadInput: a row names an entry that was not read.
    """
    file, tree = RowFile(), CompactRange()
    last: list[tuple[int, int]] = []
    kinds: list[set[type]] = []
    for rows in in_blocks(parts):
        columns = list(zip(*rows, strict=True))
        kinds = kinds or [{type(cell)} for cell in rows[0]]
        if any(set(map(type, column)) != kind for column, kind in zip(columns, kinds, strict=True)):
            raise Malformed("A column gives integers in one row and something else in another.", "Use COALESCE for what may be absent.")
        keys = [*last, *zip(columns[0], columns[1], strict=True)]
        if not all(map(lt, keys, keys[1:])) or min(columns[1]) < 0:
            check_order(keys)
        last = keys[-1:]
        tree.extend(leaf_hashes(rows_bytes(columns[0], leaves_of(columns[0]), columns[1])))
        file.extend(rows)
    return file, tree.root()


def packed(rows: RowFile, leaves_of: LeavesOf) -> Iterator[bytes]:
    """The 48 bytes of each row, for a draw."""
    for number in range(rows.blocks):
        indexes, ordinals = rows.columns(number)[:2]
        yield from rows_bytes(indexes, leaves_of(indexes), ordinals)


class ItemsPass:
    """Sets items beside the rows of a population.

    Args:
        control: id of the control, for messages.
        columns: of the population, with idx and ord first, and at.
        rows: of the population.
        see: takes rows that are not met.
    """

    def __init__(self, control: str, columns: Sequence[str], rows: RowFile, see: See) -> None:
        self._control, self._rows, self._see, self._at = control, rows, see, columns.index("at")
        self._tails: dict[tuple[int, str], bytes] = {}
        self._tree = CompactRange()
        self._file = RowFile()
        self._tallies: list[dict[tuple[int, str], int]] = []
        self._days: dict[int, list[int]] = {}

    def run(self, columns: Sequence[str], parts: Iterable[Sequence[Cells]]) -> tuple[Items, Counts, bytes]:
        """Take the items of a procedure; gives them, their counts, and the root over their lines.

        Raises:
            BadInput: it is not one for each row, in order, or an item or reason is none.
        """
        if list(columns) != _ITEM_COLUMNS:
            raise BadInput(f"The procedure of {self._control} gives {', '.join(columns)}.", "Let it give idx, ord, item, why.")
        for number, rows in enumerate(in_blocks(parts)):
            self._take(number, rows)
        if len(self._file) != len(self._rows):
            raise self._misfit(len(self._file))
        items = Items(self._rows, self._file, tuple(self._tallies), {day: tuple(self._days[day]) for day in sorted(self._days)})
        tally = [sum(count for block in self._tallies for (item, _), count in block.items() if item == wanted) for wanted in (0, 1, 2)]
        return items, Counts(*tally), self._tree.root()

    def _take(self, number: int, rows: Sequence[Cells]) -> None:
        indexes, ordinals, items, whys = zip(*rows, strict=True)
        beside = self._rows.columns(number) if number < self._rows.blocks else [[], []]
        if list(indexes) != beside[0] or list(ordinals) != beside[1]:
            raise self._misfit(len(self._file))
        found = list(zip(items, whys, strict=True))
        tally = Counter(found)
        for item, why in tally.keys() - self._tails.keys():
            self._tails[item, why] = self._tail(item, why)
        tails = self._tails
        lines = [b"%d,%d%b" % (idx, ord_, tails[key]) for idx, ord_, key in zip(indexes, ordinals, found, strict=True)]
        self._tree.extend(leaf_hashes(lines))
        self._file.extend(found)
        self._tallies.append(dict(tally))
        for (day, item), count in Counter(zip([at // DAY_US for at in beside[self._at]], items, strict=True)).items():
            self._days.setdefault(day * DAY_US, [0] * len(ITEM_RESULTS))[item] += count
        if any(item for item, _ in tally):
            self._show(len(self._file) - len(rows), beside, rows)

    def _tail(self, item: Any, why: Any) -> bytes:
        """What follows index and ordinal in an item's line."""
        if type(item) is not int or item not in (0, 1, 2):
            raise BadInput(f"The procedure of {self._control} gives the item {item}.", "Use 0 met, 1 deviation, 2 could not test.")
        try:
            return item_line(0, 0, item, why)[3:]
        except (ProofError, TypeError) as error:
            raise BadInput(f"The procedure of {self._control} gives the reason {why!r}.", "Use a short code without commas.") from error

    def _show(self, first: int, beside: list[list[Any]], rows: Sequence[Cells]) -> None:
        for place, row in enumerate(rows):
            if row[2]:
                self._see(first + place, tuple(column[place] for column in beside), Item(*row))

    def _misfit(self, number: int) -> BadInput:
        return BadInput(
            f"The procedure of {self._control} gives other rows than its population's {len(self._rows)}, from row {number} on.",
            "Let it give one for each population row, in order.",
        )
