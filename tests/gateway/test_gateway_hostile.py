"""Whatever a provider sends as an event or an answer, the gateway makes frames of it or a fault, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affiant.gateway.faults import LinkFault, Refusal
from affiant.gateway.fixed import without_redaction
from affiant.gateway.guardpool import GuardPool
from affiant.gateway.outbound import Outbound
from affiant.gateway.reply import Reply
from affiant.gateway.streamform import StreamForm
from affiant.gateway.streaming import StreamedAnswer
from affiant.gateway.surfaces import SURFACES, Asked, Surface
from affiant.gateway.wire import read_request
from affiant.guards import Action, AnswerContext, GuardChain, GuardRule, Mode, Policy
from affiant.guards.quality.schema import Expected, compiled
from affiant.guards.redact import Pseudonyms

POLICY = Policy("p", "d", {"output": GuardRule(Action.REDACT), "pii": GuardRule(Action.REDACT), "schema": GuardRule(Action.BLOCK)})
EXPECTED = Expected(compiled({"type": "object"}), True, {"m": compiled({"type": "object", "required": ["a"]})})
CHAIN, POOL = GuardChain(b"x"), GuardPool()
_FIELDS = (
    "type index delta choices message messages content content_block text usage finish_reason role tool_calls function arguments "
    "partial_json response output item part sequence_number output_index content_index error id model input input_tokens output_tokens "
    "prompt_tokens completion_tokens data embedding status max_tokens stream n max_output_tokens tools later logprobs"
)
_NAMES = st.sampled_from(_FIELDS.split())
_TEXTS = st.sampled_from([
    "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop", "text_delta",
    "input_json_delta", "response.created", "response.output_text.delta", "response.output_text.done", "response.completed", "error",
    "response.function_call_arguments.delta", "response.content_part.added", "message", "completed", "stop", "user", "m",
    "response.function_call_arguments.done", "response.output_item.added", "response.output_item.done", "function_call", "tool_use",
    "write to dana.whitfield@example.com", '{"a": "\\u0040', "\n", "é", "", "x" * 200,
])  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**12) | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=5), max_leaves=12,
)  # fmt: skip
_OBJECTS = st.dictionaries(_NAMES, _JSON, max_size=6)
_CHUNKS = st.fixed_dictionaries({"choices": st.lists(st.fixed_dictionaries({"index": st.integers(0, 2), "delta": _OBJECTS}), max_size=2)})
_EVENTS = st.lists(_OBJECTS | _CHUNKS | st.builds(lambda body, type_: {**body, "type": type_}, _OBJECTS, _TEXTS), max_size=8)
each_surface = pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)


def _outbound(mode: Mode) -> Outbound:
    context = AnswerContext((), Pseudonyms())
    return Outbound(CHAIN.answer(context, POLICY, mode), CHAIN.answer(context, without_redaction(POLICY), mode))


def _or_fault(call: Callable[[], bytes]) -> bytes:
    try:
        return call()
    except LinkFault as fault:
        assert fault.kind == "garbage" and "whitfield" not in str(fault)
        return b""


@pytest.mark.parametrize("surface", SURFACES[:3], ids=lambda surface: surface.name)
@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.WATCH])
@given(events=_EVENTS)
@settings(max_examples=150, deadline=None)
def test_any_events_are_frames_or_a_fault(surface: Surface, mode: Mode, events: list[Any]) -> None:
    """No other error; what is released in enforce holds no address, and the frame that ends the stream is never among the others."""
    outbound = _outbound(mode)
    form = StreamForm(POLICY, mode, EXPECTED, POOL)
    answer = StreamedAnswer(surface, outbound, Asked("m", True, 10), form, keep=True)
    released = b""
    for event in events:
        if answer.ended:
            break
        released += _or_fault(lambda event=event: answer.chunk(msgspec.json.encode(event)))  # type: ignore[misc]
        asyncio.run(form.settle())
    answer.settle()
    asyncio.run(form.finish())
    assert len(form.decisions(whole=True)) == 1
    outbound.decisions()
    assert bool(answer.last) == answer.ended and isinstance(answer.text(), str)
    assert mode is Mode.WATCH or b"dana.whitfield@example.com" not in _without_fixed(released)


def _without_fixed(data: bytes) -> bytes:
    """Frames without places that may not be rewritten, which these events fill with anything."""
    kept = []
    for block in data.split(b"\n\n"):
        if block:
            kept.append(msgspec.json.encode(_texts_only(msgspec.json.decode(block[block.index(b"data: ") + 6 :]))))
    return b"\n".join(kept)


def _texts_only(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _texts_only(item) for name, item in value.items() if name in ("delta", "content", "text", "choices", "message")}
    return [_texts_only(item) for item in value] if isinstance(value, list) else value


@each_surface
@given(body=_JSON | _OBJECTS)
@settings(max_examples=200, deadline=None)
def test_any_answer_is_bytes_or_a_fault(surface: Surface, body: Any) -> None:
    """No other error, whatever JSON a provider gives."""

    def call() -> bytes:
        reply = Reply(msgspec.json.encode(body), surface)
        reply.usage(), reply.text()
        return reply.guard(_outbound(Mode.ENFORCE))

    _or_fault(call)


@each_surface
@given(body=_JSON | _OBJECTS)
@settings(max_examples=200, deadline=None)
def test_any_request_is_read_or_refused(surface: Surface, body: Any) -> None:
    """No other error, whatever JSON a caller sends; what is read can be written back and sent."""
    try:
        request = read_request(msgspec.json.encode({"model": "m", **body} if isinstance(body, dict) else body), surface)
    except Refusal as refusal:
        assert refusal.code in ("request_invalid", "state_refused")
        return
    request.apply(request.parts)
    assert msgspec.json.decode(request.encode("upstream"))["model"] == "upstream"
