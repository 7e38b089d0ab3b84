"""A JSON Schema that somebody sent, made safe to check answers against: bounded before it is compiled, and bounded for each value.

Refused are schemas that are too large or nest too deeply, that name anything outside of themselves, that come back to themselves at one
place of a value, that unfold into too many checks, or that hold a pattern which does not run in linear time. How often a value's places
are visited is counted from the schema beforehand, so that no value can make checking explode. Leaves out: where schemas stand in requests
(`structured`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import jsonschema_rs
import msgspec

from affiant.guards.quality.form import depth_of

MAX_BYTES = 65_536
MAX_DEPTH = 64
"""How deep a schema may nest, and a value that is checked."""
MAX_CHAIN = 128
"""How many schemas may apply to one place one within the other."""
MAX_UNFOLDED = 20_000
"""Schemas that compiling may have to look at, references followed."""
MAX_WORK = 2_000_000
"""Checks that one value may take."""
_PATTERN_BYTES = 262_144
GRAMMAR_TIMES = 20
"""As how many characters of plain text one counts that a grammar has, or is read under."""

_SAME_ONE = ("not", "if", "then", "else")
_SAME_LIST = ("allOf", "anyOf", "oneOf")
_SAME_MAP = ("dependentSchemas", "dependencies")
_DOWN_ONE = (
    "items", "additionalProperties", "additionalItems", "unevaluatedItems", "unevaluatedProperties", "contains", "propertyNames",
)  # fmt: skip
_DOWN_LIST = ("items", "prefixItems")
_ELSEWHERE = ("$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$recursiveAnchor", "$anchor")
_TOLD = frozenset((
    "type", "enum", "const", "required", "properties", "additionalProperties", "items", "prefixItems", "pattern", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties",
    "maxProperties", "anyOf", "oneOf", "allOf", "not", "if", "contains", "dependentRequired", "propertyNames", "unevaluatedProperties",
))  # fmt: skip


class SchemaRefused(ValueError):
    """A schema, or a value under it, that is not checked. `code` is stable; the text says what to change."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(slots=True)
class _Node:
    """One schema within the schema: those that apply to the same place, to a property by name, to any other place below."""

    weight: int
    same: list[int] = field(default_factory=list)
    named: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)


class Schema:
    """A schema that values can be checked against. Immutable; one may serve several threads.

    Args:
        schema: as it was sent.

    Raises:
        SchemaRefused: it is not safe, or no schema.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema
        self._nodes, root = _read(schema)
        self._order = _ordered(self._nodes)
        self._root = root
        _bound_unfolding(self._nodes, root)
        try:
            self._validator = jsonschema_rs.validator_for(
                dict(schema), offline=True, pattern_options=jsonschema_rs.RegexOptions(_PATTERN_BYTES, _PATTERN_BYTES)
            )
        except ValueError as error:
            raise SchemaRefused("not_usable", f"It cannot be used: {str(error).partition(chr(10))[0][:200]}") from None

    def fault(self, value: Any) -> str:
        """The first keyword that a value does not satisfy; "": it satisfies the schema.

        Raises:
            SchemaRefused: checking this value would take too much.
        """
        self._bound(value)
        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            words = [step for step in error.schema_path if isinstance(step, str) and step in _TOLD]
            return words[-1] if words else "other"
        return ""

    def _bound(self, value: Any) -> None:
        """Count the checks that a value takes at most."""
        counts = _counts(value)
        visits = [node.weight for node in self._nodes]
        work = 0
        for depth, count in enumerate(counts):
            visits = self._visits(visits, depth)
            work += visits[self._root] * count
            if work > MAX_WORK:
                raise SchemaRefused("too_much_work", "Checking this answer takes too much; nest the schema's alternatives less.")

    def _visits(self, before: list[int], depth: int) -> list[int]:
        """How often each schema leads to a check at one place so far below, from how often it does one level higher."""
        made = [0] * len(self._nodes)
        for number in self._order:
            node = self._nodes[number]
            total = sum(made[each] for each in node.same)
            if depth == 0:
                total += node.weight
            else:
                total += max((before[each] for each in node.named), default=0) + sum(before[each] for each in node.below)
            made[number] = min(total, MAX_WORK + 1)
        return made


class Form(Protocol):
    """What a text that is no JSON can be checked against: a grammar, or choices (`grammar`)."""

    def fault(self, text: str) -> str:
        """The rule that it does not satisfy; "": it does.

        Raises:
            SchemaRefused: checking it would take too much.
        """
        ...


@dataclass(frozen=True, slots=True)
class Expected:
    """What a request asks of its answer's form.

    Args:
        schema: of the text; None: none was asked for.
        json: whether the text has to be JSON of any shape.
        tools: name of a tool -> schema of its arguments.
        refused: codes of schemas and grammars that are not safe to check, each once.
        form: of a text that is no JSON; None: none was asked for.
        inputs: name of a custom tool -> form of its input.
    """

    schema: Schema | None = None
    json: bool = False
    tools: Mapping[str, Schema] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    form: Form | None = None
    inputs: Mapping[str, Form] = field(default_factory=dict)

    @property
    def asks(self) -> bool:
        """Whether there is anything to check."""
        return self.of_text or self.of_calls

    @property
    def of_text(self) -> bool:
        """Whether it is asked of the answer's own text."""
        return self.schema is not None or self.json or self.form is not None

    @property
    def of_calls(self) -> bool:
        """Whether it is asked of calls."""
        return bool(self.tools) or bool(self.inputs)

    def effort(self, chars: int) -> int:
        """How much reading so many characters counts as, in characters of plain text: under a grammar a short text may be dear."""
        return chars * GRAMMAR_TIMES if self.form is not None or self.inputs else chars


def compiled(schema: Mapping[str, Any]) -> Schema:
    """A schema by its content; the last ones are kept.

    Raises:
        SchemaRefused: as `Schema`.
    """
    try:
        data = msgspec.json.encode(schema)
    except RecursionError:
        raise SchemaRefused("too_deep", f"It nests deeper than {MAX_DEPTH}.") from None
    if len(data) > MAX_BYTES:
        raise SchemaRefused("too_large", f"It has {len(data):,} bytes; at most {MAX_BYTES:,} are checked.")
    if depth_of(data.decode()) > MAX_DEPTH:
        raise SchemaRefused("too_deep", f"It nests deeper than {MAX_DEPTH}.")
    return _kept(data)


@lru_cache(maxsize=128)
def _kept(data: bytes) -> Schema:
    return Schema(msgspec.json.decode(data))


# -- reading


def _read(schema: Mapping[str, Any]) -> tuple[list[_Node], int]:
    """Every schema within it as nodes, and the number of the outermost."""
    numbers: dict[int, int] = {}
    nodes: list[_Node] = []
    waiting: list[Mapping[str, Any]] = []

    def number(raw: Any) -> int | None:
        if not isinstance(raw, Mapping):
            return None
        if id(raw) not in numbers:
            numbers[id(raw)] = len(nodes)
            nodes.append(_Node(1 + sum(len(raw[each]) for each in ("enum", "required") if isinstance(raw.get(each), list))))
            waiting.append(raw)
        return numbers[id(raw)]

    root = number(schema)
    assert root is not None
    while waiting:
        raw = waiting.pop()
        node = nodes[numbers[id(raw)]]
        _refuse_elsewhere(raw, raw is schema)
        for kind, inner in _within(schema, raw):
            found = number(inner)
            if found is not None:
                getattr(node, kind).append(found)
    return nodes, root


def _refuse_elsewhere(raw: Mapping[str, Any], outermost: bool) -> None:
    named = next((each for each in _ELSEWHERE if each in raw), "")
    if not outermost and isinstance(raw.get("$id"), str):
        named = "$id"
    if named:
        raise SchemaRefused("reference", f"It uses {named}; give every schema in `$defs` and name it as `#/$defs/NAME`.")


def _within(schema: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if "$ref" in raw:
        yield "same", _referred(schema, raw["$ref"])
    for name in _SAME_ONE:
        yield "same", raw.get(name)
    for name in _SAME_LIST:
        yield from (("same", each) for each in _list(raw.get(name)))
    for name in _SAME_MAP:
        yield from (("same", each) for each in _map(raw.get(name)).values())
    yield from (("named", each) for each in _map(raw.get("properties")).values())
    yield from (("below", each) for each in _map(raw.get("patternProperties")).values())
    for name in _DOWN_ONE:
        yield "below", raw.get(name)
    for name in _DOWN_LIST:
        yield from (("below", each) for each in _list(raw.get(name)))


def _list(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else []


def _map(raw: Any) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _referred(schema: Mapping[str, Any], reference: Any) -> Any:
    """What a reference within the schema leads to."""
    if reference == "#":
        return schema
    if not isinstance(reference, str) or not reference.startswith("#/"):
        raise SchemaRefused("reference", "It refers to what lies outside of it; give every schema in `$defs`.")
    place: Any = schema
    for step in reference[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(place, Mapping) and name in place:
            place = place[name]
        elif isinstance(place, list) and name.isascii() and name.isdigit() and int(name) < len(place):
            place = place[int(name)]
        else:
            raise SchemaRefused("reference", "It refers to a place that it does not have; correct the reference.")
    return place


# -- bounds


def _ordered(nodes: list[_Node]) -> list[int]:
    """Numbers so that what applies to the same place comes before what it applies within."""
    order: list[int] = []
    chain: dict[int, int] = {}
    open_: set[int] = set()
    for start in range(len(nodes)):
        stack = [(start, False)]
        while stack:
            number, done = stack.pop()
            if done:
                open_.discard(number)
                chain[number] = 1 + max((chain[each] for each in nodes[number].same), default=0)
                if chain[number] > MAX_CHAIN:
                    raise SchemaRefused("too_deep", f"More than {MAX_CHAIN} schemas apply to one place one within the other.")
                order.append(number)
            elif number in open_:
                raise SchemaRefused("circle", "It comes back to itself at one place; let it go by way of a property or an item.")
            elif number not in chain:
                open_.add(number)
                stack.append((number, True))
                stack += [(each, False) for each in nodes[number].same if each not in chain]
    return order


def _bound_unfolding(nodes: list[_Node], root: int) -> None:
    """Refuse a schema whose references, followed to where they come back, unfold into too much."""
    sizes: dict[int, int] = {}
    open_: set[int] = set()
    stack = [(root, False)]
    while stack:
        number, done = stack.pop()
        inner = [*nodes[number].same, *nodes[number].named, *nodes[number].below]
        if done:
            open_.discard(number)
            sizes[number] = 1 + sum(sizes.get(each, 1) for each in inner)
            if sizes[number] > MAX_UNFOLDED:
                raise SchemaRefused("unfolds", "Its references unfold into too many schemas; name fewer of them from one another.")
        elif number not in sizes and number not in open_:
            open_.add(number)
            stack.append((number, True))
            stack += [(each, False) for each in inner if each not in sizes and each not in open_]


def _counts(value: Any) -> list[int]:
    """How many places of a value lie at each depth; names of properties count as places below."""
    counts: list[int] = []
    level = [value]
    while level:
        if len(counts) > MAX_DEPTH:
            raise SchemaRefused("too_deep", f"The answer nests deeper than {MAX_DEPTH}.")
        counts.append(len(level) + sum(len(each) for each in level if isinstance(each, Mapping)))
        level = [
            inner for each in level if isinstance(each, (Mapping, list)) for inner in (each.values() if isinstance(each, Mapping) else each)
        ]
    return counts
