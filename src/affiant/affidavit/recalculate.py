"""Recomputing every control of a package from the home's own entries, and keeping what its files and pages show.

Uses the verifier's code (`proof.scan`, `proof.recompute`); rows stream to files in a folder and are never held as a whole.
Leaves out: writing the package (`build`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

from affiant.affidavit.gather import Scope
from affiant.affidavit.placing import Placed, place_rows
from affiant.catalog import Catalog
from affiant.kit.errors import LedgerFault, NotFound
from affiant.kit.home import Home, open_home
from affiant.ledger import LedgerReader
from affiant.ledger.opening import close_reader, open_reader
from affiant.proof import grammar
from affiant.proof.errors import CouldNotLook
from affiant.proof.hashes import CompactRange
from affiant.proof.rebuild import Filler, Leaves, Range, check_roots, join
from affiant.proof.recompute import Definition, Outcome, Recomputation, Recorded
from affiant.proof.recorded import find_recorded
from affiant.proof.scan import Bundles, Job, Source, scan
from affiant.proof.side import Shared, max_steps, opened, recompute_all
from affiant.proof.tables import Digest
from affiant.proof.tiles import TILE_WIDTH
from affiant.proof.views import SqliteEvidence

DAY_US = 86_400_000_000
ROWS_SHOWN = 40
NOTED_SHOWN = 200
Row = tuple[Any, ...]


@dataclass(frozen=True)
class HomeSource(Source):
    """Entries of a home, for processes that open it themselves."""

    root: Path
    start: int
    end: int

    def open(self) -> HomeBundles:
        return HomeBundles(self)


class HomeBundles(Bundles):
    """An open home."""

    def __init__(self, source: HomeSource) -> None:
        self._source, self._reader = source, open_reader(open_home(source.root))

    def bundle(self, number: int) -> list[bytes]:
        first = self._source.start + number * TILE_WIDTH
        try:
            return list(self._reader.entries(first, min(first + TILE_WIDTH, self._source.end)))
        except LedgerFault as error:
            raise CouldNotLook(error.message, error.next_step) from error

    def close(self) -> None:
        close_reader(self._reader)


class _Kept(Digest):
    """A result file that is written to disk besides being hashed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file: BinaryIO = open(path, "wb")  # noqa: SIM115 - closed by close()

    def write(self, data: bytes) -> None:
        super().write(data)
        self._file.write(data)

    def close(self) -> None:
        self._file.close()


@dataclass
class Look:
    """What a page shows of a population: its first rows, those not met, and counts by day. Rows stand beside their items.

    Args:
        from_us: first instant of the period; where the population has no `at`, every row counts for its day.
    """

    from_us: int
    first: list[tuple[Row, Row]] = field(default_factory=list)
    noted: list[tuple[Row, Row]] = field(default_factory=list)
    days: dict[int, list[int]] = field(default_factory=dict)

    def watch(self, columns: list[str], rows: list[Row], items: list[Row]) -> None:
        """Take some rows with their items."""
        room = ROWS_SHOWN - len(self.first)
        self.first += list(zip(rows[:room], items[:room], strict=True)) if room > 0 else []
        at = columns.index("at") if "at" in columns else -1
        found = [item[2] for item in items]
        days = [(row[at] - self.from_us) // DAY_US for row in rows] if at >= 0 else [0] * len(rows)
        for (day, item), count in Counter(zip(days, found, strict=True)).items():
            self.days.setdefault(day, [0, 0, 0])[item] += count
        if any(found) and len(self.noted) < NOTED_SHOWN:
            noted = [(row, item) for row, item in zip(rows, items, strict=True) if item[2]]
            self.noted += noted[: NOTED_SHOWN - len(self.noted)]


@dataclass(frozen=True, slots=True)
class Control:
    """One recomputed control.

    Args:
        definition_bytes: the canonical bytes that the ledger hashes.
        recorded: its entries.
        outcome: what came out; its files lie in `folder`.
        look: what pages show.
        places: where each drawn row stands among all, in the order of the draw; empty where that was not asked for.
    """

    definition_bytes: bytes
    recorded: Recorded
    outcome: Outcome
    folder: Path
    look: Look
    places: tuple[Placed, ...] = ()


@dataclass(frozen=True, slots=True)
class Recalculated:
    """Everything that was recomputed: the range, and each control by id."""

    found: Range
    controls: dict[str, Control]


def recalculate(home: Home, reader: LedgerReader, scope: Scope, catalog: Catalog, period: Mapping[str, int], folder: Path) -> Recalculated:
    """Recompute every control.

    Raises:
        ProofError: what the ledger records is not what comes out.
        NotFound: a definition that the ledger names is nowhere.
    """
    definitions = {listed.id: _definition(home, catalog, listed.id, listed.sha) for listed in scope.controls}
    queries = [grammar.check(text) for definition, _ in definitions.values() for _, text in definition.queries()]
    words = {word for query in queries for word in query.words}
    source = HomeSource(home.root, scope.start_size, scope.end.size)
    job = Job(
        source, scope.start_size, scope.end.size, scope.view_from, catalog.views, tuple(sorted(words)),
        any(query.every for query in queries), str(folder), "pledge" in words,
    )  # fmt: skip
    found = Range(scope.start_size, scope.end.size, scope.view_from)
    with closing(Leaves(str(folder / "leaves"), scope.start_size, scope.end.size)) as leaves:
        with scan(job) as pieces:
            join(pieces, found, leaves)
        for fault in (found.file_fault, found.entry_fault):
            if fault is not None:
                raise fault
        edge = reader.compact_range(scope.start_size) if scope.start_size else CompactRange()
        check_roots(leaves, edge, {}, scope.end.root)
        found.check_carried()
        recorded = {
            listed.id: find_recorded(found, listed.id, {"id": listed.id, "run": listed.run}, period)[0] for listed in scope.controls
        }
        with SqliteEvidence(job.tables(), str(folder / "tables")) as evidence:
            filler = Filler(job, found, evidence)
            controls = _controls(filler, _Plan(job, definitions, recorded, period, scope.mode == "sample"))
    return Recalculated(found, controls)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be recomputed: definitions and entries of each control by id, and whether drawn rows are placed."""

    job: Job
    definitions: Mapping[str, tuple[Definition, bytes]]
    recorded: Mapping[str, Recorded]
    period: Mapping[str, int]
    placed: bool


def _controls(filler: Filler, plan: _Plan) -> dict[str, Control]:
    """Recompute each control over the entries before its run's end, side by side where those are many."""
    job, recorded = plan.job, plan.recorded
    controls: dict[str, Control] = {}

    def end_of(name: str) -> int:
        return int(recorded[name].body["end_size"])

    for end, group in groupby(sorted(recorded, key=lambda name: (end_of(name), name)), key=end_of):
        names = list(group)
        filler.fill(end)
        computed = filler.computed(plan.period["from"], plan.period["to"])
        shared = Shared(job, str(Path(job.folder) / "tables"), str(Path(job.folder) / "leaves"), computed)
        work = [(*plan.definitions[name], recorded[name], plan.placed) for name in names]
        with closing(recompute_all(_control_there, shared, work)) as outcomes:
            controls |= {name: outcome() for name, outcome in zip(names, outcomes, strict=True)}
    return controls


def _control_there(shared: Shared, definition: Definition, data: bytes, recorded: Recorded, placed: bool) -> Control:
    """Recompute one control over tables that another process filled, and keep its files in the job's folder."""
    place, look = Path(shared.job.folder) / definition.id, Look(recorded.body["from"])
    place.mkdir()
    with opened(shared) as (evidence, leaves):
        run = Recomputation(definition, recorded, evidence, leaves.leaves, _keeping(place, placed), look.watch, max_steps(shared.entries))
        outcome = run.run()
        places = place_rows(outcome.sample, evidence, leaves.leaf, place / "items.csv") if placed else ()
    return Control(data, recorded, outcome, place, look, places)


def _keeping(folder: Path, sample: bool) -> Callable[[str], Digest]:
    """Opens a result file: kept on disk, except a population that does not travel."""
    return lambda name: Digest() if sample and name == "population.csv" else _Kept(folder / name)


def _definition(home: Home, catalog: Catalog, control: str, sha: str) -> tuple[Definition, bytes]:
    """The control version with this hash: kept in `HOME/files/`, or the catalog's own."""
    kept = home.files / sha
    data = kept.read_bytes() if kept.is_file() else b""
    if not data and control in catalog.controls:
        data = catalog.controls[control].canonical
    if hashlib.sha256(data).hexdigest() != sha:
        raise NotFound(
            f"The definition of {control} with the hash {sha[:16]}… is neither in {home.files} nor in the catalog.",
            "Use the catalog that was adopted, or adopt the new version and run the control again.",
        )
    return Definition.parse(data), data
