"""Changes, records in force, apply and usage import."""

from __future__ import annotations

import json
from typing import Any

from affiant.api import shapes
from affiant.api.model import SIGNED_IN, Call, Field, RouteSpec, check_body
from affiant.kit.errors import BadInput
from affiant.records import KINDS, parse_yaml

_STATES = ("proposed", "approved", "activated", "rejected")


def list_changes(call: Call) -> dict[str, Any]:
    state = call.query.get("state", "")
    if state and state not in _STATES:
        raise BadInput(f"`{state}` is no state of a change.", f"One of: {', '.join(_STATES)}.")
    found = call.context.records.changes(state, call.number("limit", 200, 10_000))
    return {"changes": [shapes.change(each) for each in found]}


def show_change(call: Call) -> dict[str, Any]:
    return shapes.change(call.context.records.change(call.path["change"]))


def propose(call: Call) -> dict[str, Any]:
    body = call.body
    content = body.get("content")
    if "yaml" in body:
        if content is not None:
            raise BadInput("Both `content` and `yaml` were given.", "Give one.")
        content = parse_yaml(body["yaml"], "content")
    if content is None and not body.get("remove"):
        raise BadInput("There is no content.", "Give `content` or `yaml`, or `remove: true`.")
    if content is not None and body.get("remove"):
        raise BadInput("Content and `remove` were given.", "Give one.")
    return shapes.change(
        call.context.records.propose(
            body["kind"], body.get("target") or "", content, call.caller.by, bool(body.get("emergency")), body.get("reason") or "",
            body.get("approved_by") or "",
        )
    )  # fmt: skip


def approve(call: Call) -> dict[str, Any]:
    return shapes.change(call.context.records.approve(call.path["change"], call.caller.by, call.body.get("digest") or ""))


def activate(call: Call) -> dict[str, Any]:
    return shapes.change(call.context.records.activate(call.path["change"], call.caller.by))


def reject(call: Call) -> dict[str, Any]:
    return shapes.change(call.context.records.reject(call.path["change"], call.caller.by, call.body.get("why") or ""))


def list_records(call: Call) -> dict[str, Any]:
    kind = call.query.get("kind", "")
    if kind and kind not in KINDS:
        raise BadInput(f"`{kind}` is not a kind of record.", f"One of: {', '.join(KINDS)}.")
    return {"records": [shapes.governed(each) for each in call.context.records.records(kind)]}


def show_record(call: Call) -> dict[str, Any]:
    return shapes.governed(call.context.records.record(call.path["kind"], call.path["record"]))


_APPLY = {
    "yaml": Field("string", "the file as text (YAML or JSON)"), "document": Field("object", "the file as an object"),
    "dry_run": Field("boolean", "only say what would be done"), "name": Field("string", "the file's name, for messages"),
}  # fmt: skip


def apply(call: Call) -> dict[str, Any]:
    if call.media == "application/json":
        try:
            body = check_body(_APPLY, json.loads(call.raw))
        except (ValueError, RecursionError) as error:
            raise BadInput(f"The body is no JSON: {error}.", "Send a JSON object, or the file as application/yaml.") from error
        name = body.get("name") or "The file"
        if ("yaml" in body) == ("document" in body):
            raise BadInput("There is no file, or there are two.", "Give `yaml` or `document`.")
        document, dry_run = (parse_yaml(body["yaml"], name) if "yaml" in body else body["document"]), bool(body.get("dry_run"))
    else:
        name = call.query.get("name") or "The file"
        document, dry_run = parse_yaml(call.raw, name), call.query.get("dry_run", "") in ("1", "true")
    return shapes.applied(call.context.records.apply(document, call.caller.by, dry_run, name))


def import_usage(call: Call) -> dict[str, Any]:
    done = call.context.records.import_usage(call.raw, call.caller.by, call.query.get("name") or "The file")
    return {"source": done.source, "recorded": done.recorded, "known": done.known}


ROUTES = (
    RouteSpec("GET", "/changes", "change.read", list_changes, "Changes, newest first.", "`changes`: a list.", query={
        "state": Field("string", "proposed, approved, activated or rejected"), "limit": Field("integer", "at most so many; 200")}),
    RouteSpec("POST", "/changes", SIGNED_IN, propose, "Propose a change to a governed record.", "The change, proposed.", {
        "kind": Field("string", "person, provider, policy, model, route, limit, commitment or protected", True),
        "target": Field("string", "record id; none for a limit"),
        "content": Field("object", "the record's fields as in an apply file, without `id`"),
        "yaml": Field("string", "the same as YAML text"), "remove": Field("boolean", "remove the record"),
        "emergency": Field("boolean", "its author may approve it; shows as a deviation; needs a reason"),
        "reason": Field("string", "why"), "approved_by": Field("string", "person who is asked to confirm")}, own=True),
    RouteSpec("GET", "/changes/{change}", "change.read", show_change, "One change with its approvals.", "The change."),
    RouteSpec("POST", "/changes/{change}/approve", SIGNED_IN, approve, "Approve a change of somebody else.", "The change, approved.", {
        "digest": Field("string", "digest of the content that was looked at")}, own=True),
    RouteSpec("POST", "/changes/{change}/activate", SIGNED_IN, activate, "Put an approved change into force.", "The change, activated.",
              own=True),
    RouteSpec("POST", "/changes/{change}/reject", SIGNED_IN, reject, "Reject a change, or withdraw one's own.", "The change, rejected.", {
        "why": Field("string", "reason")}, own=True),
    RouteSpec("GET", "/records", "record.read", list_records, "Governed records in force.", "`records`: a list.", query={
        "kind": Field("string", "only this kind")}),
    RouteSpec("GET", "/records/{kind}/{record:path}", "record.read", show_record, "One governed record in force.", "The record."),
    RouteSpec("POST", "/apply", "apply", apply, "Bring records to what a file declares: the first time at once, later as proposed changes.",
              "`planned`: what was done or proposed; `keys`: keys made, with their secrets, shown once.", None,
              query={"dry_run": Field("boolean", "1: only say what would be done"), "name": Field("string", "the file's name")},
              media=("application/json", "application/yaml", "text/yaml"), max_bytes=4_000_000),
    RouteSpec("POST", "/usage", "usage.import", import_usage, "Import a provider's own count, per key and day (CSV or JSON).",
              "`recorded` and `known` rows; `source` is the file's SHA-256.", None, query={"name": Field("string", "the file's name")},
              media=("text/csv", "application/json"), max_bytes=50_000_000),
)  # fmt: skip
