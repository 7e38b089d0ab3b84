"""Changes: the list, and the form that proposes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from starlette.responses import Response

from affiant.console import words
from affiant.console.csvfile import csv_response
from affiant.console.model import Empty, Filter, Link, Notice, Option, Pager, address, choose, page_of
from affiant.console.visit import Visit
from affiant.console.words import State
from affiant.kit.errors import BadInput, Forbidden, NotFound
from affiant.records import KINDS, Change, parse_yaml


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change in the list."""

    id: str
    short: str
    at: int
    kind: str
    target: str
    author: str
    approved_by: str
    marks: str
    state: State


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """`changes.html`."""

    sentence: str
    may_propose: bool
    filters: tuple[Filter, ...]
    filtered: bool
    clear: str
    links: tuple[Link, ...]
    rows: tuple[ChangeRow, ...]
    pager: Pager
    empty: Empty


@dataclass(frozen=True, slots=True)
class ChangeNewPage:
    """`change_new.html`; after an error it carries what was typed."""

    crumbs: tuple[Link, ...]
    kinds: tuple[Option, ...]
    target: str = ""
    content: str = ""
    reason: str = ""
    emergency: bool = False
    error: Notice | None = None


LIMIT = 50
STATE_KEYS = {"proposed": "proposed", "approved": "approved", "activated": "active", "rejected": "rejected"}
EMPTY = Empty(
    "No change yet",
    "Models, routes, policies, providers, limits, commitments and roles change only by a proposal that another person approves.",
    "affiant change propose KIND ID FILE.yaml --as PERSON",
)


def marks_of(change: Change) -> str:
    """What an auditor must see at once."""
    marks = [
        word for word, on in (("emergency", change.emergency), ("bootstrap", change.bootstrap), ("removal", change.content is None)) if on
    ]
    if any(each.by == change.author for each in change.approvals):
        marks.append("approved by its author")
    return ", ".join(marks) or "–"


def row_of(change: Change) -> ChangeRow:
    """One change as a row."""
    approved = ", ".join(dict.fromkeys(each.by for each in change.approvals))
    return ChangeRow(
        change.id,
        words.short_id(change.id),
        change.proposed_us,
        change.kind,
        change.target,
        change.author,
        approved,
        marks_of(change),
        words.state(STATE_KEYS.get(change.state, change.state)),
    )


def _found(visit: Visit) -> tuple[list[Change], dict[str, str]]:
    query = {name: visit.query(name) for name in ("state", "kind", "author", "mark")}
    found = visit.context.records.changes(query["state"] if query["state"] in STATE_KEYS else "", 10_000)
    keep = [
        change
        for change in found
        if (not query["kind"] or change.kind == query["kind"])
        and (not query["author"] or change.author == query["author"])
        and (not query["mark"] or query["mark"] in marks_of(change))
    ]
    return keep, query


def show(visit: Visit) -> Response:
    """The list."""
    found, query = _found(visit)
    offset, filtered = visit.offset(), any(query.values())
    proposed, approved = len(visit.context.records.changes("proposed")), len(visit.context.records.changes("approved"))
    sentence = "Nothing waits for a person."
    if proposed or approved:
        parts = [f"{words.spelled(proposed)} for a second person"] if proposed else []
        parts += [f"{words.spelled(approved)} to be activated"] if approved else []
        waiting = words.sentence(words.spelled(proposed + approved))
        sentence = f"{waiting} {'change waits' if proposed + approved == 1 else 'changes wait'}: {' and '.join(parts)}."
    filters = (
        choose("state", "State", query["state"], [(key, words.state(name).word) for key, name in STATE_KEYS.items()]),
        choose("kind", "Kind", query["kind"], [(kind, kind) for kind in KINDS]),
        choose("mark", "Mark", query["mark"], [(mark, mark) for mark in ("emergency", "bootstrap", "removal", "approved by its author")]),
        Filter("author", "Author", query["author"], (), "person"),
    )
    empty = Empty("Nothing matches", "No change fits these filters.", "", "/changes", "Show all changes") if filtered else EMPTY
    page = ChangesPage(
        sentence,
        any(visit.may(f"change.propose:{kind}") for kind in KINDS),
        filters,
        filtered,
        "/changes",
        (Link("CSV", address("/changes.csv", **query)),),
        tuple(row_of(change) for change in found[offset : offset + LIMIT]),
        page_of("/changes", len(found), offset, LIMIT, **query),
        empty,
    )
    return visit.page("changes.html", page, "/changes")


def csv(visit: Visit) -> Response:
    """The list as CSV, with the same filters."""
    found, _ = _found(visit)
    columns = ("proposed", "change", "kind", "target", "author", "approved_by", "activated", "activated_by", "state", "marks", "digest")
    rows = (
        (
            words.exact(c.proposed_us),
            c.id,
            c.kind,
            c.target,
            c.author,
            " ".join(a.by for a in c.approvals),
            words.exact(c.activated_us) if c.activated_us else "",
            c.activated_by,
            c.state,
            marks_of(c),
            c.digest,
        )
        for c in found
    )
    return csv_response("changes", columns, rows)


def content_text(content: dict[str, Any] | None) -> str:
    """A record's content for reading."""
    if content is None:
        return "(the record is removed)"
    return str(yaml.safe_dump(content, sort_keys=True, allow_unicode=True, default_flow_style=False))


def _new_page(visit: Visit, form: Mapping[str, str], error: Notice | None = None) -> Response:
    kinds = [kind for kind in KINDS if kind != "control" and visit.may(f"change.propose:{kind}")]
    page = ChangeNewPage(
        (Link("Changes", "/changes"), Link("propose")),
        tuple(Option(kind, kind, kind == form.get("kind")) for kind in kinds),
        form.get("target", ""),
        form.get("content", ""),
        form.get("reason", ""),
        form.get("emergency") == "1",
        error,
    )
    return visit.page("change_new.html", page, "/changes", 400 if error else 200)


def new(visit: Visit) -> Response:
    """The form; with `kind` and `target` in the address it starts from what is in force."""
    kind, target = visit.query("kind"), visit.query("target")
    content = ""
    if kind and target:
        try:
            content = content_text(visit.context.records.record(kind, target).content)
        except NotFound:
            content = ""
    return _new_page(visit, {"kind": kind, "target": target, "content": content})


def propose(visit: Visit) -> Response:
    """Record a proposal, or show the form again with what is wrong."""
    form = visit.form
    try:
        raw = parse_yaml(form.get("content", ""), "The content")
        change = visit.context.records.propose(
            form.get("kind", ""),
            form.get("target", "").strip(),
            raw,
            visit.session.person,
            form.get("emergency") == "1",
            form.get("reason", ""),
        )
    except Forbidden:
        raise
    except BadInput as error:
        return _new_page(visit, form, Notice(error.message, error.next_step, "failed"))
    return visit.back(f"/changes/{change.id}", "proposed")
