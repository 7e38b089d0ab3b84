"""Every place of the product's own table through the running gateway: an address in it does not get past a policy that redacts.

What the table calls guarded never leaves in the clear, on the way in and on the way out, whole and streamed. What it calls flagged
is told in the event; what it calls uninspected is encrypted, or redacted where it can be read after all.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import msgspec
import pytest
from gateway_world import SECRET, Answer, FakeProvider, World, http_chunk, world
from surface_cases import CASES, CHAT, STREAMED, Case, http_json, last_type
from tests.guards.places_bodies import leaks

from affiant.guards.places import TABLE, Row
from affiant.guards.places.table import FLAGGED, GUARDED, UNINSPECTED, WITHHELD

MAIL = "dana.whitfield@example.com"
VALUE = f"see {MAIL}"
_EVERYWHERE = ("any other", "nested deeper", "more than", "numbers of")
ASKED_FOR = {
    "input.id",
    "model",
    "stream",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
    "background",
    "input",
    "messages",
}
"""Places that the gateway itself reads: a text of another kind there is refused."""
SHAPE = {"choices", "choices.message", "output", "content", "type", "status", "error"}
"""Places that say whether something is an answer at all."""
STATE = ("previous_response_id", "conversation", "prompt")
BOTH = [(case, stream) for case in CASES for stream in (False, True) if not stream or case in STREAMED]


def _rows(case: Case, direction: str) -> list[Row]:
    found = [row for row in TABLE if (row.surface, row.direction) == (case.name, direction) and not row.place.startswith(_EVERYWHERE)]
    assert len(found) > 4
    return [*found, Row(case.name, direction, "later.deep", GUARDED, "a field that the format does not have")]


def _value(row: Row) -> Any:
    return [{"token": VALUE, "bytes": None, "logprob": 0.0}] if row.treatment == WITHHELD else VALUE


def _planted(row: Row, value: Any) -> dict[str, Any]:
    """The smallest body with the value at the row's place; what it holds on the way there are lists of objects."""
    made = value
    for depth, step in enumerate(reversed(re.split(r"\.(?![^(]*\))", row.place))):
        name, _, variant = step.partition(" (type ")
        inside = made if depth == 0 or name == "message" else [made]
        made = {name: inside, **({"type": variant.rstrip(")")} if variant else {})}
    assert isinstance(made, dict)
    return made


def _request(case: Case, row: Row, stream: bool) -> dict[str, Any]:
    """A request that the gateway takes, with the value at the row's place."""
    body = {**case.ask("hi"), **_planted(row, _value(row))}
    for message in body["messages"] if isinstance(body.get("messages"), list) else ():
        message.setdefault("role", "user")
    return {**body, "stream": True} if stream and row.place != "stream" else body


class Checks:
    """What got through, judged at the end by what the ledger says of it.

    Args:
        event: type of the event that tells of the direction.
    """

    def __init__(self, event: str) -> None:
        self._event = event
        self._kept: list[tuple[Row, str, Any]] = []

    def add(self, row: Row, answer: Answer, seen: Any) -> None:
        self._kept.append((row, answer.headers["x-affiant-exchange"], seen))

    def hold(self, w: World, least: int) -> None:
        assert len(self._kept) >= least
        bodies = {event.ref: event.body for event in w.events(self._event)}
        for row, exchange, seen in self._kept:
            body = bodies[exchange]
            flags = sum(each["found"] for each in body["decisions"] if each["action"] == "flag" and each["guard"] in ("pii", "output"))
            if row.treatment == FLAGGED:
                assert flags, row
            elif row.treatment == UNINSPECTED and row.note.startswith("encrypted"):
                assert body["uninspected"], row
            else:
                assert not leaks(seen, MAIL), row


def _answers(case: Case) -> Any:
    return lambda body: case.stream("ok") if body.get("stream") else http_json(case.said("ok"))


@pytest.mark.parametrize(("case", "stream"), BOTH, ids=lambda value: value.name if isinstance(value, Case) else str(value))
def test_no_place_of_a_request_carries_an_address_to_the_provider(case: Case, stream: bool) -> None:
    """Row by row: redacted, or flagged in *opened*; refused only where the gateway itself reads the field."""

    async def main() -> None:
        async with FakeProvider(_answers(case)) as provider, world(provider=provider.url) as w:
            rows, checks = _rows(case, "request"), Checks("exchange.opened")
            refused = 0
            for row in rows:
                got = await w.post(_request(case, row, stream), SECRET, case.path)
                if got.status_code != 200:
                    assert row.place.split(".")[0] in STATE or row.place in ASKED_FOR, (row, got.content)
                    refused += 1
                    continue
                checks.add(row, got, msgspec.json.decode(provider.bodies[-1]))
            assert len(provider.bodies) == len(rows) - refused
            checks.hold(w, len(rows) - refused)
            assert refused <= 12

    asyncio.run(main())


@pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
def test_no_place_of_an_answer_carries_an_address_to_the_caller(case: Case) -> None:
    """The same for whole answers under a policy that redacts what leaks; what is no answer of the surface is not passed on at all."""
    said: dict[str, Any] = {}

    async def main() -> None:
        async with FakeProvider(lambda _: http_json(said)) as provider, world(provider=provider.url) as w:
            rows, checks = _rows(case, "answer"), Checks("exchange.closed")
            for row in rows:
                said.clear()
                said.update({**case.said("ok"), **_planted(row, _value(row))})
                for choice in said["choices"] if isinstance(said.get("choices"), list) else ():
                    choice.setdefault("message", {})
                got = await w.post(case.ask("hi"), SECRET, case.path)
                if got.status_code == 502:
                    assert row.place in SHAPE and MAIL not in got.content.decode(), row
                    continue
                assert got.status_code == 200, (row, got.content)
                checks.add(row, got, got.json())
            checks.hold(w, len(rows) - 3)

    asyncio.run(main())


def _event(case: Case, row: Row, value: Any) -> dict[str, Any]:
    """An event of a stream with the value at the row's place."""
    delta: dict[str, Any]
    if case is CHAT:
        if not row.place.startswith("choices.delta"):
            return {"choices": [], **_planted(row, value)}
        delta = {"content": value} if row.place == "choices.delta" else {"tool_calls": [{"index": 0, "function": {"arguments": value}}]}
        return {"choices": [{"index": 0, "delta": delta}]}
    if row.place != "delta":
        return {"type": "novel", **_planted(row, value)}
    if case.anthropic:
        return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": value}}
    return {"type": "response.output_text.delta", "delta": value}


@pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
def test_no_place_of_a_stream_carries_an_address_to_the_caller(case: Case) -> None:
    """The same for events; deltas are cut in the middle of the address."""
    said: list[Any] = []

    async def main() -> None:
        async with FakeProvider(lambda _: list(said)) as provider, world(provider=provider.url) as w:
            rows, checks = _rows(case, "stream"), Checks("exchange.closed")
            for row in rows:
                cut = row.place in ("delta", "choices.delta") or (row.place.endswith("arguments") and case is CHAT)
                events = [_event(case, row, each) for each in ([VALUE[:9], VALUE[9:]] if cut else [_value(row)])]
                framed = [
                    http_chunk(b"data: " + msgspec.json.encode(event) + b"\n\n") if case is CHAT else _named(event) for event in events
                ]
                said[:] = [*case.begun("ok "), *framed, *case.ended("ok ")]
                more = {"stream_options": {"include_usage": True}} if case is CHAT else {}
                got = await w.post(case.ask("hi", stream=True, **more), SECRET, case.path)
                if got.status_code == 502 or last_type(got) == "error":
                    assert row.place in SHAPE and MAIL not in got.content.decode(), row
                    continue
                checks.add(row, got, got.frames())
            checks.hold(w, len(rows) - 4)

    asyncio.run(main())


def _named(event: dict[str, Any]) -> bytes:
    return http_chunk(b"event: x\ndata: " + msgspec.json.encode(event) + b"\n\n")
