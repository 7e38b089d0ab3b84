"""The provider simulator over real sockets: shapes, scripts, counts."""

import asyncio
import json
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from openai import APIStatusError, AsyncOpenAI

from affiant.kit.clock import FixedClock
from affiant.kit.errors import CouldNotLook
from affiant.operations.wire import Reply, Wire
from affiant.testing import Simulator

NOV_25 = 1_795_564_800_000_000
HEADERS = {"authorization": "Bearer key-one", "x-affiant-request": "rq_1"}


def chat(text: str, **more: object) -> bytes:
    return json.dumps({"model": "sim-small", "messages": [{"role": "user", "content": text}], **more}).encode()


async def ask(sim: Simulator, body: bytes, headers: dict[str, str] | None = None, path: str = "/v1/chat/completions") -> Reply:
    wire = Wire(sim.url, timeout_s=5)
    try:
        return await wire.request("POST", path, headers or HEADERS, body)
    finally:
        await wire.close()


def test_same_request_same_answer_and_the_text_comes_back() -> None:
    """Two equal requests get equal text, and what the caller wrote is in it."""

    async def run() -> None:
        async with Simulator(announce=False) as sim:
            first = json.loads((await ask(sim, chat("write to [EMAIL_1] please"))).body)
            second = json.loads((await ask(sim, chat("write to [EMAIL_1] please"))).body)
            assert first["choices"] == second["choices"]
            assert "[EMAIL_1]" in first["choices"][0]["message"]["content"]
            assert first["usage"]["total_tokens"] == first["usage"]["prompt_tokens"] + first["usage"]["completion_tokens"]

    asyncio.run(run())


def test_the_official_client_gets_answers_streams_and_models() -> None:
    """The `openai` package works against the simulator, plain and streaming, and both say the same."""

    async def run() -> None:
        async with Simulator(announce=False) as sim, AsyncOpenAI(base_url=f"{sim.url}/v1", api_key="k", max_retries=0) as client:
            messages = [{"role": "user", "content": "how are you"}]
            plain = await client.chat.completions.create(model="sim-small", messages=messages)  # type: ignore[arg-type]
            text = ""
            usage = None
            stream = await client.chat.completions.create(  # type: ignore[call-overload]
                model="sim-small", messages=messages, stream=True, stream_options={"include_usage": True}
            )
            async for chunk in stream:
                if chunk.choices:
                    text += chunk.choices[0].delta.content or ""
                usage = chunk.usage or usage
            assert text == plain.choices[0].message.content
            assert usage is not None and plain.usage is not None and usage.total_tokens == plain.usage.total_tokens
            assert [model.id async for model in client.models.list()]
            with pytest.raises(APIStatusError) as caught:
                await client.chat.completions.create(model="script-429:7", messages=messages)  # type: ignore[arg-type]
            assert caught.value.status_code == 429 and caught.value.response.headers["retry-after"] == "7"

    asyncio.run(run())


TEXT = "how are you [[sim:tool]]"
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}


async def _responses(sim: Simulator) -> tuple[str, str, int, str, str, int]:
    async with AsyncOpenAI(base_url=f"{sim.url}/v1", api_key="k", max_retries=0) as client:
        asked: Any = {"model": "sim-small", "input": TEXT, "tools": [{"type": "function", "name": "send", "parameters": SCHEMA}]}
        plain = await client.responses.create(**asked)
        async with client.responses.stream(**asked) as stream:
            async for _ in stream:
                pass
            final = await stream.get_final_response()
        calls = [next(item.arguments for item in each.output if item.type == "function_call") for each in (plain, final)]
        return plain.output_text, calls[0], plain.usage.output_tokens, final.output_text, calls[1], final.usage.output_tokens


async def _messages(sim: Simulator) -> tuple[str, str, int, str, str, int]:
    async with AsyncAnthropic(base_url=sim.url, api_key="k", max_retries=0) as client:
        asked: Any = {
            "model": "sim-small", "max_tokens": 500, "messages": [{"role": "user", "content": TEXT}],
            "tools": [{"name": "send", "input_schema": SCHEMA}],
        }  # fmt: skip
        plain = await client.messages.create(**asked)
        async with client.messages.stream(**asked) as stream:
            final = await stream.get_final_message()
        texts = [next(block.text for block in each.content if block.type == "text") for each in (plain, final)]
        calls = [next(json.dumps(block.input) for block in each.content if block.type == "tool_use") for each in (plain, final)]
        return texts[0], calls[0], plain.usage.output_tokens, texts[1], calls[1], final.usage.output_tokens


@pytest.mark.parametrize("ask_both", [_responses, _messages])
def test_the_official_clients_get_texts_and_tool_calls_of_the_other_surfaces(ask_both: Any) -> None:
    """Responses and Messages: plain and streamed say the same, call the tool with what was written, and report the same usage."""

    async def run() -> None:
        async with Simulator(announce=False) as sim:
            text, call, tokens, streamed, streamed_call, streamed_tokens = await ask_both(sim)
            assert text == streamed and TEXT in text and tokens == streamed_tokens > 0
            assert json.loads(call) == json.loads(streamed_call) == {"text": TEXT}

    asyncio.run(run())


def test_embeddings_and_what_messages_demand() -> None:
    """The same text gets the same vector in both encodings; without a version Messages are refused, in Anthropic's shape."""

    async def run() -> None:
        async with Simulator(announce=False) as sim, AsyncOpenAI(base_url=f"{sim.url}/v1", api_key="k", max_retries=0) as client:
            packed = await client.embeddings.create(model="sim-embed", input=["a", "b"])
            plain = await client.embeddings.create(model="sim-embed", input=["a", "b"], encoding_format="float")
            assert packed.usage.prompt_tokens == plain.usage.prompt_tokens > 0 and sim.book.requests[0].tokens_out == 0
            assert [len(each.embedding) for each in packed.data] == [16, 16]
            assert packed.data[1].embedding == pytest.approx(plain.data[1].embedding, abs=1e-6) != plain.data[0].embedding
            refused = await ask(sim, b"{}", path="/v1/messages")
            assert (refused.status, json.loads(refused.body)["error"]["type"]) == (401, "authentication_error")

    asyncio.run(run())


@pytest.mark.parametrize("pieces", ["", "[[sim:bytes:7]]", "[[sim:chunks:1]]", "[[sim:slow:1,bytes:100]]"])
def test_a_stream_is_whole_however_it_is_cut(pieces: str) -> None:
    """Chunk and write sizes change nothing in the text that arrives."""

    async def run() -> str:
        async with Simulator(announce=False) as sim:
            reply = await ask(sim, chat(f"hello {pieces}", stream=True))
            assert reply.complete
            lines = [line[6:] for line in reply.body.decode().split("\n\n") if line]
            assert lines[-1] == "[DONE]"
            deltas = [json.loads(line)["choices"][0]["delta"].get("content", "") for line in lines[:-1]]
            return "".join(deltas)

    assert f"You wrote: hello {pieces}" in asyncio.run(run())


def test_faults_on_request() -> None:
    """Each script gives the fault that it names."""

    async def run() -> None:
        async with Simulator(announce=False) as sim:
            assert (await ask(sim, chat("[[sim:500]]"))).status == 500
            dropped = await ask(sim, chat("[[sim:drop]]", stream=True))
            assert dropped.status == 200 and not dropped.complete
            assert not (await ask(sim, chat("[[sim:drop]]"))).complete
            with pytest.raises(CouldNotLook):
                await ask(sim, chat("[[sim:drop-first]]"))
            garbage = await ask(sim, chat("[[sim:garbage]]"))
            with pytest.raises(ValueError):
                json.loads(garbage.body)
            states = [(await ask(sim, chat("[[sim:flaky:3]]"))).status for _ in range(6)]
            assert states == [200, 200, 500, 200, 200, 500]
            leak = chat("[[sim:leak,pii,secret]]")
            assert b"4111 1111 1111 1111" in (await ask(sim, leak)).body
            with pytest.raises(CouldNotLook):
                wire = Wire(sim.url, timeout_s=0.1)
                await wire.request("POST", "/v1/chat/completions", HEADERS, chat("[[sim:hang]]"))
            header = {**HEADERS, "x-simulator-script": "503"}
            assert (await ask(sim, chat("plain"), header)).status == 503

    asyncio.run(run())


def test_bad_requests_are_refused_as_a_provider_does() -> None:
    """No key, no JSON and unknown paths get OpenAI-shaped errors; bytes that are no HTTP get a 400."""

    async def run() -> None:
        async with Simulator(announce=False) as sim:
            assert (await ask(sim, chat("x"), {"content-type": "application/json"})).status == 401
            assert (await ask(sim, b"{]")).status == 400
            assert (await ask(sim, b"", path="/nowhere")).status == 404
            reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
            writer.write(b"\x16\x03\x01 no http\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 400")
            writer.close()
            await writer.wait_closed()

    asyncio.run(run())


def test_counts_by_account_and_day_of_the_given_clock(tmp_path: object) -> None:
    """Usage is per provider, account and day, follows the injected clock, and outlives a restart."""
    from pathlib import Path

    clock = FixedClock(NOV_25)
    state = Path(str(tmp_path)) / "usage.json"
    accounts = {"key-one": "main", "key-two": "lab"}

    async def run() -> str:
        async with Simulator(announce=False, clock=clock, state=state, accounts=accounts) as sim:
            await ask(sim, chat("a"), path="/harbor/v1/chat/completions")
            await ask(sim, chat("[[sim:500]]"), path="/harbor/v1/chat/completions")
            clock.value_us += 86_400_000_000
            await ask(sim, chat("b"), {"authorization": "Bearer key-two"}, "/harbor/v1/chat/completions")
            ids = [seen.id for seen in sim.book.requests]
            assert ids == ["rq_1", "rq_1", ""]
            assert [seen.completed for seen in sim.book.requests] == [True, False, True]
        async with Simulator(announce=False, clock=clock, state=state, accounts=accounts) as sim:
            wire = Wire(sim.url)
            reply = await wire.request("GET", "/harbor/usage?day=20261125&day=20261126&held=main", {})
            await wire.close()
            return reply.body.decode()

    lines = asyncio.run(run()).splitlines()
    assert lines[0] == "provider,account,day,requests,tokens,held"
    assert [line.split(",")[:4] for line in lines[1:]] == [["harbor", "lab", "20261126", "1"], ["harbor", "main", "20261125", "2"]]
    assert [line[-1] for line in lines[1:]] == ["0", "1"]
