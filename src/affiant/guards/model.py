"""The nouns of guarding: Exchange, Part, Policy, Decision. Plain frozen values; no I/O, no clock, no network.

They carry content parts, tools and streams of every surface, so that later guards add cases and never reshape. Leaves out:
how a wire format becomes parts (`places`), and what guards look for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from affiant.guards.quality.schema import Expected
from affiant.guards.scan import Beside


class Role(StrEnum):
    """Who wrote a part."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    DOCUMENT = "document"


class Kind(StrEnum):
    """What a part is. Only text-bearing kinds are inspected; the rest are recorded as not inspected."""

    TEXT = "text"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    TOOL_DEFINITION = "tool_definition"
    UNKNOWN_FIELD = "unknown_field"
    IMAGE = "image"
    AUDIO = "audio"
    FILE = "file"


class Action(StrEnum):
    """What a decision does; ordered from least to most severe by `SEVERITY`."""

    ALLOW = "allow"
    FLAG = "flag"
    REDACT = "redact"
    HOLD = "hold"
    BLOCK = "block"


SEVERITY: dict[Action, int] = {action: rank for rank, action in enumerate(Action)}


class Mode(StrEnum):
    """Of a route. Watch and warn are labelled *not enforced* everywhere."""

    WATCH = "watch"
    WARN = "warn"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of content of an exchange.

    Args:
        where: JSON path in the wire body, such as `messages[2].content[0].text`.
        role: who wrote it.
        kind: what it is.
        text: its text; "" for kinds that are not inspected.
    """

    where: str
    role: Role
    kind: Kind
    text: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, or the answer to it, as guards see it.

    Args:
        id: exchange id.
        surface: one of `places.SURFACES`.
        route: route id.
        tenant: tenant id.
        label: classification in force: public, internal, confidential, restricted.
        stream: whether the answer is streamed.
        parts: content in wire order.
        expected: what it asks of the form of its answer; None: nothing, or nobody looks.
        shapes: entity types whose pseudonyms must keep the shape of a value, since a schema in the request asks for it.
        known: placeholder -> original, of earlier exchanges of the same conversation.
    """

    id: str
    surface: str
    route: str
    tenant: str
    label: str
    stream: bool
    parts: tuple[Part, ...]
    expected: Expected | None = None
    shapes: frozenset[str] = frozenset()
    known: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GuardRule:
    """What a policy says about one guard.

    Args:
        action: what a hit does.
        how: for redact: a way of `redact.HOWS`; for injection `every_stage`: ask dear stages even where cheap ones are sure.
        threshold_ppm: score at or above which a scoring guard hits, parts per million.
        types: entity type -> action, where it differs; an empty mapping means all types that the guard knows.
        at: place -> the rule there, where it differs; a place is a role, `role/language`, `*/language`, or `answer`.
    """

    action: Action
    how: str = "mask"
    threshold_ppm: int = 500_000
    types: dict[str, Action] = field(default_factory=dict)
    at: dict[str, GuardRule] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """What guards follow.

    Args:
        id: policy id.
        digest: hex SHA-256 of its canonical content; recorded with each decision.
        guards: guard name -> rule; a guard that is not named does not run.
        on_evidence_loss: `refuse` (default) or `open`.
        on_busy: `refuse` (default) or `pass_flagged`, where guards are too busy to look.
        own: detectors that it declares; None: none.
        labels: type of what is found -> label of what holds it.
        on_label: what happens where that is above the route's label: flag or block.
        label_answers: whether labels are detected in answers too.
        keep_pseudonyms_s: how long a conversation keeps its pseudonyms, sealed; 0: as long as the exchange, in memory.
    """

    id: str
    digest: str
    guards: dict[str, GuardRule]
    on_evidence_loss: str = "refuse"
    own: Beside | None = None
    on_busy: str = "refuse"
    labels: dict[str, str] = field(default_factory=dict)
    on_label: Action = Action.FLAG
    keep_pseudonyms_s: int = 0
    label_answers: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """One span that a detector found.

    Args:
        part: index into `Exchange.parts`.
        start: str offset, inclusive.
        end: str offset, exclusive.
        type: `EMAIL`, `PHONE`, `CREDIT_CARD`, `US_SSN`, `INJECTION/<rule>` …
        score_ppm: confidence, parts per million.
        rule: `<detector>/<rule>` that found it; "" where a model alone speaks.
    """

    part: int
    start: int
    end: int
    type: str
    score_ppm: int = 1_000_000
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What one guard decided about one direction of an exchange.

    Args:
        guard: guard name: `sanitize`, `pii`, `injection`, `output` …
        control: control id that it implements, such as `PR-1.1`.
        action: the most severe action among its hits.
        how: way of redaction, where action is redact.
        reason: stable code, such as `injection_detected`; "" for allow.
        hits: what was found (never recorded: only counts per type are).
        acted: how many hits were acted on (0 where the mode does not enforce).
        enforced: whether the decision took effect.
        found: how many hits there were; may exceed `len(hits)`, of which a long answer keeps only the first.
        score_ppm: the highest score that a scoring guard gave; -1: it gives none.
        stage: the last stage that a cascade reached; "" where there is none.
        version: of the detectors or the model that spoke; "" where they are of this version of Affiant.
    """

    guard: str
    control: str
    action: Action
    how: str = ""
    reason: str = ""
    hits: tuple[Hit, ...] = ()
    acted: int = 0
    enforced: bool = True
    found: int = 0
    score_ppm: int = -1
    stage: str = ""
    version: str = ""
