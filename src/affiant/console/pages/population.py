"""One frozen population: query, parameters, boundary, reconciliation, sample, and rows with item results."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from affiant.console import words
from affiant.console.csvfile import MAX_ROWS, csv_response
from affiant.console.model import Empty, Fact, Filter, Link, Pager, address, choose, page_of
from affiant.console.pages.nouns import Cell, Column, ItemRow, Stat
from affiant.console.pages.shared import cell_of, column_names, item_rows, period_argument, period_words, unmatched_of
from affiant.console.queries import Freeze, Run, Sample
from affiant.console.visit import Visit
from affiant.kit.errors import NotFound
from affiant.ledger import Event, decode


@dataclass(frozen=True, slots=True)
class PopulationPage:
    """`population.html`."""

    name: str
    title: str
    sentence: str
    crumbs: tuple[Link, ...]
    csv: str
    stats: tuple[Stat, ...]
    query: str
    query_sub: str
    params: tuple[Fact, ...]
    boundary: tuple[Fact, ...]
    reconcile_sub: str
    reconcile_none: str
    unmatched: tuple[tuple[Cell, ...], ...]
    unmatched_columns: tuple[Column, ...]
    sample_sub: str
    sample: tuple[Fact, ...]
    redraw: str
    redraw_sub: str
    filters: tuple[Filter, ...]
    filtered: bool
    clear: str
    rows_sub: str
    rows_links: tuple[Link, ...]
    columns: tuple[str, ...]
    rows: tuple[ItemRow, ...]
    pager: Pager
    rows_empty: Empty


LIMIT = 50
ITEM_KEYS = {"met": 0, "deviation": 1, "could_not_test": 2}


def freeze_of(visit: Visit) -> Freeze:
    """The frozen population named in the address.

    Raises:
        NotFound: no entry froze one of that id.
    """
    wanted = visit.request.path_params["freeze"]
    found = visit.queries.freeze(wanted)
    if found is None:
        raise NotFound(f"There is no frozen population `{wanted[:60]}`.", "See the list of populations.")
    return found


def _query(visit: Visit, freeze: Freeze, event: Event) -> tuple[str, str]:
    """The query text, if the catalog still has the one that was frozen."""
    described = visit.context.catalog.populations.get(freeze.population)
    sha = str(event.body.get("query", ""))
    if described is not None and described.query_sha == sha:
        return described.query.strip(), "As it ran: its SHA-256 is the one in the freeze"
    return f"SHA-256 {sha}", "The catalog has another version of this query now; an affidavit carries the one that was frozen"


def _params(event: Event) -> tuple[Fact, ...]:
    out = []
    for param in event.body.get("params", ()):
        name, value = str(param.get("name", "")), param.get("value", 0)
        cell = cell_of(name, value)
        out.append(Fact(name, cell.text, title=cell.title))
    return tuple(out)


def _boundary(visit: Visit, freeze: Freeze, event: Event) -> tuple[Fact, ...]:
    described = visit.context.catalog.populations.get(freeze.population)
    facts = [
        Fact(
            "Period",
            period_words(freeze.from_us, freeze.to_us),
            title=f"{words.exact(freeze.from_us)} to {words.exact(freeze.to_us)}, half-open",
        ),
        Fact("Entries below", words.number(freeze.end_size), "/ledger", note="consecutive indexes, up to a signed head"),
        Fact("Root", words.groups(freeze.root), mono=True, title=freeze.root, note="RFC 9162, over the rows in this order"),
        Fact("Query hash", words.groups(str(event.body.get("query", ""))), mono=True, title=str(event.body.get("query", ""))),
        Fact("Frozen", words.when(freeze.at), title=words.exact(freeze.at)),
        Fact("By", str(event.body.get("principal", "")) or event.actor),
        Fact("Entry", words.number(freeze.idx), f"/entries/{freeze.idx}", True),
    ]
    for number, text in enumerate(described.boundary if described else ()):
        facts.append(Fact("Left out" if number == 0 else "", text))
    return tuple(facts)


def _stats(freeze: Freeze, run: Run | None, sample: Sample | None, statement: str) -> tuple[Stat, ...]:
    rows = Stat("Rows", words.number(freeze.rows), "", statement)
    unmatched = Stat("Unmatched", words.number(freeze.unmatched), "rows", "beside the result, never folded in")
    drawn = (
        Stat("Sample", words.number(sample.n), f"of {words.number(freeze.rows)}", f"{sample.kind} seed")
        if sample
        else Stat("Sample", "–", "", "none drawn")
    )
    if run is None:
        return (rows, unmatched, drawn, Stat("Items", state=words.state("not_tested"), note="no run over this population"))
    note = (
        f"{words.number(run.met)} met, {words.count(run.deviations, 'deviation')}, {words.number(run.could_not_test)} could not be tested"
    )
    return (rows, unmatched, drawn, Stat("Items", state=words.result_state(run.result), note=note))


def _sample(sample: Sample | None) -> tuple[Fact, ...]:
    if sample is None:
        return ()
    return (
        Fact("Rows drawn", words.number(sample.n)),
        Fact("Seed", sample.seed if len(sample.seed) < 40 else words.groups(sample.seed), mono=True, title=sample.seed),
        Fact("Seed is", sample.kind),
        Fact("Method", "lowest HMAC-SHA256(seed, row)", note="a row is its index, leaf hash and ordinal: 48 bytes"),
        Fact("Entry", words.number(sample.idx), f"/entries/{sample.idx}", True),
    )


def _filters(visit: Visit) -> tuple[int | None, str, tuple[Filter, ...], dict[str, str]]:
    item, why = visit.query("item"), visit.query("why")
    options = [(key, words.state(key).word) for key in ITEM_KEYS]
    filters = (choose("item", "Item", item, options), Filter("why", "Why", why, (), "short code"))
    return ITEM_KEYS.get(item), why, filters, {"item": item, "why": why}


def show(visit: Visit) -> Response:
    """The page."""
    freeze = freeze_of(visit)
    event = decode(visit.context.reader.entry(freeze.idx))
    control = visit.context.catalog.controls.get(freeze.control)
    described = visit.context.catalog.populations.get(freeze.population)
    run, sample = visit.queries.run_of_freeze(freeze.id), visit.queries.sample_of(freeze.id)
    item, why, filters, query = _filters(visit)
    offset, here = visit.offset(), f"/populations/{freeze.id}"
    found = visit.context.findings.rows(freeze.id, item, why, offset, LIMIT)
    times = visit.queries.times([each.idx for each in found.items])
    unmatched_columns, unmatched_rows = unmatched_of(found.unmatched, 50)
    name = freeze.population.replace("_", " ")
    text, query_sub = _query(visit, freeze, event)
    filtered = item is not None or bool(why)
    csv = address(f"{here}.csv", **query)
    frozen, left = words.near(freeze.at, visit.now_us), words.count(freeze.unmatched, "row")
    sentence = f"{words.sentence(words.count(freeze.rows, 'row'))}, frozen {frozen} for {freeze.control}; {left} unmatched."
    source = described.source if described and described.source else ""
    as_of = f"{words.moment(freeze.at):%Y-%m-%dT%H:%M:%SZ}"
    page = PopulationPage(
        name=freeze.population,
        title=words.sentence(name),
        sentence=sentence,
        crumbs=(Link("Populations", "/populations"), Link(freeze.control, f"/controls/{freeze.control}"), Link(name)),
        csv=csv,
        stats=_stats(freeze, run, sample, described.statement if described else "one row per occurrence"),
        query=text,
        query_sub=query_sub,
        params=_params(event),
        boundary=_boundary(visit, freeze, event),
        reconcile_sub=f"Against {source}" if source else "",
        reconcile_none="Every row of the independent count has a row here, and none is left over."
        if source
        else "There is no independent count to reconcile with: completeness rests on the ledger's own sequence alone.",
        unmatched=unmatched_rows,
        unmatched_columns=unmatched_columns,
        sample_sub="Drawn from the frozen rows" if sample else "None drawn: every row was tested",
        sample=_sample(sample),
        redraw=f"affiant control run {freeze.control} --period {period_argument(freeze.from_us, freeze.to_us)} --as-of {as_of}",
        redraw_sub="The same entries and query give the same rows and root; verify.pyz does it without this program",
        filters=filters,
        filtered=filtered,
        clear=here,
        rows_sub="In the order of the root" if not filtered else f"{words.number(found.total)} of {words.number(freeze.rows)}",
        rows_links=(Link("CSV", csv),),
        columns=column_names(found.columns, found.items),
        rows=item_rows(control, found.columns, found.items, times),
        pager=page_of(here, found.total, offset, LIMIT, **query),
        rows_empty=Empty("Nothing matches", "No row fits these filters.", "", here, "Show all rows")
        if filtered
        else Empty("No rows", "Nothing happened in this period that the population is about."),
    )
    return visit.page("population.html", page, "/populations")


def csv(visit: Visit) -> Response:
    """The rows as CSV, with the same filters."""
    freeze = freeze_of(visit)
    item, why, _, _ = _filters(visit)
    found = visit.context.findings.rows(freeze.id, item, why, 0, MAX_ROWS + 1)
    columns = ("idx", "ord", *found.columns, "item", "why")
    rows = ((each.idx, each.ord, *each.cells, words.item_state(each.item).word, each.why) for each in found.items)
    return csv_response(f"{freeze.population}-{freeze.id}", columns, rows)
