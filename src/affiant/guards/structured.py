"""Structured output: what a request asks of the form of its answer, and whether the answer has it.

Reads requests and answers of Chat Completions, Responses and Messages: a JSON Schema of the text, and those of tools whose arguments a
model writes; grammars of custom tools, and of a text where a server knows them. What does not satisfy its schema is mended where there is
one reading (`quality.repair.certain`), else reported; under a grammar nothing is mended. Leaves out: asking again (gateway), answers in
events (`structured_stream`), and what makes a schema or a grammar safe to check (`quality.schema`, `quality.grammar`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import msgspec

from affiant.guards.model import Action, Decision, GuardRule, Hit
from affiant.guards.quality import form, grammar
from affiant.guards.quality.model import Asked
from affiant.guards.quality.repair import certain
from affiant.guards.quality.schema import GRAMMAR_TIMES, Expected, Form, Schema, SchemaRefused, compiled

GUARD, CONTROL = "schema", "PI-1.1"
REPAIR, RETRY, LEAVE = "repair", "retry", "leave"
INVALID, UNUSABLE = "answer_invalid", "schema_unusable"
NOT_JSON, TOO_LONG = "not_json", "too_long"
CUSTOM_CALL = "custom_tool_call"
MAX_TOOLS = 128
MAX_GRAMMARS, MAX_GRAMMARS_CHARS = 16, 65_536
"""Of one request, since each is compiled before anything leaves; the characters are those of all together."""
_CUT = ("length", "max_tokens", "max_output_tokens", "incomplete")
_STOPS = (Action.BLOCK, Action.HOLD)

Json = dict[str, Any]
T = TypeVar("T")


def expected_of(body: Mapping[str, Any]) -> Expected:
    """What a decoded request asks for."""
    refused: dict[str, None] = {}

    def read(make: Callable[[], T]) -> T | None:
        try:
            return make()
        except SchemaRefused as refusal:
            refused[refusal.code] = None
            return None

    wanted = _format(body)
    kind = wanted.get("type")
    raw = _map(wanted.get("json_schema")).get("schema", wanted.get("schema")) if kind == "json_schema" else None
    guided = _guided(body)
    raw = raw if isinstance(raw, Mapping) else _json(guided.get("json"))
    schema = read(lambda: compiled(raw)) if isinstance(raw, Mapping) else None
    tools = {name: read(partial(compiled, found)) for name, found in _tools(body)}
    inputs: dict[str, Form | None] = {}
    chars = 0
    for number, (name, syntax, definition) in enumerate(_inputs(body)):
        chars += len(definition)
        if number >= MAX_GRAMMARS or chars > MAX_GRAMMARS_CHARS:
            refused["grammar_too_many"] = None
            break
        inputs[name] = read(partial(grammar.grammar, syntax, definition))
    json = kind in ("json_schema", "json_object") or isinstance(raw, Mapping)
    return Expected(
        schema, json, {name: each for name, each in tools.items() if each is not None}, tuple(refused), read(lambda: _text_form(guided)),
        {name: each for name, each in inputs.items() if each is not None},
    )  # fmt: skip


def reading_effort(body: Mapping[str, Any]) -> int:
    """How much reading what a request asks counts as, in characters of plain text: compiling a grammar is dear, all else is not."""
    regex = _guided(body).get("regex")
    chars = sum(len(definition) for _, _, definition in islice(_inputs(body), MAX_GRAMMARS))
    return GRAMMAR_TIMES * (chars + (len(regex) if isinstance(regex, str) else 0))


def _format(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """`response_format` of Chat Completions, `text.format` of Responses, `output_format` of Messages."""
    inside = _map(body.get("text")).get("format") or _map(body.get("output_config")).get("format")
    return _map(body.get("response_format") or inside or body.get("output_format"))


def _guided(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What servers that run models themselves take beside `response_format`: `structured_outputs`, earlier `guided_…`."""
    told = _map(body.get("structured_outputs"))
    names = ("json", "regex", "choice")
    return {name: body.get(f"guided_{name}") if told.get(name) is None else told[name] for name in names}


def _json(raw: Any) -> Any:
    """A schema that may come as a text of JSON."""
    try:
        return form.decode(raw) if isinstance(raw, str) else raw
    except ValueError:
        return None


def _text_form(guided: Mapping[str, Any]) -> Form | None:
    """The form of a text that is no JSON.

    Raises:
        SchemaRefused: it is not safe to check.
    """
    regex, choice = guided.get("regex"), guided.get("choice")
    if isinstance(regex, str) and regex:
        return grammar.grammar(grammar.REGEX, regex)
    if isinstance(choice, list) and choice and all(isinstance(each, str) for each in choice):
        return grammar.choices(choice)
    return None


def _listed(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [_map(each) for name in ("tools", "functions") if isinstance(body.get(name), list) for each in body[name]][:MAX_TOOLS]


def _inputs(body: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, syntax and definition of each custom tool whose input has a grammar; Chat Completions nests what Responses has flat."""
    for tool in _listed(body):
        told = _map(tool.get("custom")) or tool
        wanted = _map(told.get("format"))
        inner = _map(wanted.get("grammar")) or wanted
        name, syntax, definition = told.get("name"), inner.get("syntax"), inner.get("definition")
        if tool.get("type") == "custom" and wanted.get("type") == "grammar" and isinstance(name, str):
            yield name, str(syntax), str(definition)


def _tools(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for tool in _listed(body):
        told = _map(tool.get("function")) or tool
        name, schema = told.get("name"), told.get("parameters", told.get("input_schema"))
        if isinstance(name, str) and isinstance(schema, Mapping):
            yield name, schema


def _map(raw: Any) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


@dataclass(slots=True)
class Output:
    """One thing in an answer that has a form.

    Args:
        text: of it; None where its value came decoded.
        value: where there is no text.
        tool: whose arguments these are; "" of the answer's own text.
        put: where a mended text goes; None where it cannot be mended.
        lost: whether it was too long to be kept; then it has no text.
        custom: whether it is the input of a custom tool, free text.
    """

    text: str | None
    value: Any = None
    tool: str = ""
    put: Callable[[str], None] | None = None
    lost: bool = False
    custom: bool = False


def outputs_of(body: Json) -> list[Output]:
    """Texts and tool arguments of a whole answer, whatever its format."""
    made: list[Output] = []
    for choice in _objects(body.get("choices")):
        message = choice.get("message")
        if isinstance(message, dict):
            made += _of_message(message)
    texts: list[Json] = []
    for item in _objects(body.get("content")) + _objects(body.get("output")):
        if item.get("type") == "tool_use":
            made.append(Output(None, item.get("input"), str(item.get("name"))))
        elif item.get("type") == "function_call":
            made += _arguments(item)
        elif item.get("type") == CUSTOM_CALL:
            made += _input(item)
        texts += [each for each in (item, *_objects(item.get("content"))) if each.get("type") in ("text", "output_text")]
    if len(texts) == 1:
        made += _text(texts[0], "text")
    elif texts:
        made.append(Output("".join(str(each.get("text") or "") for each in texts)))
    return made


def _of_message(message: Json) -> list[Output]:
    calls = [call["function"] for call in _objects(message.get("tool_calls")) if isinstance(call.get("function"), dict)]
    if isinstance(message.get("function_call"), dict):
        calls.append(message["function_call"])
    made = [output for call in calls for output in _arguments(call)]
    made += [output for call in _objects(message.get("tool_calls")) for output in _input(_map(call.get("custom")))]
    return made if made or message.get("refusal") else _text(message, "content")


def _arguments(call: Json) -> list[Output]:
    return [Output(each.text, None, str(call.get("name")), each.put) for each in _text(call, "arguments")]


def _input(call: Mapping[str, Any]) -> list[Output]:
    return [Output(call["input"], None, str(call.get("name")), custom=True)] if isinstance(call.get("input"), str) else []


def _text(holder: Json, key: str) -> list[Output]:
    def put(text: str) -> None:
        holder[key] = text

    return [Output(holder[key], None, "", put)] if isinstance(holder.get(key), str) else []


def _objects(raw: Any) -> list[Json]:
    return [each for each in raw if isinstance(each, dict)] if isinstance(raw, list) else []


@dataclass(frozen=True, slots=True)
class Formed:
    """How an answer stands to what was asked.

    Args:
        body: to be released, mended where that is certain.
        faults: one for each output that does not satisfy what was asked: its number and the first keyword.
        mended: how many outputs were.
    """

    body: bytes
    faults: tuple[tuple[int, str], ...] = ()
    mended: int = 0


def look(body: bytes, expected: Expected, mend: bool) -> Formed:
    """Check a whole answer.

    Args:
        body: as it would be released.
        mend: whether what has one certain reading may be mended.
    """
    decoded = msgspec.json.decode(body)
    cut = _was_cut(decoded)
    faults, mended = [], 0
    for number, output in enumerate(outputs_of(decoded)):
        fault = fault_of(output, expected)
        if not fault:
            continue
        text = _certain(output, expected) if mend and not cut else None
        if text is not None and output.put is not None:
            output.put(text)
            mended += 1
        else:
            faults.append((number, fault))
    return Formed(msgspec.json.encode(decoded) if mended else body, tuple(faults), mended)


def _was_cut(body: Json) -> bool:
    reasons = [choice.get("finish_reason") for choice in _objects(body.get("choices"))]
    return any(reason in _CUT for reason in (*reasons, body.get("stop_reason"), body.get("status")))


def _schema_for(output: Output, expected: Expected) -> Schema | None:
    if output.custom:
        return None
    return expected.tools.get(output.tool) if output.tool else expected.schema


def _form_for(output: Output, expected: Expected) -> Form | None:
    return expected.inputs.get(output.tool) if output.custom else None if output.tool else expected.form


def fault_of(output: Output, expected: Expected) -> str:
    """The first keyword that an output does not satisfy, or why nobody could tell; "": it is as it was asked, or nothing was."""
    schema, other = _schema_for(output, expected), _form_for(output, expected)
    json = schema is not None or (expected.json and not output.tool)
    if not json and other is None:
        return ""
    if output.lost:
        return TOO_LONG
    try:
        fault = other.fault(output.text or "") if other is not None else ""
        if fault or not json:
            return fault
        value = output.value if output.text is None else form.decode(output.text)
        return schema.fault(value) if schema is not None else ""
    except SchemaRefused as refusal:
        return refusal.code
    except ValueError:
        return NOT_JSON


def _certain(output: Output, expected: Expected) -> str | None:
    schema = _schema_for(output, expected)
    if output.text is None or _form_for(output, expected) is not None:
        return None

    def validate(_: Mapping[str, Any], value: Any) -> list[str]:
        fault = schema.fault(value) if schema is not None else ""
        return [fault] if fault else []

    try:
        return certain(output.text, Asked(schema=schema.schema if schema else None, json=True), validate)
    except SchemaRefused:
        return None


# -- decisions


def decided(rule: GuardRule, faults: tuple[tuple[int, str], ...], mended: int, enforce: bool, retried: bool = False) -> list[Decision]:
    """What is decided about an answer.

    Args:
        faults: that are left.
        mended: outputs that were mended; none where the mode does not enforce.
        retried: whether the provider is asked again because of these faults.
    """
    made = []
    hits = tuple(Hit(number, 0, 1, f"SCHEMA/{fault}", rule=f"schema/{fault}") for number, fault in faults)
    if hits and retried:
        made.append(Decision(GUARD, CONTROL, Action.FLAG, RETRY, INVALID, hits, len(hits), enforce, len(hits)))
    elif hits and rule.action is not Action.ALLOW:
        acted = len(hits) if enforce and rule.action in _STOPS else 0
        made.append(Decision(GUARD, CONTROL, rule.action, "", INVALID, hits, acted, enforce, len(hits)))
    if mended:
        made.append(Decision(GUARD, CONTROL, Action.REDACT, REPAIR, INVALID, (), mended, enforce, mended))
    return made or [Decision(GUARD, CONTROL, Action.ALLOW, enforced=enforce)]


def decided_on_request(rule: GuardRule, expected: Expected, enforce: bool) -> Decision:
    """What is decided about schemas and grammars of a request: what is not safe to check is refused or flagged, as the policy says."""
    if not expected.refused or rule.action is Action.ALLOW:
        return Decision(GUARD, CONTROL, Action.ALLOW, enforced=enforce)
    hits = tuple(Hit(0, 0, 0, f"SCHEMA/{code}", rule=f"schema/{code}") for code in expected.refused)
    acted = len(hits) if enforce and rule.action in _STOPS else 0
    return Decision(GUARD, CONTROL, rule.action, "", UNUSABLE, hits, acted, enforce, len(hits))
