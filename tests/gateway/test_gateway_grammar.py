"""Custom tools through a running worker: what a model writes into them is checked against the grammar that the request declared."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import openai
import pytest
from gateway_world import DEFAULT, SECRET, STREAM_END, STREAM_HEAD, FakeProvider, World, ask, delta, http_chunk, policy, rule, whole, world
from surface_cases import CHAT, RESPONSES, Case, error_of, http_json, last_type, named

from affiant.gateway.repair import read_asked
from affiant.records.snapshot import ModelSnap, RouteSnap, RuleSnap

SUM = 'start: sum\nsum: INT | sum "+" INT\n%import common.INT\n%ignore / +/\n'
DATE = r"\d{4}-\d{2}-\d{2}"
RIGHT, WRONG = {"lark": "1 + 22", "regex": "2026-11-30"}, {"lark": "1 + twenty", "regex": "30 Nov"}
DEFINITIONS = {"lark": SUM, "regex": DATE}
each_surface = pytest.mark.parametrize("case", [CHAT, RESPONSES], ids=lambda case: case.name)
each_syntax = pytest.mark.parametrize("syntax", ["lark", "regex"])


def _tools(case: Case, syntax: str = "lark", definition: str = "") -> list[dict[str, Any]]:
    told = {"syntax": syntax, "definition": definition or DEFINITIONS[syntax]}
    if case is CHAT:
        return [{"type": "custom", "custom": {"name": "calc", "format": {"type": "grammar", "grammar": told}}}]
    return [{"type": "custom", "name": "calc", "format": {"type": "grammar", **told}}]


def _said(case: Case, text: str) -> bytes:
    if case is CHAT:
        return whole(None, tool_calls=[{"id": "c", "type": "custom", "custom": {"name": "calc", "input": text}}])
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "calc", "input": text, "status": "completed"}
    return http_json({**RESPONSES.said(""), "output": [item]})


def _streamed(case: Case, pieces: list[str]) -> list[Any]:
    if case is CHAT:
        head = {"index": 0, "id": "c", "type": "custom", "custom": {"name": "calc", "input": ""}}
        made = [STREAM_HEAD, delta("", role="assistant"), delta(tool_calls=[head])]
        made += [delta(tool_calls=[{"index": 0, "custom": {"input": each}}]) for each in pieces]
        return [*made, delta(finish="tool_calls"), http_chunk(b"data: [DONE]\n\n"), STREAM_END]
    base, prefix = RESPONSES.said(""), "response.custom_tool_call_input"
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "calc", "input": "".join(pieces)}
    where = {"output_index": 0, "item_id": "ctc_1"}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**base, "status": "in_progress", "output": [], "usage": None}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "input": "", "status": "in_progress"}},
        *({"type": f"{prefix}.delta", **where, "delta": each} for each in pieces),
        {"type": f"{prefix}.done", **where, "input": item["input"]},
        {"type": "response.output_item.done", "output_index": 0, "item": {**item, "status": "completed"}},
        {"type": "response.completed", "response": {**base, "output": [{**item, "status": "completed"}]}},
    ]
    frames = [named({**event, "sequence_number": number}) for number, event in enumerate(events)]
    return [RESPONSES.begun()[0], *frames, STREAM_END]


@dataclass(frozen=True)
class _Told:
    """What the evidence of the last exchange says."""

    world: World

    @property
    def closed(self) -> dict[str, Any]:
        return dict(self.world.events("exchange.closed")[-1].body)

    @property
    def decided(self) -> list[tuple[Any, ...]]:
        told = [each for each in self.closed["decisions"] if each["guard"] == "schema"]
        return [(each["action"], each["enforced"], [t["type"] for t in each.get("types", ())]) for each in told]


def _run(
    answers: list[Any], test: Callable[[World, FakeProvider], Awaitable[None]], action: str = "block", how: str = "leave",
    mode: str = "enforce", rules: tuple[RuleSnap, ...] = (), **more: Any,
) -> None:  # fmt: skip
    async def main() -> None:
        left = list(answers)
        policies = (policy("default", *rules, RuleSnap("schema", action, how, 500_000, {})),)
        routes = (RouteSnap("chat", ("small", "verse"), "default", mode, "internal", ""),)
        models = (ModelSnap("small", "sim", "sim-small", "1", 1), ModelSnap("verse", "bay", "sim-small", "1", 1))
        async with (
            FakeProvider(lambda _: left.pop(0)) as provider,
            world(provider=provider.url, policies=policies, routes=routes, models=models, **more) as w,
        ):
            await test(w, provider)

    asyncio.run(main())


async def _called(w: World, case: Case, tools: list[dict[str, Any]], stream: bool) -> str:
    """The input that the official client reads of the first call."""
    async with w.openai() as client:
        if case is CHAT:
            asked: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], "tools": tools}
            if not stream:
                made = await client.chat.completions.create(**asked)
                return str(made.choices[0].message.tool_calls[0].custom.input)
            chunks = [chunk async for chunk in await client.chat.completions.create(**asked, stream=True)]
            assert chunks[-1].choices[0].finish_reason == "tool_calls"
            calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
            return "".join(call.model_extra["custom"]["input"] for call in calls)
        asked = {"model": "chat", "input": "hi", "tools": tools}
        if not stream:
            answer = await client.responses.create(**asked)
            return str(answer.output[0].input)
        events = [event async for event in await client.responses.create(**asked, stream=True)]
        assert events[-1].type == "response.completed" and events[-1].response.output[0].input
        return "".join(event.delta for event in events if event.type == "response.custom_tool_call_input.delta")


@each_surface
@each_syntax
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_the_official_client_gets_a_right_input(case: Case, syntax: str, stream: bool) -> None:
    """It leaves as it came, and one decision says that it was looked at."""
    text = RIGHT[syntax]

    async def test(w: World, provider: FakeProvider) -> None:
        assert await _called(w, case, _tools(case, syntax), stream) == text
        assert _Told(w).decided == [("allow", 1, [])] and _Told(w).closed["outcome"] == "answered"
        assert json.loads(provider.bodies[0])["tools"] == _tools(case, syntax)

    _run([_streamed(case, list(text)) if stream else _said(case, text)], test)


@each_surface
@each_syntax
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_the_official_client_is_refused_a_wrong_input(case: Case, syntax: str, stream: bool) -> None:
    """As an error of its own format with a stable code; nothing in the evidence repeats the text."""
    text = WRONG[syntax]

    async def test(w: World, provider: FakeProvider) -> None:
        with pytest.raises(openai.APIError) as raised:
            await _called(w, case, _tools(case, syntax), stream)
        assert raised.value.code == "answer_withheld"
        assert _Told(w).decided == [("block", 1, ["SCHEMA/grammar"])]
        assert text.encode() not in msgspec.json.encode(_Told(w).closed)
        assert (_Told(w).closed["outcome"], _Told(w).closed["released"]) == ("blocked", "part" if stream else "none")

    _run([_streamed(case, list(text)) if stream else _said(case, text)], test)


@each_surface
@pytest.mark.parametrize("text", [RIGHT["lark"], WRONG["lark"]], ids=["right", "wrong"])
def test_a_stream_decides_alike_wherever_it_is_cut(case: Case, text: str) -> None:
    """At each border between two characters; the event that would end a wrong call never leaves."""
    answers = [_streamed(case, [text[:n], text[n:]]) for n in range(len(text) + 1)]
    right = text in RIGHT.values()

    async def test(w: World, provider: FakeProvider) -> None:
        for _ in answers.copy():
            got = await w.post(case.ask("hi", stream=True, tools=_tools(case)), SECRET, case.path)
            ended = any(mark in got.content for mark in (b'"finish_reason":"tool_calls"', b"_input.done", b"output_item.done"))
            assert ended is right and _Told(w).decided == ([("allow", 1, [])] if right else [("block", 1, ["SCHEMA/grammar"])])
            assert last_type(got) == case.last if right else error_of(case, got)["code"] == "answer_withheld"

    _run(answers.copy(), test, per_minute=1_000)


@each_surface
def test_a_wrong_input_is_asked_for_again_once(case: Case) -> None:
    """The second answer is the one that is released; nothing is mended."""

    async def test(w: World, provider: FakeProvider) -> None:
        assert await _called(w, case, _tools(case), False) == RIGHT["lark"]
        assert [each[0] for each in _Told(w).decided] == ["flag", "allow"] and len(provider.bodies) == 2

    _run([_said(case, WRONG["lark"]), _said(case, RIGHT["lark"])], test, how="retry")


@each_surface
def test_a_flag_and_a_watch_let_a_wrong_input_through(case: Case) -> None:
    """And say so."""

    async def flagged(w: World, provider: FakeProvider) -> None:
        for stream in (False, True):
            assert await _called(w, case, _tools(case), stream) == WRONG["lark"]
            assert _Told(w).decided == [("flag", 1, ["SCHEMA/grammar"])]

    async def watched(w: World, provider: FakeProvider) -> None:
        assert await _called(w, case, _tools(case), True) == WRONG["lark"]
        assert _Told(w).decided == [("block", 0, ["SCHEMA/grammar"])]

    _run([_said(case, WRONG["lark"]), _streamed(case, [WRONG["lark"]])], flagged, "flag")
    _run([_streamed(case, [WRONG["lark"]])], watched, mode="watch")


@each_surface
def test_a_grammar_is_checked_beside_all_other_guards(case: Case) -> None:
    """Under a policy that reads and rewrites streams the input is checked as it leaves."""

    async def test(w: World, provider: FakeProvider) -> None:
        assert await _called(w, case, _tools(case), True) == RIGHT["lark"] and _Told(w).decided == [("allow", 1, [])]
        got = await w.post(case.ask("hi", stream=True, tools=_tools(case)), SECRET, case.path)
        assert error_of(case, got)["code"] == "answer_withheld" and b"_input.done" not in got.content

    _run([_streamed(case, list(RIGHT["lark"])), _streamed(case, list(WRONG["lark"]))], test, rules=DEFAULT.rules)


@each_surface
@pytest.mark.parametrize(
    ("code", "syntax", "definition"),
    [
        ("grammar_too_deep", "lark", "start: r0\n" + "\n".join(f"r{n}: r{n + 1}" for n in range(2_000)) + '\nr2000: "a"'),
        ("grammar_not_usable", "lark", "start: T0\n" + "\n".join(f"T{n}: T{n + 1} T{n + 1}" for n in range(40)) + '\nT40: "a"'),
        ("grammar_not_usable", "regex", "(?=a)b"),
        ("grammar_too_large", "regex", "a" * 40_000),
    ],
    ids=["deep", "doubling", "look-around", "large"],
)
def test_a_hostile_grammar_is_refused_before_anything_leaves(case: Case, code: str, syntax: str, definition: str) -> None:
    """With the code that schemas have; a policy that flags lets it pass unchecked, and says so."""
    tools = _tools(case, syntax, definition)

    async def refused(w: World, provider: FakeProvider) -> None:
        got = await w.post(case.ask("hi", tools=tools), SECRET, case.path)
        assert (got.status_code, got.code) == (400, "schema_unusable") and not provider.bodies
        assert w.events("exchange.refused")[-1].body["decisions"][-1]["types"] == [{"type": f"SCHEMA/{code}", "n": 1}]

    async def flagged(w: World, provider: FakeProvider) -> None:
        assert await _called(w, case, tools, False) == "anything"
        assert w.events("exchange.opened")[-1].body["decisions"][-1]["action"] == "flag"

    _run([], refused)
    _run([_said(case, "anything")], flagged, "flag")


@each_surface
def test_grammars_are_compiled_off_the_loop(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends one holds up nobody else; what asks for none is read at once."""
    where: list[str] = []

    def noting(*given: Any) -> Any:
        where.append(threading.current_thread().name)
        return read_asked(*given)

    monkeypatch.setattr("affiant.gateway.repair.read_asked", noting)

    async def called(w: World, _: FakeProvider) -> None:
        await w.post(case.ask("hi", tools=_tools(case, "lark", 'start: "a" // ' + "c" * 900)), SECRET, case.path)
        await w.post(case.ask("hi"), SECRET, case.path)
        assert where[0].startswith("guards") and not where[1].startswith("guards")

    _run([_said(case, "a"), _said(case, "a")], called)


@each_surface
@pytest.mark.parametrize(
    ("fault", "definition", "text"),
    [
        ("too_much_work", 'start: s\ns: s s | "a" | ', "a" * 20_000),
        ("too_long", "start: /a*/", "a" * 70_000),
        ("grammar", "start: /a*/", "a" * 60_000 + "b"),
    ],
    ids=["ambiguous", "huge", "late"],
)
def test_a_hostile_input_ends_as_one_that_does_not_match(case: Case, fault: str, definition: str, text: str) -> None:
    """What could not be read does not pass a block; meanwhile the worker answers others."""

    async def test(w: World, provider: FakeProvider) -> None:
        asked = case.ask("hi", stream=True, tools=_tools(case, "lark", definition))
        hostile = asyncio.create_task(w.post(asked, SECRET, case.path))
        await asyncio.sleep(0.1)
        assert (await w.post(ask("Hello"))).text() == "Hi."
        assert error_of(case, await hostile)["code"] == "answer_withheld"
        closed = [each.body for each in w.events("exchange.closed") if each.body["outcome"] == "blocked"]
        assert [each["types"] for each in closed[0]["decisions"] if each["guard"] == "schema"] == [[{"type": f"SCHEMA/{fault}", "n": 1}]]

    pieces = [text[at : at + 1_000] for at in range(0, len(text), 1_000)]
    _run([_streamed(case, pieces), whole("Hi.")], test)


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"guided_regex": DATE}, "grammar"),
        ({"guided_choice": ["2026-11-30"]}, "choice"),
        ({"structured_outputs": {"regex": DATE}}, "grammar"),
    ],
    ids=["regex", "choice", "structured"],
)
def test_the_form_of_a_text_that_its_server_knows(more: dict[str, Any], wrong: str) -> None:
    """Fields that no format of ours has pass, are flagged, and are held to: plain before release, streamed with the end."""

    async def test(w: World, provider: FakeProvider) -> None:
        async with w.openai() as client:
            asked: Any = {"model": "chat", "messages": [{"role": "user", "content": "When?"}], "extra_body": more}
            assert (await client.chat.completions.create(**asked)).choices[0].message.content == RIGHT["regex"]
            assert json.loads(provider.bodies[0]).items() >= more.items() and _Told(w).decided == [("allow", 1, [])]
            with pytest.raises(openai.PermissionDeniedError) as raised:
                await client.chat.completions.create(**asked)
            assert raised.value.code == "answer_withheld" and _Told(w).decided == [("block", 1, [f"SCHEMA/{wrong}"])]
        got = await w.post(ask("When?", stream=True, **more))
        assert got.text() == WRONG["regex"] and _Told(w).decided == [("block", 1, [f"SCHEMA/{wrong}"])]

    stream = [STREAM_HEAD, delta(WRONG["regex"]), delta(finish="stop"), http_chunk(b"data: [DONE]\n\n"), STREAM_END]
    _run([whole(RIGHT["regex"]), whole(WRONG["regex"]), stream], test)


def test_inputs_are_checked_as_the_caller_gets_them() -> None:
    """Pseudonyms are undone first: an expression that only the caller's own address fits holds."""
    mail = "dana.whitfield@example.com"
    tools = _tools(RESPONSES, "regex", r"[^@]+@example\.com")

    async def main() -> None:
        def answer(body: dict[str, Any]) -> Any:
            return _streamed(RESPONSES, [json.dumps(body["input"]).partition("Mail ")[2].partition('"')[0]])

        rules = (rule("pii", "redact", "pseudonymize"), rule("output", "redact"), rule("schema", "block", "leave"))
        async with FakeProvider(answer) as provider, world(provider=provider.url, policies=(policy("default", *rules),)) as w:
            got = await w.post(RESPONSES.ask(f"Mail {mail}", stream=True, tools=tools), SECRET, RESPONSES.path)
            assert b"whitfield" not in provider.bodies[0] and mail.encode() in got.content
            assert _Told(w).decided == [("allow", 1, [])]

    asyncio.run(main())
