"""What the console needs from the rest of the house, as one value that the roof fills: records, entries, controls.

What control runs found comes through one narrow door said here as a protocol, `Findings`, so that pages can be tested without an
analytic engine; its values are plain. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from affiant.catalog import Catalog
from affiant.guards import Inspection, Role
from affiant.kit.clock import Clock
from affiant.ledger import LedgerReader
from affiant.records import Records
from affiant.records.snapshot import DEFAULT_RISK


class CosignedHead(Protocol):
    """A signed head that a witness cosigned (`affiant.ledger` keeps them)."""

    @property
    def witness(self) -> str:
        """Name of the cosigner."""
        ...

    @property
    def size(self) -> int:
        """Entries that it covers."""
        ...

    @property
    def root(self) -> bytes:
        """Root hash."""
        ...

    @property
    def time_s(self) -> int:
        """The witness's own time, s."""
        ...

    @property
    def note(self) -> bytes:
        """The note with the log's signature and the cosignature."""
        ...


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a population and its item result (0 met, 1 deviation, 2 could not test); `cells` are its other columns."""

    idx: int
    ord: int
    item: int
    why: str
    cells: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Column names and rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | int, ...], ...]


@dataclass(frozen=True, slots=True)
class DueItem:
    """One thing that needs a person.

    Args:
        ref: control it belongs to.
        text: what it is.
        owner: role or person.
        consequence: what happens if nobody acts.
        at_us: when, µs.
        final: whether it cannot be repaired after `at_us`.
        overdue: whether that time is past.
        href: where it is acted on.
    """

    ref: str
    text: str
    owner: str
    consequence: str
    at_us: int
    final: bool = False
    overdue: bool = False
    href: str = ""


@dataclass(frozen=True, slots=True)
class NotShown:
    """One computed limit of the evidence: a figure out of a whole (`whole` 0: no whole), and where its rows are."""

    text: str
    value: int
    whole: int = 0
    href: str = ""


@dataclass(frozen=True, slots=True)
class DayItems:
    """Items of one control on one UTC day."""

    day: int
    met: int
    deviations: int
    could_not_test: int


@dataclass(frozen=True, slots=True)
class RowsOf:
    """Rows of a frozen population with their item results, a page of them.

    Args:
        columns: names of `Item.cells`.
        items: the page asked for.
        total: rows that match the filter.
        unmatched: rows of the reconciliation.
    """

    columns: tuple[str, ...]
    items: tuple[Item, ...]
    total: int
    unmatched: Table


class Findings(Protocol):
    """What runs found. Methods may raise `CouldNotLook`; an answer is never an empty stand-in for that."""

    def days(self, control: str, freeze: str) -> Sequence[DayItems]:
        """Items by UTC day of a run's frozen population; days without items are left out."""
        ...

    def rows(self, freeze: str, item: int | None, why: str, offset: int, limit: int) -> RowsOf:
        """A page of a frozen population's rows with item results. `limit` 0 gives all."""
        ...

    def due(self, now_us: int) -> Sequence[DueItem]:
        """What needs a person, by what becomes unfixable first."""
        ...

    def not_shown(self, from_us: int, to_us: int) -> Sequence[NotShown]:
        """What the evidence of a period does not show."""
        ...


@dataclass(frozen=True, slots=True)
class Trial:
    """A text and the exchange that it is imagined in.

    Args:
        role: who wrote the text; the model's is looked at as an answer.
        policy: id.
        context: what an answer should rest on.
        risk: of the route.
        label: that the route declares.
        tenant: whose exchange it is; "": nobody's in particular.
    """

    text: str = ""
    role: Role = Role.USER
    policy: str = "default"
    context: str = ""
    risk: str = DEFAULT_RISK
    label: str = "internal"
    tenant: str = ""


class GuardBench(Protocol):
    """Guards as people try them."""

    def versions(self) -> Sequence[tuple[str, str]]:
        """(guard, version) of what each works with here."""
        ...

    def policies(self) -> Sequence[str]:
        """Policies in force, by id."""
        ...

    def tenants(self) -> Sequence[str]:
        """Tenants that a key or a policy names."""
        ...

    def inspect(self, trial: Trial) -> Inspection:
        """What guards decide about a text."""
        ...


RunControls = Callable[[str, tuple[str, ...]], Awaitable[Any]]
"""(principal, control ids; empty: all) -> done when every run is an entry."""


@dataclass(frozen=True, slots=True)
class Context:
    """All that the console stands on.

    Args:
        origin: C2SP origin of the ledger; `demo/…` stamps every page.
        clock: wall time.
        records: people, sessions, keys, changes.
        reader: the ledger for reading.
        anchors: cosigned heads that this home keeps, by size.
        catalog: criteria, populations, controls.
        findings: results of control runs, row by row.
        run_controls: runs controls on behalf of a principal.
        index_path: where the derived index lies; ":memory:" where the home cannot be written.
        period: configured (name, from µs, to µs half-open), where one is open.
        secure: whether people reach the console by https.
        home_words: how commands on pages name the home.
        guards: for trying texts; None where this process has none.
    """

    origin: str
    clock: Clock
    records: Records
    reader: LedgerReader
    anchors: Callable[[], Sequence[CosignedHead]]
    catalog: Catalog
    findings: Findings
    run_controls: RunControls
    index_path: Path | str = ":memory:"
    period: tuple[str, int, int] | None = None
    secure: bool = False
    home_words: str = "$AFFIANT_HOME"
    guards: GuardBench | None = None

    @property
    def demo(self) -> bool:
        """Whether this is a demonstration."""
        return self.origin.startswith("demo/")
