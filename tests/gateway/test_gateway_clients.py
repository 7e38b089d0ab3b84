"""The official clients on all surfaces, through a real worker, writer and provider simulator: texts, streams, tools, errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest
from gateway_world import World, world

MAIL = "dana.whitfield@example.com"
TEXT = f"Write to {MAIL} please. [[sim:tool,chunks:5]]"
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}
_INSTRUCTIONS = f"Be kind to {MAIL}."


@dataclass(frozen=True)
class Got:
    """What a client made of an answer."""

    text: str
    arguments: Any
    tokens: tuple[int, int]


def _chat_asked(text: str, model: str) -> dict[str, Any]:
    tool = {"type": "function", "function": {"name": "send", "parameters": SCHEMA}}
    return {"model": model, "messages": [{"role": "user", "content": text}], "tools": [tool]}


async def _chat(w: World, text: str, model: str = "chat") -> Got:
    async with w.openai() as client:
        answer = await client.chat.completions.create(**_chat_asked(text, model))
        message, usage = answer.choices[0].message, answer.usage
        calls = message.tool_calls or []
        return Got(message.content, calls[0].function.arguments if calls else "", (usage.prompt_tokens, usage.completion_tokens))


async def _chat_stream(w: World, text: str, model: str = "chat") -> Got:
    async with w.openai() as client:
        async with client.chat.completions.stream(**_chat_asked(text, model), stream_options={"include_usage": True}) as stream:
            async for _ in stream:
                pass
            answer = await stream.get_final_completion()
        message, usage = answer.choices[0].message, answer.usage
        calls = message.tool_calls or []
        return Got(message.content, calls[0].function.arguments if calls else "", (usage.prompt_tokens, usage.completion_tokens))


def _response_asked(text: str, model: str) -> dict[str, Any]:
    tool = {"type": "function", "name": "send", "parameters": SCHEMA, "strict": False}
    return {"model": model, "input": text, "instructions": _INSTRUCTIONS if MAIL in text else None, "tools": [tool]}


def _response_got(answer: Any) -> Got:
    arguments = next((item.arguments for item in answer.output if item.type == "function_call"), "")
    assert answer.instructions in (_INSTRUCTIONS, None)
    return Got(answer.output_text, arguments, (answer.usage.input_tokens, answer.usage.output_tokens))


async def _response(w: World, text: str, model: str = "chat") -> Got:
    async with w.openai() as client:
        return _response_got(await client.responses.create(**_response_asked(text, model)))


async def _response_stream(w: World, text: str, model: str = "chat") -> Got:
    async with w.openai() as client:
        pieces = []
        async with client.responses.stream(**_response_asked(text, model)) as stream:
            async for event in stream:
                if event.type == "response.output_text.delta":
                    pieces.append(event.delta)
            answer = await stream.get_final_response()
        assert "".join(pieces) == answer.output_text
        return _response_got(answer)


def _message_asked(text: str, model: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": model, "max_tokens": 500, "messages": messages, "tools": [{"name": "send", "input_schema": SCHEMA}]}


def _message_got(answer: Any) -> Got:
    text = "".join(block.text for block in answer.content if block.type == "text")
    arguments = next((block.input for block in answer.content if block.type == "tool_use"), "")
    return Got(text, arguments, (answer.usage.input_tokens, answer.usage.output_tokens))


async def _message(w: World, text: str, model: str = "chat") -> Got:
    async with w.anthropic() as client:
        return _message_got(await client.messages.create(**_message_asked(text, model)))


async def _message_stream(w: World, text: str, model: str = "chat") -> Got:
    async with w.anthropic() as client, client.messages.stream(**_message_asked(text, model)) as stream:
        pieces = [piece async for piece in stream.text_stream]
        answer = await stream.get_final_message()
        assert "".join(pieces) == _message_got(answer).text
        return _message_got(answer)


Way = Callable[..., Awaitable[Got]]
WAYS: dict[str, tuple[str, Way]] = {
    "chat": ("chat.completions", _chat), "chat, streamed": ("chat.completions", _chat_stream), "responses": ("responses", _response),
    "responses, streamed": ("responses", _response_stream), "messages": ("messages", _message),
    "messages, streamed": ("messages", _message_stream),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_texts_and_tool_calls_come_through_with_the_callers_own_values(way: str) -> None:
    """The simulator saw a placeholder; text and arguments of the call hold the value; counts agree with the ledger's and its own."""
    surface, ask = WAYS[way]

    async def main() -> None:
        async with world() as w:
            got = await ask(w, TEXT)
            arguments = got.arguments if isinstance(got.arguments, dict) else json.loads(got.arguments)
            assert f"You wrote: {TEXT}" in got.text and arguments == {"text": TEXT}
            opened, closed = w.events("exchange.opened", "exchange.closed")
            assert opened.body["surface"] == surface and closed.body["outcome"] == "answered"
            assert [each["action"] for each in opened.body["decisions"] if each["guard"] == "pii"] == ["redact"]
            assert (closed.body["tokens_in"], closed.body["tokens_out"]) == got.tokens
            seen = w.sim.book.requests
            assert [each["id"] for each in closed.body["attempts"]] == [each.id for each in seen]
            assert [(each.completed, each.tokens_in, each.tokens_out) for each in seen] == [(True, *got.tokens)]

    asyncio.run(main())


@pytest.mark.parametrize("way", WAYS)
def test_planted_values_of_a_provider_are_redacted(way: str) -> None:
    """What the model makes up is masked, and the clients read what is left without complaint."""

    async def main() -> None:
        async with world() as w:
            got = await WAYS[way][1](w, "hello [[sim:pii,chunks:7]]")
            assert "dana" not in got.text and "4111" not in got.text and "[EMAIL]" in got.text
            closed = w.events("exchange.closed")[0].body
            assert [each["action"] for each in closed["decisions"] if each["guard"] == "output"] == ["redact"]

    asyncio.run(main())


ERRORS = {
    "nothing": (openai.NotFoundError, anthropic.NotFoundError, "model_not_found"),
    "secret": (openai.PermissionDeniedError, anthropic.PermissionDeniedError, "label_forbidden"),
    "strict": (openai.PermissionDeniedError, anthropic.PermissionDeniedError, "pii_detected"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", ERRORS)
def test_clients_raise_their_own_errors(way: str, model: str) -> None:
    """Refusals are the exception classes that each client has for the status, with the code and the control in them."""
    surface, ask = WAYS[way]
    of_openai, of_anthropic, code = ERRORS[model]

    async def main() -> None:
        async with world() as w:
            with pytest.raises(of_anthropic if surface == "messages" else of_openai) as caught:
                await ask(w, TEXT, model)
            body: Any = caught.value.body
            assert (body["error"] if surface == "messages" else body)["code"] == code
            refused = w.of(caught.value.response.headers["x-affiant-exchange"])[0]
            assert refused.body["control"] in str(caught.value) and refused.body["surface"] == surface

    asyncio.run(main())


@pytest.mark.parametrize("way", [way for way in WAYS if "streamed" in way])
@pytest.mark.parametrize(
    ("text", "model", "outcome"), [("[[sim:drop,words:200]]", "chat", "provider_failed"), ("[[sim:pii]]", "strict", "blocked")]
)
def test_a_stream_that_does_not_end_well_is_no_answer_to_a_client(way: str, text: str, model: str, outcome: str) -> None:
    """Cut by a guard or broken off by the provider: the client raises, and never gives a final answer."""

    async def main() -> None:
        async with world() as w:
            with pytest.raises((openai.APIError, anthropic.APIError, RuntimeError)):
                await WAYS[way][1](w, text, model)
            closed = w.events("exchange.closed")[0].body
            assert closed["outcome"] == outcome and closed["released"] in ("part", "none")

    asyncio.run(main())


def test_embeddings_are_vectors_of_what_was_sent() -> None:
    """A text with an address is embedded without it; vectors arrive packed and plain; tokens are counted as input."""

    async def main() -> None:
        async with world() as w, w.openai() as client:
            packed = await client.embeddings.create(model="chat", input=["one", f"write to {MAIL}"])
            plain = await client.embeddings.create(model="chat", input=["one"], encoding_format="float")
            assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
            opened, closed, *_ = w.events("exchange.opened", "exchange.closed")
            assert [each["action"] for each in opened.body["decisions"] if each["guard"] == "pii"] == ["redact"]
            assert (closed.body["tokens_in"], closed.body["tokens_out"]) == (packed.usage.prompt_tokens, 0)
            with pytest.raises(openai.PermissionDeniedError):
                await client.embeddings.create(model="strict", input=[f"write to {MAIL}"])

    asyncio.run(main())


def test_a_whole_conversation_with_a_tool_keeps_its_values() -> None:
    """A tool's result with an address goes out redacted under the same placeholder as the text before it."""

    async def main() -> None:
        async with world() as w, w.anthropic() as client:
            asked = _message_asked(TEXT, "chat")
            first = await client.messages.create(**asked)
            call = next(block for block in first.content if block.type == "tool_use")
            result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": f"sent to {MAIL}"}]}
            asked["messages"] += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
            second = await client.messages.create(**asked)
            assert f"sent to {MAIL}" in next(block.text for block in second.content if block.type == "text")
            assert [event.body["outcome"] for event in w.events("exchange.closed")] == ["answered", "answered"]

    asyncio.run(main())
