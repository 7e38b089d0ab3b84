"""What recorded runs found, row by row, for pages: recalculated from the entries that the run read, never stored twice.

Keeps the last few recalculations in memory. Leaves out: pages, and who may see them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from affiant.assurance.due import DueItem, due
from affiant.assurance.evidence import Evidence, Reader, opening_of
from affiant.assurance.model import ControlRun, Day, Item, occurrences
from affiant.assurance.notshown import NotShown, not_shown
from affiant.assurance.period import Period
from affiant.assurance.run import run_control
from affiant.assurance.tables import Cells
from affiant.assurance.words import why_text
from affiant.catalog import Catalog
from affiant.kit.errors import CouldNotLook, NotFound

KEPT_RUNS = 16


class Ledger(Reader, Protocol):
    """What findings need of a ledger (`ledger.LedgerReader` has it)."""

    def of_types(self, *types: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Any]]:
        """(index, event) of these types."""
        ...


@dataclass(frozen=True, slots=True)
class RowItem:
    """A population row with its item: `cells` are the columns behind idx and ord, `text` the reason in words."""

    item: Item
    cells: Cells
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a frozen population.

    Args:
        columns: names of `RowItem.cells`.
        rows: those asked for.
        total: rows that match the filter.
        run: the recalculated run.
    """

    columns: tuple[str, ...]
    rows: tuple[RowItem, ...]
    total: int
    run: ControlRun


class Findings:
    """Recalculates recorded runs on demand. For one thread. Use as a context manager, or call `close`.

    Args:
        reader: of the ledger.
        catalog: whose control versions must be those that were run.
        engine: `duckdb` or `sqlite`.
    """

    def __init__(self, reader: Ledger, catalog: Catalog, engine: str = "duckdb") -> None:
        self._reader, self._catalog, self._engine = reader, catalog, engine
        self._runs: OrderedDict[str, ControlRun] = OrderedDict()
        self._evidence: tuple[int, Evidence] | None = None

    def run_of(self, freeze: str) -> ControlRun:
        """The run that froze a population, recalculated.

        Raises:
            NotFound: there is no such freeze.
            CouldNotLook: the catalog no longer holds what was run, or the population comes out otherwise than it was frozen.
        """
        known = self._runs.get(freeze)
        if known is not None:
            self._runs.move_to_end(freeze)
            return known
        event = next((event for _, event in self._reader.of_types("population.frozen") if event.ref == freeze), None)
        if event is None:
            raise NotFound(f"There is no frozen population {freeze}.", "Choose one from the list of populations.")
        body = event.body
        control = self._catalog.controls.get(body["control"])
        if control is None or control.population is None or control.population.query_sha != body["query"]:
            raise CouldNotLook(f"The catalog no longer holds the query of {freeze}.", "See the version that was run in HOME/files/.")
        period = Period(body["from"], body["to"])
        evidence = self._over(opening_of(self._reader, period.from_us), body["end_size"])
        run = run_control(evidence, control, period, sampled=False)
        if run.frozen is None or run.frozen.root != body["root"]:
            raise CouldNotLook(f"The population {freeze} comes out otherwise than it was frozen.", "Run `affiant ledger verify`.")
        self._runs[freeze] = run
        if len(self._runs) > KEPT_RUNS:
            self._runs.popitem(last=False)
        return run

    def days(self, control: str, freeze: str) -> Sequence[Day]:
        """Items by UTC day; every day of the period is there."""
        run = self.run_of(freeze)
        if run.control.id != control:
            raise NotFound(f"{freeze} was not frozen for {control}.", "Choose one of its own.")
        return occurrences(run)

    def rows(self, freeze: str, item: int | None = None, why: str = "", offset: int = 0, limit: int = 0) -> Page:
        """A page of a frozen population's rows.

        Args:
            item: only rows with that item result.
            why: only rows with that short code.
            offset: rows to pass over.
            limit: rows to give; 0 for all.
        """
        run = self.run_of(freeze)
        assert run.frozen is not None
        columns = run.frozen.columns
        matching = [number for number, found in enumerate(run.items) if item in (None, found.item) and why in ("", found.why)]
        chosen = matching[offset : offset + limit] if limit else matching[offset:]
        rows = []
        for number in chosen:
            found, cells = run.items[number], run.frozen.rows[number]
            text = why_text(run.control, found.why, dict(zip(columns, cells, strict=True))) if found.why else ""
            rows.append(RowItem(found, cells[2:], text))
        return Page(columns[2:], tuple(rows), len(matching), run)

    def due(self, now_us: int, period: Period | None = None) -> list[DueItem]:
        """What needs a person, by what becomes unfixable first."""
        return due(self._over(0, self._reader.size), self._catalog, now_us, period)

    def not_shown(self, from_us: int, to_us: int) -> list[NotShown]:
        """What the evidence of a period does not show."""
        evidence = self._over(opening_of(self._reader, from_us), self._reader.size)
        return not_shown(evidence, self._catalog, Period(from_us, to_us))

    def _over(self, view_from: int, end_size: int) -> Evidence:
        """Evidence over a range; the last one is kept, and read on where that gives the same."""
        if self._evidence is not None:
            kept_from, evidence = self._evidence
            if kept_from == view_from and evidence.end_size <= end_size:
                if evidence.end_size < end_size:
                    evidence.extend(self._reader, end_size)
                return evidence
            evidence.close()
            self._evidence = None
        evidence = Evidence(self._reader, end_size, self._engine, view_from, self._catalog.views)
        self._evidence = (view_from, evidence)
        return evidence

    def close(self) -> None:
        """Let go of tables."""
        if self._evidence is not None:
            self._evidence[1].close()
            self._evidence = None

    def __enter__(self) -> Findings:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
