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
from affiant.assurance.passes import ItemsPass, packed, rows_pass
from affiant.assurance.period import Period
from affiant.assurance.sample import SeedOf, draw_sample, management_seed
from affiant.assurance.words import boundary, why_text
from affiant.catalog import Catalog, Control, Population
from affiant.kit.blocks import Cells
from affiant.kit.errors import BadInput
from affiant.kit.ids import new_id
from affiant.ledger import Draft
from affiant.proof.errors import ProofError
from affiant.proof.hashes import EMPTY_ROOT
from affiant.proof.population import unmatched_root
from affiant.proof.results import DESIGN_GAP, NOT_IMPLEMENTED, NOT_TESTED, control_result

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
    early = without_population(evidence, control)
    if early is not None:
        result, note, record = early
        base = replace(base, result=result, notes=(note,))
        return _finish(base, append if record else None, principal, now) if record else base
    population = control.population
    assert population is not None
    evidence.prepare(period)
    params = {**control.params, "from_us": period.from_us, "to_us": period.to_us, "end_size": evidence.end_size}
    frozen = _freeze(evidence, control, population, period, params, new_id("fz", now))
    run = replace(base, frozen=frozen)
    draft = _freeze_draft(run, params, principal)
    index = append([draft]) if append is not None else None
    sample, drafts = None, [draft]
    if sampled and frozen.rows:
        rows, count = packed(frozen.rows, evidence.leaves), len(frozen.rows)
        sample, drawn = draw_sample(new_id("smp", now), frozen.id, seed_of(index), rows, count, control.sample, sample_n)
        drawn = replace(drawn, actor=principal)
        drafts.append(drawn)
        if append is not None:
            append([drawn])
    run, root = _judge(evidence, run, params)
    run = replace(run, sample=sample, drafts=tuple(drafts))
    return _finish(run, append, principal, now, sample, root)


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


def without_population(evidence: Evidence, control: Control) -> tuple[str, str, bool] | None:
    """Whether a control cannot be run: (result, why, whether that may be recorded), or None for one that can."""
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


def _freeze(evidence: Evidence, control: Control, population: Population, period: Period, params: dict[str, int], freeze_id: str) -> Frozen:
    columns, parts = evidence.populate(population.query, params)
    if columns[:2] != ["idx", "ord"] or "at" not in columns:
        raise BadInput(f"The population {population.name} gives {', '.join(columns)}.", "Let it give idx, ord and at.")
    try:
        rows, root = rows_pass(parts, evidence.leaves)
    except ProofError as error:
        raise BadInput(f"{population.name}: {error.message}", error.next_step or _ORDER) from error
    unmatched_columns: list[str] = []
    unmatched: list[Cells] = []
    if population.reconcile:
        unmatched_columns, unmatched = evidence.query(population.reconcile, params)
    lines = boundary(
        population, period, evidence.view_from, evidence.end_size, evidence.sequence_fault, unmatched, len(evidence.adoptions(control.id))
    )
    return Frozen(
        freeze_id, tuple(columns), rows, root.hex(), tuple(unmatched_columns), tuple(unmatched), unmatched_root(unmatched).hex(), lines
    )


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


def _judge(evidence: Evidence, run: ControlRun, params: dict[str, int]) -> tuple[ControlRun, bytes]:
    """The run with its items, and the root over their lines."""
    frozen, control = run.frozen, run.control
    assert frozen is not None
    found: dict[int, list[Finding]] = {1: [], 2: []}

    def see(number: int, cells: Cells, item: Item) -> None:
        found[item.item].append(_finding(evidence, run, number, cells, item))

    columns, parts = evidence.judge(control.procedure, params)
    items, counts, root = ItemsPass(control.id, frozen.columns, frozen.rows, see, MAX_FINDINGS).run(columns, parts)
    result = control_result(counts, not evidence.sequence_fault)
    notes = [f"Sequence check failed: {evidence.sequence_fault}"] if evidence.sequence_fault else []
    if evidence.adopted(control.id) is None:
        notes.append("No entry puts this control into force in the entries read.")
    if counts.deviations + counts.could_not_test > MAX_FINDINGS:
        notes.append(f"Only the first {MAX_FINDINGS:,} rows that are not met are put in words.")
    run = replace(run, items=items, counts=counts, result=result, deviations=tuple(found[1]), untested=tuple(found[2]), notes=tuple(notes))
    return run, root


def _finding(evidence: Evidence, run: ControlRun, number: int, cells: Cells, item: Item) -> Finding:
    assert run.frozen is not None
    values: dict[str, Any] = dict(zip(run.frozen.columns, cells, strict=True))
    index = None if evidence.is_adoption(item.idx) else item.idx
    return Finding(number, index, item.ord, int(values["at"]), item.why, why_text(run.control, item.why, values))


def _finish(
    run: ControlRun, append: Append | None, principal: str, now_us: int, sample: Sample | None = None, root: bytes = EMPTY_ROOT
) -> ControlRun:
    """Add the event of the run itself, and write it; `root` is the one over its item lines."""
    run_id = new_id("run", now_us)
    body: dict[str, Any] = {
        "control": run.control.id, "control_version": run.control.version, "sha": run.control.sha, "from": run.period.from_us,
        "to": run.period.to_us, "end_size": run.end_size, "result": run.result, "rows": run.counts.rows, "met": run.counts.met,
        "deviations": run.counts.deviations, "could_not_test": run.counts.could_not_test,
        "unmatched": len(run.frozen.unmatched) if run.frozen else 0,
        "items_root": root.hex(),
    }  # fmt: skip
    if run.frozen is not None:
        body["freeze"] = run.frozen.id
    if sample is not None:
        body["sample"] = sample.id
    draft = Draft("procedure.run", body, ref=run_id, actor=principal)
    if append is not None:
        append([draft])
    return replace(run, id=run_id, drafts=(*run.drafts, draft), recorded=append is not None)
