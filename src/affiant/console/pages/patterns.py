"""Every part of the console in every state, to look at while changing one. It shows shapes and words, no records of this home."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from affiant.console.model import Empty, Fact, Filter, Link, Notice, Pager, choose
from affiant.console.pages.nouns import Stat
from affiant.console.render import svg
from affiant.console.visit import NOTICES, Visit
from affiant.console.words import STATES, State
from affiant.kit import charts


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart and what it is."""

    name: str
    chart: Markup


@dataclass(frozen=True, slots=True)
class PatternsPage:
    """`patterns.html`."""

    states: tuple[State, ...]
    drawings: tuple[Drawing, ...]
    stats: tuple[Stat, ...]
    facts: tuple[Fact, ...]
    notices: tuple[Notice, ...]
    filters: tuple[Filter, ...]
    filtered: bool
    clear: str
    empty: Empty
    pager: Pager
    links: tuple[Link, ...]


def drawings() -> tuple[Drawing, ...]:
    """Each chart with each of its states, empty ones included."""
    strip = [charts.Cell(state, f"mark in state {state}") for state in charts.STATES]
    parts = [charts.Part(number, state, f"part in state {state}") for number, state in enumerate(charts.STATES[:-1], 1)]
    path = tuple(charts.Sibling(f"{number:064x}", bool(number % 2), 1 << number) for number in range(9))
    wave = tuple(40 + (number * 7) % 30 for number in range(40))
    areas = (charts.AreaSeries("first", wave), charts.AreaSeries("second", tuple(v // 4 for v in wave), "area-2"))
    ticks = (charts.Tick(0, "start"), charts.Tick(0.5, "middle"), charts.Tick(1, "end"))
    return (
        Drawing("Strip, one mark of each state", svg(charts.day_strip(strip, "A strip", ticks=ticks))),
        Drawing("Strip without marks", svg(charts.day_strip([], "An empty strip"))),
        Drawing("Stacked bar", svg(charts.stacked_bar(parts, "A bar"))),
        Drawing("Sparkline", svg(charts.sparkline(wave, "A trend"))),
        Drawing("Areas and bars", svg(charts.area_chart(areas, [v % 5 for v in wave], "Areas", ticks=ticks, height=90))),
        Drawing("Areas without values", svg(charts.area_chart((), (), "No areas", height=60))),
        Drawing("Inclusion path, long", svg(charts.proof_tree(charts.Proof(5, 512, path), "A long path"))),
        Drawing("Inclusion path, one step", svg(charts.proof_tree(charts.Proof(0, 2, path[:1]), "A short path"))),
        Drawing("Inclusion path of a single entry", svg(charts.proof_tree(charts.Proof(0, 1, ()), "No path"))),
    )


def show(visit: Visit) -> Response:
    """The page."""
    tones = ("", "deviation", "failed")
    page = PatternsPage(
        states=tuple(STATES.values()),
        drawings=drawings(),
        stats=(Stat("A figure", "0", "of 0", "the sentence under it"), Stat("A state", state=STATES["not_tested"], note="why")),
        facts=(
            Fact("Plain", "value"),
            Fact("A link", "value", "/patterns"),
            Fact("Mono", "value", mono=True),
            Fact("With a note", "value", note="a quieter line"),
        ),
        notices=(*(Notice(f"Notice {tone or 'plain'}.", "What to do next.", tone) for tone in tones), *NOTICES.values()),
        filters=(choose("choice", "A choice", "", [("one", "One")]), Filter("text", "Free text", "", (), "hint")),
        filtered=True,
        clear="/patterns",
        empty=Empty("Nothing here", "Why, and what to do first.", "affiant status", "/patterns", "A way on"),
        pager=Pager(51, 100, 1234, "/patterns", "/patterns"),
        links=(Link("A link", "/patterns"), Link("Another", "/patterns")),
    )
    return visit.page("patterns.html", page, "/patterns")
