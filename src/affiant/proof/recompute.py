"""Recomputing one control from entries: definition, population, reconciliation, sample, items, result; each must be what was recorded.

Works on tables filled up to the run's own end (`end_size`), so that the queries see what the run saw. Leaves out: whether the entries are
the ledger's (`rebuild`) and the order of the steps (`verify`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from . import canonical, grammar
from .draw import METHOD, draw
from .errors import Lie, Malformed
from .hashes import leaf_hash
from .population import check_order, item_line, items_root, parse_row, population_root, row_bytes, unmatched_root
from .results import DESIGN_GAP, NOT_IMPLEMENTED, Counts, control_result
from .views import SqliteEvidence

Rows = List[Tuple[Any, ...]]


@dataclass(frozen=True)
class Definition:
    """One control version as its canonical bytes define it."""

    id: str
    version: int
    sha: str
    statement: str
    criteria: Tuple[str, ...]
    population: str
    query: str
    reconcile: str
    procedure: str
    params: Dict[str, int]
    views: str
    raw: Mapping[str, Any]

    @classmethod
    def parse(cls, data: bytes) -> "Definition":
        """Read canonical bytes of a control version.

        Raises:
            Malformed: they are none.
        """
        raw = canonical.loads(data)
        try:
            population = raw.get("population") or {}
            params = {str(name): value for name, value in (raw.get("params") or {}).items()}
            if any(type(value) is not int for value in params.values()):
                raise Malformed("A control's parameters are integers.")
            texts = [raw["id"], raw.get("statement", ""), raw.get("procedure", "")]
            texts += [population.get("query", ""), population.get("reconcile", "")]
            if any(type(text) is not str for text in texts) or type(raw["version"]) is not int:
                raise Malformed("A control's definition has a field of the wrong type.")
            return cls(
                raw["id"], raw["version"], hashlib.sha256(data).hexdigest(), texts[1], tuple(str(c) for c in raw.get("criteria") or ()),
                str(population.get("name", "")), texts[3], texts[4], texts[2], params,
                str(raw.get("views", "")), raw,
            )  # fmt: skip
        except (KeyError, TypeError, AttributeError) as error:
            raise Malformed(f"A control's definition cannot be read: {error!r}.") from None

    def queries(self) -> "List[Tuple[str, str]]":
        """(what, text) of each query that there is."""
        named = (("population", self.query), ("reconciliation", self.reconcile), ("procedure", self.procedure))
        return [(what, text) for what, text in named if text]


@dataclass(frozen=True)
class Recorded:
    """The entries that record one control's run: (index, envelope), the run always, freeze and sample where it had them."""

    run: Tuple[int, Mapping[str, Any]]
    freeze: "Tuple[int, Mapping[str, Any]] | None"
    sample: "Tuple[int, Mapping[str, Any]] | None"

    @property
    def body(self) -> Mapping[str, Any]:
        body: Mapping[str, Any] = self.run[1].get("body", {})
        return body


@dataclass(frozen=True)
class Outcome:
    """A recomputed control."""

    definition: Definition
    result: str
    counts: Counts
    columns: List[str]
    rows: Rows
    row_bytes: List[bytes]
    items: Rows
    unmatched_columns: List[str]
    unmatched: Rows
    drawn: List[bytes]
    runs: int = 1

    @cached_property
    def population_root(self) -> str:
        return population_root(self.row_bytes).hex()

    def leaves(self) -> List[bytes]:
        return [parse_row(row)[1] for row in self.row_bytes]

    def summary(self) -> Dict[str, Any]:
        """What `result.json` says."""
        return {
            "control": self.definition.id, "control_version": self.definition.version, "sha": self.definition.sha, "result": self.result,
            "rows": len(self.rows), "met": self.counts.met, "deviations": self.counts.deviations,
            "could_not_test": self.counts.could_not_test, "unmatched": len(self.unmatched), "sampled": len(self.drawn),
            "population_root": self.population_root, "items_root": self.items_root,
            "unmatched_root": unmatched_root(self.unmatched).hex(),
        }  # fmt: skip

    @cached_property
    def items_root(self) -> str:
        return items_root(item_line(*item) for item in self.items).hex()


def same(what: str, recorded: Any, computed: Any, idx: int) -> None:
    """Refuse a recorded value that differs from the computed one.

    Raises:
        Lie: they differ.
    """
    if recorded != computed:
        raise Lie(f"{what}: entry {idx} says {str(recorded)[:70]}, recomputed is {str(computed)[:70]}.")


def recompute(definition: Definition, recorded: Recorded, evidence: SqliteEvidence, leaf_of: Any, sequence_good: bool = True) -> Outcome:
    """Recompute a control from tables filled up to the run's end, and compare with what the ledger records.

    Args:
        definition: the control version.
        recorded: its entries.
        evidence: tables.
        leaf_of: gives the leaf hash of an entry's index.
        sequence_good: whether no producer's sequence has a gap.

    Raises:
        Lie: something recorded is not what comes out.
        Malformed: a query leaves the grammar.
    """
    run_idx, body = recorded.run[0], recorded.body
    if recorded.freeze is None:
        return _without_population(definition, body, run_idx)
    params = {**definition.params, "from_us": body["from"], "to_us": body["to"], "end_size": body["end_size"]}
    columns, rows, rows_bytes = _population(definition, recorded, evidence, params, leaf_of)
    unmatched_columns, unmatched = _reconcile(definition, recorded, evidence, params)
    drawn = _sample(recorded, rows_bytes)
    items, counts = _items(definition, evidence, params, columns, rows)
    outcome = Outcome(
        definition, control_result(counts, sequence_good), counts, columns, rows, rows_bytes, items, unmatched_columns, unmatched, drawn
    )
    for name, value in (
        ("rows", counts.rows), ("met", counts.met), ("deviations", counts.deviations), ("could_not_test", counts.could_not_test),
        ("unmatched", len(unmatched)), ("items_root", outcome.items_root), ("result", outcome.result),
    ):  # fmt: skip
        same(f"{definition.id}, {name.replace('_', ' ')}", body.get(name), value, run_idx)
    return outcome


def _without_population(definition: Definition, body: Mapping[str, Any], run_idx: int) -> Outcome:
    result = DESIGN_GAP if not definition.procedure or not definition.criteria else NOT_IMPLEMENTED
    if definition.query and result == NOT_IMPLEMENTED and body.get("result") != NOT_IMPLEMENTED:
        raise Lie(f"{definition.id}: entry {run_idx} gives a result without a frozen population.")
    if body.get("result") not in (DESIGN_GAP, NOT_IMPLEMENTED):
        raise Lie(f"{definition.id}: entry {run_idx} says {body.get('result')!r} without a population.")
    same(f"{definition.id}, rows", body.get("rows", 0), 0, run_idx)
    return Outcome(definition, str(body["result"]), Counts(0, 0, 0), ["idx", "ord"], [], [], [], [], [], [])


def _population(
    definition: Definition, recorded: Recorded, evidence: SqliteEvidence, params: Mapping[str, int], leaf_of: Any
) -> Tuple[List[str], Rows, List[bytes]]:
    assert recorded.freeze is not None
    idx, envelope = recorded.freeze
    body = envelope.get("body", {})
    same(f"{definition.id}, query", body.get("query"), hashlib.sha256(definition.query.encode()).hexdigest(), idx)
    for name in ("from", "to", "end_size"):
        same(f"{definition.id}, {name}", body.get(name), recorded.body[name], idx)
    same(f"{definition.id}, control", body.get("control"), definition.id, idx)
    columns, rows = grammar.run(evidence.connection, grammar.check(definition.query), params, evidence.views.by_name_and_computed())
    if columns[:2] != ["idx", "ord"] or len(set(columns)) != len(columns):
        raise Malformed(f"{definition.id}: the population query does not give idx and ord first.")
    if any(type(row[0]) is not int or type(row[1]) is not int for row in rows):
        raise Malformed(f"{definition.id}: the population query gives text for idx or ord.")
    check_order([(row[0], row[1]) for row in rows])
    row_list = [row_bytes(row[0], leaf_of(row[0]), row[1]) for row in rows]
    same(f"{definition.id}, rows of the population", body.get("rows"), len(rows), idx)
    same(f"{definition.id}, root of the population", body.get("root"), population_root(row_list).hex(), idx)
    return columns, rows, row_list


def _reconcile(definition: Definition, recorded: Recorded, evidence: SqliteEvidence, params: Mapping[str, int]) -> Tuple[List[str], Rows]:
    assert recorded.freeze is not None
    idx, envelope = recorded.freeze
    columns: List[str] = []
    rows: Rows = []
    if definition.reconcile:
        columns, rows = grammar.run(evidence.connection, grammar.check(definition.reconcile), params, evidence.views.by_name_and_computed())
    body = envelope.get("body", {})
    same(f"{definition.id}, unmatched rows", body.get("unmatched", 0), len(rows), idx)
    if rows or body.get("unmatched_root"):
        same(f"{definition.id}, root of unmatched rows", body.get("unmatched_root"), unmatched_root(rows).hex(), idx)
    return columns, rows


def _sample(recorded: Recorded, rows: Sequence[bytes]) -> List[bytes]:
    if recorded.sample is None:
        return []
    assert recorded.freeze is not None
    idx, envelope = recorded.sample
    body = envelope.get("body", {})
    if idx <= recorded.freeze[0] or body.get("freeze") != recorded.freeze[1].get("ref"):
        raise Lie(f"The sample of entry {idx} was not drawn from the frozen population of entry {recorded.freeze[0]}, after it.")
    if body.get("method") != METHOD:
        raise Malformed(f"The sample of entry {idx} has the method {body.get('method')!r}.", "Use a newer verifier.")
    drawn = draw(str(body.get("seed", "")).encode("utf-8"), rows, int(body.get("n", 0)))
    found = [{"idx": parse_row(row)[0], "ord": parse_row(row)[2]} for row in drawn]
    if len(found) != body.get("n") or found != body.get("rows"):
        raise Lie(f"The sample of entry {idx} is another one than its seed draws.")
    return drawn


def _items(
    definition: Definition, evidence: SqliteEvidence, params: Mapping[str, int], columns: List[str], rows: Rows
) -> Tuple[Rows, Counts]:
    kinds = [(name, "TEXT" if rows and any(type(row[at]) is str for row in rows) else "BIGINT") for at, name in enumerate(columns)]
    evidence.set_population(kinds, rows)
    tables = [*evidence.views.by_name_and_computed(), "pop"]
    names, items = grammar.run(evidence.connection, grammar.check(definition.procedure), params, tables)
    if names != ["idx", "ord", "item", "why"]:
        raise Malformed(f"{definition.id}: the procedure gives {', '.join(names)}, not idx, ord, item, why.")
    if [(item[0], item[1]) for item in items] != [(row[0], row[1]) for row in rows]:
        raise Malformed(f"{definition.id}: the procedure does not give one row for each population row, in order.")
    tally = [0, 0, 0]
    for item in items:
        item_line(*item)
        tally[item[2]] += 1
    return items, Counts(*tally)


def leaf_lookup(entries: Sequence[bytes]) -> Any:
    """A `leaf_of` over entries in memory that begin at index 0."""
    return lambda idx: leaf_hash(entries[idx])
