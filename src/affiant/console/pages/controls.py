"""The list of controls: each by day, its items, and its result so far."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from affiant.catalog import Control
from affiant.console import words
from affiant.console.csvfile import csv_response
from affiant.console.model import Empty, Filter, address, choose
from affiant.console.pages.shared import Period, category_word, control_state, period_of, strip
from affiant.console.queries import Run
from affiant.console.visit import Visit
from affiant.console.words import CONTROL_RESULTS, STATES, State


@dataclass(frozen=True, slots=True)
class ControlRow:
    """One control in the list."""

    id: str
    name: str
    href: str
    strip: Markup
    items: str
    population_href: str
    unmatched: str
    state: State


@dataclass(frozen=True, slots=True)
class ControlsPage:
    """`controls.html`."""

    sentence: str
    may_run: bool
    filters: tuple[Filter, ...]
    filtered: bool
    clear: str
    csv: str
    legend: tuple[State, ...]
    axis: str
    rows: tuple[ControlRow, ...]
    empty: Empty


LEGEND = tuple(STATES[key] for key in CONTROL_RESULTS)


def sentence_of(states: list[State]) -> str:
    """The state of all controls in words, honest about what is not counted."""
    if not states:
        return "No control is in the catalog."
    counts = {key: sum(1 for state in states if state.key == key) for key in CONTROL_RESULTS}
    tested = counts["no_deviations_noted"] + counts["deviations_noted"]
    number, good = words.sentence(words.spelled(len(states))), words.spelled(counts["no_deviations_noted"])
    text = f"{number} controls: {good} of {words.spelled(tested)} tested"
    text += " with no deviations noted"
    rest = [f"{words.spelled(counts[key])} {STATES[key].word}" for key in CONTROL_RESULTS[2:] if counts[key]]
    return f"{text}; apart from these, {', '.join(rest)}." if rest else f"{text}."


def show(visit: Visit) -> Response:
    """The list."""
    category, result, criterion = visit.query("category"), visit.query("result"), visit.query("criterion")
    period, runs = period_of(visit), visit.queries.latest_runs()
    adopted = {each.control for each in visit.queries.adoptions()}
    rows, states = [], []
    for control in visit.context.catalog.controls.values():
        run = runs.get(control.id)
        state = control_state(control, run, control.id in adopted)
        states.append(state)
        if (
            (category and control.category != category)
            or (result and state.key != result)
            or (criterion and criterion not in control.criteria)
        ):
            continue
        rows.append(_row(visit, control, run, state, period))
    named = visit.context.catalog.controls.values()
    categories = [(key, category_word(key)) for key in dict.fromkeys(control.category for control in named)]
    criteria = [(each, each) for each in sorted({each for control in named for each in control.criteria})]
    filters = (
        choose("category", "Category", category, categories),
        choose("result", "Result", result, [(state.key, state.word) for state in LEGEND]),
        choose("criterion", "Criterion", criterion, criteria),
    )
    filtered = bool(category or result or criterion)
    empty = Empty("Nothing matches", "No control fits these filters.", "", "/controls", "Show all controls")
    page = ControlsPage(
        sentence_of(states),
        visit.may("control.run"),
        filters,
        filtered,
        "/controls",
        address("/controls.csv", category=category, result=result),
        LEGEND,
        period.words,
        tuple(rows),
        empty,
    )
    return visit.page("controls.html", page, "/controls")


def _row(visit: Visit, control: Control, run: Run | None, state: State, period: Period) -> ControlRow:
    days = visit.context.findings.days(control.id, run.freeze) if run and run.freeze else ()
    href = f"/controls/{control.id}"
    drawn = strip(period, days, visit.now_us, f"{control.id} by day", href=href)
    items = words.number(run.rows) if run else "–"
    return ControlRow(
        control.id,
        control.title,
        href,
        drawn,
        items,
        f"/populations/{run.freeze}" if run and run.freeze else "",
        words.figure(run.unmatched) if run else "–",
        state,
    )


def csv(visit: Visit) -> Response:
    """The list as CSV, with the same filters."""
    category, result, runs = visit.query("category"), visit.query("result"), visit.queries.latest_runs()
    columns = (
        "control",
        "version",
        "title",
        "category",
        "criteria",
        "result",
        "items",
        "met",
        "deviations",
        "could_not_test",
        "unmatched",
        "run_at",
        "entry",
    )
    rows = []
    for control in visit.context.catalog.controls.values():
        run = runs.get(control.id)
        state = control_state(control, run, True)
        if (category and control.category != category) or (result and state.key != result):
            continue
        head = (control.id, control.version, control.title, category_word(control.category), " ".join(control.criteria), state.word)
        tail = (run.rows, run.met, run.deviations, run.could_not_test, run.unmatched, words.exact(run.at), run.idx) if run else ("",) * 7
        rows.append(head + tail)
    return csv_response("controls", columns, rows)


async def run_all(visit: Visit) -> Response:
    """Run every control on behalf of this person."""
    await visit.context.run_controls(f"person:{visit.session.person}", ())
    return visit.back("/controls", "ran")
