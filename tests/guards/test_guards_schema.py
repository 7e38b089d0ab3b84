"""Structured output: hostile schemas are refused or bounded, answers are checked and mended only where there is one reading."""

from __future__ import annotations

import json
from typing import Any

import pytest

from affiant.guards import Action, GuardRule
from affiant.guards.quality.schema import MAX_BYTES, Expected, SchemaRefused, compiled
from affiant.guards.structured import decided, decided_on_request, expected_of, look

PERSON = {
    "type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name", "age"],
    "additionalProperties": False,
}  # fmt: skip
TREE = {
    "$ref": "#/$defs/node",
    "$defs": {"node": {
        "type": "object", "properties": {side: {"$ref": "#/$defs/node"} for side in ("left", "right")}, "additionalProperties": False}},
}  # fmt: skip
TWICE = {"$defs": {"a": {"allOf": [{"properties": {"x": {"$ref": "#/$defs/a"}}}] * 2}}, "$ref": "#/$defs/a"}


def _nested(depth: int, name: str) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {name: value}
    return value


def _chain(length: int, link: Any, end: Any) -> dict[str, Any]:
    return {"$defs": {f"a{n}": link(f"#/$defs/a{n + 1}") for n in range(length)} | {f"a{length}": end}, "$ref": "#/$defs/a0"}


@pytest.mark.parametrize(
    ("schema", "value", "fault"),
    [
        (PERSON, {"name": "Ada", "age": 36}, ""),
        (PERSON, {"name": "Ada", "age": "36"}, "type"),
        (PERSON, {"name": "Ada"}, "required"),
        (PERSON, {"name": "Ada", "age": 1, "more": 2}, "additionalProperties"),
        (TREE, {"left": {"right": {}}}, ""),
        (TREE, {"left": {"middle": {}}}, "additionalProperties"),
        (TWICE, _nested(8, "x"), ""),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, 1.5, "anyOf"),
        ({"type": "string", "pattern": "^[a-z]{2,4}$"}, "abcde", "pattern"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "integer"}]}, ["x"], "type"),
    ],
)
def test_values_are_checked(schema: dict[str, Any], value: Any, fault: str) -> None:
    """The keyword that is not satisfied is told, and nothing of the value."""
    assert compiled(schema).fault(value) == fault


@pytest.mark.parametrize(
    ("code", "schema"),
    [
        ("reference", {"$ref": "https://example.org/other.json"}),
        ("reference", {"$ref": "file:///etc/passwd"}),
        ("reference", {"$ref": "#/$defs/none"}),
        ("reference", {"properties": {"a": {"$id": "http://example.org/x", "type": "string"}}}),
        ("reference", {"$dynamicRef": "#node"}),
        ("not_usable", {"$schema": "https://example.org/meta.json", "type": "string"}),
        ("not_usable", {"type": "nothing"}),
        ("not_usable", {"pattern": "^(?=a)b"}),
        ("not_usable", {"pattern": "((a{1,1000}){1,1000}){1,1000}"}),
        ("unfolds", _chain(40, lambda to: {"allOf": [{"$ref": to}, {"$ref": to}]}, {"type": "string"})),
        ("unfolds", _chain(40, lambda to: {"properties": {"p": {"$ref": to}, "q": {"$ref": to}}}, {"type": "string"})),
        ("circle", {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "string"}]}}, "$ref": "#/$defs/a"}),
        ("circle", {"$ref": "#"}),
        ("too_deep", _chain(1000, lambda to: {"$ref": to}, {"type": "string"})),
        ("too_deep", _nested(200, "items")),
        ("too_deep", _nested(5000, "items")),
        ("too_large", {"enum": ["x" * MAX_BYTES]}),
    ],
)
def test_schemas_that_are_not_safe_are_refused(code: str, schema: dict[str, Any]) -> None:
    """Each bound has its code, before the schema is compiled."""
    with pytest.raises(SchemaRefused) as raised:
        compiled(schema)
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (TWICE, _nested(40, "x")),
        ({"items": {"enum": list(range(5000))}}, list(range(10_000))),
        (PERSON, _nested(400, "name")),
    ],
)
def test_a_value_cannot_make_checking_explode(schema: dict[str, Any], value: Any) -> None:
    """What a value would take is counted beforehand, and refused beyond the bound."""
    with pytest.raises(SchemaRefused) as raised:
        compiled(schema).fault(value)
    assert raised.value.code in ("too_much_work", "too_deep")


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 200_000 + "!"),
        ({"patternProperties": {"^(a+)+$": {"type": "string"}}}, {"a" * 50_000 + "b": 1}),
        ({"items": {"anyOf": [{"properties": {"k": {"const": n}}, "required": ["k"]} for n in range(60)]}}, [{"k": -1}] * 6000),
        ({"uniqueItems": True}, [{"a": n} for n in range(20_000)]),
    ],
)
def test_the_worst_that_is_let_through_ends(schema: dict[str, Any], value: Any) -> None:
    """Hostile patterns and alternatives run in linear time, where a backtracking engine or a list of all errors would not end."""
    assert compiled(schema).fault(value) in ("", "pattern", "anyOf")


def _chat(content: str | None, finish: str = "stop", **message: Any) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}]}).encode()


ASKED = expected_of({"response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON}}})
RIGHT = '{"name":"Ada","age":36}'


@pytest.mark.parametrize(
    ("content", "mended"),
    [
        (RIGHT, RIGHT),
        (f"```json\n{RIGHT}\n```", RIGHT),
        (f"Here you are:\n{RIGHT}\nAnything else?", RIGHT),
        ("{'name': 'Ada', 'age': 36,}", '{"name": "Ada", "age": 36}'),
        ('{name: "Ada", "age": 36 // years\n}', '{"name": "Ada", "age": 36 \n}'),
        ('{"name":"Ada","age":36', None),
        (f'{RIGHT} or {{"name":"Bo","age":3}}', None),
        (f'```\n{RIGHT}\n```\nor\n```\n{{"name":"Bo","age":3}}\n```', None),
        ('{"name":"Ada","age":"36"}', None),
        ("I cannot say.", None),
    ],
)
def test_only_one_reading_is_mended(content: str, mended: str | None) -> None:
    """Words, fences, quotes and commas around the data are taken away; nothing is closed, chosen or converted."""
    seen = look(_chat(content), ASKED, mend=True)
    if mended is None:
        assert seen.faults and not seen.mended and seen.body == _chat(content)
    else:
        assert not seen.faults and json.loads(seen.body)["choices"][0]["message"]["content"] == mended
        assert seen.mended == (mended != content)


def test_what_was_cut_off_is_not_mended() -> None:
    """Data that a provider cut at its limit may lack something, whatever closes it."""
    assert look(_chat(f"```json\n{RIGHT}", "length"), ASKED, mend=True).faults
    assert not look(_chat(f"```json\n{RIGHT}\n```"), ASKED, mend=False).mended


TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.mark.parametrize(
    ("request_", "right", "wrong"),
    [
        (
            {"tools": [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}]},
            {"choices": [{"message": {"content": None, "tool_calls": [{"function": {"name": "weather", "arguments": '{"city":"Ulm"}'}}]}}]},
            {"choices": [{"message": {"content": None, "tool_calls": [{"function": {"name": "weather", "arguments": "{}"}}]}}]},
        ),
        (
            {"tools": [{"name": "weather", "input_schema": TOOL}], "tool_choice": {"type": "tool", "name": "weather"}},
            {"content": [{"type": "text", "text": "Sure."}, {"type": "tool_use", "name": "weather", "input": {"city": "Ulm"}}]},
            {"content": [{"type": "tool_use", "name": "weather", "input": {"city": 5}}]},
        ),
        (
            {"text": {"format": {"type": "json_schema", "name": "w", "schema": TOOL}}},
            {"output": [{"type": "message", "content": [{"type": "output_text", "text": '{"city":"Ulm"}'}]}]},
            {"output": [{"type": "message", "content": [{"type": "output_text", "text": '{"city":1}'}]}]},
        ),
        (
            {"tools": [{"type": "function", "name": "weather", "parameters": TOOL}]},
            {"output": [{"type": "function_call", "name": "weather", "arguments": '{"city":"Ulm"}'}]},
            {"output": [{"type": "function_call", "name": "weather", "arguments": '{"town":"Ulm"}'}]},
        ),
        (
            {"response_format": {"type": "json_object"}},
            {"choices": [{"message": {"content": "{}"}}]},
            {"choices": [{"message": {"content": "no"}}]},
        ),
        (
            {"output_format": {"type": "json_schema", "schema": TOOL}},
            {"content": [{"type": "text", "text": '{"city":"Ulm"}'}]},
            {"content": [{"type": "text", "text": '["Ulm"]'}]},
        ),
    ],
)  # fmt: skip
def test_every_format_says_what_it_asks_and_gives(request_: dict[str, Any], right: dict[str, Any], wrong: dict[str, Any]) -> None:
    """Schemas of texts and of tools' arguments, in Chat Completions, Responses and Messages."""
    expected = expected_of(request_)
    assert expected.asks and not expected.refused
    assert not look(json.dumps(right).encode(), expected, mend=True).faults
    assert look(json.dumps(wrong).encode(), expected, mend=True).faults


def test_a_refusal_and_unknown_tools_are_not_judged() -> None:
    """A model that declines gives no data; a tool that the request does not describe has no form."""
    assert not look(_chat(None, refusal="I will not."), ASKED, mend=True).faults
    calls = [{"function": {"name": "other", "arguments": "{}"}}]
    assert not look(_chat(None, tool_calls=calls), ASKED, mend=True).faults
    assert not expected_of({"messages": [], "tools": "x", "response_format": []}).asks


def test_decisions_name_keywords_only() -> None:
    """A place in a leaf is a keyword of JSON Schema, never a name of a property."""
    faults = look(_chat('{"name":"Ada","age":"x"}'), ASKED, mend=True).faults
    made = decided(GuardRule(Action.BLOCK), faults, 0, True)
    assert [(each.action, each.reason, each.acted, [hit.rule for hit in each.hits]) for each in made] == [
        (Action.BLOCK, "answer_invalid", 1, ["schema/type"])
    ]
    assert decided(GuardRule(Action.ALLOW), faults, 0, True)[0].action is Action.ALLOW
    hostile = expected_of({"response_format": {"type": "json_schema", "json_schema": {"schema": {"$ref": "http://x"}}}})
    assert not hostile.schema and decided_on_request(GuardRule(Action.BLOCK), hostile, True).reason == "schema_unusable"
    assert decided_on_request(GuardRule(Action.BLOCK), Expected(), True).action is Action.ALLOW
