"""One change: what it holds, what happened to it, and what this person may do with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response

from affiant.console import words
from affiant.console.model import Fact, Link
from affiant.console.pages.changes import content_text, marks_of
from affiant.console.visit import Visit
from affiant.console.words import STATES, State
from affiant.kit.errors import NotFound
from affiant.records import Change
from affiant.records.roles import who_may


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


def show(visit: Visit) -> Response:
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
        change.id,
        change.digest,
        title,
        _sentence(change, visit.now_us),
        (Link("Changes", "/changes"), Link("change")),
        _actions(visit, change) if open_ else (),
        open_ and _may_reject(visit, change),
        content_text(change.content),
        "Approvals name exactly this content by its digest",
        _before(visit, change),
        tuple(facts),
        _steps(change, entries),
    )
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
