"""What is judged of a whole answer, and protected texts, on every surface: before a whole answer leaves, with the end of a stream."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from gateway_world import DEFAULT, SECRET, FakeProvider, policy, rule, world
from surface_cases import CASES, EMBEDDINGS, STREAMED, Case, error_of, http_json, last_type

from affiant.guards.leakage import canary_print
from affiant.records.snapshot import ProtectedSnap

CANARY = "Zx9-Qp44-Ab71-Kk02"
POOR = "I like it. " * 40  # the same sentence again and again
each_stream = pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def _answers(case: Case, *pieces: str) -> Any:
    return lambda body: case.stream(*pieces) if body.get("stream") else http_json(case.said("".join(pieces)))


def _judged() -> tuple[Any, ...]:
    return (policy("default", *DEFAULT.rules, rule("quality", "block")),)


def _protected() -> dict[str, Any]:
    words, value = canary_print(CANARY)
    return {
        "policies": (policy("default", *DEFAULT.rules, rule("leakage", "block")),),
        "protected": (ProtectedSnap("mark", "canary", "restricted", "", words, value.to_bytes(8, "big")),),
    }


@each_stream
def test_a_whole_answer_is_judged_before_it_leaves(case: Case) -> None:
    """A poor one is withheld with its own code and recorded as blocked; a good one leaves."""

    async def main() -> None:
        async with FakeProvider(_answers(case, POOR)) as provider, world(provider=provider.url, policies=_judged()) as w:
            got = await w.post(case.ask("hi"), SECRET, case.path)
            assert (got.status_code, error_of(case, got)["code"]) == (403, "answer_withheld") and "I like" not in got.content.decode()
            closed = w.of(got.headers["x-affiant-exchange"])[1].body
            assert (closed["outcome"], closed["released"]) == ("blocked", "none")
            assert [each["action"] for each in closed["decisions"] if each["guard"] == "quality"] == ["block"]
            provider.answer = _answers(case, "It is due on Friday.")
            assert (await w.post(case.ask("hi"), SECRET, case.path)).status_code == 200

    asyncio.run(main())


@each_stream
def test_a_stream_is_judged_with_its_end(case: Case) -> None:
    """It takes nothing back; the decision is in *closed*, which is there before the end."""

    async def main() -> None:
        async with (
            FakeProvider(_answers(case, *[POOR[:100], POOR[100:]])) as provider,
            world(provider=provider.url, policies=_judged()) as w,
        ):
            got = await w.post(case.ask("hi", stream=True), SECRET, case.path)
            assert case.text(got) == POOR and last_type(got) == case.last
            closed = w.of(got.headers["x-affiant-exchange"])[1].body
            assert [each["action"] for each in closed["decisions"] if each["guard"] == "quality"] == ["block"]

    asyncio.run(main())


def test_embeddings_are_no_text_to_judge() -> None:
    """A policy that judges answers decides nothing about vectors."""

    async def main() -> None:
        async with world(policies=_judged()) as w:
            got = await w.post(EMBEDDINGS.ask("hi"), SECRET, EMBEDDINGS.path)
            assert got.status_code == 200
            closed = w.of(got.headers["x-affiant-exchange"])[1].body
            assert not [each for each in closed["decisions"] if each["guard"] == "quality"]

    asyncio.run(main())


@each_case
def test_a_protected_text_does_not_go_out(case: Case) -> None:
    """A request that holds it is refused, and nothing is sent."""

    async def main() -> None:
        async with world(**_protected()) as w:
            got = await w.post(case.ask(f"it says {CANARY}"), SECRET, case.path)
            assert (got.status_code, error_of(case, got)["code"]) == (403, "protected_text") and not w.sim.book.requests

    asyncio.run(main())


@each_stream
@pytest.mark.parametrize("stream", [False, True])
def test_a_protected_text_does_not_come_back(case: Case, stream: bool) -> None:
    """An answer that holds it is withheld, or cut before it."""

    async def main() -> None:
        pieces = ("Well, since you are asking me about it now, ", "I can tell you that it says Zx9-Q", "p44-Ab71-Kk02 somewhere.")
        async with FakeProvider(_answers(case, *pieces)) as provider, world(provider=provider.url, **_protected()) as w:
            got = await w.post(case.ask("hi", **({"stream": True} if stream else {})), SECRET, case.path)
            assert error_of(case, got)["code"] == "output_blocked" and "Kk02" not in got.content.decode()
            closed = w.of(got.headers["x-affiant-exchange"])[1].body
            assert closed["outcome"] == "blocked" and [e["action"] for e in closed["decisions"] if e["guard"] == "leakage"] == ["block"]

    asyncio.run(main())
