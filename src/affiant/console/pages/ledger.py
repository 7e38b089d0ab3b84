"""The ledger: its signed head, its outside anchors, and its entries by type and reference."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from affiant.console import words
from affiant.console.csvfile import MAX_ROWS, csv_response
from affiant.console.model import Empty, Fact, Filter, Link, Pager, address, choose, page_of
from affiant.console.pages.entry import ref_href
from affiant.console.proofs import signers
from affiant.console.queries import EntryLine
from affiant.console.visit import Visit


@dataclass(frozen=True, slots=True)
class AnchorRow:
    """One cosignature."""

    witness: str
    at: int
    size: int


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One entry in the list."""

    index: int
    at: int
    type: str
    ref: str
    short_ref: str
    ref_href: str
    actor: str
    short_actor: str
    producer: str


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """`ledger.html`."""

    sentence: str
    checkpoint: str
    checkpoint_sub: str
    facts: tuple[Fact, ...]
    anchors: tuple[AnchorRow, ...]
    anchors_sub: str
    anchors_none: str
    filters: tuple[Filter, ...]
    filtered: bool
    clear: str
    links: tuple[Link, ...]
    entries_sub: str
    rows: tuple[EntryRow, ...]
    pager: Pager
    empty: Empty


LIMIT = 50


def _rows(lines: list[EntryLine]) -> tuple[EntryRow, ...]:
    return tuple(
        EntryRow(
            line.idx,
            line.at,
            line.type,
            line.ref,
            words.short_id(line.ref, 16) or "–",
            ref_href(line.type, line.ref),
            line.actor,
            words.short_id(line.actor, 18) or "–",
            line.producer,
        )
        for line in lines
    )


def show(visit: Visit) -> Response:
    """The page."""
    reader, queries, now = visit.context.reader, visit.queries, visit.now_us
    size, head = reader.size, reader.checkpoint()
    kind, ref, offset = visit.query("type"), visit.query("ref"), visit.offset()
    anchors = tuple(AnchorRow(a.witness, a.time_s * 1_000_000, a.size) for a in sorted(visit.context.anchors(), key=lambda a: -a.size)[:6])
    last = f"last anchored outside {words.near(anchors[0].at, now)}" if anchors else "never anchored outside"
    entries = words.sentence(words.count(size, "entry", "entries"))
    sentence = f"{entries} in one order, {words.number(head.size)} of them under the signed head; {last}."
    unreadable = queries.tally("unreadable")
    facts = [
        Fact("Entries", words.number(size)),
        Fact("Root", words.groups(head.root.hex()), mono=True, title=head.root.hex()),
        Fact("Signed by", signers(head.note)),
        Fact("Read in place", "ledger/checkpoint and ledger/tile/… of the home, by any tlog-tiles client"),
        Fact("Check all", f"affiant ledger verify --home {visit.context.home_words}", mono=True),
    ]
    if unreadable:
        facts.append(
            Fact(
                "Not understood",
                words.count(unreadable, "entry", "entries"),
                "/ledger?type=unreadable",
                note="kept and shown, counted nowhere",
            )
        )
    filters = (
        choose("type", "Event", kind, [(name, f"{name} ({words.number(count)})") for name, count in queries.types()]),
        Filter("ref", "About", ref, (), "exchange or record id"),
    )
    total = queries.count_entries(kind, ref)
    page = LedgerPage(
        sentence,
        head.note.decode("utf-8", "replace"),
        f"The newest signed head, over {words.count(head.size, 'entry', 'entries')}",
        tuple(facts),
        anchors,
        "Cosignatures by witnesses; one that others run is what makes a period trustworthy",
        "No witness has cosigned this ledger. Whoever holds its key could still rewrite it unnoticed.",
        filters,
        bool(kind or ref),
        "/ledger",
        (Link("CSV", address("/ledger.csv", type=kind, ref=ref)),),
        "Newest first",
        _rows(queries.entries(kind, ref, offset, LIMIT)),
        page_of("/ledger", total, offset, LIMIT, type=kind, ref=ref),
        Empty("Nothing matches", "No entry fits these filters.", "", "/ledger", "Show all entries"),
    )
    return visit.page("ledger.html", page, "/ledger")


def csv(visit: Visit) -> Response:
    """The list as CSV, with the same filters."""
    lines = visit.queries.entries(visit.query("type"), visit.query("ref"), 0, MAX_ROWS + 1)
    rows = ((line.idx, words.exact(line.at), line.type, line.ref, line.actor, line.tenant, line.producer) for line in lines)
    return csv_response("entries", ("entry", "at", "event", "about", "actor", "tenant", "producer"), rows)


def head_line(visit: Visit) -> Response:
    """The live line under the menu."""
    return visit.page("head_line.html", None, "/ledger")
