"""Entries into tables of DuckDB, fast: a strict decoder looks at each entry, then DuckDB reads the very same bytes as JSON, by type.

What a decoder does not accept, what is rare, and what carries another entry goes row by row through `proof.views`, the verifier's own
code. Leaves out: files (`partition`), ledgers (`store`).
"""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from affiant.kit.errors import LedgerFault
from affiant.ledger.columnar.plan import Envelope, TypePlan, plan_types
from affiant.proof.errors import Lie, ProofError
from affiant.proof.producers import Producers
from affiant.proof.views import Row, Views

CHUNK = 65_536
FEW = 1_000
RARE = 2_000
KEPT = frozenset({"control.adopted", "state.carried", "probe.pledged", "probe.opened"})
_OPENINGS = frozenset({"exchange.opened", "exchange.refused"})
_TYPE = re.compile(rb'"type":"([a-z0-9_.]+)","v":1\}\Z')
_plain = msgspec.json.Decoder(Envelope).decode
_any = msgspec.json.Decoder().decode


@dataclass(slots=True)
class Summary:
    """What a run of entries says beside rows.

    Args:
        start: first index; `stop` is behind the last.
        counts: entries of each type.
        first_at: wall time of the first entry, µs; `last_at` the greatest of all.
        producers: a piece for `Producers.join`; `fault` is what did not hold within it.
        kept: (index, entry) of adopted controls, carried records and probes, and of the exchanges that probes name, ascending.
        missing: exchanges that probes name and that are not among these entries.
        rare: indexes of the entries of each type of which there are at most `RARE`.
    """

    start: int
    stop: int
    counts: dict[str, int] = field(default_factory=dict)
    first_at: int = 0
    last_at: int = 0
    producers: Producers = field(default_factory=lambda: Producers(piece=True))
    fault: str = ""
    kept: list[tuple[int, bytes]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    rare: dict[str, list[int]] = field(default_factory=dict)


class Converter:
    """Turns entries into rows. For one thread.

    Args:
        views: bytes of a views file.
        few: types with fewer entries in a chunk go row by row.
    """

    def __init__(self, views: bytes, few: int = FEW) -> None:
        self.views = Views.parse(views)
        self.plans = plan_types(self.views)
        self._few = few

    def load(self, db: Any, entries: Iterable[bytes], start: int, refs: list[tuple[str, int]] | None = None) -> Summary:
        """Insert the rows of entries into tables named as their views, which must be there.

        Args:
            db: connection of DuckDB.
            entries: in order.
            start: index of the first.
            refs: takes (ref, index) of every entry that has one.

        Raises:
            LedgerFault: an entry is no envelope, or has a field of another type than its view says.
        """
        summary = Summary(start, start)
        with tempfile.TemporaryDirectory(prefix="affiant-columns-") as folder:
            chunk = _Chunk(self, summary, Path(folder), refs)
            for batch in _batched(entries, CHUNK):
                chunk.take(batch)
                chunk.into(db)
            chunk.finish()
        return summary


def _batched(entries: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


class _Chunk:
    """Some entries on their way."""

    def __init__(self, converter: Converter, summary: Summary, folder: Path, refs: list[tuple[str, int]] | None) -> None:
        self._converter, self._summary, self._folder, self._refs = converter, summary, folder, refs
        self._lines: dict[str, list[tuple[int, bytes]]] = {}
        self._rows: dict[str, list[Row]] = {name: [] for name in converter.views.by_name}
        self._openings: dict[str, tuple[int, bytes]] = {}
        self._wanted: dict[str, None] = {}

    def take(self, entries: list[bytes]) -> None:
        """Look at each entry once."""
        summary, plans = self._summary, self._converter.plans
        add, refs, openings = summary.producers.add_plain, self._refs, self._openings
        index = first = summary.stop
        try:
            for index, data in enumerate(entries, first):
                found = _TYPE.search(data, -64)
                kind = found[1].decode() if found else _plain(data).type
                plan = plans.get(kind) if kind not in KEPT else None
                try:
                    head = plan.decode(data) if plan is not None else _plain(data)
                except msgspec.ValidationError:
                    head, plan = _plain(data), None
                if plan is not None:
                    self._lines.setdefault(kind, []).append((index, data))
                else:
                    self._slowly(index, data)
                count = summary.counts[kind] = summary.counts.get(kind, 0) + 1
                if count <= RARE:
                    summary.rare.setdefault(kind, []).append(index)
                if not summary.fault:
                    self._number(add, index, kind, head, data)
                at = head.at
                summary.first_at = summary.first_at or at
                if at > summary.last_at:
                    summary.last_at = at
                if head.ref:
                    if refs is not None:
                        refs.append((head.ref, index))
                    if kind in _OPENINGS:
                        openings[head.ref] = (index, data)
        except (ProofError, msgspec.DecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise LedgerFault(f"Entry {index} cannot be read: {error}", "Run `affiant ledger verify`.") from error
        summary.stop += len(entries)

    def _number(self, add: Any, index: int, kind: str, head: Any, data: bytes) -> None:
        try:
            if kind == "producer.ended":
                self._summary.producers.add(index, _any(data))
            else:
                add(index, head.producer, head.seq)
        except Lie as error:
            self._summary.fault = error.message

    def _slowly(self, index: int, data: bytes) -> None:
        envelope: Mapping[str, Any] = _any(data)
        for view, row in self._converter.views.rows(index, envelope):
            self._rows[view].append(row)
        kind = envelope["type"]
        if kind in KEPT and (kind != "state.carried" or envelope["body"].get("of") == "control.adopted"):
            self._summary.kept.append((index, data))
            if kind == "probe.opened":
                self._wanted[str(envelope.get("body", {}).get("exchange", ""))] = None

    def into(self, db: Any) -> None:
        """Move what was taken into the tables."""
        for kind, lines in self._lines.items():
            if len(lines) < self._converter._few:
                for index, data in lines:
                    self._slowly(index, data)
            elif lines:
                self._by_json(db, self._converter.plans[kind], lines)
        self._lines.clear()
        for view, rows in self._rows.items():
            if rows:
                insert_rows(db, view, self._converter.views.by_name[view].schema(), rows, self._folder)
                rows.clear()

    def _by_json(self, db: Any, plan: TypePlan, lines: list[tuple[int, bytes]]) -> None:
        path = self._folder / "staged.json"
        path.write_bytes(b"".join([b'{"i":%d,"e":%b}\n' % line for line in lines]))
        db.execute(
            f"CREATE TEMP TABLE staged AS SELECT i, e FROM read_json(?, format = 'newline_delimited', columns = {plan.columns}, "  # noqa: S608
            "maximum_object_size = 1048576)",
            [str(path)],
        )
        try:
            for view, select in plan.selects.items():
                db.execute(f'INSERT INTO "{view}" {select}')
        finally:
            db.execute("DROP TABLE staged")
            path.unlink()

    def finish(self) -> None:
        """Keep the exchanges that probes name, and say which are not here; forget the lists of common types."""
        rare = self._summary.rare
        for kind in [kind for kind in rare if self._summary.counts[kind] > RARE]:
            del rare[kind]
        for name in self._wanted:
            opening = self._openings.get(name)
            if opening is not None:
                self._summary.kept.append(opening)
            else:
                self._summary.missing.append(name)
        self._summary.kept.sort()


def insert_rows(db: Any, table: str, schema: list[tuple[str, str]], rows: Iterable[Row], folder: Path) -> None:
    """Insert rows through a CSV file with explicit types; row by row costs DuckDB about a millisecond each."""
    path = folder / "rows.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(rows)
    columns = ", ".join(f"'{column}': '{kind}'" for column, kind in schema)
    names = ", ".join(f"'{column}'" for column, _ in schema)
    # A quoted empty text is '' and not NULL; nothing else may be taken for NULL or for a header.
    db.execute(
        f'INSERT INTO "{table}" SELECT * FROM read_csv(?, columns = {{{columns}}}, header = false, auto_detect = false, '  # noqa: S608
        f"delim = ',', quote = '\"', escape = '\"', new_line = '\\n', force_not_null = [{names}], max_line_size = 4194304)",
        [str(path)],
    )
    path.unlink()
