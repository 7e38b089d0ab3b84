"""The ledger as JSON: entries with proofs, exchanges, controls with their runs, populations, affidavits, status.

What control runs found is read from their own events. A consumer sees only exchanges of their own keys.
"""

from __future__ import annotations

from typing import Any

from affiant.api import shapes
from affiant.api.context import PackageRequest, RunRequest
from affiant.api.model import Call, Field, Raw, RouteSpec
from affiant.kit.errors import BadInput, NotFound
from affiant.ledger import Event

_EXCHANGE = ("exchange.opened", "exchange.refused")
TEXT, BYTES = "text/plain; charset=utf-8", "application/octet-stream"
_WINDOW = 20_000
_MOST_INDEX = 2**53
_LONGEST_SEED = 200


def status(call: Call) -> dict[str, Any]:
    records, reader = call.context.records, call.context.reader
    return {
        "home": records.home.id, "origin": records.home.origin, "demo": records.home.demo, "node": records.home.node,
        "now_us": call.context.clock.now_us(), "ledger": _head(call) | {"size": reader.size}, "epoch": records.epoch,
        "outbox": records.outbox_size(), "bootstrapped": records.bootstrapped, "due": call.context.due(),
    } | call.context.status()  # fmt: skip


def _head(call: Call) -> dict[str, Any]:
    head = call.context.reader.checkpoint()
    return {"checkpoint_size": head.size, "root": head.root.hex()}


def _entry(call: Call, index: int, event: Event) -> dict[str, Any]:
    reader = call.context.reader
    return shapes.entry(index, event, reader.leaf_hash(index), reader.checkpoint().size)


def _index(call: Call) -> int:
    text = call.path["index"]
    if not text.isascii() or not text.isdigit() or len(text) > 16:
        raise BadInput(f"`{text}` is no index.", "Give a whole number.")
    index, size = int(text), call.context.reader.size
    if index >= size:
        raise NotFound(f"The ledger has {size} entries; {index} is not there.", "Indexes begin at 0.")
    return index


def show_ledger(call: Call) -> dict[str, Any]:
    return _head(call) | {"size": call.context.reader.size, "origin": call.context.records.home.origin}


def show_entry(call: Call) -> dict[str, Any]:
    index = _index(call)
    return _entry(call, index, call.context.reader.event(index))


def prove_entry(call: Call) -> Raw:
    return Raw(call.context.reader.prove(_index(call)).encode(), TEXT)


def own_keys(call: Call) -> set[str] | None:
    """Keys whose exchanges the caller may see; None for all."""
    return {key.id for key in call.context.records.keys(call.caller.by)} if call.caller.only_own else None


def list_exchanges(call: Call) -> dict[str, Any]:
    """The newest exchanges before an index, looking back over a bounded stretch of the ledger."""
    reader, own, tenant = call.context.reader, own_keys(call), call.query.get("tenant", "")
    size = reader.size
    before = min(call.number("before", size, _MOST_INDEX), size)
    limit = call.number("limit", 100, 1_000)
    start = max(0, before - _WINDOW)
    found = [
        (index, event) for index, event in reader.of_types(*_EXCHANGE, start=start, stop=before)
        if (own is None or event.body.get("key", "") in own) and (not tenant or event.tenant == tenant)
    ][-limit:] if limit else []  # fmt: skip
    rows = [
        {
            "id": event.ref, "index": index, "at": event.at_us, "type": event.type, "tenant": event.tenant,
            "key": event.body.get("key", ""), "route": event.body.get("route", ""), "code": event.body.get("code", ""),
        }
        for index, event in reversed(found)
    ]  # fmt: skip
    return {"exchanges": rows, "next_before": found[0][0] if len(found) == limit and found else start}


def show_exchange(call: Call) -> dict[str, Any]:
    exchange, reader, own = call.path["exchange"], call.context.reader, own_keys(call)
    entries = [(index, reader.event(index)) for index in reader.find(exchange)]
    entries = [(index, event) for index, event in entries if event.type.startswith("exchange.")]
    if not entries or (own is not None and entries[0][1].body.get("key", "") not in own):
        raise NotFound(f"There is no exchange `{exchange}`.", "The id is in the header x-affiant-exchange of the answer.")
    return {"id": exchange, "entries": [_entry(call, index, event) for index, event in entries]}


def _runs(call: Call, control: str = "") -> list[dict[str, Any]]:
    return [
        {"run": event.ref, "index": index, "at": event.at_us} | event.body
        for index, event in call.context.reader.of_types("procedure.run")
        if not control or event.body.get("control") == control
    ]


def list_controls(call: Call) -> dict[str, Any]:
    latest = {run["control"]: run for run in _runs(call)}
    return {
        "controls": [
            {
                "id": each.id, "version": each.version, "sha": each.sha, "schedule": list(each.schedule), "adopted_us": each.at_us,
                "latest": latest.get(each.id),
            }
            for each in call.context.records.adopted_controls()
        ]
    }  # fmt: skip


def show_control(call: Call) -> dict[str, Any]:
    for each in list_controls(call)["controls"]:
        if each["id"] == call.path["control"]:
            return dict(each) | {"runs": _runs(call, each["id"])}
    raise NotFound(f"There is no control `{call.path['control']}` in force.", "See `controls`.")


def _named(call: Call) -> tuple[str, ...]:
    controls = call.body.get("controls") or []
    if not all(isinstance(each, str) for each in controls):
        raise BadInput("`controls` must be a list of ids.", "See `controls`.")
    return tuple(controls)


async def run_controls(call: Call) -> dict[str, Any]:
    seed = call.body.get("seed")
    if seed is not None and not (0 < len(seed) <= _LONGEST_SEED and seed.isprintable() and seed == seed.strip()):
        raise BadInput(f"A seed is one line of 1 to {_LONGEST_SEED} characters.", "Leave it out to let this machine choose one.")
    request = RunRequest(_named(call), call.body["period"], call.body.get("as_of") or "", call.caller.actor, seed or "")
    return {"runs": await call.context.run_controls(request)}


def adopt_controls(call: Call) -> dict[str, Any]:
    return {"adopted": call.context.adopt_controls(_named(call), call.caller.by)}


def list_populations(call: Call) -> dict[str, Any]:
    control = call.query.get("control", "")
    return {
        "populations": [
            {"freeze": event.ref, "index": index, "at": event.at_us} | event.body
            for index, event in call.context.reader.of_types("population.frozen")
            if not control or event.body.get("control") == control
        ]
    }


def show_population(call: Call) -> dict[str, Any]:
    for each in list_populations(call)["populations"]:
        if each["freeze"] == call.path["freeze"]:
            samples = [
                {"sample": event.ref, "index": index, "at": event.at_us} | event.body
                for index, event in call.context.reader.of_types("sample.drawn")
                if event.body.get("freeze") == each["freeze"]
            ]
            return dict(each) | {"samples": samples}
    raise NotFound(f"There is no frozen population `{call.path['freeze']}`.", "See `populations`.")


async def build_affidavit(call: Call) -> Raw:
    return Raw(await call.context.build_package(PackageRequest(call.body["period"], call.caller.by, call.body.get("mode", "auto"))), BYTES)


_PERIOD = Field("string", "`A..B`: UTC dates, both inclusive, or instants, half-open", True)

ROUTES = (
    RouteSpec("GET", "/status", "status.read", status, "Processes, ledger, anchors and what is due.", "One object."),
    RouteSpec("GET", "/ledger", "ledger.read", show_ledger, "Size and newest signed checkpoint.", "One object."),
    RouteSpec("GET", "/ledger/entries/{index}", "ledger.read", show_entry, "One entry.", "The entry with its leaf hash."),
    RouteSpec("GET", "/ledger/entries/{index}/proof", "ledger.read", prove_entry, "A C2SP tlog-proof of one entry.", "Text.", gives=TEXT),
    RouteSpec("GET", "/exchanges", "exchange.read", list_exchanges, "The newest exchanges before an index.",
              "`exchanges`: a list, newest first; `next_before`: where to go on.", query={
                  "before": Field("integer", "only entries below this index"), "limit": Field("integer", "at most so many; 100"),
                  "tenant": Field("string", "only this tenant's")}, own=True),
    RouteSpec("GET", "/exchanges/{exchange}", "exchange.read", show_exchange, "Every entry about one exchange.", "`entries`: a list.",
              own=True),
    RouteSpec("GET", "/controls", "control.read", list_controls, "Controls in force with their latest run.", "`controls`: a list."),
    RouteSpec("GET", "/controls/{control}", "control.read", show_control, "One control with its runs.", "The control."),
    RouteSpec("POST", "/controls/run", "control.run", run_controls, "Run controls over a period.", "`runs`: one object a control.", {
        "period": _PERIOD, "controls": Field("array", "control ids; all if absent"), "as_of": Field("string", "instant"),
        "seed": Field("string", "the auditor's own seed for the samples; this machine chooses one if absent")}),
    RouteSpec("POST", "/controls/adopt", "control.adopt", adopt_controls, "Put shipped control versions into force where they differ.",
              "`adopted`: one object for each version that came into force.", {
                  "controls": Field("array", "control ids; all if absent")}),
    RouteSpec("GET", "/populations", "population.read", list_populations, "Frozen populations.", "`populations`: a list.", query={
        "control": Field("string", "only this control's")}),
    RouteSpec("GET", "/populations/{freeze}", "population.read", show_population, "One frozen population with its samples.",
              "The population."),
    RouteSpec("POST", "/affidavits", "affidavit.build", build_affidavit, "Build the affidavit of a period.", "The package's bytes.", {
        "period": _PERIOD, "mode": Field("string", "full, sample, or auto: sample above 5,000,000 entries")}, gives=BYTES),
)  # fmt: skip
