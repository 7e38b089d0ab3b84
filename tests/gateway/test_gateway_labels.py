"""Labels of answers, on every surface, whole and streamed: told beside the route's, flagged or withheld above it, where the policy asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from gateway_world import SECRET, FakeProvider, World, rule, world
from gateway_world import policy as named
from surface_cases import STREAMED, Case, error_of, http_json, last_type

from affiant.records.snapshot import ModelSnap, PolicySnap, RouteSnap

CARD, MAIL = "4111 1111 1111 1111", "dana.whitfield@example.com"
LABELS = {"EMAIL": "internal", "CREDIT_CARD": "confidential"}
each_surface = pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def _policy(on_label: str, labels_in: str = "both", output: str = "allow") -> PolicySnap:
    made = named("default", rule("pii", "redact", "pseudonymize"), rule("output", output))
    return msgspec.structs.replace(made, labels=LABELS, on_label=on_label, labels_in=labels_in)


def _run(
    case: Case, stream: bool, said: str, test: Callable[[World, Any], None], policy: PolicySnap, mode: str = "enforce", text: str = "hi"
) -> None:
    """One exchange whose provider says something, in three pieces."""
    cut = (len(said) // 3, 2 * len(said) // 3)
    pieces = (said[: cut[0]], said[cut[0] : cut[1]], said[cut[1] :])
    routes = (RouteSnap("chat", ("small", "verse"), "default", mode, "internal", ""),)
    models = (ModelSnap("small", "sim", "sim-small", "1", 1), ModelSnap("verse", "bay", "sim-small", "1", 1))

    async def main() -> None:
        async with (
            FakeProvider(lambda body: case.stream(*pieces) if body.get("stream") else http_json(case.said(said))) as provider,
            world(provider=provider.url, policies=(policy,), routes=routes, models=models) as w,
        ):
            test(w, await w.post(case.ask(text, **({"stream": True} if stream else {})), SECRET, case.path))

    asyncio.run(main())


def _closed(w: World, got: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The closing, and what it says about labels."""
    body = w.of(got.headers["x-affiant-exchange"])[1].body
    return body, [each for each in body["decisions"] if each["guard"] == "label"]


@each_surface
@both_ways
def test_an_answer_above_its_route_is_flagged(case: Case, stream: bool) -> None:
    """It leaves as it came; the closing names its label and the types that gave it, and nothing of the text."""
    said = f"Write to {MAIL} and pay with {CARD} before the end of the week, please."

    def test(w: World, got: Any) -> None:
        assert case.text(got) == said
        body, told = _closed(w, got)
        assert (body["outcome"], body["detected"]) == ("answered", "confidential")
        assert [(each["action"], each["control"], each["reason"]) for each in told] == [("flag", "CO-1.1", "label_exceeded")]
        assert told[0]["types"] == [{"type": "CREDIT_CARD", "n": 1}] and CARD not in msgspec.json.encode(body).decode()

    _run(case, stream, said, test, _policy("flag"))


@each_surface
@both_ways
@pytest.mark.parametrize("output", ["allow", "redact"])
def test_a_policy_that_blocks_withholds_it(case: Case, stream: bool, output: str) -> None:
    """A stream is cut before what exceeds the label; what would have been redacted is withheld alike."""
    said = f"You asked me for it a while ago. The number of the card that you want is {CARD} and nobody else has it, as far as I know."

    def test(w: World, got: Any) -> None:
        assert error_of(case, got)["code"] == "output_blocked" and "4111" not in got.content.decode()
        body, told = _closed(w, got)
        assert (body["outcome"], body["released"], body["detected"]) == ("blocked", "part" if stream else "none", "confidential")
        assert [(each["action"], each["acted"]) for each in told] == [("block", 1)]

    _run(case, stream, said, test, _policy("block", output=output))


@each_surface
@both_ways
def test_an_answer_within_its_route_passes(case: Case, stream: bool) -> None:
    """Its label stands in the closing all the same."""

    def test(w: World, got: Any) -> None:
        assert MAIL in case.text(got)
        body, told = _closed(w, got)
        assert body["detected"] == "internal" and [each["action"] for each in told] == ["allow"]

    _run(case, stream, f"Please do write to {MAIL}, they know more about it.", test, _policy("block"))


@each_surface
@both_ways
def test_what_the_caller_gave_is_not_held_against_the_answer(case: Case, stream: bool) -> None:
    """Neither a value of the request nor the pseudonym that stands for it; both give the request its label."""

    def test(w: World, got: Any) -> None:
        assert CARD in case.text(got)
        body, told = _closed(w, got)
        assert "detected" not in body and [each["action"] for each in told] == ["allow"]
        assert w.of(got.headers["x-affiant-exchange"])[0].body["detected"] == "confidential"

    _run(case, stream, f"The card was {CARD}, as you said.", test, _policy("flag"), text=f"Is {CARD} mine?")


@each_surface
@both_ways
def test_in_watch_it_is_told_only(case: Case, stream: bool) -> None:
    """The decision says that it was not enforced."""

    def test(w: World, got: Any) -> None:
        assert CARD in case.text(got) and (not stream or last_type(got) == case.last)
        body, told = _closed(w, got)
        assert body["detected"] == "confidential" and [(each["action"], each["enforced"]) for each in told] == [("block", 0)]

    _run(case, stream, f"The card was {CARD}, as they said.", test, _policy("block"), mode="watch")


@each_surface
@both_ways
def test_where_a_policy_does_not_ask_nothing_is_decided(case: Case, stream: bool) -> None:
    """Labels are of requests, as before."""

    def test(w: World, got: Any) -> None:
        assert CARD in case.text(got)
        body, told = _closed(w, got)
        assert "detected" not in body and not told

    _run(case, stream, f"The card was {CARD}, as they said.", test, _policy("block", "requests"))


def test_labels_are_found_where_no_other_guard_looks_at_answers() -> None:
    """A policy without `output` and `leakage` labels answers too, and what cannot be rewritten counts as well."""
    case = STREAMED[0]
    policy = msgspec.structs.replace(_policy("block"), rules=(rule("pii", "flag"),))

    def test(w: World, got: Any) -> None:
        assert error_of(case, got)["code"] == "output_blocked"
        assert [each["guard"] for each in _closed(w, got)[0]["decisions"]] == ["label"]

    _run(case, False, f"The card was {CARD}.", test, policy)
    fixed = {**case.said("Fine."), "id": CARD}
    _run(
        Case(**{**{name: getattr(case, name) for name in case.__dataclass_fields__}, "said": lambda _: fixed}), False, "Fine.", test, policy
    )
