"""Evidence in SQL: the entries that a control run may read, as tables of one engine.

The rows are made by the verifier's own code (`proof.views`, `proof.expected`, `proof.pledges`), so that what the product sees and what
an outsider recomputes cannot differ in the making. Leaves out: queries and results (`run`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from affiant.assurance.period import Period
from affiant.assurance.tables import Cells, Tables, open_tables
from affiant.catalog import LIBRARY
from affiant.kit.errors import BadInput, CouldNotLook, LedgerFault
from affiant.proof.errors import ProofError
from affiant.proof.expected import Adoptions
from affiant.proof.hashes import leaf_hash
from affiant.proof.pledges import Pledges
from affiant.proof.rebuild import Producers
from affiant.proof.views import Views

_HASH = 32


class Reader(Protocol):
    """What evidence needs of a ledger (`ledger.LedgerReader` has it)."""

    @property
    def size(self) -> int:
        """Number of entries."""
        ...

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """Stored bytes of [start, stop)."""
        ...


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

    Args:
        reader: of the ledger.
        end_size: entries with a lower index are read; all by default.
        engine: `duckdb` or `sqlite`.
        view_from: first entry that is read: the `period.opened` of the period, or 0 (see `opening_of`).
        views: bytes of views.json; the shipped ones by default.

    Raises:
        LedgerFault: an entry is no envelope, or has a field of another type than its view says.
        BadInput: the range is none.
    """

    def __init__(
        self, reader: Reader, end_size: int | None = None, engine: str = "duckdb", view_from: int = 0, views: bytes | None = None
    ) -> None:
        size = reader.size
        end = size if end_size is None else end_size
        if not 0 <= view_from <= end <= size:
            raise BadInput(f"There are no entries {view_from} to {end}; the ledger has {size}.", "Ask for fewer.")
        self.engine = engine
        self.view_from = view_from
        self.end_size = view_from
        self.first_at_us = 0
        self.last_at_us = 0
        self.sequence_fault = ""
        self.counts: dict[str, int] = {}
        self._views = Views.parse((LIBRARY / "views.json").read_bytes() if views is None else views)
        self._adoptions, self._pledges = Adoptions(), Pledges()
        self._adopted: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
        self._producers = Producers(view_from == 0)
        self._leaves = bytearray()
        self._tables: Tables = open_tables(engine, self._views)
        self._prepared: tuple[int, int, int] = (0, 0, 0)
        try:
            self.extend(reader, end)
        except BaseException:
            self.close()
            raise

    def extend(self, reader: Reader, end_size: int) -> None:
        """Read on to a later end.

        Raises:
            LedgerFault: as the constructor.
        """
        decode = msgspec.json.Decoder().decode
        index = self.end_size
        try:
            for index, data in enumerate(reader.entries(self.end_size, end_size), self.end_size):
                self._take(index, data, decode(data))
        except (ProofError, msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
            raise LedgerFault(f"Entry {index} cannot be read: {error}", "Run `affiant ledger verify`.") from error
        self._tables.flush()
        self._tables.replace("pledge", self._pledges.rows())
        self.end_size = max(end_size, self.end_size)
        self._prepared = (0, 0, 0)

    def _take(self, index: int, data: bytes, envelope: Any) -> None:
        self._leaves += leaf_hash(data)
        kind = envelope["type"]
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.first_at_us = self.first_at_us or envelope["at"]
        self.last_at_us = max(self.last_at_us, envelope["at"])
        if not self.sequence_fault:
            try:
                self._producers.add(index, envelope)
            except ProofError as error:
                self.sequence_fault = error.message
        for view, row in self._views.rows(index, envelope):
            self._tables.add(view, row)
        self._adoptions.add(index, envelope)
        self._pledges.add(index, envelope)
        if kind == "control.adopted":
            self._adopted.setdefault(envelope.get("ref", ""), []).append((index, envelope.get("body", {})))
        elif kind == "state.carried" and envelope["body"].get("of") == "control.adopted":
            self._adopted.setdefault(envelope.get("ref", ""), []).append((index, envelope["body"].get("body", {})))

    def prepare(self, period: Period) -> None:
        """Compute the expected occurrences of a period; queries read those of the last one prepared."""
        wanted = (period.from_us, period.to_us, self.end_size)
        if self._prepared != wanted:
            self._tables.replace("expected", self._adoptions.rows(period.from_us, period.to_us))
            self._prepared = wanted

    def query(self, text: str, params: Mapping[str, int], pop: bool = False) -> tuple[list[str], list[Cells]]:
        """Column names and rows of a query inside the grammar.

        Raises:
            BadInput: it lies outside, names what is not there, or gives something else than integers and text.
        """
        return self._tables.query(text, params, pop)

    def set_population(self, columns: Sequence[str], rows: list[Cells]) -> None:
        """Make the table `pop` for procedures."""
        self._tables.set_population(columns, rows)

    def leaf(self, index: int) -> bytes:
        """Leaf hash of an entry.

        Raises:
            BadInput: it was not read.
        """
        at = (index - self.view_from) * _HASH
        if not self.view_from <= index < self.end_size:
            raise BadInput(f"A row names the entry {index}, which was not read.", "Correct the population's query.")
        return bytes(self._leaves[at : at + _HASH])

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
