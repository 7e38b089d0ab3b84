"""Structured answers through a running worker: checked, mended, asked for again within the permitted attempts, withheld, recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from gateway_world import FakeProvider, World, ask, policy, rule, streamed, whole, world

from affiant.records.snapshot import ModelSnap, PolicySnap, RouteSnap, RuleSnap

SCHEMA = {
    "type": "object", "properties": {"to": {"type": "string"}, "n": {"type": "integer"}}, "required": ["to", "n"],
    "additionalProperties": False,
}  # fmt: skip
RIGHT, WRONG = '{"to":"Ulm","n":3}', '{"to":"Ulm","n":"three"}'
FENCED = f"```json\n{RIGHT}\n```"


def _policy(action: str, how: str) -> PolicySnap:
    return policy("default", rule("pii", "redact", "pseudonymize"), RuleSnap("schema", action, how, 500_000, {}))


def _ask(text: str = "Where to?", schema: Any = SCHEMA, **more: Any) -> dict[str, Any]:
    return ask(text, response_format={"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}, **more)


def _run(answers: list[Any], test: Callable[[World, FakeProvider], Any], action: str = "block", how: str = "retry", **more: Any) -> None:
    async def main() -> None:
        left = list(answers)
        policies = (_policy(action, how),)
        async with FakeProvider(lambda _: left.pop(0)) as provider, world(provider=provider.url, policies=policies, **more) as w:
            await test(w, provider)

    asyncio.run(main())


def _decided(w: World) -> list[dict[str, Any]]:
    return [each for each in w.events("exchange.closed")[-1].body["decisions"] if each["guard"] == "schema"]


def test_a_right_answer_passes_byte_for_byte() -> None:
    """One decision on the way in, one on the way out, both allow; a request that asks for nothing has none."""

    async def test(w: World, provider: FakeProvider) -> None:
        answer = await w.post(_ask())
        assert answer.content == whole(RIGHT).partition(b"\r\n\r\n")[2]
        assert [each["action"] for each in _decided(w)] == ["allow"]
        assert (await w.post(ask("Hello"))).status_code == 200 and not _decided(w)

    _run([whole(RIGHT), whole("Hi.")], test)


def test_what_has_one_reading_is_mended_without_asking_again() -> None:
    """The caller gets the data alone; the decision says that it was mended, and one attempt stands in the evidence."""

    async def test(w: World, provider: FakeProvider) -> None:
        assert (await w.post(_ask())).text() == RIGHT
        closed = w.events("exchange.closed")[-1].body
        assert [(each["action"], each["how"], each["acted"]) for each in _decided(w)] == [("redact", "repair", 1)]
        assert len(closed["attempts"]) == 1

    _run([whole(FENCED)], test)


def test_an_answer_is_asked_for_again_once() -> None:
    """The second attempt is recorded beside the first, its tokens are added, and it is the one that is released."""

    async def test(w: World, provider: FakeProvider) -> None:
        assert (await w.post(_ask())).text() == RIGHT
        closed = w.events("exchange.closed")[-1].body
        told = [(each["action"], each.get("how", ""), each.get("found", 0)) for each in _decided(w)]
        assert told == [("flag", "retry", 1), ("allow", "", 0)]
        assert [each["status"] for each in closed["attempts"]] == [200, 200] and len({each["id"] for each in closed["attempts"]}) == 2
        assert (closed["tokens_in"], closed["tokens_out"]) == (6, 8)
        assert [each["cap"] for each in w.events("exchange.opened")[-1].body["links"]] == [2]
        assert len(provider.bodies) == 2 and provider.bodies[0] == provider.bodies[1]

    _run([whole(WRONG), whole(RIGHT)], test)


@pytest.mark.parametrize(("action", "status"), [("block", 403), ("flag", 200)])
def test_what_stays_wrong_is_withheld_or_flagged(action: str, status: int) -> None:
    """Twice wrong, as the policy says; never a third time."""

    async def test(w: World, provider: FakeProvider) -> None:
        answer = await w.post(_ask())
        assert answer.status_code == status
        assert answer.code == "answer_withheld" if status == 403 else answer.text() == WRONG
        closed = w.events("exchange.closed")[-1].body
        assert (closed["outcome"], closed["released"]) == (("blocked", "none") if status == 403 else ("answered", "all"))
        assert [each["action"] for each in _decided(w)] == ["flag", action] and len(provider.bodies) == 2
        assert _decided(w)[1]["types"] == [{"type": "SCHEMA/type", "n": 1}]

    _run([whole(WRONG), whole(WRONG)], test, action)


def test_a_failing_second_attempt_leaves_the_first_answer() -> None:
    """What a provider does not give again does not take away what it gave; the link named is the one that served."""

    async def test(w: World, provider: FakeProvider) -> None:
        answer = await w.post(_ask())
        assert (answer.status_code, answer.text(), answer.headers["x-affiant-link"]) == (200, WRONG, "sim/small")
        closed = w.events("exchange.closed")[-1].body
        assert [each["status"] for each in closed["attempts"]] == [200, 400] and closed["model"] == "small"

    refused = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    _run([whole(WRONG), refused], test, "flag")


def test_no_attempt_beyond_those_permitted() -> None:
    """Where the permitted attempts are used up by failures, a wrong answer is judged as it is."""

    async def test(w: World, provider: FakeProvider) -> None:
        assert (await w.post(_ask(model="chat"))).code == "answer_withheld"
        assert len(w.events("exchange.closed")[-1].body["attempts"]) == 2

    broken = b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"
    _run([broken, whole(WRONG)], test)


def test_in_watch_and_with_leave_nothing_is_changed() -> None:
    """Decisions are recorded as not enforced; a policy that says `leave` neither mends nor asks again."""

    async def test(w: World, provider: FakeProvider) -> None:
        assert (await w.post(_ask(model="seen"))).text() == FENCED
        assert [(each["action"], each["enforced"]) for each in _decided(w)] == [("block", 0)]

    seen = (RouteSnap("seen", ("small",), "default", "watch", "internal", ""),)
    _run([whole(FENCED)], test, routes=seen, models=(ModelSnap("small", "sim", "sim-small", "1", 1),))

    async def left(w: World, provider: FakeProvider) -> None:
        assert (await w.post(_ask())).text() == FENCED and _decided(w)[0]["action"] == "flag"

    _run([whole(FENCED)], left, "flag", "leave")


def test_a_stream_is_judged_at_its_end() -> None:
    """It cannot be taken back: the decision is recorded, and the text is as it came."""

    async def test(w: World, provider: FakeProvider) -> None:
        assert (await w.post(_ask(stream=True))).text() == WRONG
        assert [(each["action"], each["reason"]) for each in _decided(w)] == [("block", "answer_invalid")]

    _run([streamed(WRONG[:7], WRONG[7:])], test)


def test_values_are_checked_as_the_caller_gets_them() -> None:
    """Pseudonyms are undone before the schema is asked: a pattern for addresses holds."""

    mail = {"type": "object", "properties": {"to": {"type": "string", "pattern": "^[^@]+@example[.]com$"}}}

    async def main() -> None:
        def answer(body: dict[str, Any]) -> bytes:
            name = body["messages"][0]["content"].removeprefix("Write to ")
            return whole(json.dumps({"to": name}, separators=(",", ":")))

        async with FakeProvider(answer) as provider, world(provider=provider.url, policies=(_policy("block", "repair"),)) as w:
            made = await w.post(_ask("Write to dana.whitfield@example.com", mail))
            assert made.text() == '{"to":"dana.whitfield@example.com"}'
            assert b"whitfield" not in provider.bodies[0]

    asyncio.run(main())


def test_a_hostile_schema_is_refused_before_anything_leaves() -> None:
    """The code has a page; nothing goes to the provider. A policy that flags lets it pass unchecked, and says so."""
    hostile = {"$ref": "https://example.org/schema.json"}

    async def refused(w: World, provider: FakeProvider) -> None:
        assert (await w.post(_ask(schema=hostile))).code == "schema_unusable"
        assert not provider.bodies
        assert w.events("exchange.refused")[-1].body["decisions"][-1]["types"] == [{"type": "SCHEMA/reference", "n": 1}]

    async def flagged(w: World, provider: FakeProvider) -> None:
        assert (await w.post(_ask(schema=hostile))).text() == WRONG
        assert w.events("exchange.opened")[-1].body["decisions"][-1]["action"] == "flag"

    _run([], refused)
    _run([whole(WRONG)], flagged, "flag")


def test_arguments_stay_valid_against_their_schema() -> None:
    """A tool that wants an address gets a pseudonym in an address's shape; the caller gets the address back in the call."""

    async def main() -> None:
        tool = {"type": "object", "properties": {"to": {"type": "string", "format": "email"}}, "required": ["to"]}
        tools = [{"type": "function", "function": {"name": "send", "parameters": tool}}]

        def answer(body: dict[str, Any]) -> bytes:
            call = {"name": "send", "arguments": json.dumps({"to": body["messages"][0]["content"].removeprefix("Mail ")})}
            return whole(None, tool_calls=[{"id": "c", "type": "function", "function": call}])

        policies = (policy("default", rule("pii", "redact", "pseudonymize"), rule("output", "redact"), rule("schema", "block", "leave")),)
        async with FakeProvider(answer) as provider, world(provider=provider.url, policies=policies) as w:
            made = await w.post(ask("Mail dana.whitfield@example.com", tools=tools))
            call = made.json()["choices"][0]["message"]["tool_calls"][0]["function"]
            assert json.loads(call["arguments"]) == {"to": "dana.whitfield@example.com"}
            assert b"@pseudonym.example" in provider.bodies[0] and b"whitfield" not in provider.bodies[0]

    asyncio.run(main())
