"""The list of exchanges, refusals included, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from starlette.responses import Response

from affiant.console import words
from affiant.console.csvfile import MAX_ROWS, csv_response
from affiant.console.model import Empty, Filter, Link, Pager, address, choose, page_of
from affiant.console.queries import ExchangeFilter, ExchangeLine
from affiant.console.visit import Visit
from affiant.console.words import STATES, State
from affiant.kit.errors import BadInput


@dataclass(frozen=True, slots=True)
class ExchangeRow:
    """One exchange in the list."""

    id: str
    short: str
    at: int
    route: str
    key: str
    short_key: str
    decisions: str
    served: str
    tokens: str
    took: str
    state: State
    word: str = ""


@dataclass(frozen=True, slots=True)
class ExchangesPage:
    """`exchanges.html`."""

    sentence: str
    sub: str
    filters: tuple[Filter, ...]
    filtered: bool
    clear: str
    links: tuple[Link, ...]
    rows: tuple[ExchangeRow, ...]
    pager: Pager
    empty: Empty


LIMIT = 50
_COLUMNS = ("at", "exchange", "route", "key", "tenant", "outcome", "code", "decisions", "served", "tokens_in", "tokens_out", "ms", "entry")
EMPTY = Empty(
    "No exchange yet",
    "Point a client at the gateway: the same API, another base URL and a key made here.",
    "affiant key create --models MODEL --owner PERSON",
)


def outcome_state(outcome: str) -> State:
    """How an exchange ended, as a state."""
    known = {"answered": "answered", "refused": "refused", "blocked": "block", "interrupted": "interrupted", "open": "open"}
    key = known.get(outcome)
    return STATES[key] if key else State(outcome, outcome.replace("_", " "), "square", "failed", "failed")


def filter_of(visit: Visit) -> ExchangeFilter:
    """The filter in the address; a consumer sees those of their own keys only."""
    keys = None
    if set(visit.session.roles) <= {"consumer"}:
        keys = tuple(key.id for key in visit.context.records.keys(visit.session.person))
    return ExchangeFilter(
        visit.query("outcome"),
        visit.query("route"),
        visit.query("key"),
        visit.query("mode"),
        day_number(visit.query("day")),
        visit.query("acted"),
        visit.query("uninspected") == "1",
        keys,
    )


def day_number(text: str) -> int:
    """`2026-11-23` as days since the epoch; -1 for nothing.

    Raises:
        BadInput: it is no date.
    """
    if not text:
        return -1
    try:
        return (date.fromisoformat(text) - date(1970, 1, 1)).days
    except ValueError:
        raise BadInput(f"{text!r} is no day.", "Write it as 2026-11-23.") from None


def row_of(line: ExchangeLine) -> ExchangeRow:
    """One line of the list."""
    tokens = f"{words.number(line.tokens_in)} / {words.number(line.tokens_out)}" if line.tokens_in or line.tokens_out else "–"
    state = outcome_state(line.outcome)
    return ExchangeRow(
        line.id,
        words.short_id(line.id),
        line.at,
        line.route or "–",
        line.key,
        words.short_id(line.key) if line.key else "–",
        line.words or "–",
        line.served or "–",
        tokens,
        words.elapsed(line.ms) if line.ms else "–",
        state,
    )


def show(visit: Visit) -> Response:
    """The list."""
    found, offset = filter_of(visit), visit.offset()
    total = visit.queries.count_exchanges(found)
    rows = tuple(row_of(line) for line in visit.queries.exchanges(found, offset, LIMIT))
    names = ("outcome", "route", "key", "mode", "day", "acted", "uninspected")
    query = {name: visit.query(name) for name in names}
    filtered = any(query.values())
    everything = visit.queries.count_exchanges(ExchangeFilter(keys=found.keys))
    refused = visit.queries.count_exchanges(ExchangeFilter(outcome="refused", keys=found.keys))
    sentence = f"{words.count(everything - refused, 'exchange')} accepted and {words.number(refused)} refused since the ledger began."
    filters = (
        choose("outcome", "Outcome", query["outcome"], [(o, outcome_state(o).word) for o in visit.queries.outcomes()]),
        choose("route", "Route", query["route"], [(r, r) for r in visit.queries.routes()]),
        choose("acted", "Decision", query["acted"], [("redacted", "redacted"), ("flagged", "flagged")]),
        choose(
            "mode", "Mode", query["mode"], [("enforce", "enforce"), ("warn", "warn"), ("watch", "watch"), ("not_enforced", "not enforced")]
        ),
        Filter("day", "Day", query["day"], (), "2026-11-23"),
        Filter("key", "Key", query["key"], (), "key id"),
    )
    empty = Empty("Nothing matches", "No exchange fits these filters.", "", "/exchanges", "Show all exchanges") if filtered else EMPTY
    page = ExchangesPage(
        sentence,
        "Refusals included; each is evidence of its own",
        filters,
        filtered,
        "/exchanges",
        (Link("CSV", address("/exchanges.csv", **query)),),
        rows,
        page_of("/exchanges", total, offset, LIMIT, **query),
        empty,
    )
    return visit.page("exchanges.html", page, "/exchanges")


def csv(visit: Visit) -> Response:
    """The list as CSV, with the same filters."""
    lines = visit.queries.exchanges(filter_of(visit), 0, MAX_ROWS + 1)
    rows = (
        (words.exact(e.at), e.id, e.route, e.key, e.tenant, e.outcome, e.code, e.words, e.served, e.tokens_in, e.tokens_out, e.ms, e.first)
        for e in lines
    )
    return csv_response("exchanges", _COLUMNS, rows)
