"""Appeals against what guards decided."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from affiant.api.evidence import own_keys, show_exchange
from affiant.api.model import Call, Field, RouteSpec
from affiant.kit.errors import BadInput

_REFUSED = ("exchange.refused", "exchange.closed", "exchange.opened")
_ACTED = ("block", "hold", "redact", "flag")


def list_appeals(call: Call) -> dict[str, Any]:
    own, reader = own_keys(call), call.context.reader
    appeals = call.context.records.appeals.list(call.query.get("exchange", ""))
    if own is not None:
        appeals = [
            each for each in appeals
            if any(reader.event(index).body.get("key", "") in own for index in list(reader.find(each.exchange))[:1])
        ]  # fmt: skip
    return {"appeals": [asdict(each) for each in appeals]}


def raise_appeal(call: Call) -> dict[str, Any]:
    entries = show_exchange(call)["entries"]
    bodies = [each["body"] for each in entries if each["type"] in _REFUSED]
    if not any(d.get("action") in _ACTED for body in bodies for d in body.get("decisions", ())):
        raise BadInput("No guard acted on this exchange.", "Appeal against a decision of a guard; for a limit or a key ask your operator.")
    return asdict(call.context.records.appeals.raise_appeal(call.path["exchange"], call.body["why"], call.caller.by))


def decide(call: Call) -> dict[str, Any]:
    return asdict(call.context.records.appeals.decide(call.path["appeal"], call.body["outcome"], call.body["why"], call.caller.by))


_WHY = Field("string", "why; kept in the records, not in the ledger", True)

ROUTES = (
    RouteSpec("GET", "/appeals", "appeal.read", list_appeals, "Appeals against what guards decided.", "`appeals`: a list, newest first.",
              query={"exchange": Field("string", "only those about this exchange")}, own=True),
    RouteSpec("POST", "/exchanges/{exchange}/appeal", "appeal.raise", raise_appeal, "Say that a guard was wrong about an exchange.",
              "The appeal.", {"why": _WHY}, own=True),
    RouteSpec("POST", "/appeals/{appeal}/decide", "appeal.decide", decide, "Decide an appeal of somebody else.", "The appeal.", {
        "outcome": Field("string", "`upheld`: the guard was wrong; `rejected`: it was right", True), "why": _WHY}),
)  # fmt: skip
