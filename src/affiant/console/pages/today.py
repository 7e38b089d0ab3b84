"""Today: what is due, controls by category, probes, traffic, and what the evidence does not show."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from affiant.console import words
from affiant.console.context import DueItem
from affiant.console.model import Empty, Fact, Link
from affiant.console.pages.exchanges import EMPTY as EXCHANGES_EMPTY
from affiant.console.pages.shared import Period, category_word, control_state, month_ticks, period_of
from affiant.console.queries import ProbeDay
from affiant.console.render import svg
from affiant.console.visit import Visit
from affiant.console.words import DAY_US, STATES, State
from affiant.kit import charts


@dataclass(frozen=True, slots=True)
class DueRow:
    """One thing that needs a person; `at` is µs or 0, `urgent` that it cannot be repaired afterwards."""

    state: State
    ref: str
    text: str
    href: str
    owner: str
    consequence: str
    when: str
    at: int = 0
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """Controls of one category, counted by result; `apart` are those that are no test result (gap, no occurrence, not implemented)."""

    name: str
    href: str
    bar: Markup
    none_noted: int
    noted: int
    not_tested: int
    apart: int
    all: int


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """One probe over the last 30 days."""

    name: str
    strip: Markup
    last: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class TodayPage:
    """`today.html`."""

    sentence: str
    may_run: bool
    due: tuple[DueRow, ...]
    due_sub: str
    due_all: Link | None
    due_empty: Empty
    categories: tuple[CategoryRow, ...]
    category_sentence: str
    controls_link: str
    controls_empty: Empty
    probes: tuple[ProbeRow, ...]
    probes_link: str
    probes_href: str
    probes_empty: Empty
    traffic: Markup | None
    traffic_sub: str
    traffic_empty: Empty
    not_shown: tuple[Fact, ...]


SHOWN_DUE = 6
PROBE_DAYS = 30
KEY_NOTICE_US = 14 * DAY_US


def _own_due(visit: Visit) -> list[DueItem]:
    """What records know to be due: changes that wait, and keys that end."""
    now, out = visit.now_us, []
    for state, what in (("proposed", "waits for a second person"), ("approved", "waits to be activated")):
        for change in visit.context.records.changes(state):
            text = f"Change to {change.kind} {change.target} {what}"
            owner = change.awaits or ("whoever may approve it" if state == "proposed" else change.author)
            out.append(DueItem("PI-5.1", text, owner, "stays without effect", change.proposed_us, href=f"/changes/{change.id}"))
    for change in visit.context.records.changes("activated"):
        if change.emergency and not change.bootstrap and all(approval.by == change.author for approval in change.approvals):
            text = f"Emergency change to {change.kind} {change.target} came into force on its author's word alone"
            consequence = "stays a deviation; needs a second person's look"
            href = f"/changes/{change.id}"
            out.append(DueItem("PI-5.1", text, "compliance manager", consequence, change.activated_us, overdue=True, href=href))
    keys = visit.context.records.keys()
    for key in keys:
        if key.state == "live" and 0 < key.expires_us - now <= KEY_NOTICE_US:
            out.append(
                DueItem("", f"Key {words.short_id(key.id)} expires", key.owner, "its callers get 401", key.expires_us, href="/people")
            )
    return out


def all_due(visit: Visit) -> list[DueItem]:
    """Everything due, by what becomes unfixable first."""
    items = [*visit.context.findings.due(visit.now_us), *_own_due(visit)]
    return sorted(items, key=lambda item: (not (item.final and not item.overdue), not item.overdue, item.at_us))


def due_row(item: DueItem, now_us: int) -> DueRow:
    """One thing due as a row."""
    state = STATES["deviation"] if item.overdue or item.final else STATES["waiting"]
    urgent = item.final and not item.overdue
    href = item.href or (f"/controls/{item.ref}" if item.ref else "/")
    return DueRow(state, item.ref, item.text, href, item.owner, item.consequence, words.near(item.at_us, now_us), item.at_us, urgent)


def _sentence(period: Period, due: list[DueItem], now_us: int) -> str:
    days = period.to_day - period.from_day
    today = min(max(now_us // DAY_US - period.from_day + 1, 1), days)
    start = (
        f"Day {today} of {days}." if period.open and period.to_us > now_us + DAY_US else f"Day {today} since {words.day(period.from_us)}."
    )
    if not due:
        return f"{start} Nothing needs a person."
    count = len(due)
    text = f"{start} {words.sentence(words.spelled(count))} {'thing needs' if count == 1 else 'things need'} a person"
    final = [item for item in due if item.final and not item.overdue]
    if final:
        when = words.near(final[0].at_us, now_us)
        text += f"; {words.spelled(len(final))} cannot be repaired after {when[:1].lower() + when[1:] if when.startswith('T') else when}"
    return text + "."


def _categories(visit: Visit) -> tuple[tuple[CategoryRow, ...], str]:
    runs = visit.queries.latest_runs()
    adopted = {each.control for each in visit.queries.adoptions()}
    grouped = {key: controls for key, controls in visit.context.catalog.by_category().items() if controls}
    scale = max((len(controls) for controls in grouped.values()), default=1)
    rows, total = [], [0, 0, 0, 0]
    for key, controls in grouped.items():
        states = [control_state(control, runs.get(control.id), control.id in adopted).key for control in controls]
        good, bad, untested = (states.count(name) for name in ("no_deviations_noted", "deviations_noted", "not_tested"))
        apart = len(states) - good - bad - untested
        parts = (
            charts.Part(good, "good", words.count(good, "control") + " with no deviations noted"),
            charts.Part(bad, "deviation", words.count(bad, "control") + " with deviations noted"),
            charts.Part(untested, "untested", words.count(untested, "control") + " not tested"),
            charts.Part(apart, "none", words.count(apart, "control") + " without occurrence, with a gap or not implemented"),
        )
        bar = svg(charts.stacked_bar(parts, f"{category_word(key)}: {good} of {len(states)} with no deviations noted", scale=scale))
        rows.append(CategoryRow(category_word(key), f"/controls?category={key}", bar, good, bad, untested, apart, len(states)))
        total = [old + new for old, new in zip(total, (good, bad, untested, apart), strict=True)]
    sentence = f"{total[0]} of {sum(total)} with no deviations noted, {total[1]} with, {total[2]} not tested"
    return tuple(rows), sentence + (f", {total[3]} counted apart." if total[3] else ".")


def _probes(visit: Visit) -> tuple[ProbeRow, ...]:
    today = visit.now_us // DAY_US
    first = today - PROBE_DAYS + 1
    grouped: dict[str, dict[int, ProbeDay]] = {}
    for each in visit.queries.probes(first, today + 1):
        grouped.setdefault(each.probe, {})[each.day] = each
    rows = []
    for probe, days in grouped.items():
        cells = []
        for day in range(first, today + 1):
            found, name = days.get(day), words.day(day * DAY_US)
            if found is None:
                cells.append(charts.Cell("none", f"{name}: not performed"))
            elif found.matched < found.opened:
                cells.append(charts.Cell("deviation", f"{name}: {found.opened - found.matched} of {found.opened} with the wrong answer"))
            else:
                cells.append(charts.Cell("good", f"{name}: {found.opened} performed, right answer"))
        last = max(found.at for found in days.values())
        title = f"{probe}: performed on {len(days)} of {PROBE_DAYS} days"
        rows.append(ProbeRow(probe_name(probe), svg(charts.day_strip(cells, title)), words.near(last, visit.now_us), last))
    return tuple(rows)


def probe_name(probe: str) -> str:
    """A probe's id as people say it."""
    text = probe.replace("_", " ").replace("-", " ").strip()
    return words.sentence(text.replace(" pii", " PII") if not text.startswith("pii") else "PII" + text[3:])


def _traffic(visit: Visit, period: Period) -> tuple[Markup | None, str]:
    last = min(period.to_day, visit.now_us // DAY_US + 1)
    first = max(period.from_day, last - 200)
    days = visit.queries.traffic(first, last) if last > first else []
    accepted, refused = sum(day.accepted for day in days), sum(day.refused for day in days)
    if not accepted and not refused:
        return None, "No exchange in this period yet"
    areas = (
        charts.AreaSeries("accepted", tuple(day.accepted for day in days)),
        charts.AreaSeries("of these, redacted", tuple(day.redacted for day in days), "area-2"),
    )
    titles = [f"{words.day(day.day * DAY_US)}: {words.number(day.refused)} refused, {words.number(day.accepted)} accepted" for day in days]
    title = f"Exchanges by day: {words.number(accepted)} accepted, {words.number(refused)} refused"
    ticks = month_ticks(first, len(days))
    drawn = charts.area_chart(areas, [day.refused for day in days], title, ticks=ticks, bar_titles=titles, height=150)
    return svg(drawn), f"{words.number(accepted)} accepted and {words.number(refused)} refused since {words.day(first * DAY_US)}"


def _not_shown(visit: Visit, period: Period) -> tuple[Fact, ...]:
    to_us = min(period.to_us, visit.now_us)
    found = visit.context.findings.not_shown(period.from_us, to_us)
    return tuple(
        Fact(
            words.sentence(each.text),
            f"{words.number(each.value)} of {words.number(each.whole)}" if each.whole else words.number(each.value),
            each.href,
        )
        for each in found
    )


def show(visit: Visit) -> Response:
    """The page."""
    period, due = period_of(visit), all_due(visit)
    categories, category_sentence = _categories(visit)
    probes, (traffic, traffic_sub) = _probes(visit), _traffic(visit, period)
    everything = visit.query("due") == "all"
    shown = due if everything else due[:SHOWN_DUE]
    more = Link(f"All {len(due)}", "/?due=all") if len(due) > len(shown) else None
    page = TodayPage(
        sentence=_sentence(period, due, visit.now_us),
        may_run=visit.may("control.run"),
        due=tuple(due_row(item, visit.now_us) for item in shown),
        due_sub="One list for controls, changes, keys and providers",
        due_all=more,
        due_empty=Empty(
            "Nothing is due",
            "Whatever needs a person appears here, with what happens if nobody acts and from when on it cannot be repaired.",
        ),
        categories=categories,
        category_sentence=category_sentence,
        controls_link=words.count(sum(row.all for row in categories), "control"),
        controls_empty=Empty("No control is in the catalog", "Controls are plain files.", "affiant catalog check"),
        probes=probes,
        probes_link=words.count(len(probes), "probe"),
        probes_href="/controls/AUD-4.1",
        probes_empty=Empty(
            "No probe was performed in the last 30 days",
            "Probes run on schedule while the home is served; their expected occurrences are computed, so that a missed one shows.",
        ),
        traffic=traffic,
        traffic_sub=traffic_sub,
        traffic_empty=EXCHANGES_EMPTY,
        not_shown=_not_shown(visit, period),
    )
    return visit.page("today.html", page, "/")
