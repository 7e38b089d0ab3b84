"""Guards: what each decides about a text and why, what they work with here, and appeals against them. A text tried is not kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from affiant.console import words
from affiant.console.context import GuardBench, Trial
from affiant.console.model import Empty, Option
from affiant.console.pages.exchange import events_of
from affiant.console.visit import Visit
from affiant.console.words import STATES, State
from affiant.guards import Decision, Hit, Inspection, Role
from affiant.kit.errors import BadInput
from affiant.operations.alerts import told
from affiant.records.snapshot import LABELS, RISKS

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
class Choice:
    """One thing that an author chooses of the exchange that the text is imagined in."""

    name: str
    label: str
    options: tuple[Option, ...]


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
    trial: Trial
    choices: tuple[Choice, ...]
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
        where = f", characters {hit.start} to {hit.end}" if hit.end > hit.start else ""  # a label is of the whole text
        lines.append(Line("", "", None, _score(hit.score_ppm) if where else "", f"{words.entity(hit.type)}{where}{rule}"))
    if len(decision.hits) > SHOWN:
        lines.append(Line("", "", None, "", f"and {words.number(len(decision.hits) - SHOWN)} more"))
    return lines


def tried_of(trial: Trial, seen: Inspection) -> Tried:
    """An inspection as the page shows it."""
    ends = {
        "allow": "would pass", "flag": "would pass and be flagged", "redact": "would pass, parts of it redacted", "hold": "would be held",
        "block": "would be blocked",
    }  # fmt: skip
    lines = tuple(line for decision in seen.decisions for line in _lines(decision))
    state = STATES[str(seen.decision)]
    case = f"on a route of {trial.risk} risk, labelled {trial.label}" + (f", for {trial.tenant}" if trial.tenant else "")
    sentence = f"Under policy {trial.policy}, {case}, this text {ends[str(seen.decision)]}."
    return Tried(sentence, state, pieces_of(trial.text, seen.hits), lines)


def choices_of(trial: Trial, policies: Sequence[str], tenants: Sequence[str]) -> tuple[Choice, ...]:
    """What an author chooses, with what the trial has."""

    def choice(name: str, label: str, options: Iterable[tuple[str, str]]) -> Choice:
        return Choice(name, label, tuple(Option(value, word, value == getattr(trial, name)) for value, word in options))

    return (
        choice("role", "Written by", ((str(value), word) for value, word in ROLES.items())),
        choice("policy", "Policy", ((each, each) for each in policies)),
        choice("tenant", "Tenant", (("", "None in particular"), *((each, each) for each in tenants))),
        choice("risk", "Risk of the route", ((each, each) for each in RISKS)),
        choice("label", "Label of the route", ((each, each) for each in LABELS)),
    )


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


def show(visit: Visit, tried: Tried | None = None, trial: Trial | None = None) -> Response:
    """The page; with what was just tried, if anything was."""
    bench = visit.context.guards
    trial = trial or Trial()
    tools = tuple(Tool(words.sentence(words.entity(name)), version) for name, version in bench.versions()) if bench else ()
    appeals = _appeals(visit)
    waiting = sum(1 for each in appeals if each.state.key == "appeal_open")
    page = GuardsPage(
        f"{words.sentence(words.count(waiting, 'appeal waits', 'appeals wait'))}." if waiting else "What guards decide, and why.",
        trial,
        choices_of(trial, bench.policies() if bench else (), bench.tenants() if bench else ()),
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
    trial = _trial(form, bench)
    return show(visit, tried_of(trial, bench.inspect(trial)), trial)


def _trial(form: Mapping[str, str], bench: GuardBench) -> Trial:
    """What a form asks to try.

    Raises:
        BadInput: there is nothing to try, or it names what there is none of.
    """
    text, context = form.get("text", "").replace("\r\n", "\n"), form.get("context", "").replace("\r\n", "\n")
    if not text or len(text) > MAX_TEXT:
        raise BadInput("There is no text, or too much.", f"Paste 1 to {MAX_TEXT:,} characters; for more use `affiant guard scan`.")
    first = Trial()
    role, risk, label = (form.get(name, getattr(first, name)) for name in ("role", "risk", "label"))
    for what, said, known in (("role", role, tuple(Role)), ("risk", risk, RISKS), ("label", label, LABELS)):
        if said not in known:
            raise BadInput(f"{said[:40]!r} is no {what}.", f"One of: {', '.join(known)}.")
    tenant = form.get("tenant", "")
    if tenant and tenant not in bench.tenants():
        raise BadInput(f"{tenant[:40]!r} is no tenant here.", "Choose one that a key or a policy names.")
    return Trial(text, Role(role), form.get("policy", first.policy), context, risk, label, tenant)


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
