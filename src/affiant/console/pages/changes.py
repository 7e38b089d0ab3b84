"""Changes: the list, one change with what may be done to it, and the form that proposes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from starlette.responses import Response

from affiant.console import words
from affiant.console.csvfile import csv_response
from affiant.console.model import Empty, Fact, Filter, Link, Notice, Option, Pager, address, choose, page_of
from affiant.console.visit import Visit
from affiant.console.words import STATES, State
from affiant.kit.errors import BadInput, Forbidden, NotFound
from affiant.records import KINDS, Change, parse_yaml
from affiant.records.roles import who_may


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
class ChangeAction:
    """A button: `why_not` says why it is there but cannot be used by this person now."""

    verb: str
    word: str
    kind: str = ""
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class ChangeStep:
    """One event of a change."""

    state: State
    what: str
    text: str
    at: int
    index: int | None


@dataclass(frozen=True, slots=True)
class ChangePage:
    """`change.html`."""

    id: str
    digest: str
    title: str
    sentence: str
    crumbs: tuple[Link, ...]
    actions: tuple[ChangeAction, ...]
    may_reject: bool
    content: str
    content_sub: str
    before: str
    facts: tuple[Fact, ...]
    steps: tuple[ChangeStep, ...]


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
    marks = [word for word, on in (("emergency", change.emergency), ("bootstrap", change.bootstrap), ("removal", change.content is None)) if on]
    if any(each.by == change.author for each in change.approvals):
        marks.append("approved by its author")
    return ", ".join(marks) or "–"


def row_of(change: Change) -> ChangeRow:
    """One change as a row."""
    approved = ", ".join(dict.fromkeys(each.by for each in change.approvals))
    return ChangeRow(
        change.id, words.short_id(change.id), change.proposed_us, change.kind, change.target, change.author, approved, marks_of(change),
        words.state(STATE_KEYS.get(change.state, change.state)),
    )  # fmt: skip


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
        sentence, any(visit.may(f"change.propose:{kind}") for kind in KINDS), filters, filtered, "/changes",
        (Link("CSV", address("/changes.csv", **query)),), tuple(row_of(change) for change in found[offset : offset + LIMIT]),
        page_of("/changes", len(found), offset, LIMIT, **query), empty,
    )  # fmt: skip
    return visit.page("changes.html", page, "/changes")


def csv(visit: Visit) -> Response:
    """The list as CSV, with the same filters."""
    found, _ = _found(visit)
    columns = ("proposed", "change", "kind", "target", "author", "approved_by", "activated", "activated_by", "state", "marks", "digest")
    rows = (
        (words.exact(c.proposed_us), c.id, c.kind, c.target, c.author, " ".join(a.by for a in c.approvals),
         words.exact(c.activated_us) if c.activated_us else "", c.activated_by, c.state, marks_of(c), c.digest)
        for c in found
    )  # fmt: skip
    return csv_response("changes", columns, rows)


def content_text(content: dict[str, Any] | None) -> str:
    """A record's content for reading."""
    if content is None:
        return "(the record is removed)"
    return str(yaml.safe_dump(content, sort_keys=True, allow_unicode=True, default_flow_style=False))


def show_one(visit: Visit) -> Response:
    """One change."""
    change = visit.context.records.change(visit.request.path_params["change"])
    open_ = change.state in ("proposed", "approved")
    lines = visit.queries.of_ref(change.id)
    entries = {line.type: line.idx for line in lines}
    title = f"{'Removal of' if change.content is None else 'Change to'} {change.kind} {change.target}"
    facts = [
        Fact("Kind", change.kind),
        Fact("Record", change.target),
        Fact("Author", change.author),
        Fact("Reason", change.reason or "none given"),
        Fact("Marks", marks_of(change)),
        Fact("Digest", words.groups(change.digest), mono=True, title=change.digest),
        Fact("Change", change.id, mono=True),
    ]
    if change.awaits:
        facts.insert(3, Fact("Asked to confirm", change.awaits))
    page = ChangePage(
        change.id, change.digest, title, _sentence(change, visit.now_us), (Link("Changes", "/changes"), Link("change")),
        _actions(visit, change) if open_ else (), open_ and _may_reject(visit, change), content_text(change.content),
        "Approvals name exactly this content by its digest", _before(visit, change), tuple(facts), _steps(change, entries),
    )  # fmt: skip
    return visit.page("change.html", page, "/changes")


def _sentence(change: Change, now_us: int) -> str:
    start = f"Proposed by {change.author} {words.near(change.proposed_us, now_us)}"
    if change.state == "proposed":
        who = change.awaits or "another person"
        return f"{start}; waits for the approval of {who}."
    if change.state == "approved":
        return f"{start}; approved, waits to be activated."
    if change.state == "activated":
        return f"{start}; in force since {words.when(change.activated_us)}."
    return f"{start}; rejected, and never in force."


def _actions(visit: Visit, change: Change) -> tuple[ChangeAction, ...]:
    me = visit.session.person
    out = []
    mine = change.author == me and not change.emergency
    why = "You are its author; another person approves it." if mine else ""
    if not why and not visit.may(f"change.approve:{change.kind}") and not (change.emergency and change.author == me):
        why = f"Approving a {change.kind} needs one of: {', '.join(who_may(f'change.approve:{change.kind}'))}."
    if not why and any(each.by == me for each in change.approvals):
        why = "You have approved it already."
    first = change.state == "proposed"
    if first or not why:
        out.append(ChangeAction("approve", "Approve", "primary" if first and not why else "", why))
    why = "" if change.approvals else "Needs an approval first."
    if not why and not visit.may(f"change.activate:{change.kind}"):
        why = f"Activating a {change.kind} needs one of: {', '.join(who_may(f'change.activate:{change.kind}'))}."
    out.append(ChangeAction("activate", "Activate", "" if first or why else "primary", why))
    return tuple(out)


def _may_reject(visit: Visit, change: Change) -> bool:
    return change.author == visit.session.person or visit.may(f"change.approve:{change.kind}")


def _before(visit: Visit, change: Change) -> str:
    if not change.before:
        return ""
    try:
        now = visit.context.records.record(change.kind, change.target)
    except NotFound:
        return ""
    if now.digest == change.before:
        return content_text(now.content)
    return ""


def _steps(change: Change, entries: dict[str, int]) -> tuple[ChangeStep, ...]:
    steps = [ChangeStep(STATES["proposed"], "Proposed", f"by {change.author}", change.proposed_us, entries.get("change.proposed"))]
    for each in change.approvals:
        own = each.by == change.author
        state = STATES["deviation"] if own else STATES["approved"]
        text = f"by {each.by}" + (", who is also its author" if own else "")
        steps.append(ChangeStep(state, "Approved", text, each.at_us, entries.get("change.approved")))
    if change.state == "activated":
        text = f"by {change.activated_by}"
        steps.append(ChangeStep(STATES["active"], "Activated", text, change.activated_us, entries.get("change.activated")))
    if change.state == "rejected":
        steps.append(ChangeStep(STATES["rejected"], "Rejected", "", 0, entries.get("change.rejected")))
    return tuple(steps)


def _new_page(visit: Visit, form: Mapping[str, str], error: Notice | None = None) -> Response:
    kinds = [kind for kind in KINDS if kind != "control" and visit.may(f"change.propose:{kind}")]
    page = ChangeNewPage(
        (Link("Changes", "/changes"), Link("propose")), tuple(Option(kind, kind, kind == form.get("kind")) for kind in kinds),
        form.get("target", ""), form.get("content", ""), form.get("reason", ""), form.get("emergency") == "1", error,
    )  # fmt: skip
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
            form.get("kind", ""), form.get("target", "").strip(), raw, visit.session.person, form.get("emergency") == "1", form.get("reason", "")
        )
    except Forbidden:
        raise
    except BadInput as error:
        return _new_page(visit, form, Notice(error.message, error.next_step, "failed"))
    return visit.back(f"/changes/{change.id}", "proposed")


def act(verb: str) -> Callable[[Visit], Response]:
    """Approve, activate or reject; records check that this person may."""

    def handler(visit: Visit) -> Response:
        records, change, me = visit.context.records, visit.request.path_params["change"], visit.session.person
        if verb == "approve":
            records.approve(change, me, visit.form.get("digest", ""))
            return visit.back(f"/changes/{change}", "approved")
        if verb == "activate":
            records.activate(change, me)
            return visit.back(f"/changes/{change}", "activated")
        records.reject(change, me, visit.form.get("why", "").strip()[:300])
        return visit.back(f"/changes/{change}", "rejected")

    return handler
