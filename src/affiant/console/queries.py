"""Every question that a page asks of the index, in SQL, with plain values as answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from affiant.console.index import Index


@dataclass(frozen=True, slots=True)
class EntryLine:
    """An entry as the index knows it."""

    idx: int
    type: str
    ref: str
    at: int
    actor: str
    tenant: str
    producer: str


@dataclass(frozen=True, slots=True)
class ExchangeLine:
    """An exchange as the index knows it; `words` says what guards did, `code` why it was refused."""

    id: str
    first: int
    at: int
    route: str
    key: str
    tenant: str
    mode: str
    outcome: str
    code: str
    served: str
    tokens_in: int
    tokens_out: int
    ms: int
    uninspected: int
    words: str


@dataclass(frozen=True, slots=True)
class TrafficDay:
    """One UTC day: exchanges accepted, of these redacted, and refusals (counted ones included)."""

    day: int
    accepted: int
    redacted: int
    refused: int


@dataclass(frozen=True, slots=True)
class ExchangeFilter:
    """What a list of exchanges is narrowed to; empty means any. `keys` are the only ones that may be seen (None: all)."""

    outcome: str = ""
    route: str = ""
    key: str = ""
    mode: str = ""
    day: int = -1
    acted: str = ""
    uninspected: bool = False
    keys: tuple[str, ...] | None = None


# Conditions are constants of this file and values are bound: that is what S608 is told below.


def _where(conditions: Sequence[tuple[bool, str, Any]]) -> tuple[str, list[Any]]:
    kept = [(sql, value) for use, sql, value in conditions if use]
    values: list[Any] = []
    for sql, value in kept:
        if isinstance(value, tuple):
            values.extend(value)
        elif "?" in sql:
            values.append(value)
    return (" WHERE " + " AND ".join(sql for sql, _ in kept) if kept else ""), values


def _exchange_where(f: ExchangeFilter) -> tuple[str, list[Any]]:
    return _where(
        (
            (bool(f.outcome), "outcome = ?", f.outcome),
            (bool(f.route), "route = ?", f.route),
            (bool(f.key), "key = ?", f.key),
            (f.mode == "not_enforced", "mode IN ('watch', 'warn')", None),
            (bool(f.mode) and f.mode != "not_enforced", "mode = ?", f.mode),
            (f.day >= 0, "day = ?", f.day),
            (f.acted == "redacted", "redacted > 0", None),
            (f.acted == "flagged", "flagged > 0", None),
            (f.uninspected, "uninspected > 0", None),
            (f.keys is not None, f"key IN ({', '.join('?' * len(f.keys or ()))})", f.keys or ()),
        )
    )


@dataclass(frozen=True, slots=True)
class Run:
    """A control run as its entry says."""

    idx: int
    id: str
    control: str
    at: int
    version: int
    freeze: str
    sample: str
    from_us: int
    to_us: int
    end_size: int
    result: str
    rows: int
    met: int
    deviations: int
    could_not_test: int
    unmatched: int
    items_root: str


@dataclass(frozen=True, slots=True)
class Freeze:
    """A frozen population as its entry says."""

    idx: int
    id: str
    control: str
    population: str
    at: int
    from_us: int
    to_us: int
    end_size: int
    rows: int
    root: str
    unmatched: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A drawn sample as its entry says."""

    idx: int
    id: str
    freeze: str
    seed: str
    kind: str
    n: int


@dataclass(frozen=True, slots=True)
class Adoption:
    """A control version put in force."""

    idx: int
    control: str
    at: int
    version: int
    sha: str


@dataclass(frozen=True, slots=True)
class ProbeDay:
    """One probe on one UTC day: how often it was opened, how often the answer was the right one, and when last."""

    probe: str
    day: int
    opened: int
    matched: int
    at: int


@dataclass(frozen=True, slots=True)
class Anchor:
    """A cosignature as its entry says."""

    idx: int
    witness: str
    at: int
    size: int


class Queries:
    """Questions over one `Index`."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self._index.reading() as db:
            return db.execute(sql, values).fetchall()

    def _one(self, sql: str, values: Sequence[Any] = ()) -> Any:
        with self._index.reading() as db:
            row = db.execute(sql, values).fetchone()
        return row[0] if row and row[0] is not None else 0

    def entries(self, type_: str = "", ref: str = "", offset: int = 0, limit: int = 50) -> list[EntryLine]:
        """Entries, newest first."""
        where, values = _where(((bool(type_), "type = ?", type_), (bool(ref), "ref = ?", ref)))
        rows = self._all(f"SELECT * FROM entry{where} ORDER BY idx DESC LIMIT ? OFFSET ?", [*values, limit, offset])  # noqa: S608
        return [EntryLine(*tuple(row)) for row in rows]

    def count_entries(self, type_: str = "", ref: str = "") -> int:
        """How many entries match."""
        where, values = _where(((bool(type_), "type = ?", type_), (bool(ref), "ref = ?", ref)))
        return int(self._one(f"SELECT count(*) FROM entry{where}", values))  # noqa: S608

    def types(self) -> list[tuple[str, int]]:
        """Event types in the ledger, and how many entries each has."""
        return [(row[0], row[1]) for row in self._all("SELECT type, count(*) FROM entry GROUP BY type ORDER BY type")]

    def first_at(self) -> int:
        """When the first entry was written, µs; 0 if there is none."""
        return int(self._one("SELECT at FROM entry ORDER BY idx LIMIT 1"))

    def exchanges(self, f: ExchangeFilter, offset: int = 0, limit: int = 50) -> list[ExchangeLine]:
        """Exchanges, newest first."""
        where, values = _exchange_where(f)
        columns = "id, first, at, route, key, tenant, mode, outcome, code, served, tokens_in, tokens_out, ms, uninspected, words"
        rows = self._all(f"SELECT {columns} FROM exchange{where} ORDER BY first DESC LIMIT ? OFFSET ?", [*values, limit, offset])  # noqa: S608
        return [ExchangeLine(*tuple(row)) for row in rows]

    def count_exchanges(self, f: ExchangeFilter) -> int:
        """How many exchanges match."""
        where, values = _exchange_where(f)
        return int(self._one(f"SELECT count(*) FROM exchange{where}", values))  # noqa: S608

    def routes(self) -> list[str]:
        """Routes that exchanges named."""
        return [row[0] for row in self._all("SELECT DISTINCT route FROM exchange WHERE route <> '' ORDER BY route LIMIT 200")]

    def outcomes(self) -> list[str]:
        """Outcomes that exchanges had."""
        return [row[0] for row in self._all("SELECT DISTINCT outcome FROM exchange ORDER BY outcome")]

    def traffic(self, from_day: int, to_day: int) -> list[TrafficDay]:
        """One line per UTC day of [from_day, to_day), days without traffic included."""
        rows = self._all("SELECT * FROM traffic WHERE day >= ? AND day < ? ORDER BY day", (from_day, to_day))
        known = {row["day"]: TrafficDay(*tuple(row)) for row in rows}
        return [known.get(day, TrafficDay(day, 0, 0, 0)) for day in range(from_day, to_day)]

    def tally(self, name: str) -> int:
        """A running sum, such as refusals counted in `exchange.unrecorded`."""
        return int(self._one("SELECT value FROM tally WHERE name = ?", (name,)))

    def of_ref(self, ref: str) -> list[EntryLine]:
        """All entries about one exchange or record, oldest first."""
        return [EntryLine(*tuple(row)) for row in self._all("SELECT * FROM entry WHERE ref = ? ORDER BY idx LIMIT 1000", (ref,))]

    def latest_runs(self) -> dict[str, Run]:
        """The newest run of each control."""
        rows = self._all("SELECT r.* FROM run r JOIN (SELECT max(idx) AS idx FROM run GROUP BY control) n ON n.idx = r.idx")
        return {row["control"]: Run(*tuple(row)) for row in rows}

    def runs(self, control: str, limit: int = 8) -> list[Run]:
        """Runs of a control, newest first."""
        return [Run(*tuple(row)) for row in self._all("SELECT * FROM run WHERE control = ? ORDER BY idx DESC LIMIT ?", (control, limit))]

    def run_of_freeze(self, freeze: str) -> Run | None:
        """The newest run over a frozen population."""
        rows = self._all("SELECT * FROM run WHERE freeze = ? ORDER BY idx DESC LIMIT 1", (freeze,))
        return Run(*tuple(rows[0])) if rows else None

    def freezes(self, control: str = "", population: str = "", offset: int = 0, limit: int = 50) -> list[Freeze]:
        """Frozen populations, newest first."""
        where, values = _where(((bool(control), "control = ?", control), (bool(population), "population = ?", population)))
        rows = self._all(f"SELECT * FROM freeze{where} ORDER BY idx DESC LIMIT ? OFFSET ?", [*values, limit, offset])  # noqa: S608
        return [Freeze(*tuple(row)) for row in rows]

    def count_freezes(self, control: str = "", population: str = "") -> int:
        """How many frozen populations match."""
        where, values = _where(((bool(control), "control = ?", control), (bool(population), "population = ?", population)))
        return int(self._one(f"SELECT count(*) FROM freeze{where}", values))  # noqa: S608

    def freeze(self, freeze: str) -> Freeze | None:
        """One frozen population."""
        rows = self._all("SELECT * FROM freeze WHERE id = ?", (freeze,))
        return Freeze(*tuple(rows[0])) if rows else None

    def populations(self) -> list[str]:
        """Names of populations that were ever frozen."""
        return [row[0] for row in self._all("SELECT DISTINCT population FROM freeze ORDER BY population")]

    def sample_of(self, freeze: str) -> Sample | None:
        """The newest sample drawn from a frozen population."""
        rows = self._all("SELECT * FROM sample WHERE freeze = ? ORDER BY idx DESC LIMIT 1", (freeze,))
        return Sample(*tuple(rows[0])) if rows else None

    def adoptions(self, control: str = "") -> list[Adoption]:
        """Control versions put in force, newest first."""
        where, values = _where(((bool(control), "control = ?", control),))
        return [Adoption(*tuple(row)) for row in self._all(f"SELECT * FROM adopted{where} ORDER BY idx DESC", values)]  # noqa: S608

    def probes(self, from_day: int, to_day: int) -> list[ProbeDay]:
        """Probes opened on UTC days of [from_day, to_day)."""
        columns = "probe, day, count(*), sum(matched), max(at)"
        sql = f"SELECT {columns} FROM probe WHERE day >= ? AND day < ? GROUP BY probe, day ORDER BY probe, day"  # noqa: S608
        return [ProbeDay(*tuple(row)) for row in self._all(sql, (from_day, to_day))]

    def anchors(self, limit: int = 8) -> list[Anchor]:
        """Cosignatures, newest first."""
        rows = self._all("SELECT idx, witness, at, size FROM anchor ORDER BY idx DESC LIMIT ?", (limit,))
        return [Anchor(*tuple(row)) for row in rows]

    def anchored_hours(self, from_hour: int, to_hour: int) -> int:
        """How many hours of [from_hour, to_hour) have a cosigned checkpoint."""
        return int(self._one("SELECT count(DISTINCT hour) FROM anchor WHERE hour >= ? AND hour < ?", (from_hour, to_hour)))

    def times(self, indexes: Sequence[int]) -> dict[int, int]:
        """When entries were written, µs by index."""
        out: dict[int, int] = {}
        for start in range(0, len(indexes), 500):
            part = list(indexes[start : start + 500])
            rows = self._all(f"SELECT idx, at FROM entry WHERE idx IN ({', '.join('?' * len(part))})", part)  # noqa: S608
            out.update((row[0], row[1]) for row in rows)
        return out
