"""One control: statement and versions, occurrences, population, sample, deviations, limits of reliance."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from affiant.catalog import Control
from affiant.console import words
from affiant.console.context import RowsOf, Table
from affiant.console.model import Empty, Fact, Link, address
from affiant.console.pages.nouns import Cell, Column, ItemRow, Stat
from affiant.console.pages.shared import (
    Period,
    category_word,
    column_names,
    control_state,
    item_rows,
    period_argument,
    period_of,
    strip,
    unmatched_of,
    why_text,
)
from affiant.console.queries import Adoption, Run
from affiant.console.visit import Visit
from affiant.console.words import State
from affiant.kit.errors import NotFound


@dataclass(frozen=True, slots=True)
class DeviationRow:
    """Items that deviate (or could not be tested) for one reason."""

    state: State
    why: str
    items: int
    span: str
    href: str
    example: str = ""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of the control."""

    at: int
    items: int
    deviations: int
    state: State
    index: int


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version of the control and the entry that put it in force."""

    version: int
    at: int
    sha: str
    index: int


@dataclass(frozen=True, slots=True)
class ControlPage:
    """`control.html`."""

    id: str
    title: str
    statement: str
    crumbs: tuple[Link, ...]
    tags: tuple[Link, ...]
    may_run: bool
    stats: tuple[Stat, ...]
    strip_title: str
    strip_sub: str
    strip: Markup | None
    empty: Empty
    rows_sub: str
    rows_links: tuple[Link, ...]
    columns: tuple[str, ...]
    rows: tuple[ItemRow, ...]
    rows_empty: Empty
    deviations: tuple[DeviationRow, ...]
    deviations_sub: str
    deviations_none: str
    unmatched: tuple[tuple[Cell, ...], ...]
    unmatched_columns: tuple[Column, ...]
    unmatched_sub: str
    reliance: tuple[Fact, ...]
    runs: tuple[RunRow, ...]
    runs_links: tuple[Link, ...]
    versions: tuple[VersionRow, ...]
    procedure: str


SHOWN_ROWS = 5
SHOWN_DEVIATIONS = 1000


def control_of(visit: Visit) -> Control:
    """The control named in the address.

    Raises:
        NotFound: the catalog has none of that id.
    """
    wanted = visit.request.path_params["control"]
    found = visit.context.catalog.controls.get(wanted)
    if found is None:
        raise NotFound(f"There is no control `{wanted[:40]}`.", "See the list of controls.")
    return found


def _tags(control: Control, adoptions: list[Adoption]) -> tuple[Link, ...]:
    criteria = tuple(Link(each, f"/controls?criterion={each}") for each in control.criteria)
    version = f"version {control.version}" + (f", since {words.day(adoptions[0].at)}" if adoptions else ", not in force yet")
    kind = tuple(
        Link(text)
        for text in (control.kind, control.frequency, f"owner: {control.owner}", "reported" if control.reported else "internal")
        if text
    )
    return (*criteria, *kind, Link(version))


def _stats(visit: Visit, control: Control, run: Run | None, state: State) -> tuple[Stat, ...]:
    if run is None:
        note = "never run" if control.implemented else "nothing writes its events yet"
        first = Stat("Result for the period", state=state, note=note)
        population = control.population.name.replace("_", " ") if control.population else "none described"
        return (
            first,
            Stat("Population", "–", "", population),
            Stat("Sample", "–", "", "drawn from a frozen population only"),
            Stat("Could not test", "–", "", "no run yet"),
        )
    ran = f"run {words.near(run.at, visit.now_us)}"
    first = Stat(
        "Result for the period", state=state, note=f"{words.number(run.deviations)} of {words.count(run.rows, 'item')} deviate, {ran}"
    )
    has_other_count = control.population is not None and bool(control.population.reconcile)
    matched = f"{words.count(run.unmatched, 'row')} unmatched" if has_other_count else "no independent count to reconcile with"
    rows = Stat("Population", words.number(run.rows), "rows", matched, None, f"/populations/{run.freeze}" if run.freeze else "")
    sample = visit.queries.sample_of(run.freeze) if run.freeze else None
    drawn = (
        Stat("Sample", words.number(sample.n), f"of {words.number(run.rows)}", f"{sample.kind} seed")
        if sample
        else Stat("Sample", "–", "", "none drawn: every row was tested")
    )
    untested = Stat(
        "Could not test",
        words.number(run.could_not_test),
        "items",
        "every row had what the procedure needs" if not run.could_not_test else "each says why",
    )
    return (first, rows, drawn, untested)


def _deviations(visit: Visit, control: Control, freeze: str, found: RowsOf) -> tuple[DeviationRow, ...]:
    """Items that deviate or could not be tested, grouped by reason."""
    times = visit.queries.times([item.idx for item in found.items])
    grouped: dict[tuple[int, str], list[int]] = {}
    examples: dict[tuple[int, str], str] = {}
    for item in found.items:
        named = dict(zip(found.columns, item.cells, strict=True))
        at = named.get("at") or named.get("due") or times.get(item.idx, 0)
        grouped.setdefault((item.item, item.why), []).append(at if isinstance(at, int) else 0)
        examples.setdefault((item.item, item.why), why_text(control, item.why, named))
    rows = []
    for (item_result, why), moments in grouped.items():
        first, last = min(moments), max(moments)
        span = words.when(first) if first == last else f"{words.when(first)} – {words.when(last)}"
        href = address(f"/populations/{freeze}", item=words.item_state(item_result).key, why=why)
        text = words.sentence(why.replace("_", " ")) or words.item_state(item_result).word
        rows.append(DeviationRow(words.item_state(item_result), text, len(moments), span, href, examples[(item_result, why)]))
    return tuple(rows)


def reliance(visit: Visit, control: Control, run: Run | None, period: Period) -> tuple[Fact, ...]:
    """What the result rests on."""
    hours = max((min(visit.now_us, period.to_us) - period.from_us) // words.HOUR_US, 1)
    anchored = visit.queries.anchored_hours(period.from_us // words.HOUR_US, period.from_us // words.HOUR_US + hours)
    facts = [
        Fact("Evidence", "in-path: written by the gateway and records themselves", note="other grades are not taken in yet"),
        Fact("Outside anchor", f"{words.number(hours - anchored)} of {words.count(hours, 'hour')} without one", "/ledger"),
    ]
    if run is not None and control.population is not None:
        source = control.population.source or "no independent count"
        facts.append(
            Fact(
                "Reconciled with",
                source,
                f"/populations/{run.freeze}" if run.freeze else "",
                note=f"{words.count(run.unmatched, 'row')} unmatched",
            )
        )
    for number, boundary in enumerate(control.population.boundary if control.population else ()):
        facts.append(Fact("Left out" if number == 0 else "", boundary))
    for number, limit in enumerate(control.limits):
        facts.append(Fact("Ways round" if number == 0 else "", limit))
    span = period_argument(run.from_us, run.to_us) if run else period.argument
    facts.append(Fact("Recalculate", f"affiant control run {control.id} --period {span}", mono=True))
    return tuple(facts)


def _rows(visit: Visit, control: Control, run: Run) -> tuple[RowsOf, RowsOf, str]:
    """Rows to show, rows that are not met, and what is shown."""
    findings = visit.context.findings
    bad = findings.rows(run.freeze, 1, "", 0, SHOWN_DEVIATIONS)
    untested = findings.rows(run.freeze, 2, "", 0, SHOWN_DEVIATIONS) if run.could_not_test else None
    merged = bad if untested is None else RowsOf(bad.columns, bad.items + untested.items, bad.total + untested.total, bad.unmatched)
    last = findings.rows(run.freeze, None, "", max(run.rows - SHOWN_ROWS, 0), SHOWN_ROWS)
    shown = [*merged.items[:SHOWN_ROWS]]
    known = {(item.idx, item.ord) for item in shown}
    shown += [item for item in reversed(last.items) if (item.idx, item.ord) not in known][: max(SHOWN_ROWS - len(shown), 0)]
    words_for = f"{len(shown)} of {words.number(run.rows)}" + (", those not met first" if merged.items else ", the last ones")
    return RowsOf(last.columns or bad.columns, tuple(shown), run.rows, bad.unmatched), merged, words_for


def show(visit: Visit) -> Response:
    """The page."""
    control, period = control_of(visit), period_of(visit)
    runs, adoptions = visit.queries.runs(control.id), visit.queries.adoptions(control.id)
    run = runs[0] if runs else None
    state = control_state(control, run, bool(adoptions))
    found = merged = RowsOf((), (), 0, Table((), ()))
    rows_sub, drawn = "", None
    if run is not None and run.freeze:
        found, merged, rows_sub = _rows(visit, control, run)
        drawn = strip(period, visit.context.findings.days(control.id, run.freeze), visit.now_us, f"{control.id} by day", ticks=True)
    times = visit.queries.times([item.idx for item in found.items])
    unmatched_columns, unmatched_rows = unmatched_of(found.unmatched, 10)
    href = f"/populations/{run.freeze}" if run and run.freeze else ""
    never = Empty(
        "Not run yet",
        "A run freezes the population, tests each row and writes the result as an entry.",
        f"affiant control run {control.id} --period {period.argument}",
    )
    page = ControlPage(
        id=control.id,
        title=control.title,
        statement=control.statement,
        crumbs=(
            Link("Controls", "/controls"),
            Link(category_word(control.category), f"/controls?category={control.category}"),
            Link(control.id),
        ),
        tags=_tags(control, adoptions),
        may_run=visit.may("control.run") and control.implemented,
        stats=_stats(visit, control, run, state),
        strip_title=f"Occurrences, {period.words}",
        strip_sub="One mark a day; orange days hold a deviation, grey ones an item that could not be tested, pale ones no occurrence",
        strip=drawn,
        empty=never,
        rows_sub=rows_sub,
        rows_links=(Link(f"All {words.count(run.rows, 'row')}", href), Link("CSV", f"{href}.csv")) if href and run else (),
        columns=column_names(found.columns, found.items),
        rows=item_rows(control, found.columns, found.items, times),
        rows_empty=Empty("No occurrence in this period", "The population is empty: nothing happened that this control is about.")
        if run
        else never,
        deviations=_deviations(visit, control, run.freeze, merged) if run else (),
        deviations_sub="Grouped by reason; each opens its rows" if merged.items else "",
        deviations_none="No deviations noted in this period." if run and not run.deviations else "Not tested yet." if run is None else "",
        unmatched=unmatched_rows,
        unmatched_columns=unmatched_columns,
        unmatched_sub=_unmatched_sub(len(unmatched_rows), len(found.unmatched.rows)),
        reliance=reliance(visit, control, run, period),
        runs=tuple(RunRow(each.at, each.rows, each.deviations, words.result_state(each.result), each.idx) for each in runs),
        runs_links=(Link("All populations", f"/populations?control={control.id}"),) if runs else (),
        versions=tuple(VersionRow(each.version, each.at, each.sha, each.idx) for each in adoptions),
        procedure=_procedure(control),
    )
    return visit.page("control.html", page, "/controls")


def _unmatched_sub(shown: int, total: int) -> str:
    text = "Shown beside the result, never folded into it"
    return f"{text}; {shown} of {words.number(total)}, the others are with the population" if shown < total else text


def _procedure(control: Control) -> str:
    parts = [control.attribute] if control.attribute else []
    if control.params:
        parts.append("Parameters: " + ", ".join(f"{name} = {value:,}" for name, value in control.params.items()))
    parts.append(control.procedure.strip() or "No procedure is described: a design gap.")
    if control.miss:
        parts.append(f"What a deviation means: {control.miss}")
    return "\n\n".join(parts)


async def run_now(visit: Visit) -> Response:
    """Run this control on behalf of this person."""
    control = control_of(visit)
    await visit.context.run_controls(f"person:{visit.session.person}", (control.id,))
    return visit.back(f"/controls/{control.id}", "ran")
