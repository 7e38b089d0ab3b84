"""Tool calls that arrive in events: their arguments are checked when the call ends, on every surface, and a block keeps that end back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from gateway_world import DEFAULT, SECRET, STREAM_END, STREAM_HEAD, FakeProvider, World, delta, http_chunk, policy, rule, world
from surface_cases import CHAT, MESSAGES, RESPONSES, STREAMED, Case, error_of, last_type, named

from affiant.guards import structured_stream
from affiant.records.snapshot import ModelSnap, PolicySnap, RouteSnap, RuleSnap

ARGUMENTS = {
    "type": "object", "properties": {"to": {"type": "string"}, "n": {"type": "integer"}}, "required": ["to", "n"],
    "additionalProperties": False,
}  # fmt: skip
RIGHT, WRONG, BROKEN = '{"to":"Ulm","n":3}', '{"to":"Ulm","n":"three"}', '{"to":"Ulm","n":'
Call = tuple[str, str]
each_surface = pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)


def _tools(case: Case, schema: Any = ARGUMENTS, name: str = "book") -> dict[str, Any]:
    told = {"name": name, "input_schema": schema} if case is MESSAGES else {"name": name, "parameters": schema}
    return {
        "tools": [{"type": "function", "function": told}] if case is CHAT else [told if case is MESSAGES else {"type": "function", **told}]
    }


def _pieces(text: str) -> list[str]:
    return [text[at : at + 5] for at in range(0, len(text), 5)]


def _chat(calls: tuple[Call, ...]) -> list[Any]:
    made = [STREAM_HEAD, delta("", role="assistant")]
    for number, (name, arguments) in enumerate(calls):
        head = {"index": number, "id": f"c{number}", "type": "function", "function": {"name": name, "arguments": ""}}
        made.append(delta(tool_calls=[head]))
        made += [delta(tool_calls=[{"index": number, "function": {"arguments": each}}]) for each in _pieces(arguments)]
    return [*made, delta(finish="tool_calls"), http_chunk(b"data: [DONE]\n\n"), STREAM_END]


def _messages(calls: tuple[Call, ...]) -> list[Any]:
    made = MESSAGES.begun("I book it.")[:5]
    made.append(named({"type": "content_block_stop", "index": 0}))
    for at, (name, arguments) in enumerate(calls, 1):
        block = {"type": "tool_use", "id": f"toolu_{at}", "name": name, "input": {}}
        made.append(named({"type": "content_block_start", "index": at, "content_block": block}))
        for each in _pieces(arguments):
            made.append(named({"type": "content_block_delta", "index": at, "delta": {"type": "input_json_delta", "partial_json": each}}))
        made.append(named({"type": "content_block_stop", "index": at}))
    return [*made, *MESSAGES.ended()[1:]]


def _responses(calls: tuple[Call, ...], deltas: bool = True, items: bool = True) -> list[Any]:
    number, made, output = 0, [RESPONSES.begun()[0]], []

    def put(event: dict[str, Any]) -> None:
        nonlocal number
        made.append(named({**event, "sequence_number": number}))
        number += 1

    base = RESPONSES.said("")
    put({"type": "response.created", "response": {**base, "status": "in_progress", "output": [], "usage": None}})
    for at, (name, arguments) in enumerate(calls):
        item = {"type": "function_call", "id": f"fc_{at}", "call_id": f"call_{at}", "name": name, "arguments": arguments}
        output.append({**item, "status": "completed"})
        if not items:
            continue
        where = {"output_index": at, "item_id": item["id"]}
        put({"type": "response.output_item.added", "output_index": at, "item": {**item, "arguments": "", "status": "in_progress"}})
        for each in _pieces(arguments) if deltas else ():
            put({"type": "response.function_call_arguments.delta", **where, "delta": each})
        put({"type": "response.function_call_arguments.done", **where, "arguments": arguments})
        put({"type": "response.output_item.done", "output_index": at, "item": output[-1]})
    put({"type": "response.completed", "response": {**base, "output": output}})
    return [*made, STREAM_END]


_STREAMS: dict[str, Callable[[tuple[Call, ...]], list[Any]]] = {CHAT.name: _chat, RESPONSES.name: _responses, MESSAGES.name: _messages}


@dataclass(frozen=True)
class _Got:
    """What a caller got of a stream of calls."""

    answer: Any
    world: World

    @property
    def closed(self) -> dict[str, Any]:
        return self.world.of(self.answer.headers["x-affiant-exchange"])[1].body

    @property
    def decided(self) -> list[tuple[Any, ...]]:
        told = [each for each in self.closed["decisions"] if each["guard"] == "schema"]
        return [(each["action"], each["enforced"], [t["type"] for t in each.get("types", ())]) for each in told]

    def arguments(self) -> str:
        """Of all calls, joined."""
        made = []
        for frame in self.answer.frames():
            if not isinstance(frame, dict):
                continue
            for choice in frame.get("choices", ()):
                made += [each["function"].get("arguments", "") for each in choice["delta"].get("tool_calls", ())]
            if frame.get("type") == "content_block_delta":
                made.append(frame["delta"].get("partial_json", ""))
            elif frame.get("type") == "response.function_call_arguments.delta":
                made.append(frame["delta"])
        return "".join(made)

    def ends_a_call(self) -> bool:
        """Whether an event says that a call is whole."""
        text = self.answer.content.decode()
        marks = ('"finish_reason":"tool_calls"', '"content_block_stop","index":1', "function_call_arguments.done", "output_item.done")
        return any(mark in text for mark in marks)


def _run(
    case: Case, stream: list[Any], test: Callable[[_Got], None], action: str = "block", rules: tuple[RuleSnap, ...] = DEFAULT.rules,
    schema: Any = ARGUMENTS, mode: str = "enforce", text: str = "hi", pool: dict[str, int] | None = None, on_busy: str = "refuse",
) -> None:  # fmt: skip
    async def main() -> None:
        known: PolicySnap = policy("default", *rules, RuleSnap("schema", action, "repair", 500_000, {}))
        known = msgspec.structs.replace(known, on_busy=on_busy)
        routes = (RouteSnap("chat", ("small", "verse"), "default", mode, "internal", ""),)
        models = (ModelSnap("small", "sim", "sim-small", "1", 1), ModelSnap("verse", "bay", "sim-small", "1", 1))
        async with (
            FakeProvider(lambda _: stream) as provider,
            world(provider=provider.url, policies=(known,), routes=routes, models=models, worker_options=pool) as w,
        ):
            test(_Got(await w.post(case.ask(text, stream=True, **_tools(case, schema)), SECRET, case.path), w))

    asyncio.run(main())


@each_surface
def test_right_arguments_pass_and_are_recorded(case: Case) -> None:
    """One decision that allows, as of a plain answer; the stream ends as it should."""

    def test(got: _Got) -> None:
        assert got.arguments() == RIGHT and got.ends_a_call() and last_type(got.answer) == case.last
        assert got.decided == [("allow", 1, [])] and got.closed["outcome"] == "answered"

    _run(case, _STREAMS[case.name]((("book", RIGHT),)), test)


@each_surface
@pytest.mark.parametrize(("arguments", "type_"), [(WRONG, "SCHEMA/type"), (BROKEN, "SCHEMA/not_json")], ids=["type", "cut"])
def test_a_block_keeps_the_end_of_a_wrong_call_back(case: Case, arguments: str, type_: str) -> None:
    """The event that would make the call whole does not leave: an error stands in its place, and the evidence says so."""

    def test(got: _Got) -> None:
        assert error_of(case, got.answer)["code"] == "answer_withheld" and not got.ends_a_call()
        assert (got.closed["outcome"], got.closed["released"]) == ("blocked", "part")
        assert got.decided == [("block", 1, [type_])]

    _run(case, _STREAMS[case.name]((("book", arguments),)), test)


@each_surface
def test_a_flag_lets_a_wrong_call_through_and_says_so(case: Case) -> None:
    """Of two calls the wrong one counts; both leave as they came."""

    def test(got: _Got) -> None:
        assert got.arguments() == RIGHT + WRONG and last_type(got.answer) == case.last
        assert got.decided == [("flag", 1, ["SCHEMA/type"])] and got.closed["released"] == "all"

    _run(case, _STREAMS[case.name]((("book", RIGHT), ("book", WRONG))), test, "flag")


@each_surface
def test_in_watch_a_wrong_call_is_recorded_only(case: Case) -> None:
    """The decision says that it was not enforced."""

    def test(got: _Got) -> None:
        assert got.arguments() == WRONG and last_type(got.answer) == case.last and got.decided == [("block", 0, ["SCHEMA/type"])]

    _run(case, _STREAMS[case.name]((("book", WRONG),)), test, mode="watch")


@each_surface
def test_the_form_is_checked_where_no_other_guard_looks(case: Case) -> None:
    """A policy with nothing but `schema` checks calls too; a tool without a schema here is not judged."""

    def test(got: _Got) -> None:
        assert error_of(case, got.answer)["code"] == "answer_withheld"

    def other(got: _Got) -> None:
        assert got.arguments() == WRONG and got.decided == [("allow", 1, [])]

    _run(case, _STREAMS[case.name]((("book", WRONG),)), test, rules=())
    _run(case, _STREAMS[case.name]((("cancel", WRONG),)), other, rules=())


@each_surface
def test_arguments_are_checked_as_the_caller_gets_them(case: Case) -> None:
    """Pseudonyms are undone first: a pattern that only the caller's own address fits holds."""
    mail = "dana.whitfield@example.com"
    schema = {"type": "object", "properties": {"to": {"type": "string", "pattern": "^[^@]+@example[.]com$"}}, "required": ["to"]}

    async def main() -> None:
        def answer(body: dict[str, Any]) -> Any:
            told = json.dumps(body.get("messages", body.get("input")))
            return _STREAMS[case.name]((("book", json.dumps({"to": told.partition("Mail ")[2].partition('"')[0]})),))

        rules = (rule("pii", "redact", "pseudonymize"), rule("output", "redact"), rule("schema", "block", "repair"))
        async with FakeProvider(answer) as provider, world(provider=provider.url, policies=(policy("default", *rules),)) as w:
            got = _Got(await w.post(case.ask(f"Mail {mail}", stream=True, **_tools(case, schema)), SECRET, case.path), w)
            assert b"whitfield" not in provider.bodies[0]
            assert json.loads(got.arguments()) == {"to": mail} and got.decided == [("allow", 1, [])]
            assert got.closed["outcome"] == "answered"

    asyncio.run(main())


@each_surface
def test_arguments_beyond_what_is_held_are_told(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be looked at does not pass a block as if it had been right; a later call has room again."""
    monkeypatch.setattr(structured_stream, "MAX_HELD", 64)
    long = json.dumps({"to": "Ulm " * 40, "n": 3})

    def test(got: _Got) -> None:
        assert error_of(case, got.answer)["code"] == "answer_withheld" and got.decided == [("block", 1, ["SCHEMA/too_long"])]

    def flagged(got: _Got) -> None:
        assert got.arguments() == long + RIGHT and got.decided == [("flag", 1, ["SCHEMA/too_long"])]

    _run(case, _STREAMS[case.name]((("book", long),)), test)
    if case is not CHAT:  # where nothing but the end of a choice says that a call is whole, calls share the room
        _run(case, _STREAMS[case.name]((("book", long), ("book", RIGHT))), flagged, "flag")


@pytest.mark.parametrize("how", ["no deltas", "no items"])
def test_calls_that_come_whole_are_checked_too(how: str) -> None:
    """Of a response whose provider sends no pieces, or nothing but the whole at its end."""

    def test(got: _Got) -> None:
        assert error_of(RESPONSES, got.answer)["code"] == "answer_withheld" and got.decided == [("block", 1, ["SCHEMA/type"])]

    stream = _responses((("book", WRONG),), deltas=False, items=how == "no deltas")
    _run(RESPONSES, [stream[0], *RESPONSES.begun("Yes.")[1:2], *stream[2:]], test)


def test_a_call_without_pieces_has_what_its_block_began_with() -> None:
    """Anthropic sends no piece for a call without arguments: its input is the object that its block began with."""

    def test(got: _Got) -> None:
        assert error_of(MESSAGES, got.answer)["code"] == "answer_withheld" and got.decided == [("block", 1, ["SCHEMA/required"])]

    _run(MESSAGES, _messages((("book", ""),)), test)


@pytest.mark.parametrize("on_busy", ["refuse", "pass_flagged"])
def test_a_full_pool_ends_the_stream_or_passes_flagged(on_busy: str) -> None:
    """What nobody could look at ends with the pool's own code and is closed as cut, or leaves and is flagged as the pool's."""
    long = json.dumps({"to": "Ulm " * 400, "n": 3})

    def test(got: _Got) -> None:
        if on_busy == "refuse":
            assert error_of(CHAT, got.answer)["code"] == "guards_busy" and not got.ends_a_call()
            assert (got.closed["outcome"], got.closed["released"]) == ("cut", "part")
        else:
            assert got.arguments() == long and got.closed["decisions"][-1]["reason"] == "guards_busy" and not got.decided

    options = {"guards_at_once": 1, "guards_waiting": -1}  # room for nobody
    _run(CHAT, _chat((("book", long),)), test, pool=options, on_busy=on_busy)


def test_texts_of_choices_are_checked_one_by_one_as_released() -> None:
    """Two choices are two answers, each of the form that was asked; neither is judged with the other."""
    schema = {"type": "json_schema", "json_schema": {"name": "place", "schema": ARGUMENTS}}
    stream = [STREAM_HEAD, delta(RIGHT), delta(RIGHT, index=1), delta(finish="stop"), delta(finish="stop", index=1)]
    stream += [http_chunk(b"data: [DONE]\n\n"), STREAM_END]

    async def main() -> None:
        known = policy("default", *DEFAULT.rules, rule("schema", "block", "repair"))
        async with FakeProvider(lambda _: stream) as provider, world(provider=provider.url, policies=(known,)) as w:
            got = _Got(await w.post(CHAT.ask("hi", stream=True, n=2, response_format=schema)), w)
            assert got.decided == [("allow", 1, [])] and last_type(got.answer) == "[DONE]"

    asyncio.run(main())
