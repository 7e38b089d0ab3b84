"""Guards: what each decides about a text and why, what they work with here, and appeals against them. A text tried is not kept."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from affiant.console import words
from affiant.console.model import Empty, Option
from affiant.console.pages.exchange import events_of
from affiant.console.visit import Visit
from affiant.console.words import STATES, State
from affiant.guards import Decision, Hit, Inspection, Role
from affiant.kit.errors import BadInput
from affiant.operations.alerts import told

MAX_TEXT = 20_000
SHOWN = 40
APPEAL_STATES = {
    "open": State("appeal_open", "open", "ring", "quiet", "untested"),
    "upheld": State("appeal_upheld", "upheld: the guard was wrong", "triangle", "deviation", "deviation"),
    "rejected": State("appeal_rejected", "rejected: the guard was right", "dash", "quiet", "none"),
}
ROLES = {
    Role.USER: "A user", Role.SYSTEM: "The application (system)", Role.ASSISTANT: "The model (an answer)", Role.TOOL: "A tool (its result)",
    Role.DOCUMENT: "A retrieved document",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the text tried; `type` where a guard found something in it."""

    text: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One decision, or one thing found under it."""

    guard: str
    control: str
    state: State | None
    score: str
    why: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What guards decide about the text tried."""

    sentence: str
    state: State
    pieces: tuple[Piece, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """What a guard works with."""

    guard: str
    version: str


@dataclass(frozen=True, slots=True)
class AppealRow:
    """One appeal."""

    id: str
    exchange: str
    short: str
    why: str
    by: str
    at: int
    state: State
    decision: str
    may_decide: bool


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert over a window."""

    route: str
    text: str
    to: int
    entry: int


@dataclass(frozen=True, slots=True)
class GuardsPage:
    """`guards.html`."""

    sentence: str
    text: str
    context: str
    roles: tuple[Option, ...]
    policies: tuple[Option, ...]
    tried: Tried | None
    tools: tuple[Tool, ...]
    tools_note: str
    alerts: tuple[AlertRow, ...]
    alerts_empty: Empty
    appeals: tuple[AppealRow, ...]
    appeals_empty: Empty


def pieces_of(text: str, hits: tuple[Hit, ...]) -> tuple[Piece, ...]:
    """The text cut where something was found; of what overlaps the first and longest counts."""
    made, cursor = [], 0
    for hit in sorted(hits, key=lambda each: (each.start, -each.end)):
        if hit.start < cursor or hit.end <= hit.start or hit.end > len(text):
            continue
        if hit.start > cursor:
            made.append(Piece(text[cursor : hit.start]))
        made.append(Piece(text[hit.start : hit.end], words.entity(hit.type)))
        cursor = hit.end
    if cursor < len(text):
        made.append(Piece(text[cursor:]))
    return tuple(made)


def _score(score_ppm: int) -> str:
    return f"{score_ppm / 1_000_000:.2f}" if score_ppm >= 0 else ""


def _lines(decision: Decision) -> list[Line]:
    state = STATES[str(decision.action)]
    why = decision.reason.replace("_", " ") or "nothing found"
    if decision.stage:
        why += f"; looked at by {decision.stage}"
    guard = words.sentence(words.entity(decision.guard))
    lines = [Line(guard, decision.control, state, _score(decision.score_ppm), why)]
    for hit in decision.hits[:SHOWN]:
        rule = f" by {hit.rule}" if hit.rule else ""
        lines.append(Line("", "", None, _score(hit.score_ppm), f"{words.entity(hit.type)}, characters {hit.start} to {hit.end}{rule}"))
    if len(decision.hits) > SHOWN:
        lines.append(Line("", "", None, "", f"and {words.number(len(decision.hits) - SHOWN)} more"))
    return lines


def tried_of(text: str, policy: str, seen: Inspection) -> Tried:
    """An inspection as the page shows it."""
    ends = {
        "allow": "would pass", "flag": "would pass and be flagged", "redact": "would pass, parts of it redacted", "hold": "would be held",
        "block": "would be blocked",
    }  # fmt: skip
    lines = tuple(line for decision in seen.decisions for line in _lines(decision))
    state = STATES[str(seen.decision)]
    return Tried(f"Under policy {policy} this text {ends[str(seen.decision)]}.", state, pieces_of(text, seen.hits), lines)


def _appeals(visit: Visit) -> tuple[AppealRow, ...]:
    may, me = visit.may("appeal.decide"), visit.session.person
    return tuple(
        AppealRow(
            each.id, each.exchange, words.short_id(each.exchange), each.why, each.by, each.at_us, APPEAL_STATES[each.state], each.decision,
            may and each.state == "open" and each.by != me,
        )
        for each in visit.context.records.appeals.list()[:100]
    )  # fmt: skip


def _alerts(visit: Visit) -> tuple[AlertRow, ...]:
    lines = visit.queries.entries("guard.alert", limit=20)
    events = ((line.idx, visit.context.reader.event(line.idx)) for line in lines)
    return tuple(AlertRow(event.ref, words.sentence(told(event.ref, event.body)), event.body["to"], index) for index, event in events)


def show(
    visit: Visit, tried: Tried | None = None, text: str = "", context: str = "", role: str = "user", policy: str = "default"
) -> Response:
    """The page; with what was just tried, if anything was."""
    bench = visit.context.guards
    tools = tuple(Tool(words.sentence(words.entity(name)), version) for name, version in bench.versions()) if bench else ()
    names = bench.policies() if bench else ()
    appeals = _appeals(visit)
    waiting = sum(1 for each in appeals if each.state.key == "appeal_open")
    page = GuardsPage(
        f"{words.sentence(words.count(waiting, 'appeal waits', 'appeals wait'))}." if waiting else "What guards decide, and why.",
        text,
        context,
        tuple(Option(str(value), word, str(value) == role) for value, word in ROLES.items()),
        tuple(Option(name, name, name == policy) for name in names),
        tried,
        tools,
        "" if any("encoder" in tool.version for tool in tools) else "The encoder stage is not installed: pip install 'affiant[encoder]'",
        _alerts(visit),
        Empty("No alert was raised", "The file of a policy says under “alerts” what is too much over a window.", "affiant apply FILE"),
        appeals,
        Empty(
            "Nobody has appealed",
            "Whoever was refused can say that a guard was wrong, on the page of the exchange.",
            "affiant guard appeal EXCHANGE --why TEXT",
        ),
    )
    return visit.page("guards.html", page, "/guards")


def test(visit: Visit) -> Response:
    """Try a text; nothing of it is kept."""
    bench, form = visit.context.guards, visit.form
    if bench is None:
        raise BadInput("This console has no guards to try.", "Use `affiant guard test`.")
    text, context = form.get("text", "").replace("\r\n", "\n"), form.get("context", "").replace("\r\n", "\n")
    role, policy = form.get("role", "user"), form.get("policy", "default")
    if not text or len(text) > MAX_TEXT:
        raise BadInput("There is no text, or too much.", f"Paste 1 to {MAX_TEXT:,} characters; for more use `affiant guard scan`.")
    if role not in set(Role):
        raise BadInput(f"{role[:40]!r} is no role.", f"One of: {', '.join(Role)}.")
    seen = bench.inspect(text, Role(role), policy, context)
    return show(visit, tried_of(text, policy, seen), text, context, role, policy)


def appeal(visit: Visit) -> Response:
    """Say that a guard was wrong about an exchange that this visitor may see."""
    exchange = visit.request.path_params["exchange"]
    if not any(d.get("action") != "allow" for _, e in events_of(visit, exchange).all for d in e.body.get("decisions", ())):
        raise BadInput("No guard acted on this exchange.", "Appeal against a decision of a guard; for a limit or a key ask your operator.")
    visit.context.records.appeals.raise_appeal(exchange, visit.form.get("why", ""), visit.session.person)
    return visit.back(f"/exchanges/{exchange}", "appealed")


def decide(visit: Visit) -> Response:
    """Decide an appeal; records check that this person may."""
    appeal_id = visit.request.path_params["appeal"]
    visit.context.records.appeals.decide(appeal_id, visit.form.get("outcome", ""), visit.form.get("why", ""), visit.session.person)
    return visit.back("/guards", "decided")
