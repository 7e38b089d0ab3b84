"""Recomputing one control from entries: definition, population, reconciliation, sample, items, result; each must be what was recorded.

Works on tables filled up to the run's own end (`end_size`), so that the queries see what the run saw. Rows are hashed and written as they
come (`passes`) and are never held as a whole. Leaves out: whether the entries are the ledger's (`rebuild`) and the order of the
steps (`verify`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from . import canonical, grammar
from .beside import no_circles
from .draw import METHOD, Drawing
from .errors import Lie, Malformed
from .passes import Items, LeavesOf, Rows, Sampled, Watch, items_pass, population_pass
from .population import parse_row, unmatched_root
from .results import DESIGN_GAP, NOT_IMPLEMENTED, Counts, control_result
from .tables import Digest, write_table
from .views import SqliteEvidence

Open = Callable[[str], Digest]
MAX_UNMATCHED = 1_000_000


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
    """A recomputed control. `files` gives SHA-256 and size of each file below `results/<control>/`."""

    definition: Definition
    result: str
    counts: Counts
    columns: List[str]
    population_root: str
    items_root: str
    unmatched_columns: List[str]
    unmatched: Rows
    unmatched_root: str
    sample: List[Sampled]
    files: Dict[str, Tuple[str, int]]

    def summary(self) -> Dict[str, Any]:
        """What `result.json` says."""
        return {
            "control": self.definition.id, "control_version": self.definition.version, "sha": self.definition.sha, "result": self.result,
            "rows": self.counts.rows, "met": self.counts.met, "deviations": self.counts.deviations,
            "could_not_test": self.counts.could_not_test, "unmatched": len(self.unmatched), "sampled": len(self.sample),
            "population_root": self.population_root, "items_root": self.items_root, "unmatched_root": self.unmatched_root,
        }  # fmt: skip


def same(what: str, recorded: Any, computed: Any, idx: int) -> None:
    """Refuse a recorded value that differs from the computed one.

    Raises:
        Lie: they differ.
    """
    if recorded != computed:
        raise Lie(f"{what}: entry {idx} says {str(recorded)[:70]}, recomputed is {str(computed)[:70]}.")


class Recomputation:
    """One control over tables that are filled up to the run's end.

    Args:
        definition: the control version.
        recorded: its entries.
        evidence: tables.
        leaves_of: gives the leaf hashes of some entries, by index.
        open_file: makes what takes a result file's bytes.
        watch: sees population rows with their items, in parts.
        max_steps: for each query, see `grammar`.
    """

    def __init__(
        self, definition: Definition, recorded: Recorded, evidence: SqliteEvidence, leaves_of: LeavesOf, open_file: "Optional[Open]" = None,
        watch: "Optional[Watch]" = None, max_steps: int = grammar.MAX_STEPS,
    ) -> None:  # fmt: skip
        self._definition, self._recorded, self._evidence = definition, recorded, evidence
        self._leaves_of, self._open, self._watch, self._max_steps = leaves_of, open_file or (lambda _: Digest()), watch, max_steps
        self._files: Dict[str, Digest] = {}
        self._params: Mapping[str, int] = {}

    def run(self, sequence_good: bool = True) -> Outcome:
        """Recompute, and compare with what the ledger records.

        Args:
            sequence_good: whether no producer's sequence has a gap.

        Raises:
            Lie: something recorded is not what comes out.
            Malformed: a query leaves the grammar.
        """
        try:
            with no_circles():
                return self._run(sequence_good)
        finally:
            for file in self._files.values():
                file.close()

    def _run(self, sequence_good: bool) -> Outcome:
        definition, (run_idx, _), body = self._definition, self._recorded.run, self._recorded.body
        if self._recorded.freeze is None:
            return self._finish(_without_population(definition, body, run_idx))
        self._params = {**definition.params, "from_us": body["from"], "to_us": body["to"], "end_size": body["end_size"]}
        columns, root, drawn = self._population()
        unmatched_columns, unmatched, unmatched_hash = self._reconcile()
        items = self._items(drawn)
        outcome = Outcome(
            definition, control_result(items.counts, sequence_good), items.counts, columns, root, items.root, unmatched_columns,
            unmatched, unmatched_hash, [items.sampled[row] for row, _ in drawn], {},
        )  # fmt: skip
        for name, value in (
            ("rows", items.counts.rows), ("met", items.counts.met), ("deviations", items.counts.deviations),
            ("could_not_test", items.counts.could_not_test), ("unmatched", len(unmatched)), ("items_root", outcome.items_root),
            ("result", outcome.result),
        ):  # fmt: skip
            same(f"{definition.id}, {name.replace('_', ' ')}", body.get(name), value, run_idx)
        return self._finish(outcome)

    def _file(self, name: str) -> Digest:
        file = self._files[name] = self._open(name)
        return file

    def _finish(self, outcome: Outcome) -> Outcome:
        """Write the small files."""
        if outcome.definition.reconcile and self._recorded.freeze is not None:
            write_table(self._file("unmatched.csv"), outcome.unmatched_columns, outcome.unmatched)
        if self._recorded.sample is not None:
            rows = [(number + 1, *one.cells, one.item, one.why) for number, one in enumerate(outcome.sample)]
            write_table(self._file("sample.csv"), ["draw", *outcome.columns, "item", "why"], rows)
        self._file("result.json").write(canonical.dumps(outcome.summary()))
        outcome.files.update({name: file.result() for name, file in self._files.items()})
        return outcome

    def _stream(self, text: str, pop: bool = False) -> Any:
        tables = [*self._evidence.views.by_name_and_computed(), *(["pop"] if pop else [])]
        return grammar.stream(self._evidence.connection, grammar.check(text), self._params, tables, self._max_steps)

    def _population(self) -> "Tuple[List[str], str, List[Tuple[bytes, Tuple[Any, ...]]]]":
        definition = self._definition
        assert self._recorded.freeze is not None
        idx, envelope = self._recorded.freeze
        body = envelope.get("body", {})
        same(f"{definition.id}, query", body.get("query"), hashlib.sha256(definition.query.encode()).hexdigest(), idx)
        for name in ("from", "to", "end_size"):
            same(f"{definition.id}, {name}", body.get(name), self._recorded.body[name], idx)
        same(f"{definition.id}, control", body.get("control"), definition.id, idx)
        drawing = self._drawing()
        self._evidence.drop_population()
        columns, parts = self._stream(definition.query)
        if columns[:2] != ["idx", "ord"] or len(set(columns)) != len(columns):
            raise Malformed(f"{definition.id}: the population query does not give idx and ord first.")
        procedure = grammar.check(definition.procedure)
        kept = None if procedure.every or self._watch is not None else procedure.words
        rows, root = population_pass(columns, parts, self._evidence, self._leaves_of, drawing, self._file("population.csv"), kept)
        same(f"{definition.id}, rows of the population", body.get("rows"), rows, idx)
        same(f"{definition.id}, root of the population", body.get("root"), root, idx)
        return columns, root, self._drawn(drawing)

    def _drawing(self) -> "Optional[Drawing]":
        if self._recorded.sample is None:
            return None
        assert self._recorded.freeze is not None
        idx, envelope = self._recorded.sample
        body = envelope.get("body", {})
        if idx <= self._recorded.freeze[0] or body.get("freeze") != self._recorded.freeze[1].get("ref"):
            raise Lie(f"The sample of entry {idx} was not drawn from the frozen population of entry {self._recorded.freeze[0]}, after it.")
        if body.get("method") != METHOD:
            raise Malformed(f"The sample of entry {idx} has the method {body.get('method')!r}.", "Use a newer verifier.")
        return Drawing(str(body.get("seed", "")).encode("utf-8"), int(body.get("n", 0)))

    def _drawn(self, drawing: "Optional[Drawing]") -> "List[Tuple[bytes, Tuple[Any, ...]]]":
        if drawing is None or self._recorded.sample is None:
            return []
        idx, envelope = self._recorded.sample
        body, drawn = envelope.get("body", {}), drawing.drawn()
        found = [{"idx": parse_row(row)[0], "ord": parse_row(row)[2]} for row in drawn]
        if len(found) != body.get("n") or found != body.get("rows"):
            raise Lie(f"The sample of entry {idx} is another one than its seed draws.")
        return list(zip(drawn, drawing.cells()))  # noqa: B905 - Python 3.9

    def _reconcile(self) -> Tuple[List[str], Rows, str]:
        definition = self._definition
        assert self._recorded.freeze is not None
        idx, envelope = self._recorded.freeze
        columns: List[str] = []
        rows: Rows = []
        if definition.reconcile:
            columns, parts = self._stream(definition.reconcile)
            for part in parts:
                rows += part
                if len(rows) > MAX_UNMATCHED:
                    raise Malformed(f"{definition.id}: the reconciliation gives more than {MAX_UNMATCHED} rows.")
        root, body = unmatched_root(rows).hex(), envelope.get("body", {})
        same(f"{definition.id}, unmatched rows", body.get("unmatched", 0), len(rows), idx)
        if rows or body.get("unmatched_root"):
            same(f"{definition.id}, root of unmatched rows", body.get("unmatched_root"), root, idx)
        return columns, rows, root

    def _items(self, drawn: "List[Tuple[bytes, Tuple[Any, ...]]]") -> Items:
        names, parts = self._stream(self._definition.procedure, pop=True)
        if names != ["idx", "ord", "item", "why"]:
            raise Malformed(f"{self._definition.id}: the procedure gives {', '.join(names)}, not idx, ord, item, why.")
        try:
            return items_pass(parts, self._evidence, drawn, self._file("items.csv"), self._watch)
        except Malformed as error:
            raise Malformed(f"{self._definition.id}: {error.message}", error.next_step) from None


def recompute(
    definition: Definition, recorded: Recorded, evidence: SqliteEvidence, leaf_of: "Callable[[int], bytes]", sequence_good: bool = True
) -> Outcome:
    """Recompute one control, hashing its files only; see `Recomputation`."""
    return Recomputation(definition, recorded, evidence, lambda indexes: [leaf_of(idx) for idx in indexes]).run(sequence_good)


def _without_population(definition: Definition, body: Mapping[str, Any], run_idx: int) -> Outcome:
    result = DESIGN_GAP if not definition.procedure or not definition.criteria else NOT_IMPLEMENTED
    if definition.query and result == NOT_IMPLEMENTED and body.get("result") != NOT_IMPLEMENTED:
        raise Lie(f"{definition.id}: entry {run_idx} gives a result without a frozen population.")
    if body.get("result") not in (DESIGN_GAP, NOT_IMPLEMENTED):
        raise Lie(f"{definition.id}: entry {run_idx} says {body.get('result')!r} without a population.")
    same(f"{definition.id}, rows", body.get("rows", 0), 0, run_idx)
    empty = unmatched_root([]).hex()
    return Outcome(definition, str(body["result"]), Counts(0, 0, 0), ["idx", "ord"], empty, empty, [], [], empty, [], {})
