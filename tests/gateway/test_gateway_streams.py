"""Streams: what leaks across chunk borders, what breaks off, who leaves, and what the ledger says of it."""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import Any

import msgspec
import openai
import pytest
from gateway_world import (
    SECRET,
    STREAM_END,
    STREAM_HEAD,
    TENANT_KEY,
    FakeProvider,
    ask,
    delta,
    http_chunk,
    key,
    snapshot,
    streamed,
    whole,
    world,
)

from affiant.gateway import Timeouts
from affiant.kit.crypto import commit, salt

LEAK = "Your contact is dana.whitfield@example.com, card 4111 1111 1111 1111. Thanks."


def _closed(w: Any, exchange: str) -> dict[str, Any]:
    return next(event.body for event in w.of(exchange) if event.type == "exchange.closed")


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_values_are_redacted_across_chunk_borders(size: int) -> None:
    """However the provider cuts its stream, what it leaks is redacted before release, and the rest is whole."""

    async def main() -> None:
        pieces = [LEAK[n : n + size] for n in range(0, len(LEAK), size)]
        async with FakeProvider(lambda _: streamed(*pieces)) as provider, world(provider=provider.url) as w:
            got = await w.post(ask("hi", stream=True))
            assert got.text() == "Your contact is [EMAIL], card [CREDIT_CARD]. Thanks."
            assert got.frames()[-1] == "[DONE]"
            closed = _closed(w, got.headers["x-affiant-exchange"])
            assert [(d["action"], d["found"], d["acted"]) for d in closed["decisions"]] == [("redact", 2, 2)]

    asyncio.run(main())


def test_a_block_in_mid_stream_is_an_error_event_for_the_official_client() -> None:
    """What stood before the match was released, nothing after it; the client gets an error, never a clean end."""

    async def main() -> None:
        async with FakeProvider(lambda _: streamed(*LEAK.split(" ", 3))) as provider, world(provider=provider.url) as w:
            client = w.openai()
            stream = await client.chat.completions.create(model="strict", messages=[{"role": "user", "content": "hi"}], stream=True)
            text = ""
            with pytest.raises(openai.APIError) as caught:
                async for chunk in stream:
                    text += chunk.choices[0].delta.content or ""
            await client.close()
            assert "@" not in text and "CO-5.1" in str(caught.value)
            closed = w.events("exchange.closed")[0].body
            assert (closed["outcome"], closed["released"]) == ("blocked", "part")

    asyncio.run(main())


def test_a_blocked_plain_answer_is_refused_whole() -> None:
    """Nothing of it is released, and the refusal does not repeat it."""

    async def main() -> None:
        async with FakeProvider(lambda _: whole(LEAK)) as provider, world(provider=provider.url) as w:
            got = await w.post(ask("hi", "strict"))
            assert (got.status_code, got.code) == (403, "output_blocked")
            assert "dana" not in got.content.decode()
            closed = _closed(w, got.headers["x-affiant-exchange"])
            assert (closed["outcome"], closed["released"], closed["status"]) == ("blocked", "none", 403)
            assert "commit_released" not in closed

    asyncio.run(main())


GREETING = "Hello there, this is the beginning of an answer that goes on for a while "  # guards hold back its end
BROKEN: dict[str, tuple[list[Any], str]] = {
    "cut off": ([STREAM_HEAD, delta(GREETING), delta("there "), None], "provider_failed"),
    "ended early": ([STREAM_HEAD, delta(GREETING), STREAM_END], "provider_failed"),
    "garbage": ([STREAM_HEAD, delta(GREETING), 0.1, http_chunk(b"data: {]\n\n"), STREAM_END], "provider_failed"),
    "error event": ([STREAM_HEAD, delta(GREETING), 0.1, http_chunk(b'data: {"error":{"message":"x"}}\n\n'), STREAM_END], "provider_failed"),
    "silence": ([STREAM_HEAD, delta(GREETING), 5.0, STREAM_END], "timed_out"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_stream_that_breaks_off_ends_as_an_error(name: str) -> None:
    """A provider that drops, stalls or talks nonsense never looks like a finished answer."""
    pieces, outcome = BROKEN[name]

    async def main() -> None:
        async with FakeProvider(lambda _: pieces) as provider, world(Timeouts(idle_s=0.3), provider=provider.url) as w:
            got = await w.post(ask("hi", stream=True))
            assert "[DONE]" not in got.frames() and "error" in got.frames()[-1]
            closed = _closed(w, got.headers["x-affiant-exchange"])
            assert (closed["outcome"], closed["released"]) == (outcome, "part")
            assert len(provider.bodies) == 1

    asyncio.run(main())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("script", ["drop-first", "hang", "garbage", "429:9", "503"])
def test_a_provider_that_fails_before_anything_left_is_retried_and_then_replaced(script: str, stream: bool) -> None:
    """The caller gets the next link's answer; the ledger lists every attempt and the provider saw the same ones."""

    async def main() -> None:
        def answer(body: dict[str, Any]) -> Any:
            if len(broken.bodies) and body["model"] == "sim-small":
                return streamed("fine") if stream else whole("fine")
            raise AssertionError

        def fail(body: dict[str, Any]) -> Any:
            return {
                "drop-first": [None],
                "hang": [2.0],
                "garbage": [b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n<a>"],
                "429:9": [b"HTTP/1.1 429 X\r\nretry-after: 9\r\ncontent-length: 2\r\n\r\n{}"],
                "503": [b"HTTP/1.1 503 X\r\ncontent-length: 2\r\n\r\n{}"],
            }[script]

        async with FakeProvider(fail) as broken, FakeProvider(answer) as good:
            providers = (snapshot(broken.url).providers[0], snapshot(good.url).providers[1])
            async with world(Timeouts(head_s=0.3), provider=broken.url, providers=providers) as w:
                got = await w.post(ask("hi", "chain", stream=stream))
                assert got.text() == "fine" and got.headers["x-affiant-link"] == "two/spare"
                closed = _closed(w, got.headers["x-affiant-exchange"])
                assert closed["outcome"] == "answered" and closed["model"] == "spare"
                ids = [attempt["id"] for attempt in closed["attempts"]]
                assert ids == broken.ids + good.ids
                assert len(broken.ids) == (1 if script == "429:9" else 2)

    asyncio.run(main())


def test_a_caller_that_leaves_is_noticed() -> None:
    """A stream whose caller left ends, its provider is let go, and the ledger says that part was released."""

    async def main() -> None:
        async with FakeProvider(lambda _: streamed(*["word "] * 200, pause=0.02)) as provider, world(provider=provider.url) as w:
            client = w.openai()
            stream = await client.chat.completions.create(model="chat", messages=[{"role": "user", "content": "hi"}], stream=True)
            async for _ in stream:
                break
            await stream.close()
            await client.close()
            for _ in range(100):
                closed = w.events("exchange.closed")
                if closed:
                    break
                await asyncio.sleep(0.05)
            assert (closed[0].body["outcome"], closed[0].body["released"]) == ("caller_left", "part")

    asyncio.run(main())


def test_revoking_a_key_cuts_its_open_stream_within_two_seconds() -> None:
    """The stream ends as an error, is closed as cut, and the next call is refused."""

    async def main() -> None:
        async with FakeProvider(lambda _: streamed(*["word "] * 500, pause=0.05)) as provider, world(provider=provider.url) as w:
            task = asyncio.create_task(w.post(ask("hi", stream=True)))
            await asyncio.sleep(0.5)
            began = time.monotonic()
            w.control.push(keys=(key("k1", SECRET, revoked=1),))
            got = await task
            assert time.monotonic() - began < 2
            assert got.frames()[-1]["error"]["code"] == "answer_cut"
            closed = _closed(w, got.headers["x-affiant-exchange"])
            assert (closed["outcome"], closed["released"]) == ("cut", "part")
            refused = await w.post(ask("hi"))
            assert (refused.status_code, refused.code) == (401, "key_revoked")
            assert w.control.acks[-1].epoch == 2

    asyncio.run(main())


def test_revoking_a_key_cuts_a_stream_whose_caller_does_not_read() -> None:
    """A caller that holds the stream open without taking it cannot outlast a revocation."""

    async def main() -> None:
        async with FakeProvider(lambda _: streamed(*["word " * 4000] * 400)) as provider, world(provider=provider.url) as w:
            host, port = w.url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
            body = msgspec.json.encode(ask("hi", stream=True))
            writer.write(
                f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {SECRET}\r\n"
                f"content-length: {len(body)}\r\n\r\n".encode()
                + body
            )
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(1.0)
            assert not w.events("exchange.closed")
            w.control.push(keys=(key("k1", SECRET, revoked=1),))
            await asyncio.sleep(1.5)
            assert [event.body["outcome"] for event in w.events("exchange.closed")] == ["cut"]
            writer.close()

    asyncio.run(main())


def test_commitments_open() -> None:
    """The three salted commitments are those of the bytes received, sent and released."""

    async def main() -> None:
        async with (
            FakeProvider(lambda body: streamed("Hi ", "there") if body.get("stream") else whole("Hi there")) as provider,
            world(provider=provider.url) as w,
        ):
            for stream in (False, True):
                body = msgspec.json.encode(ask("hello", stream=stream))
                got = await w.post(body)
                exchange = got.headers["x-affiant-exchange"]
                opened, closed = w.of(exchange)
                assert opened.body["commit_received"] == commit(salt(TENANT_KEY, exchange, "commit_received"), body)
                assert opened.body["commit_sent"] == commit(salt(TENANT_KEY, exchange, "commit_sent"), provider.bodies[-1])
                assert closed.body["commit_released"] == commit(salt(TENANT_KEY, exchange, "commit_released"), got.content)
                assert hashlib.sha256(got.content).digest()

    asyncio.run(main())


def test_evidence_comes_before_bytes() -> None:
    """*Opened* is on disk when the provider gets the first byte; *closed* is on disk when the last byte arrives."""

    async def main() -> None:
        seen: list[list[str]] = []

        def answer(body: dict[str, Any]) -> Any:
            seen.append([event.type for event in w.events("exchange.opened", "exchange.closed")])
            return streamed("Hi ", "there") if body.get("stream") else whole("Hi")

        async with FakeProvider(answer) as provider, world(provider=provider.url) as w:
            await w.post(ask("one"))
            assert seen[0] == ["exchange.opened"]
            assert [event.type for event in w.events("exchange.closed")] == ["exchange.closed"]
            await w.post(ask("two", stream=True))
            assert seen[1].count("exchange.opened") == 2
            assert len(w.events("exchange.closed")) == 2

    asyncio.run(main())
