"""Exchanges through a real worker, writer and provider simulator, by the official client."""

from __future__ import annotations

import asyncio

import openai
import pytest
from gateway_world import ask, world


def test_a_plain_answer_reaches_the_official_client() -> None:
    """An answer comes, its exchange is opened and closed once, and the provider saw the attempt that closed lists."""

    async def main() -> None:
        async with world() as w:
            client = w.openai()
            raw = await client.chat.completions.with_raw_response.create(
                model="chat", messages=[{"role": "user", "content": "Hello there"}]
            )
            answer = raw.parse()
            await client.close()
            assert "Hello there" in (answer.choices[0].message.content or "")
            exchange = raw.headers["x-affiant-exchange"]
            assert raw.headers["x-affiant-link"] == "sim/small"
            opened, closed = w.of(exchange)
            assert (opened.type, closed.type) == ("exchange.opened", "exchange.closed")
            assert closed.body["outcome"] == "answered" and closed.body["released"] == "all"
            assert [a["id"] for a in closed.body["attempts"]] == [s.id for s in w.sim.book.requests]
            assert opened.body["links"] == [{"provider": "sim", "model": "small", "version": "1", "cap": 2}]
            assert {d["guard"] for d in opened.body["decisions"]} == {"sanitize", "pii", "injection"}

    asyncio.run(main())


def test_a_stream_reaches_the_official_client() -> None:
    """All chunks come, usage only when asked for, and the closing is in the ledger before the end of the stream."""

    async def main() -> None:
        async with world() as w:
            client = w.openai()
            for wanted in (False, True):
                options = {"stream_options": {"include_usage": True}} if wanted else {}
                stream = await client.chat.completions.create(
                    model="chat", messages=[{"role": "user", "content": "Tell me a story"}], stream=True, **options
                )
                chunks = [chunk async for chunk in stream]
                text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
                assert "Tell me a story" in text
                assert any(chunk.usage for chunk in chunks) is wanted
            await client.close()
            closed = w.events("exchange.closed")
            assert [event.body["outcome"] for event in closed] == ["answered", "answered"]
            assert all(event.body["tokens_out"] > 0 for event in closed)

    asyncio.run(main())


def test_models_are_listed_for_the_key() -> None:
    """GET /v1/models lists the routes that the key may use and that may serve."""

    async def main() -> None:
        async with world() as w:
            client = w.openai()
            names = {model.id async for model in client.models.list()}
            one = await client.models.retrieve("chat")
            await client.close()
            assert names == {"chat", "small", "watched", "warned", "strict", "exact", "chain", "spare", "verse", "refrain"}
            assert one.id == "chat"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("model", "kind", "code"),
    [
        ("nothing", openai.NotFoundError, "model_not_found"),
        ("other", openai.NotFoundError, "model_not_found"),
        ("new", openai.PermissionDeniedError, "model_not_approved"),
        ("secret", openai.PermissionDeniedError, "label_forbidden"),
        ("nopolicy", openai.PermissionDeniedError, "route_without_policy"),
    ],
)
def test_what_may_not_serve_is_refused_with_evidence(model: str, kind: type[openai.APIStatusError], code: str) -> None:
    """A refusal has a stable code, names its control, reaches no provider and leaves one event."""

    async def main() -> None:
        async with world() as w:
            client = w.openai()
            with pytest.raises(kind) as caught:
                await client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
            await client.close()
            assert caught.value.code == code
            event = w.of(caught.value.response.headers["x-affiant-exchange"])[0]
            assert (event.type, event.body["code"], event.tenant) == ("exchange.refused", code, "acme")
            assert event.body["control"] in str(caught.value)
            assert not w.sim.book.requests

    asyncio.run(main())


def test_a_chain_skips_what_may_not_serve_and_falls_over() -> None:
    """An unapproved link is not listed; when the first permitted one fails its cap, the next serves and is named."""

    async def main() -> None:
        async with world() as w:
            answer = await w.post(ask("[[sim:500]] please", "chain"))
            assert answer.status_code == 502 and answer.json()["error"]["code"] == "provider_failed"
            opened, closed = w.of(answer.headers["x-affiant-exchange"])
            assert [link["model"] for link in opened.body["links"]] == ["small", "spare"]
            assert [a["model"] for a in closed.body["attempts"]] == ["small", "small", "spare", "spare"]
            assert closed.body["outcome"] == "provider_failed" and closed.body["released"] == "none"
            assert len(w.sim.book.requests) == 4

    asyncio.run(main())
