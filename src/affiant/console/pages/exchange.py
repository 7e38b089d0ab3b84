"""One exchange as a receipt: who, which policy, what was and was not inspected, which link served, proof."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup
from starlette.responses import JSONResponse, Response

from affiant.console import words
from affiant.console.model import Fact, address
from affiant.console.pages.nouns import Step
from affiant.console.proofs import cosignature_facts, diagram, proof_facts, prove
from affiant.console.visit import Visit
from affiant.console.words import STATES
from affiant.kit.errors import NotFound
from affiant.ledger import Event, decode
from affiant.proof.tlogproof import TlogProof


@dataclass(frozen=True, slots=True)
class ExchangePage:
    """`exchange.html`."""

    id: str
    sentence: str
    policy_words: str
    steps: tuple[Step, ...]
    facts: tuple[Fact, ...]
    proof_sub: str
    tree: Markup | None
    proof: tuple[Fact, ...]
    commitments: tuple[Fact, ...]
    may_appeal: bool
    appeals: tuple[str, ...]


GOOD, FAILED = STATES["met"], STATES["failed"]
_WAYS = {"redact": "Redacted", "flag": "Flagged", "block": "Blocked", "hold": "Held", "allow": "Allowed"}
_ENDS = {
    "answered": "Answered",
    "provider_failed": "No link could answer",
    "blocked": "Blocked on the way out",
    "caller_left": "The caller left",
    "cut": "Cut",
    "timed_out": "Timed out",
}


@dataclass(frozen=True, slots=True)
class Events:
    """The entries of one exchange, as far as there are any."""

    opened: tuple[int, Event] | None = None
    closed: tuple[int, Event] | None = None
    refused: tuple[int, Event] | None = None
    interrupted: tuple[int, Event] | None = None

    @property
    def first(self) -> tuple[int, Event]:
        """The entry that began it."""
        found = self.opened or self.refused
        assert found is not None
        return found

    @property
    def all(self) -> tuple[tuple[int, Event], ...]:
        """Every entry, in order."""
        found = [each for each in (self.opened, self.refused, self.closed, self.interrupted) if each is not None]
        return tuple(sorted(found, key=lambda each: each[0]))


def events_of(visit: Visit, exchange: str) -> Events:
    """Read the entries of an exchange from the ledger.

    Raises:
        NotFound: no entry is about it, or it is not this visitor's to see.
    """
    found: dict[str, tuple[int, Event]] = {}
    for line in visit.queries.of_ref(exchange):
        noun, _, what = line.type.partition(".")
        if noun == "exchange" and what in ("opened", "closed", "refused", "interrupted"):
            found[what] = (line.idx, decode(visit.context.reader.entry(line.idx)))
    if "opened" not in found and "refused" not in found:
        raise NotFound(f"No entry is about the exchange `{exchange[:60]}`.", "The id is in the answer's x-affiant-exchange header.")
    events = Events(**found)
    if set(visit.session.roles) <= {"consumer"}:
        own = {key.id for key in visit.context.records.keys(visit.session.person)}
        if events.first[1].body.get("key", "") not in own:
            raise NotFound(f"No entry is about the exchange `{exchange[:60]}`.", "The id is in the answer's x-affiant-exchange header.")
    return events


def decision_step(decision: dict[str, Any]) -> Step:
    """What one guard decided."""
    action, enforced = decision.get("action", "allow"), bool(decision.get("enforced", 1))
    types = ", ".join(f"{t['n']} × {words.entity(t['type'])}" for t in decision.get("types", ()))
    parts = [part for part in (types, decision.get("reason", "").replace("_", " "), decision.get("how", "")) if part]
    text = "; ".join(parts) or ("nothing found" if action == "allow" else "")
    state = STATES.get(action, STATES["open"]) if enforced or action == "allow" else STATES["not_enforced"]
    guard = decision.get("guard", "guard")
    what = words.sentence(words.entity(guard)) if action == "allow" else _WAYS.get(action, action)
    if action != "allow":
        text = f"by {words.entity(guard)}: {text}" if text else f"by {words.entity(guard)}"
    note = "" if enforced or action == "allow" else "Not enforced: the route does not enforce, so nothing was changed or refused."
    return Step(state, what, text, note=note, control=decision.get("control", ""))


def _attempts(opened: Event | None, closed: Event) -> tuple[Step, ...]:
    steps = []
    for number, attempt in enumerate(closed.body.get("attempts", ()), 1):
        status = int(attempt.get("status", 0))
        good = 200 <= status < 300
        where = f"{attempt.get('provider', '')} {attempt.get('model', '')} {attempt.get('version', '')}".strip()
        answer = str(status) if status else "no answer"
        text = f"{where}: {answer} after {words.elapsed(int(attempt.get('ms', 0)))}"
        steps.append(Step(GOOD if good else FAILED, f"Attempt {number}", text, note=f"request id {attempt.get('id', '')}"))
    return tuple(steps)


def steps_of(events: Events) -> tuple[Step, ...]:
    """What happened, in order."""
    index, first = events.first
    body = first.body
    key = words.short_id(body.get("key", "")) or "no key"
    steps: list[Step] = []
    if events.refused:
        admitted = bool(body.get("key"))
        steps.append(
            Step(
                GOOD if admitted else STATES["block"],
                "Admitted" if admitted else "Not admitted",
                f"key {key}" if admitted else "no key that is known",
                "0 ms",
            )
        )
        steps += [decision_step(d) for d in body.get("decisions", ())]
        code = body.get("code", "").replace("_", " ")
        steps.append(
            Step(
                STATES["refused"],
                "Refused",
                f"{code}, status {body.get('status', '')}; entry",
                "",
                index,
                "",
                "Nothing left for a provider.",
                body.get("control", ""),
            )
        )
        return tuple(steps)
    tenant = f", tenant {first.tenant}" if first.tenant else ""
    steps.append(Step(GOOD, "Admitted", f"key {key}{tenant}", "0 ms"))
    links = [f"{link['provider']} {link['model']} {link['version']} (at most {link['cap']})" for link in body.get("links", ())]
    steps.append(
        Step(
            GOOD,
            "Permitted",
            ", then ".join(links) or "no link",
            note=f"label {body.get('label', '')}, from snapshot {body.get('epoch', '')}",
        )
    )
    steps += [decision_step(d) for d in body.get("decisions", ())]
    when = "durable before the caller's first byte" if body.get("overlap") else "durable before a byte left for a provider"
    steps.append(Step(GOOD, "Opened", "entry", "", index, when))
    if events.closed:
        closed_index, closed = events.closed
        steps += list(_attempts(events.opened[1] if events.opened else None, closed))
        steps += [decision_step(d) for d in closed.body.get("decisions", ())]
        good = closed.body.get("outcome") == "answered"
        steps.append(
            Step(
                GOOD if good else FAILED,
                "Closed",
                "entry",
                words.elapsed(closed.body.get("ms", 0)),
                closed_index,
                "durable before the last byte left",
            )
        )
    elif events.interrupted:
        steps.append(Step(STATES["interrupted"], "Interrupted", "entry", "", events.interrupted[0], "its producer ended while it was open"))
    else:
        steps.append(Step(STATES["open"], "Open", "no outcome is recorded yet"))
    return tuple(steps)


def sentence_of(events: Events) -> str:
    """The state in words."""
    if events.refused:
        body = events.refused[1].body
        return f"Refused before forwarding: {body.get('code', '').replace('_', ' ')}."
    redacted = sum(
        t["n"]
        for _, e in events.all
        for d in e.body.get("decisions", ())
        if d.get("action") == "redact" and d.get("acted")
        for t in d.get("types", ())
    )
    tail = f"; {words.count(redacted, 'identifier')} redacted" if redacted else ""
    if events.closed:
        body = events.closed[1].body
        end = _ENDS.get(body.get("outcome", ""), body.get("outcome", ""))
        served = f" by {body['provider']} {body.get('model', '')}".rstrip() if body.get("provider") else ""
        attempts = len(body.get("attempts", ()))
        after = f" after {words.count(attempts, 'attempt')}" if attempts > 1 else ""
        return f"{end}{served}{after}{tail}."
    if events.interrupted:
        return f"Interrupted: its producer ended while it was open{tail}."
    return f"Open{tail}."


def facts_of(events: Events) -> tuple[Fact, ...]:
    """The facts beside the steps."""
    _, first = events.first
    body = first.body
    out = [
        Fact("When", words.when_seconds(first.at_us), title=words.exact(first.at_us)),
        Fact("Surface", body.get("surface", "") + (", streamed" if body.get("stream") else "")),
        Fact("Route", body.get("route", "") or "none named", address("/exchanges", route=body.get("route", ""))),
        Fact(
            "Key", words.short_id(body.get("key", "")) or "none", address("/exchanges", key=body.get("key", "")), True, body.get("key", "")
        ),
    ]
    if events.opened:
        closed = events.closed[1].body if events.closed else {}
        found = [f"found in {what}: {each['detected']}" for what, each in (("it", body), ("its answer", closed)) if each.get("detected")]
        out.append(Fact("Label", body.get("label", ""), note="; ".join(found)))
        if body.get("risk"):
            out.append(Fact("Risk", body["risk"]))
        out.append(Fact("Mode", body.get("mode", ""), note="" if body.get("mode") == "enforce" else "not enforced"))
        uninspected, parts = body.get("uninspected", 0), body.get("parts", 0)
        answered = closed.get("uninspected", 0)
        told = [f"{uninspected} of {parts} parts"] if uninspected else []
        told += [f"{answered} of the answer"] if answered else []
        out.append(Fact("Not inspected", ", ".join(told) or "nothing"))
    if body.get("guards"):
        out.append(Fact("Guards", body["guards"], address("/ledger", ref=body["guards"]), note="versions"))
    if events.closed:
        end = events.closed[1].body
        caps = sum(link.get("cap", 0) for link in body.get("links", ()))
        out.append(Fact("Tokens", f"{words.number(end.get('tokens_in', 0))} in · {words.number(end.get('tokens_out', 0))} out"))
        out.append(Fact("Attempts", f"{len(end.get('attempts', ()))}, at most {caps} permitted"))
        out.append(Fact("Added by Affiant", f"{words.elapsed(end.get('ms_added', 0))} of {words.elapsed(end.get('ms', 0))}"))
        out.append(Fact("Released", f"{end.get('released', '')}, status {end.get('status', '')}"))
    out.append(Fact("Text kept", "none"))
    return tuple(out)


def commitments_of(events: Events) -> tuple[Fact, ...]:
    """Salted commitments, where there are any."""
    names = (("commit_received", "Request as received"), ("commit_sent", "Request as sent"), ("commit_released", "Answer as released"))
    values = {name: value for _, event in events.all for name, value in event.body.items() if name.startswith("commit_")}
    return tuple(
        Fact(title, words.groups(values[name]), mono=True, title=values[name]) if name in values else Fact(title, "none")
        for name, title in names
    )


def policy_words(visit: Visit, digest: str) -> str:
    """Which policy was in force, by name where it still is."""
    if not digest:
        return "No policy applied"
    name = next((record.id for record in visit.context.records.records("policy") if record.digest == digest), "")
    return f"Policy {name}, digest {digest[:8]}…" if name else f"Policy digest {digest[:8]}…"


def linked(steps: tuple[Step, ...], known: Collection[str]) -> tuple[Step, ...]:
    """Steps with the control of each marked as having a page or not."""
    return tuple(replace(step, control_href=f"/controls/{step.control}" if step.control in known else "") for step in steps)


def show(visit: Visit) -> Response:
    """The receipt."""
    exchange = visit.request.path_params["exchange"]
    events = events_of(visit, exchange)
    index, first = events.all[-1]
    proof = prove(visit.context, index, visit.context.reader.entry(index))
    listed = " and ".join(words.number(each) for each, _ in events.all)
    noun = "Entry" if len(events.all) == 1 else "Entries"
    mode = events.first[1].body.get("mode", "")
    policy = policy_words(visit, first.policy)
    page = ExchangePage(
        exchange,
        sentence_of(events),
        f"{policy}{', ' + mode if mode else ''}",
        linked(steps_of(events), visit.context.catalog.controls),
        facts_of(events),
        f"{noun} {listed}"
        + (f" under the {'cosigned' if proof.anchors else 'signed'} root of {words.number(proof.size)}" if proof.signed else ""),
        diagram(proof),
        (*cosignature_facts(proof), *proof_facts(proof)) if proof.anchors else (Fact("Witnessed", "by nobody yet"), *proof_facts(proof)),
        commitments_of(events),
        visit.may("appeal.raise") and any(d.get("action") != "allow" for _, e in events.all for d in e.body.get("decisions", ())),
        tuple(f"{each.by} appealed: {each.state}" for each in visit.context.records.appeals.list(exchange)),
    )
    return visit.page("exchange.html", page, "/exchanges")


def receipt(visit: Visit) -> Response:
    """What shows this exchange to an outsider: the entries as stored and their C2SP proofs."""
    exchange = visit.request.path_params["exchange"]
    entries = []
    for index, _ in events_of(visit, exchange).all:
        data = visit.context.reader.entry(index)
        proof = prove(visit.context, index, data)
        text = TlogProof(index, proof.path, proof.note).to_bytes().decode() if proof.signed else ""
        entries.append({"index": index, "leaf": proof.leaf.hex(), "entry": data.decode("utf-8", "backslashreplace"), "proof": text})
    body = {"format": "affiant-receipt/1", "origin": visit.context.origin, "exchange": exchange, "entries": entries}
    headers = {"content-disposition": f'attachment; filename="{"".join(c for c in exchange if c.isalnum() or c == "_")[:60]}.receipt.json"'}
    return JSONResponse(body, headers=headers)
