"""A control run: population → freeze → sample → procedure → items → result; the run is itself three events.

    1  is the version that the catalog holds the one in force?
    2  population query over the entries read; rows in strictly ascending order
    3  reconciliation with an independent count, shown beside
    4  freeze: root over the rows becomes an entry before a seed can be known
    5  draw a sample (for readers; the procedure judges every row)
    6  procedure: one item for each row
    7  result by the verifier's own precedence (`proof.results`)

Leaves out: several controls' state by category (`state`), pages, packages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from affiant.assurance.evidence import Evidence
from affiant.assurance.model import ControlRun, Finding, Frozen, Item, Sample
from affiant.assurance.period import Period
from affiant.assurance.sample import SeedOf, draw_sample, management_seed
from affiant.assurance.tables import Cells
from affiant.assurance.words import boundary, why_text
from affiant.catalog import Catalog, Control, Population
from affiant.kit.errors import BadInput
from affiant.kit.ids import new_id
from affiant.ledger import Draft
from affiant.proof.errors import ProofError
from affiant.proof.population import check_order, item_line, items_root, population_root, row_bytes, unmatched_root
from affiant.proof.results import DESIGN_GAP, NOT_IMPLEMENTED, NOT_TESTED, Counts, control_result

Append = Callable[[Sequence[Draft]], int]
"""Makes events durable and gives the index of the first (`LedgerClient.append` and its blocking form do)."""
MAX_FINDINGS = 10_000
_ORDER = "Order by idx, ord, which must be unique and not negative."


def run_control(
    evidence: Evidence,
    control: Control,
    period: Period,
    append: Append | None = None,
    *,
    principal: str = "system:assurance",
    now_us: int | None = None,
    seed_of: SeedOf = management_seed,
    sample_n: int | None = None,
    sampled: bool = True,
) -> ControlRun:
    """Run one control.

    Args:
        evidence: entries to read; its `view_from` should be `opening_of` the period.
        control: the version to run.
        period: what the run speaks about.
        append: writes the run's events; None gives them as drafts only.
        principal: who runs it, such as `person:ana`.
        now_us: wall time for ids; the newest entry's by default.
        seed_of: gives the sample's seed once the population is frozen.
        sample_n: rows to draw, where an auditor asks for a number of their own.
        sampled: whether to draw a sample at all.

    Raises:
        BadInput: a query lies outside the grammar, or its rows are not what a population's must be.
        LedgerUnavailable: an event could not be written.
    """
    now = evidence.last_at_us if now_us is None else now_us
    base = ControlRun("", control, period, evidence.view_from, evidence.end_size, NOT_TESTED)
    early = _without_population(evidence, control)
    if early is not None:
        result, note, record = early
        base = replace(base, result=result, notes=(note,))
        return _finish(base, append if record else None, principal, now, None) if record else base
    population = control.population
    assert population is not None
    evidence.prepare(period)
    params = {**control.params, "from_us": period.from_us, "to_us": period.to_us, "end_size": evidence.end_size}
    frozen, rows = _freeze(evidence, control, population, period, params, new_id("fz", now))
    run = replace(base, frozen=frozen)
    draft = _freeze_draft(run, params, principal)
    index = append([draft]) if append is not None else None
    sample, drafts = None, [draft]
    if sampled and rows:
        sample, drawn = draw_sample(new_id("smp", now), frozen.id, seed_of(index), rows, control.sample, sample_n)
        drawn = replace(drawn, actor=principal)
        drafts.append(drawn)
        if append is not None:
            append([drawn])
    run = replace(_judge(evidence, run, params), sample=sample, drafts=tuple(drafts))
    return _finish(run, append, principal, now, sample)


def run_all(
    evidence: Evidence,
    catalog: Catalog,
    period: Period,
    append: Append | None = None,
    *,
    only: Iterable[str] = (),
    principal: str = "system:assurance",
    now_us: int | None = None,
    sampled: bool = True,
) -> list[ControlRun]:
    """Run every control of the catalog, or those named, by id.

    Raises:
        BadInput: a control is named that there is not; or as `run_control`.
    """
    names = list(only)
    unknown = [name for name in names if name not in catalog.controls]
    if unknown:
        raise BadInput(f"There is no control {unknown[0]}.", f"Controls are: {', '.join(catalog.controls)}.")
    controls = [catalog.controls[name] for name in names] if names else list(catalog.controls.values())
    return [run_control(evidence, control, period, append, principal=principal, now_us=now_us, sampled=sampled) for control in controls]


def _without_population(evidence: Evidence, control: Control) -> tuple[str, str, bool] | None:
    """(result, why, whether it may be recorded) of a control that cannot be run; None for one that can."""
    if not control.implemented:
        return NOT_IMPLEMENTED, "Nothing writes this control's events yet.", True
    if control.population is None or not control.procedure or not control.criteria:
        return DESIGN_GAP, "It has no procedure, or no criterion.", True
    adopted = evidence.adopted(control.id)
    if adopted is None and control.scheduled:
        return NOT_IMPLEMENTED, "No entry puts this control into force in the entries read, so that nothing is expected of it.", True
    if adopted is not None and adopted[1].get("sha") != control.sha:
        return (
            NOT_TESTED,
            f"The catalog holds another version than the one that entry {adopted[0]} puts into force; adopt it, then run again.",
            False,
        )
    return None


def _freeze(
    evidence: Evidence, control: Control, population: Population, period: Period, params: dict[str, int], freeze_id: str
) -> tuple[Frozen, list[bytes]]:
    columns, rows = evidence.query(population.query, params)
    if columns[:2] != ["idx", "ord"] or "at" not in columns:
        raise BadInput(f"The population {population.name} gives {', '.join(columns)}.", "Let it give idx, ord and at.")
    try:
        check_order([(row[0], row[1]) for row in rows])
        row_list = [row_bytes(row[0], evidence.leaf(row[0]), row[1]) for row in rows]
    except ProofError as error:
        raise BadInput(f"{population.name}: {error.message}", error.next_step or _ORDER) from error
    unmatched_columns: list[str] = []
    unmatched: list[Cells] = []
    if population.reconcile:
        unmatched_columns, unmatched = evidence.query(population.reconcile, params)
    evidence.set_population(columns, rows)
    lines = boundary(
        population, period, evidence.view_from, evidence.end_size, evidence.sequence_fault, unmatched, len(evidence.adoptions(control.id))
    )
    frozen = Frozen(
        freeze_id, tuple(columns), tuple(rows), population_root(row_list).hex(), tuple(unmatched_columns), tuple(unmatched),
        unmatched_root(unmatched).hex(), lines,
    )  # fmt: skip
    return frozen, row_list


def _freeze_draft(run: ControlRun, params: dict[str, int], principal: str) -> Draft:
    frozen, population = run.frozen, run.control.population
    assert frozen is not None and population is not None
    body = {
        "population": population.name, "control": run.control.id, "query": population.query_sha,
        "params": [{"name": name, "value": value} for name, value in sorted(params.items())],
        "from": run.period.from_us, "to": run.period.to_us, "end_size": run.end_size, "rows": len(frozen.rows), "root": frozen.root,
        "unmatched": len(frozen.unmatched), "unmatched_root": frozen.unmatched_root, "principal": principal,
    }  # fmt: skip
    return Draft("population.frozen", body, ref=frozen.id, actor=principal)


def _judge(evidence: Evidence, run: ControlRun, params: dict[str, int]) -> ControlRun:
    frozen, control = run.frozen, run.control
    assert frozen is not None
    columns, rows = evidence.query(control.procedure, params, pop=True)
    if columns != ["idx", "ord", "item", "why"]:
        raise BadInput(f"The procedure of {control.id} gives {', '.join(columns)}.", "Let it give idx, ord, item, why.")
    if [row[:2] for row in rows] != [row[:2] for row in frozen.rows]:
        raise BadInput(
            f"The procedure of {control.id} gives {len(rows)} rows for {len(frozen.rows)}.",
            "Let it give one for each population row, in order.",
        )
    items = tuple(Item(*row) for row in rows)
    found: dict[int, list[Finding]] = {1: [], 2: []}
    tally = [0, 0, 0]
    for number, item in enumerate(items):
        if item.item not in (0, 1, 2):
            raise BadInput(f"The procedure of {control.id} gives the item {item.item}.", "Use 0 met, 1 deviation, 2 could not test.")
        tally[item.item] += 1
        if item.item and len(found[item.item]) < MAX_FINDINGS:
            found[item.item].append(_finding(evidence, run, number, item))
    counts = Counts(*tally)
    result = control_result(counts, not evidence.sequence_fault)
    notes = [f"Sequence check failed: {evidence.sequence_fault}"] if evidence.sequence_fault else []
    if evidence.adopted(control.id) is None:
        notes.append("No entry puts this control into force in the entries read.")
    if sum(tally[1:]) > MAX_FINDINGS:
        notes.append(f"Only the first {MAX_FINDINGS:,} rows that are not met are put in words.")
    return replace(run, items=items, counts=counts, result=result, deviations=tuple(found[1]), untested=tuple(found[2]), notes=tuple(notes))


def _finding(evidence: Evidence, run: ControlRun, number: int, item: Item) -> Finding:
    assert run.frozen is not None
    values: dict[str, Any] = dict(zip(run.frozen.columns, run.frozen.rows[number], strict=True))
    index = None if evidence.is_adoption(item.idx) else item.idx
    return Finding(number, index, item.ord, int(values["at"]), item.why, why_text(run.control, item.why, values))


def _finish(run: ControlRun, append: Append | None, principal: str, now_us: int, sample: Sample | None) -> ControlRun:
    """Add the event of the run itself, and write it."""
    run_id = new_id("run", now_us)
    body: dict[str, Any] = {
        "control": run.control.id, "control_version": run.control.version, "sha": run.control.sha, "from": run.period.from_us,
        "to": run.period.to_us, "end_size": run.end_size, "result": run.result, "rows": run.counts.rows, "met": run.counts.met,
        "deviations": run.counts.deviations, "could_not_test": run.counts.could_not_test,
        "unmatched": len(run.frozen.unmatched) if run.frozen else 0,
        "items_root": items_root(item_line(item.idx, item.ord, item.item, item.why) for item in run.items).hex(),
    }  # fmt: skip
    if run.frozen is not None:
        body["freeze"] = run.frozen.id
    if sample is not None:
        body["sample"] = sample.id
    draft = Draft("procedure.run", body, ref=run_id, actor=principal)
    if append is not None:
        append([draft])
    return replace(run, id=run_id, drafts=(*run.drafts, draft), recorded=append is not None)
