"""Evidence in SQL: the entries that a control run may read, as tables of one engine.

The rows are made by the verifier's own code (`proof.views`, `proof.expected`, `proof.pledges`), so that what the product sees and what
an outsider recomputes cannot differ in the making. Leaves out: queries and results (`run`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from affiant.assurance.columns import ColumnTables
from affiant.assurance.elsewhere import Answer, Columnwise, Elsewhere, Rowwise
from affiant.assurance.leaves import Leaves, Reader
from affiant.assurance.period import Period
from affiant.assurance.tables import SqliteTables
from affiant.assurance.weigh import Weighed
from affiant.catalog import LIBRARY
from affiant.kit.blocks import Cells, Numbers
from affiant.kit.errors import BadInput, CouldNotLook, LedgerFault
from affiant.ledger import LedgerReader
from affiant.ledger.columnar.convert import Summary
from affiant.ledger.columnar.store import DUE_AT, ColumnStore
from affiant.proof.errors import ProofError
from affiant.proof.expected import Adoptions
from affiant.proof.pledges import Pledges
from affiant.proof.producers import Producers
from affiant.proof.views import Views

_OPENINGS = frozenset({"exchange.opened", "exchange.refused"})
_decode = msgspec.json.Decoder().decode


class Listed:
    """A ledger given as a list of stored bytes; for tests and tools."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self._entries = entries

    @property
    def size(self) -> int:
        return len(self._entries)

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        return iter(self._entries[start:stop])


class Evidence:
    """Tables over the entries [view_from, end_size). Use as a context manager, or call `close`.

    With DuckDB and Spark, closed days of a home's ledger are read as Parquet (made first where enough of it is due), the rest as it lies.

    Args:
        reader: of the ledger.
        end_size: entries with a lower index are read; all by default.
        engine: `duckdb`, `sqlite`, or one that is reached over a connection.
        view_from: first entry that is read: the `period.opened` of the period, or 0 (see `opening_of`).
        views: bytes of views.json; the shipped ones by default.
        due_at: entries of closed days that must wait before they are made into Parquet here.

    Raises:
        LedgerFault: an entry is no envelope, has a field of another type than its view says, or is not the one in the tree.
        BadInput: the range is none, or there is no such engine.
        CouldNotLook: the engine cannot be reached, or its client is not installed.
    """

    def __init__(
        self, reader: Reader, end_size: int | None = None, engine: str | Elsewhere = "duckdb", view_from: int = 0,
        views: bytes | None = None, due_at: int = DUE_AT,
    ) -> None:  # fmt: skip
        size = reader.size
        end = size if end_size is None else end_size
        if not 0 <= view_from <= end <= size:
            raise BadInput(f"There are no entries {view_from} to {end}; the ledger has {size}.", "Ask for fewer.")
        self.engine = engine.kind if isinstance(engine, Elsewhere) else engine
        if isinstance(engine, str) and engine not in ("duckdb", "sqlite"):
            raise BadInput(f"There is no engine {engine!r}.", "Use duckdb or sqlite, or say where another one is.")
        self.view_from = view_from
        self.end_size = view_from
        self.first_at_us = 0
        self.last_at_us = 0
        self.sequence_fault = ""
        self.counts: dict[str, int] = {}
        views = (LIBRARY / "views.json").read_bytes() if views is None else views
        self._adoptions, self._pledges = Adoptions(), Pledges()
        self._adopted: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
        self._producers = Producers(view_from == 0)
        self._leaves = Leaves(reader)
        columnar = self.engine in ("duckdb", "spark")
        self._store = ColumnStore(reader, views) if columnar and isinstance(reader, LedgerReader) else None
        self._due_at = due_at
        self._columns = _columnwise(engine, views, self._store) if columnar else None
        self._rows = None if columnar else _rowwise(engine, views)
        self._prepared: tuple[int, int, int] = (0, 0, 0)
        try:
            self.extend(reader, end)
        except BaseException:
            self.close()
            raise

    @property
    def _tables(self) -> Columnwise | Rowwise:
        tables = self._columns or self._rows
        assert tables is not None
        return tables

    def extend(self, reader: Reader, end_size: int) -> None:
        """Read on to a later end.

        Raises:
            LedgerFault: as the constructor.
        """
        if self._columns is not None:
            self._by_columns(self._columns, reader, end_size)
        else:
            self._one_by_one(reader, end_size)
        self._tables.replace("pledge", self._pledges.rows())
        self.end_size = max(end_size, self.end_size)
        self._prepared = (0, 0, 0)

    def _by_columns(self, tables: Columnwise, reader: Reader, end: int) -> None:
        """Whole partitions in place, what lies before and behind them loaded."""
        start, partitions = self.end_size, []
        if self._store is not None and not self.counts:
            self._store.catch_up(self._due_at)
            partitions = [each for each in self._store.partitions if start <= each.start and each.stop <= end]
        if partitions:
            self._load(tables, reader, start, partitions[0].start)
            tables.use(partitions)
            for each in partitions:
                self._absorb(reader, each.summary)
            start = partitions[-1].stop
        self._load(tables, reader, start, end)

    def _load(self, tables: Columnwise, reader: Reader, start: int, stop: int) -> None:
        if start < stop:
            self._absorb(reader, tables.load(self._leaves.hashed(reader.entries(start, stop), start), start))

    def _absorb(self, reader: Reader, summary: Summary) -> None:
        """Take notice of what a run of entries says beside rows."""
        for kind, count in summary.counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + count
        self.first_at_us = self.first_at_us or summary.first_at
        self.last_at_us = max(self.last_at_us, summary.last_at)
        if not self.sequence_fault:
            try:
                self._producers.join(summary.producers)
                self.sequence_fault = summary.fault
            except ProofError as error:
                self.sequence_fault = error.message
        kept = list(summary.kept)
        for name in summary.missing:
            kept += [(index, data) for index, data in _about(reader, name) if self.view_from <= index < summary.start]
        for index, data in sorted(kept):
            self._keep(index, _decode(data))

    def _keep(self, index: int, envelope: Any) -> None:
        kind = envelope["type"]
        self._adoptions.add(index, envelope)
        self._pledges.add(index, envelope)
        if kind == "control.adopted":
            self._adopted.setdefault(envelope.get("ref", ""), []).append((index, envelope.get("body", {})))
        elif kind == "state.carried" and envelope["body"].get("of") == "control.adopted":
            self._adopted.setdefault(envelope.get("ref", ""), []).append((index, envelope["body"].get("body", {})))

    def _one_by_one(self, reader: Reader, end_size: int) -> None:
        index, rows = self.end_size, self._rows
        assert rows is not None
        try:
            entries = self._leaves.hashed(reader.entries(self.end_size, end_size), self.end_size)
            for index, data in enumerate(entries, self.end_size):
                envelope = _decode(data)
                kind = envelope["type"]
                self.counts[kind] = self.counts.get(kind, 0) + 1
                self.first_at_us = self.first_at_us or envelope["at"]
                self.last_at_us = max(self.last_at_us, envelope["at"])
                if not self.sequence_fault:
                    try:
                        self._producers.add(index, envelope)
                    except ProofError as error:
                        self.sequence_fault = error.message
                for view, row in rows.views.rows(index, envelope):
                    rows.add(view, row)
                self._keep(index, envelope)
        except (ProofError, msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
            raise LedgerFault(f"Entry {index} cannot be read: {error}", "Run `affiant ledger verify`.") from error
        rows.flush()

    def prepare(self, period: Period) -> None:
        """Compute the expected occurrences of a period; queries read those of the last one prepared."""
        wanted = (period.from_us, period.to_us, self.end_size)
        if self._prepared != wanted:
            self._tables.replace("expected", self._adoptions.rows(period.from_us, period.to_us))
            self._prepared = wanted

    def query(self, text: str, params: Mapping[str, int]) -> tuple[list[str], list[Cells]]:
        """Column names and rows of a query inside the grammar.

        Raises:
            BadInput: it lies outside, names what is not there, or gives something else than integers and text.
        """
        return self._tables.query(text, params)

    def populate(self, text: str, params: Mapping[str, int]) -> Answer:
        """A population's query: its rows come in parts, and when the last was taken they are the table `pop` for `judge`.

        Raises (the parts too):
            BadInput: as `query`.
            CouldNotLook: the engine gives more rows than it may hold, or has no room.
        """
        return self._tables.populate(text, params)

    def judge(self, text: str, params: Mapping[str, int]) -> Answer:
        """A procedure's query over `pop` and the views: its rows come in parts. Raises as `populate`."""
        return self._tables.judge(text, params)

    def leaves(self, indexes: Numbers) -> bytes:
        """Leaf hashes of entries, by ascending index, one after another.

        Raises:
            BadInput: one was not read.
        """
        for index in (*indexes[:1].tolist(), *indexes[-1:].tolist()):
            if not self.view_from <= index < self.end_size:
                raise BadInput(f"A row names the entry {index}, which was not read.", "Correct the population's query.")
        return self._leaves.of(indexes)

    def weigh(self, population: str, procedure: str, params: Mapping[str, int], most: int = 10_000) -> Weighed:
        """What a population's rows come to under a procedure, without taking the rows out: for years of traffic.

        Args:
            most: rows that are not met and are given one by one.

        Raises:
            CouldNotLook: the engine is not DuckDB.
            BadInput: as `query`.
        """
        if not isinstance(self._columns, ColumnTables):
            raise CouldNotLook("Only DuckDB weighs a population without its rows.", "Use the engine duckdb.")
        return self._columns.weigh(population, procedure, params, most)

    def adopted(self, control: str) -> tuple[int, Mapping[str, Any]] | None:
        """(index, body) of the entry that put the newest version of a control into force; None where none did."""
        found = self._adopted.get(control)
        return found[-1] if found else None

    def adoptions(self, control: str) -> list[tuple[int, Mapping[str, Any]]]:
        """All such entries, ascending."""
        return list(self._adopted.get(control, ()))

    def is_adoption(self, index: int) -> bool:
        """Whether an entry put a control version into force, so that a row on it stands for an expected occurrence."""
        return any(index == known for versions in self._adopted.values() for known, _ in versions)

    def close(self) -> None:
        """Let go of the tables."""
        self._tables.close()

    def __enter__(self) -> Evidence:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _columnwise(engine: str | Elsewhere, views: bytes, store: ColumnStore | None) -> Columnwise:
    if not isinstance(engine, Elsewhere):
        return ColumnTables(views, store)
    # Clients of other engines are extras: imported only by those who ask for them.
    from affiant.assurance.spark import SparkTables

    return SparkTables(views, store, engine)


def _rowwise(engine: str | Elsewhere, views: bytes) -> Rowwise:
    if not isinstance(engine, Elsewhere):
        return SqliteTables(Views.parse(views))
    from affiant.assurance.postgres import PostgresTables

    return PostgresTables(Views.parse(views), engine.url())


def _about(reader: Reader, ref: str) -> list[tuple[int, bytes]]:
    """(index, entry) of the openings of an exchange, wherever they are."""
    if isinstance(reader, LedgerReader):
        found = [(index, reader.entry(index)) for index in reader.find(ref)]
    else:
        found = [(index, data) for index, data in enumerate(reader.entries(0, reader.size)) if ref.encode() in data]
    return [(index, data) for index, data in found if (e := _decode(data))["type"] in _OPENINGS and e.get("ref") == ref]


class Head(Protocol):
    """A signed head, as `ledger.SignedHead`; `at_us` is 0 where its time is not kept."""

    @property
    def at_us(self) -> int:
        """When it was signed, µs."""
        ...

    @property
    def size(self) -> int:
        """Tree size."""
        ...


class Headed(Protocol):
    """What `size_as_of` needs of a ledger."""

    def checkpoints(self) -> Sequence[Head]:
        """Kept heads, oldest first."""
        ...

    def event(self, index: int) -> Any:
        """One entry, decoded."""
        ...


def size_as_of(reader: Headed, at_us: int) -> int:
    """Size of the last checkpoint before an instant: what `--as-of` reads.

    Raises:
        CouldNotLook: no checkpoint was kept from before.
    """
    for head in reversed(reader.checkpoints()):
        if head.size and (head.at_us or reader.event(head.size - 1).at_us) < at_us:
            return head.size
    raise CouldNotLook("No checkpoint was kept from before that instant.", "Choose a later one.")


class Dated(Protocol):
    """What `opening_of` needs of a ledger."""

    def of_types(self, *types: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Any]]:
        """(index, event) of these types."""
        ...


def opening_of(reader: Dated, from_us: int) -> int:
    """Index of the last `period.opened` written at or before `from_us` that opens no later; 0 where there is none.

    A package begins there too, so that a run and its recalculation read the same entries.
    """
    found = 0
    for index, event in reader.of_types("period.opened"):
        if event.at_us <= from_us and event.body.get("from", 0) <= from_us:
            found = index
    return found
