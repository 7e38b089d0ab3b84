"""Sealed contact addresses, destroying a subject's key, legal holds, pruning."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from affiant.api.model import SIGNED_IN, Call, Field, RouteSpec
from affiant.kit.errors import BadInput
from affiant.ledger.opening import holdings_of
from affiant.ledger.retention import check_plan, plan_prune


def set_contact(call: Call) -> dict[str, Any]:
    person = call.path["person"]
    committed = call.context.records.sealed.set_contact(person, call.body["contact"], call.caller.by)
    return {"person": person, "commitment": committed}


def contact(call: Call) -> dict[str, Any]:
    found = call.context.records.sealed.contact(call.path["person"], call.caller.by)
    place = found.place
    entry = next(
        (i for i in call.context.reader.find(place.ref) if call.context.reader.event(i).body.get(place.field) == found.commitment), -1
    )
    return {
        "person": place.ref, "contact": found.value, "at": found.at_us, "index": entry,
        "proof": {"field": place.field, "commitment": found.commitment, "salt": found.salt.hex(), "value": found.value},
    }  # fmt: skip


def forget(call: Call) -> dict[str, Any]:
    subject = call.path["subject"]
    return {"subject": subject, "values": call.context.records.sealed.destroy_subject(subject, call.body["why"], call.caller.by)}


def reapply(call: Call) -> dict[str, Any]:
    return {"subjects": call.context.records.sealed.reapply(call.caller.by)}


def list_holds(call: Call) -> dict[str, Any]:
    return {"holds": [asdict(hold) for hold in call.context.records.sealed.holds()]}


def place_hold(call: Call) -> dict[str, Any]:
    return asdict(call.context.records.sealed.place_hold(call.body["scope"], call.body["why"], call.caller.by))


def release_hold(call: Call) -> dict[str, Any]:
    call.context.records.sealed.release_hold(call.path["hold"], call.body["why"], call.caller.by)
    return {"hold": call.path["hold"], "released": True}


def prune(call: Call) -> dict[str, Any]:
    records, reader = call.context.records, call.context.reader
    if call.body["before"] < 0:
        raise BadInput("`before` is no instant.", "Give µs UTC.")
    holds = [hold.id for hold in records.sealed.holds()]
    holdings = holdings_of(reader)
    plan = plan_prune(reader, holdings, call.body["before"], call.context.clock.now_us(), holds)
    done = not call.body.get("dry_run", False)
    if done:
        check_plan(plan)
        # Order: copies that stay, then the event, then what readers see; a kill in between is made up for by asking again.
        holdings.keep(plan.lasting)
        records.sealed.pruned(plan.minimum, plan.before_us, plan.root, call.caller.by)
        holdings.publish(plan.minimum)
    value = asdict(plan)
    return value | {"lasting": len(plan.lasting), "refused": list(plan.refused), "done": done, "published": holdings.minimum()}


_WHY = Field("string", "why, for the record", True)

ROUTES = (
    RouteSpec("GET", "/people/{person}/contact", SIGNED_IN, contact, "A person's contact address, opened; looking is recorded.",
              "`contact`, and `proof`: field, commitment, salt and value, by which anybody can check entry `index`.", own=True),
    RouteSpec("POST", "/people/{person}/contact", SIGNED_IN, set_contact, "Set one's own contact address, or as an admin another's.",
              "`commitment`: what the ledger holds.", {"contact": Field("string", "e-mail address", True)}, own=True),
    RouteSpec("POST", "/subjects/{subject:path}/forget", "subject.destroy", forget,
              "Destroy a subject's key: its sealed values cannot be had again.", "`values`: how many there were.", {"why": _WHY}),
    RouteSpec("POST", "/erasures/reapply", "subject.destroy", reapply,
              "After an older copy of the home was restored: destroy again what was destroyed since.", "`subjects`: a list."),
    RouteSpec("GET", "/holds", "hold.read", list_holds, "Legal holds in force.", "`holds`: a list."),
    RouteSpec("POST", "/holds", "hold.place", place_hold, "Place a legal hold.", "The hold.", {
        "scope": Field("string", "`all`, or a subject such as `person/ann`", True), "why": _WHY}),
    RouteSpec("POST", "/holds/{hold}/release", "hold.release", release_hold, "Release a legal hold that somebody else placed.",
              "Whether it was released.", {"why": _WHY}),
    RouteSpec("POST", "/ledger/prune", "ledger.prune", prune, "Publish the ledger from a later index on, or say what would go.",
              "The plan, and whether it was done.", {
                  "before": Field("integer", "µs UTC: entries from then on stay", True), "dry_run": Field("boolean", "only say it")}),
)  # fmt: skip
