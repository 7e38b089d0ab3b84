"""Change: propose → approve (another person, bound to the content's digest) → activate. See docs/decisions/0006-change.md.

Functions over an open `Unit`; the door checks roles first. The author approves their own work only under an emergency
mark, which is recorded as it was and shows as a deviation. Leaves out: what activation writes for each kind (`activate`).
"""

from __future__ import annotations

from typing import Any

from affiant.kit.errors import BadInput, Conflict, Forbidden, NotFound
from affiant.ledger import Draft
from affiant.records.content import canonical, digest_of, governed_kinds, limit_id, read_content
from affiant.records.detectors import Judge, no_judge, note_faults
from affiant.records.faults import Faults
from affiant.records.fields import id_fault
from affiant.records.model import Change, Content
from affiant.records.network import Resolve
from affiant.records.unit import Unit, actor_of

REMOVABLE = ("person", "provider", "model", "route", "limit")
_OPEN = ("proposed", "approved")


def check_kind(kind: str) -> None:
    """Refuse a kind that no change can carry.

    Raises:
        BadInput: unknown kind.
    """
    if kind not in governed_kinds():
        raise BadInput(f"`{kind}` is not a kind of record.", f"One of: {', '.join(governed_kinds())}.")


def read_proposal(kind: str, target: str, raw: Any, resolve: Resolve, judge: Judge = no_judge) -> tuple[str, Content | None, str]:
    """Check what somebody proposes, before any transaction (it may look names up).

    Args:
        raw: the record's fields as in an apply file, without `id`; None removes the record.

    Returns:
        Target, normalized content, and the person named to confirm it ("" if nobody).

    Raises:
        BadInput: unknown kind, or a kind that cannot be removed.
        FaultyInput: every fault of the content.
    """
    check_kind(kind)
    faults = Faults(f"{kind} {target}".strip())
    content: Content | None = None
    if raw is None:
        if kind not in REMOVABLE:
            raise BadInput(f"A {kind} cannot be removed.", "Set it to other content.")
    else:
        _, content = read_content(kind, raw, kind, faults, resolve)
        note_faults(content, kind, faults, judge)
        if kind == "limit" and not faults.items:
            target = target or limit_id(content)
    problem = id_fault(target, person=kind == "person") if target or not faults.items else ""
    if problem:
        faults.add("target", problem)
    faults.stop()
    return target, content, str((raw or {}).get("approved_by") or "") if kind == "model" else ""


def propose(
    unit: Unit, kind: str, target: str, content: Content | None, author: str, awaits: str = "", emergency: bool = False, reason: str = "",
    bootstrap: bool = False,
) -> Change:  # fmt: skip
    """Record a proposal against the content in force now.

    Raises:
        Conflict: the content is in force already, or the same change is open.
        NotFound: a removal of what is not there.
    """
    now = unit.store.governed(kind, target)
    before, digest = (now.digest if now else ""), digest_of(content)
    if content is None and now is None:
        raise NotFound(f"There is no {kind} `{target}`.", "Nothing to remove.")
    if before == digest:
        raise Conflict(f"The {kind} `{target}` has that content already.", "Nothing to change.")
    twin = unit.store.open_change(kind, target, digest, before)
    if twin is not None:
        raise Conflict(f"The change {twin.id} with the same content is open.", "Approve or reject that one.")
    change = Change(
        unit.new_id("chg"), kind, target, content, digest, before, author, emergency, bootstrap, reason, "proposed", awaits,
        unit.now_us, 0, "",
    )  # fmt: skip
    unit.store.put_change(change, canonical(content).decode())
    body: dict[str, Any] = {
        "kind": kind, "target": target, "digest": digest, "author": author, "emergency": int(emergency), "bootstrap": int(bootstrap),
    }  # fmt: skip
    if reason:
        body["reason"] = reason
    unit.emit(Draft("change.proposed", body, ref=change.id, actor=actor_of(author)))
    return change


def open_change(unit: Unit, change_id: str) -> Change:
    """A change that is not yet activated or rejected.

    Raises:
        NotFound: no such change.
        Conflict: it is over.
    """
    change = unit.store.change(change_id)
    if change is None:
        raise NotFound(f"There is no change `{change_id}`.", "See `change list`.")
    if change.state not in _OPEN:
        raise Conflict(f"The change {change_id} is {change.state}.", "Propose another one.")
    return change


def own_work(change: Change, by: str) -> str:
    """Why `by` must not approve this change although their role may; "" if nothing stands against it."""
    if change.emergency and by == change.author:
        return ""
    if by == change.author:
        return "its author does not approve it"
    if change.kind == "person" and by == change.target:
        return "nobody approves their own roles"
    return ""


def approve(unit: Unit, change_id: str, by: str, digest: str = "") -> Change:
    """Record one approval of the content that the approver saw.

    Args:
        digest: the content digest that the approver looked at; "" takes the proposed one.

    Raises:
        Forbidden: own work.
        Conflict: over, already approved by this person, or another content than the one seen.
    """
    change = open_change(unit, change_id)
    why = own_work(change, by)
    if why:
        raise Forbidden(f"`{by}` may not approve {change_id}: {why}.", "Let another person with the role approve it.")
    if digest and digest != change.digest:
        raise Conflict(f"The change {change_id} holds {change.digest[:12]}…, not what you looked at.", "Look at it again.")
    if any(each.by == by for each in change.approvals):
        raise Conflict(f"`{by}` has approved {change_id} already.", "Activate it.")
    unit.store.put_approval(change_id, by, unit.now_us, change.digest)
    unit.store.set_change_state(change_id, "approved")
    body = {"by": by, "author": change.author, "digest": change.digest}
    unit.emit(Draft("change.approved", body, ref=change_id, actor=actor_of(by)))
    return open_change(unit, change_id)


def reject(unit: Unit, change_id: str, by: str, why: str) -> Change:
    """End a change without effect.

    Raises:
        NotFound, Conflict: as `open_change`.
    """
    open_change(unit, change_id)
    unit.store.set_change_state(change_id, "rejected")
    unit.emit(Draft("change.rejected", {"by": by, "why": why}, ref=change_id, actor=actor_of(by)))
    found = unit.store.change(change_id)
    assert found is not None
    return found
