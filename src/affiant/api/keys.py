"""Gateway keys. A consumer sees and revokes their own only."""

from __future__ import annotations

import datetime
from typing import Any

from affiant.api import shapes
from affiant.api.model import Call, Field, RouteSpec
from affiant.kit.errors import BadInput, NotFound
from affiant.records import LOCAL, NO_TENANT, Key


def _visible(call: Call) -> Key:
    found = call.context.records.key(call.path["key"])
    if call.caller.only_own and found.owner != call.caller.by:
        raise NotFound(f"There is no key `{found.id}` of yours.", "See your keys.")
    return found


def instant_us(text: str) -> int:
    """An instant given as ISO 8601 (UTC where it says no zone), µs; a date means its end.

    Raises:
        BadInput: no instant.
    """
    try:
        at = datetime.datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=datetime.UTC)
        if len(text) == 10:
            at += datetime.timedelta(days=1)
        return int(at.timestamp()) * 1_000_000 + at.microsecond
    except (ValueError, OverflowError):
        raise BadInput(f"`{text}` is no instant.", "Write 2027-01-31 or 2027-01-31T12:00:00Z.") from None


def list_keys(call: Call) -> dict[str, Any]:
    owner = call.caller.by if call.caller.only_own else call.query.get("owner", "")
    tenant = call.query.get("tenant", "")
    return {"keys": [shapes.key(each) for each in call.context.records.keys(owner) if not tenant or each.tenant == tenant]}


def show_key(call: Call) -> dict[str, Any]:
    return shapes.key(_visible(call))


def create_key(call: Call) -> dict[str, Any]:
    body, by = call.body, call.caller.by
    owner = body.get("owner") or ("" if by == LOCAL else by)
    if not owner:
        raise BadInput("A key needs an owner.", "Give `owner`, or act for a person.")
    if body.get("probes") and call.context.save_probe_key is None:
        raise BadInput("Probes do not run here.", "Make the key where they do.")
    made = call.context.records.create_key(
        owner, _texts(body["models"]), by, body.get("tenant") or NO_TENANT, instant_us(body["expires"]) if body.get("expires") else 0,
        body.get("id") or "",
    )  # fmt: skip
    if body.get("probes") and call.context.save_probe_key is not None:
        call.context.save_probe_key(made)
    return shapes.new_key(made)


def _texts(values: list[Any]) -> list[str]:
    if not all(isinstance(each, str) for each in values):
        raise BadInput("`models` must be a list of texts.", "Give route or model ids.")
    return list(values)


def revoke_key(call: Call) -> dict[str, Any]:
    key = _visible(call)
    return shapes.key(call.context.records.revoke_key(key.id, call.caller.by, call.body.get("why") or "revoked by hand"))


def rotate_key(call: Call) -> dict[str, Any]:
    return shapes.new_key(call.context.records.rotate_key(call.path["key"], call.caller.by))


ROUTES = (
    RouteSpec("GET", "/keys", "key.read", list_keys, "Gateway keys.", "`keys`: a list, without secrets.", query={
        "owner": Field("string", "only this person's"), "tenant": Field("string", "only this tenant's")}, own=True),
    RouteSpec("POST", "/keys", "key.create", create_key, "Make a gateway key.", "The key with its `secret`, shown once.", {
        "models": Field("array", "route or model ids, or `*` for every route of the tenant", True),
        "owner": Field("string", "person id; by default who calls"), "tenant": Field("string", "tenant id; `-` for none"),
        "expires": Field("string", "ISO 8601 instant or date"), "id": Field("string", "id; by default a fresh one"),
        "probes": Field("boolean", "keep its secret, sealed, for probes")}),
    RouteSpec("GET", "/keys/{key}", "key.read", show_key, "One key.", "The key.", own=True),
    RouteSpec("POST", "/keys/{key}/revoke", "key.read", revoke_key,
              "Revoke a key: every worker in contact refuses it within two seconds. Its owner may always.",
              "The key, `revoking` or `revoked`.", {"why": Field("string", "reason")}, own=True),
    RouteSpec("POST", "/keys/{key}/rotate", "key.create", rotate_key, "Make a new key like this one and revoke this one.",
              "The new key with its `secret`, shown once."),
)  # fmt: skip
