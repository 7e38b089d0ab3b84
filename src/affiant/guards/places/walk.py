"""The walk over a body: every string of it is handed to a visitor, and the body is rebuilt where the visitor changed something.

Reading and writing back are the same walk with different visitors, so that they cannot disagree about places. What did not
change is shared with the original, which is never altered. Time and memory are linear in the body. Leaves out: which place is
what (`chat`, `responses`, `messages`, `embeddings`), and tokens with probabilities (`logprobs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from affiant.guards.model import Kind, Part, Role
from affiant.guards.places import dataurl, jsontext, logprobs
from affiant.guards.places.rules import FREE, ROLES, UNKNOWN, BadShape, How, Rule, Shape

Json = Any
MAX_DEPTH = 64
MAX_PARTS = 20_000
MAX_NODES = 2_000_000
MAX_NESTED = 4  # JSON in strings of JSON
_SCHEMA_TYPES = frozenset(("string", "object", "array", "integer", "number", "boolean", "null"))
_PLAIN_WORDS = frozenset("abcdefghijklmnopqrstuvwxyz_.-")


class Visitor(Protocol):
    """What is done with the texts of a body."""

    def text(self, part: Part, fixed: bool) -> str:
        """The text to stand in place of a part's; where `fixed`, the same text."""
        ...

    def whole(self, text: str) -> str | None:
        """What was already decided about a string as a whole, so that its parts are not visited; else None."""
        ...


class Context(NamedTuple):
    """What surrounds a place.

    Args:
        role: who wrote it.
        kind: what it is.
        fixed: whether nothing below may be rewritten.
    """

    role: Role = Role.USER
    kind: Kind = Kind.TEXT
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Uninspected:
    """Something that passes without being read.

    Args:
        where: its path.
        what: `image`, `audio`, `file`, `tokens` or `encrypted`.
    """

    where: str
    what: str


@dataclass(slots=True)
class Walk:
    """One walk over one body.

    Args:
        visitor: gets every part, in the body's order.
        unknown: names of fields that the format does not have, as this version knows it.
        uninspected: what nobody could read.
        withhold: whether tokens with probabilities are withheld without looking at them, as in streams.
    """

    visitor: Visitor
    unknown: set[str] = field(default_factory=set)
    uninspected: list[Uninspected] = field(default_factory=list)
    withhold: bool = False
    _nodes: int = 0
    _parts: int = 0

    def object(self, body: dict[str, Json], where: str, shape: Shape, context: Context, depth: int = 0) -> dict[str, Json]:
        """An object of a known shape.

        Raises:
            BadShape: too deep, or too many strings.
        """
        self._count(depth, where)
        overrides: Mapping[str, Rule] = {}
        type_ = body.get("type")
        variant = shape.variants.get(type_) if isinstance(type_, str) else None
        role = ROLES.get(body["role"]) if shape.roles and isinstance(body.get("role"), str) else None
        if role is not None:
            context = context._replace(role=role, kind=Kind.TOOL_RESULT if role is Role.TOOL else context.kind)
        if variant is not None:
            context = context._replace(role=variant.role or context.role, kind=variant.kind or context.kind)
            overrides = variant.fields
        made: dict[str, Json] = {}
        tokens: list[str] = []
        changed = False
        for index, (name, value) in enumerate(body.items()):
            rule = overrides.get(name) or shape.fields.get(name)
            step = f".{name}" if rule is not None else jsontext.step(name, index)
            at = where + step if where else step.removeprefix(".")
            if rule is None:
                self.unknown.add(at if not jsontext.telling(name) else f"{shape.name}: a key that is no name")
                rule = UNKNOWN
                new = self._key(name, at, context._replace(kind=Kind.UNKNOWN_FIELD), made, body)
            else:
                new = name
            if rule.how is How.LOGPROBS:
                tokens.append(new)
                made[new] = value
                continue
            made[new] = self.value(value, at, rule, context, depth + 1)
            changed = changed or new != name or made[new] is not value
        for name in tokens:
            at = f"{where}.{name}" if where else name
            gone = bool(made[name]) if self.withhold else logprobs.differ(made[name], at, context.role, self._token_text)
            if gone or (changed and made[name]):
                made[name] = logprobs.withheld(made[name])
                changed = True
        return made if changed else body

    def value(self, value: Json, where: str, rule: Rule, context: Context, depth: int) -> Json:
        """A value under a rule."""
        self._count(depth, where)
        if isinstance(value, str):
            return self._string(value, where, rule, _within(rule, context)) if value else value
        if isinstance(value, dict):
            inner = _within(rule, context)
            if rule.shape is not None and rule.how not in (How.FREE, How.KEYS):
                return self.object(value, where, rule.shape, inner, depth)
            fixed = inner.fixed or rule.how in (How.IDENTIFIER, How.WORD)
            return self._free(value, where, rule.how is How.KEYS, inner._replace(fixed=fixed), depth)
        if isinstance(value, list):
            if rule.tokens and _numbers(value):
                if rule.how is not How.OPAQUE:
                    self._pass(where, Kind.FILE, "tokens", context.role)
                return value
            return self._list(value, where, rule, context, depth)
        if value is None or isinstance(value, bool):
            return value
        return self._number(value, where, rule, _within(rule, context))

    # -- containers

    def _list(self, items: list[Json], where: str, rule: Rule, context: Context, depth: int) -> list[Json]:
        made: list[Json] | None = None
        for index, item in enumerate(items):
            new = self.value(item, f"{where}[{index}]", rule, context, depth + 1)
            if new is not item:
                made = list(items) if made is None else made
                made[index] = new
        return items if made is None else made

    def _free(self, body: dict[str, Json], where: str, keys: bool, context: Context, depth: int) -> dict[str, Json]:
        """An object that a user or a tool made up: nothing in it is protocol."""
        made: dict[str, Json] = {}
        changed = False
        for index, (name, value) in enumerate(body.items()):
            at = where + jsontext.step(name, index)
            new = self._key(name, at, context, made, body, always=keys)
            if name == "type" and context.kind is Kind.TOOL_DEFINITION and isinstance(value, str) and value in _SCHEMA_TYPES:
                made[new] = value
            else:
                made[new] = self.value(value, at, FREE, context, depth + 1)
            changed = changed or new != name or made[new] is not value
        return made if changed else body

    def _key(self, name: str, at: str, context: Context, made: dict[str, Json], body: dict[str, Json], always: bool = False) -> str:
        """A key as it may stand; a renamed one never takes another's place."""
        if not name or not (always or jsontext.telling(name)):
            return name
        new = self._visit(at, context, name)
        if new == name:
            return name
        unique, number = new, 2
        while unique in made or unique in body:
            unique, number = f"{new}~{number}", number + 1
        return unique

    # -- leaves

    def _string(self, value: str, where: str, rule: Rule, context: Context) -> str:
        how = rule.how
        if how is How.WORD:
            return value if len(value) <= 40 and _PLAIN_WORDS.issuperset(value) else self._visit(where, context._replace(fixed=True), value)
        if how is How.IDENTIFIER or context.fixed:
            return self._visit(where, context._replace(fixed=True), value)
        if how is How.OPAQUE:
            if not rule.tokens:
                self._pass(where, rule.media, "encrypted", context.role)
            return value
        known = self.visitor.whole(value)
        if known is not None:
            return known
        if how is How.MEDIA:
            return self._media(value, where, rule.media, context, 1)
        if how is How.JSON and value.lstrip()[:1] in ("{", "[", '"'):
            return self._json(value, where, context, 1)
        if how is How.URL:
            opened = dataurl.open_percent(value)
            if opened is not None:
                text = self._visit(where, context, opened.text)
                return value if text == opened.text else opened.close(text)
        return self._text(value, where, context, 1)

    def _text(self, value: str, where: str, context: Context, nested: int) -> str:
        """A text; a data URL, and JSON with escapes, are opened, since a model reads through both."""
        if nested <= MAX_NESTED and dataurl.is_data_url(value):
            return self._media(value, where, Kind.FILE, context, nested + 1)
        if "\\" in value and nested <= MAX_NESTED and jsontext.is_json(value):
            return self._json(value, where, context, nested)
        return self._visit(where, context, value)

    def _json(self, value: str, where: str, context: Context, nested: int) -> str:
        def visit(at: str, key: bool, text: str) -> str:
            return self._visit(at, context, text) if key else self._text(text, at, context, nested + 1)

        return jsontext.rewrite(value, where, visit)

    def _media(self, value: str, where: str, default: Kind, context: Context, nested: int) -> str:
        """A data URL or base64 where it decodes to text; a plain URL or text; else something that passes uninspected."""
        if dataurl.is_data_url(value):
            opened = dataurl.open_url(value)
        elif not dataurl.is_base64(value):
            return self._string(value, where, Rule(How.URL), context)
        else:
            opened = dataurl.open_base64(value)
        if opened is not None:
            text = self._text(opened.text, where, context, nested) if opened.text else ""
            return value if text == opened.text else opened.close(text)
        kind = dataurl.media_kind(value, default)
        if dataurl.is_broken(value) or (len(value) < dataurl.SHORT and not dataurl.is_data_url(value)):
            value = self._visit(where, context, value)  # what cannot be decoded may be read as it stands
        self._pass(where, kind, kind.value, context.role)
        return value

    def _number(self, value: float, where: str, rule: Rule, context: Context) -> Json:
        """A number that may be somebody's: read, and replaced where it is no part of the protocol."""
        if -1e7 < value < 1e7 or value != value or value in (float("inf"), float("-inf")) or rule.tokens:
            return value
        if isinstance(value, int) and abs(value) >= 10**40:
            raise BadShape(f"The number at `{where}` has more than 40 digits.", "Send it as a string.")
        fixed = context.fixed or rule.how in (How.IDENTIFIER, How.WORD)
        before = str(int(value))
        text = self._visit(where, context._replace(fixed=fixed), before)
        if text == before:
            return value
        written = jsontext.number(text)
        return text if written[0] == '"' else int(text) if text.lstrip("-").isdigit() else float(text)

    def _token_text(self, where: str, role: Role, text: str) -> str:
        return self._visit(where, Context(role), text)

    def _visit(self, where: str, context: Context, text: str) -> str:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise BadShape(f"The body has more than {MAX_PARTS:,} strings.", "Send it in several requests.")
        return self.visitor.text(Part(where, context.role, context.kind, text), context.fixed)

    def _pass(self, where: str, kind: Kind, what: str, role: Role) -> None:
        self.uninspected.append(Uninspected(where, what))
        self.visitor.text(Part(where, role, kind), True)

    def _count(self, depth: int, where: str) -> None:
        if depth > MAX_DEPTH:
            raise BadShape(f"The body is nested more than {MAX_DEPTH} levels deep at `{where[:80]}`.", "Send it flatter.")
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise BadShape(f"The body has more than {MAX_NODES:,} values.", "Send it in several requests.")


def _within(rule: Rule, context: Context) -> Context:
    if rule.role is None and rule.kind is None:
        return context
    return context._replace(role=rule.role or context.role, kind=rule.kind or context.kind)


def _numbers(value: list[Json]) -> bool:
    """Whether a list holds numbers only: tokens, or a vector."""
    return bool(value) and all(type(item) is int or type(item) is float for item in value)


__all__ = ["MAX_DEPTH", "MAX_PARTS", "BadShape", "Context", "Json", "Uninspected", "Visitor", "Walk"]
