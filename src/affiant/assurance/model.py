"""What a control run gives: population, items, deviations, sample, result. Frozen values.

Leaves out: how they come about (`run`), and their words for people (`words`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from affiant.assurance.period import Period
from affiant.catalog import Control
from affiant.kit.blocks import Cells
from affiant.kit.rowfile import RowFile
from affiant.ledger import Draft
from affiant.proof.results import Counts

SEED_KINDS = ("management-chosen", "auditor-chosen", "witness")


@dataclass(frozen=True, slots=True)
class Seed:
    """What orders a draw.

    Args:
        text: its UTF-8 bytes are the seed.
        kind: one of `SEED_KINDS`.
    """

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Frozen:
    """A frozen population.

    Args:
        id: freeze id; "" where the run was not recorded.
        columns: of the population's query.
        rows: in order; they lie in a file that goes away with them.
        root: hex RFC 9162 root over the rows' 48 bytes.
        unmatched_columns: of the reconciliation.
        unmatched: its rows, shown beside and never folded in.
        unmatched_root: hex.
        boundary: sentences on what is in it and what is not.
    """

    id: str
    columns: tuple[str, ...]
    rows: RowFile
    root: str
    unmatched_columns: tuple[str, ...]
    unmatched: tuple[Cells, ...]
    unmatched_root: str
    boundary: tuple[str, ...]

    def at_us(self, number: int) -> int:
        """Time of a row, by its place."""
        return int(self.rows[number][self.columns.index("at")])


@dataclass(frozen=True, slots=True)
class Item:
    """Result of one row: 0 met, 1 deviation, 2 could not test; `why` is a short code, "" where met."""

    idx: int
    ord: int
    item: int
    why: str


class Items(Sequence[Item]):
    """Item of each row of a population, in order; they lie in a file, as the rows do.

    Args:
        rows: of the population.
        judged: (item, why) of each.
        tallies: (item, why) -> count, of each block of `judged`.
        days: first instant of a UTC day, µs -> items met, deviating, that could not be tested; days without an item are left out.
    """

    def __init__(
        self, rows: RowFile, judged: RowFile, tallies: tuple[Mapping[tuple[int, str], int], ...], days: Mapping[int, tuple[int, ...]]
    ) -> None:
        self._rows, self.judged, self.tallies, self.days = rows, judged, tallies, days

    def __len__(self) -> int:
        return len(self.judged)

    def __iter__(self) -> Iterator[Item]:
        for number in range(self.judged.blocks):
            for cells in zip(*self._rows.columns(number)[:2], *self.judged.columns(number), strict=True):
                yield Item(*cells)

    @overload
    def __getitem__(self, at: int) -> Item: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[Item, ...]: ...

    def __getitem__(self, at: int | slice) -> Item | tuple[Item, ...]:
        if isinstance(at, slice):
            return tuple(self[number] for number in range(*at.indices(len(self))))
        idx, ord_, *_ = self._rows[at]
        return Item(idx, ord_, *self.judged[at])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Items):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Finding:
    """A row that is not met, in words.

    Args:
        row: its place in the population, from 0.
        index: of the entry that it is about; None for an expected occurrence that nothing shows.
        ord: ordinal of the row.
        at_us: when.
        code: short code.
        why: a sentence.
    """

    row: int
    index: int | None
    ord: int
    at_us: int
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of a frozen population; `rows` are (idx, ord) in the order of the draw."""

    id: str
    seed: Seed
    n: int
    rows: tuple[tuple[int, int], ...]
    note: str


@dataclass(frozen=True, slots=True)
class Day:
    """Items of one UTC day (`day_us` is its first instant)."""

    day_us: int
    met: int = 0
    deviations: int = 0
    could_not_test: int = 0


@dataclass(frozen=True)
class ControlRun:
    """One run of one control version over one period.

    Args:
        id: run id; "" where it was not recorded.
        control: the version that was run.
        period: what it speaks about.
        view_from: first entry read.
        end_size: entries with a lower index were read.
        result: one of `proof.results.CONTROL_RESULTS`.
        frozen: its population; None where there is none.
        items: one for each row.
        counts: of items.
        deviations: rows with item 1, of many the first; `counts` has all.
        untested: rows with item 2, likewise.
        sample: drawn rows; None where none was drawn.
        drafts: events of the run, in order, as they were (or would be) appended.
        notes: what a reader must know beside the result.
        recorded: whether the drafts were appended.
    """

    id: str
    control: Control
    period: Period
    view_from: int
    end_size: int
    result: str
    frozen: Frozen | None = None
    items: Sequence[Item] = ()
    counts: Counts = field(default_factory=lambda: Counts(0, 0, 0))
    deviations: tuple[Finding, ...] = ()
    untested: tuple[Finding, ...] = ()
    sample: Sample | None = None
    drafts: tuple[Draft, ...] = ()
    notes: tuple[str, ...] = ()
    recorded: bool = False


def run_line(run: ControlRun) -> dict[str, object]:
    """One line of `affiant control run` (interfaces: stable).

    `row` is the deviation's place in the population, from 0, in its order by idx and ord; `index` the entry that it is about.
    """
    return {
        "control": run.control.id,
        "version": run.control.version,
        "result": run.result,
        "population": {"rows": len(run.frozen.rows) if run.frozen else 0, "root": run.frozen.root if run.frozen else ""},
        "deviations": [{"row": found.row, "index": found.index, "why": found.why} for found in run.deviations],
        "met": run.counts.met,
        "could_not_test": run.counts.could_not_test,
        "unmatched": len(run.frozen.unmatched) if run.frozen else 0,
        "end_size": run.end_size,
        "notes": list(run.notes),
    }


def occurrences(run: ControlRun) -> list[Day]:
    """Items by UTC day for each day of the period; days without an item are there with zeros."""
    counts: dict[int, tuple[int, ...]] = dict.fromkeys(run.period.days(), (0, 0, 0))
    if isinstance(run.items, Items):
        counts.update(run.items.days)
    return [Day(day, *tally) for day, tally in sorted(counts.items())]
