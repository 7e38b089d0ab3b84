"""The four surfaces through one gateway: who is let in, what reaches which provider how, and what the ledger says of it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from gateway_world import SECRET, STREAM_END, TENANT_KEY, FakeProvider, http_chunk, key, snapshot, world
from surface_cases import CASES, EMBEDDINGS, HEADERS, MESSAGES, RESPONSES, STREAMED, Case, error_of, http_json, last_type, named

from affiant.gateway import Timeouts
from affiant.kit.crypto import commit, salt
from affiant.records.snapshot import LimitSnap

MAIL = "dana.whitfield@example.com"
LEAK = f"Your contact is {MAIL}, card 4111 1111 1111 1111. Thanks."
PIECES = (LEAK[:13], LEAK[13:30], LEAK[30:])
GREETING = "Hello there, this is the beginning of an answer that goes on for a while "  # guards hold back its end
BOTH = [(case, stream) for case in CASES for stream in (False, True) if not stream or case in STREAMED]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
each_stream = pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
each_way = pytest.mark.parametrize(("case", "stream"), BOTH, ids=lambda value: value.name if isinstance(value, Case) else str(value))


def _answers(case: Case, *pieces: str) -> Any:
    return lambda body: case.stream(*pieces) if body.get("stream") else http_json(case.said("".join(pieces)))


def _asked(case: Case, text: str, stream: bool, model: str = "chat", **more: Any) -> dict[str, Any]:
    return case.ask(text, model, **({"stream": True} if stream else {}), **more)


def _closed(w: Any, exchange: str) -> dict[str, Any]:
    return next(event.body for event in w.of(exchange) if event.type == "exchange.closed")


@each_case
def test_anonymous_wrong_scope_unknown_valid(case: Case) -> None:
    """Each surface refuses in its own format, with a code, an event that names the surface, and nothing at the provider."""

    async def main() -> None:
        keys = (key("k1", SECRET), key("k2", "narrow", ("spare",)))
        async with FakeProvider(_answers(case, "ok")) as provider, world(provider=provider.url, keys=keys) as w:
            for secret, model, status, code in (
                (None, "chat", 401, "key_missing"), ("wrong", "chat", 401, "key_unknown"), ("narrow", "chat", 403, "key_scope"),
                (SECRET, "nothing", 404, "model_not_found"), (SECRET, "new", 403, "model_not_approved"),
                (SECRET, "secret", 403, "label_forbidden"), (SECRET, "nopolicy", 403, "route_without_policy"),
            ):  # fmt: skip
                got = await w.post(case.ask("hi", model), secret, case.path)
                assert (got.status_code, error_of(case, got)["code"]) == (status, code)
                event = w.of(got.headers["x-affiant-exchange"])[0]
                assert (event.type, event.body["code"], event.body["surface"]) == ("exchange.refused", code, case.name)
            assert not provider.bodies
            got = await w.post(case.ask("hi"), SECRET, case.path)
            assert got.status_code == 200 and got.headers["x-affiant-link"] == case.links[0]
            assert (await w.get(case.path)).status_code == 405

    asyncio.run(main())


@each_way
def test_a_surface_goes_to_a_provider_that_speaks_it(case: Case, stream: bool) -> None:
    """Same path, the provider's own way of carrying its secret, nothing of the caller's headers; only such links are listed."""

    async def main() -> None:
        async with FakeProvider(_answers(case, "fine ", "text")) as provider, world(provider=provider.url) as w:
            got = await w.post(_asked(case, "hi", stream), None, case.path, x_api_key=SECRET, cookie="x=1", anthropic_version="2026-10-21")
            assert got.status_code == 200, got.content
            head = provider.heads[0]
            provider_id = case.links[0].split("/")[0]
            assert provider.paths == [f"/{provider_id}{case.path}"] and "cookie" not in head and SECRET not in str(head)
            if case.anthropic:
                assert (head["x-api-key"], head["anthropic-version"]) == ("provider-secret", "2026-10-21") and "authorization" not in head
            else:
                assert head["authorization"] == "Bearer provider-secret" and "anthropic-version" not in head
            opened, closed = w.of(got.headers["x-affiant-exchange"])
            assert opened.body["surface"] == case.name and [link["provider"] for link in opened.body["links"]] == [provider_id]
            assert (closed.body["outcome"], closed.body["released"]) == ("answered", "all")

    asyncio.run(main())


@each_case
def test_a_model_whose_provider_does_not_speak_the_format_is_refused(case: Case) -> None:
    """Nothing is translated, and nothing is sent."""

    async def main() -> None:
        async with world() as w:
            got = await w.post(case.ask("hi", "small" if case.anthropic else "verse"), SECRET, case.path)
            assert (got.status_code, error_of(case, got)["code"]) == (400, "format_not_spoken")
            assert w.of(got.headers["x-affiant-exchange"])[0].type == "exchange.refused" and not w.sim.book.requests

    asyncio.run(main())


@each_way
def test_evidence_comes_before_bytes_and_commitments_open(case: Case, stream: bool) -> None:
    """*Opened* is on disk at the provider's first byte, *closed* at the caller's last; all three commitments are those of the bytes."""

    async def main() -> None:
        seen: list[list[str]] = []

        def answer(body: dict[str, Any]) -> Any:
            seen.append([event.type for event in w.events("exchange.opened", "exchange.closed")])
            return _answers(case, "Hi ", "there")(body)

        async with FakeProvider(answer) as provider, world(provider=provider.url) as w:
            body = msgspec.json.encode(_asked(case, "hello", stream))
            got = await w.post(body, SECRET, case.path)
            assert seen == [["exchange.opened"]]
            exchange = got.headers["x-affiant-exchange"]
            opened, closed = w.of(exchange)
            for event, field, data in (
                (opened, "commit_received", body), (opened, "commit_sent", provider.bodies[0]), (closed, "commit_released", got.content),
            ):  # fmt: skip
                assert event.body[field] == commit(salt(TENANT_KEY, exchange, field), data)
            if stream:
                assert last_type(got) == case.last

    asyncio.run(main())


@each_way
@pytest.mark.parametrize("route", ["chat", "watched"])
def test_usage_is_counted_in_each_shape(case: Case, stream: bool, route: str) -> None:
    """Tokens of the closing are the provider's own, cached ones included, and settle what was reserved."""

    async def main() -> None:
        limits = (LimitSnap("tok", "all", "tokens", 3600, 5000),)
        async with FakeProvider(_answers(case, "Hi ", "there")) as provider, world(provider=provider.url, limits=limits) as w:
            for _ in range(12):  # each reserves a thousand or two hundred tokens; only what was used stays spent
                got = await w.post(_asked(case, "hello", stream, route), SECRET, case.path)
                assert got.status_code == 200, got.content
            closed = _closed(w, got.headers["x-affiant-exchange"])
            assert (closed["tokens_in"], closed["tokens_out"]) == case.usage

    asyncio.run(main())


@each_way
def test_a_text_is_redacted_on_the_way_in_and_put_back(case: Case, stream: bool) -> None:
    """The provider gets a placeholder; the caller gets the value back, also where events cut the placeholder."""

    async def main() -> None:
        def answer(body: dict[str, Any]) -> Any:
            given = body.get("input") or body["messages"][0]["content"]
            assert MAIL not in given and "[EMAIL_" in given
            return _answers(case, *f"You said: {given}. Bye.")(body)

        async with FakeProvider(answer) as provider, world(provider=provider.url) as w:
            got = await w.post(_asked(case, f"mail {MAIL}", stream), SECRET, case.path)
            assert got.status_code == 200 and MAIL not in provider.bodies[0].decode()
            if case is not EMBEDDINGS:
                assert case.text(got) == f"You said: mail {MAIL}. Bye."
            if case is RESPONSES and stream:
                assert got.content.count(MAIL.encode()) >= 4  # whole texts that later events repeat, too
                numbers = [frame["sequence_number"] for frame in got.frames()]
                assert numbers == list(range(len(numbers)))

    asyncio.run(main())


@each_way
@pytest.mark.parametrize("route", ["watched", "warned"])
def test_watch_and_warn_change_nothing(case: Case, stream: bool, route: str) -> None:
    """The request goes as it came but for its model, the answer comes byte for byte, and decisions say that they were not enforced."""

    async def main() -> None:
        async with FakeProvider(_answers(case, *PIECES)) as provider, world(provider=provider.url) as w:
            got = await w.post(_asked(case, f"mail {MAIL}", stream, route), SECRET, case.path)
            assert got.status_code == 200 and MAIL in provider.bodies[0].decode()
            assert got.headers.get("x-affiant-decision") == ("would-block" if route == "warned" else None)
            opened, closed = w.of(got.headers["x-affiant-exchange"])
            made = opened.body["decisions"] + closed.body["decisions"]
            assert all(each["enforced"] == 0 and not each.get("acted") for each in made)
            found = {each["guard"]: each["action"] for each in made}
            assert found["pii"] == "block" and (case is EMBEDDINGS or found["output"] == "block")
            if case is not EMBEDDINGS:
                assert case.text(got) == LEAK
            if not stream:
                assert got.content == http_json(case.said(LEAK)).partition(b"\r\n\r\n")[2]

    asyncio.run(main())


@each_case
def test_a_blocked_request_reaches_no_provider(case: Case) -> None:
    """The refusal is in the surface's format and repeats nothing."""

    async def main() -> None:
        async with world() as w:
            got = await w.post(case.ask(f"mail {MAIL}", "strict"), SECRET, case.path)
            assert (got.status_code, error_of(case, got)["code"]) == (403, "pii_detected")
            assert MAIL not in got.content.decode() and not w.sim.book.requests

    asyncio.run(main())


@each_stream
@pytest.mark.parametrize("stream", [False, True])
def test_a_blocked_answer_is_withheld_or_cut(case: Case, stream: bool) -> None:
    """A whole one is refused; a stream ends as an error in its format, with nothing of the match and no proper end."""

    async def main() -> None:
        pieces = (GREETING, GREETING, *PIECES)
        async with FakeProvider(_answers(case, *pieces)) as provider, world(provider=provider.url) as w:
            got = await w.post(_asked(case, "hi", stream, "strict"), SECRET, case.path)
            assert error_of(case, got)["code"] == "output_blocked" and "whitfield" not in got.content.decode()
            closed = _closed(w, got.headers["x-affiant-exchange"])
            assert (got.status_code, closed["outcome"], closed["released"]) == (
                (200, "blocked", "part") if stream else (403, "blocked", "none")
            )
            if stream:
                assert GREETING[:40] in case.text(got) and case.last not in got.content.decode()

    asyncio.run(main())


@each_stream
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_values_are_redacted_across_the_borders_of_events(case: Case, size: int) -> None:
    """However the provider cuts its stream, what it leaks is redacted in every event that repeats it."""

    async def main() -> None:
        pieces = [LEAK[n : n + size] for n in range(0, len(LEAK), size)]
        async with FakeProvider(_answers(case, *pieces)) as provider, world(provider=provider.url) as w:
            got = await w.post(_asked(case, "hi", True), SECRET, case.path)
            assert case.text(got) == "Your contact is [EMAIL], card [CREDIT_CARD]. Thanks." and last_type(got) == case.last
            assert "whitfield" not in got.content.decode() and "4111" not in got.content.decode()
            redacted = [each for each in _closed(w, got.headers["x-affiant-exchange"])["decisions"] if each["action"] == "redact"]
            assert redacted[0]["acted"] == redacted[0]["found"] == 2

    asyncio.run(main())


FAULTS = ("cut off", "ended early", "garbage", "failing", "silence")


@each_stream
@pytest.mark.parametrize("fault", FAULTS)
def test_a_stream_that_breaks_off_ends_as_an_error(case: Case, fault: str) -> None:
    """A provider that drops, stalls, fails or talks nonsense never looks like a finished answer, and its words are not passed on."""
    rest = {
        "cut off": [None], "ended early": [STREAM_END], "garbage": [0.1, http_chunk(b"data: {]\n\n"), STREAM_END],
        "failing": [0.1, case.failing, STREAM_END], "silence": [5.0, STREAM_END],
    }[fault]  # fmt: skip

    async def main() -> None:
        pieces = [*case.begun(GREETING, GREETING), *rest]
        async with FakeProvider(lambda _: pieces) as provider, world(Timeouts(idle_s=0.3), provider=provider.url) as w:
            got = await w.post(_asked(case, "hi", True), SECRET, case.path)
            code, outcome = ("provider_timeout", "timed_out") if fault == "silence" else ("provider_failed", "provider_failed")
            assert error_of(case, got)["code"] == code and last_type(got) == "error" and case.last not in got.content.decode()
            closed = _closed(w, got.headers["x-affiant-exchange"])
            assert (closed["outcome"], closed["released"], len(provider.bodies)) == (outcome, "part", 1)

    asyncio.run(main())


@each_way
@pytest.mark.parametrize("fault", ["drop-first", "hang", "garbage", "429:9", "503", "other shape"])
def test_a_provider_that_fails_first_is_retried_and_then_replaced(case: Case, stream: bool, fault: str) -> None:
    """The caller gets the next link's answer; the ledger lists every attempt, and the providers saw the same ones."""
    fails: Any = {
        "drop-first": [None], "hang": [2.0], "garbage": [b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n<a>"],
        "429:9": [b"HTTP/1.1 429 X\r\nretry-after: 9\r\ncontent-length: 2\r\n\r\n{}"],
        "503": [b"HTTP/1.1 503 X\r\ncontent-length: 2\r\n\r\n{}"], "other shape": [http_json({"hello": 1})],
    }[fault]  # fmt: skip

    async def main() -> None:
        async with FakeProvider(lambda _: fails) as broken, FakeProvider(_answers(case, "fine")) as good:
            known = [msgspec.structs.asdict(one) for one in snapshot("URL").providers]
            providers = tuple(
                type(snapshot("").providers[0])(**{**one, "base_url": one["base_url"].replace("URL", url)})
                for one, url in zip(known, (broken.url, good.url, broken.url, good.url), strict=True)
            )
            async with world(Timeouts(head_s=0.3), provider=broken.url, providers=providers) as w:
                got = await w.post(_asked(case, "hi", stream, "chain"), SECRET, case.path)
                assert got.status_code == 200 and got.headers["x-affiant-link"] == case.links[1], got.content
                closed = _closed(w, got.headers["x-affiant-exchange"])
                assert closed["outcome"] == "answered" and [each["id"] for each in closed["attempts"]] == broken.ids + good.ids
                assert len(broken.ids) == (1 if fault == "429:9" else 2)

    asyncio.run(main())


@each_stream
def test_revoking_a_key_cuts_its_open_stream(case: Case) -> None:
    """The stream ends with an error event of its format and is closed as cut."""

    async def main() -> None:
        slow = [piece for number in range(300) for piece in (*case.begun("word ")[-1:], 0.02)]
        pieces = [*case.begun(), *slow]
        async with FakeProvider(lambda _: pieces) as provider, world(provider=provider.url) as w:
            task = asyncio.create_task(w.post(_asked(case, "hi", True), SECRET, case.path))
            await asyncio.sleep(0.6)
            w.control.push(keys=(key("k1", SECRET, revoked=1),))
            got = await asyncio.wait_for(task, 2)
            assert error_of(case, got)["code"] == "answer_cut" and case.last not in got.content.decode()
            closed = _closed(w, got.headers["x-affiant-exchange"])
            assert (closed["outcome"], closed["released"]) == ("cut", "part")

    asyncio.run(main())


@each_case
def test_unknown_fields_are_flagged_and_refused_where_the_route_is_strict(case: Case) -> None:
    """The field is named to the caller, the decision says block; elsewhere it is inspected, forwarded and flagged."""

    async def main() -> None:
        async with FakeProvider(_answers(case, "ok")) as provider, world(provider=provider.url) as w:
            got = await w.post(case.ask("hi", later={"note": MAIL}), SECRET, case.path)
            opened = w.of(got.headers["x-affiant-exchange"])[0].body
            assert [each["action"] for each in opened["decisions"] if each["guard"] == "format"] == ["flag"]
            sent = msgspec.json.decode(provider.bodies[0])
            assert "[EMAIL_" in sent["later"]["note"]
            got = await w.post(case.ask("hi", "exact", later=1), SECRET, case.path)
            error = error_of(case, got)
            assert (got.status_code, error["code"], error["param"]) == (400, "field_unknown", "later")
            refused = w.of(got.headers["x-affiant-exchange"])[0].body
            assert [each["action"] for each in refused["decisions"] if each["guard"] == "format"] == ["block"]
            assert (await w.post(case.ask("hi", "exact"), SECRET, case.path)).status_code == 200 and len(provider.bodies) == 2

    asyncio.run(main())


@pytest.mark.parametrize(
    "more",
    [
        {"previous_response_id": "resp_1"}, {"conversation": "conv_1"}, {"prompt": {"id": "pmpt_1"}}, {"background": True},
        {"input": [{"type": "item_reference", "id": "msg_1"}]}, {"input": [{"id": "msg_1"}]},
    ],
    ids=str,
)  # fmt: skip
def test_responses_on_state_at_a_provider_are_refused(more: dict[str, Any]) -> None:
    """What guards cannot read, and what belongs to the provider's key rather than the caller, is not built upon."""

    async def main() -> None:
        async with world() as w:
            got = await w.post({**RESPONSES.ask("hi"), **more}, SECRET, RESPONSES.path)
            assert (got.status_code, got.code) == (400, "state_refused")
            assert w.of(got.headers["x-affiant-exchange"])[0].body["control"] == "SEC-3.2" and not w.sim.book.requests

    asyncio.run(main())


@pytest.mark.parametrize(
    ("case", "body", "param"),
    [
        (RESPONSES, {"model": "chat"}, "input"), (RESPONSES, {"model": "chat", "input": [1]}, "input[0]"),
        (RESPONSES, {"model": "chat", "input": "x", "max_output_tokens": 0}, "max_output_tokens"),
        (MESSAGES, {"model": "chat", "messages": [{"role": "user", "content": "x"}]}, "max_tokens"),
        (MESSAGES, {"model": "chat", "max_tokens": 5, "messages": []}, "messages"),
        (MESSAGES, {"model": "chat", "max_tokens": 5, "messages": ["x"]}, "messages[0]"),
        (MESSAGES, {"model": "chat", "max_tokens": True, "messages": [{"role": "user"}]}, "max_tokens"),
        (EMBEDDINGS, {"model": "chat", "input": []}, "input"), (EMBEDDINGS, {"model": "chat", "input": "x", "stream": True}, "stream"),
        (EMBEDDINGS, {"input": "x"}, "model"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_request_of_a_surface_is_refused_and_named(case: Case, body: dict[str, Any], param: str) -> None:
    """Bad input is a 400 with the parameter at fault, in the surface's format."""

    async def main() -> None:
        async with world() as w:
            got = await w.post(body, SECRET, case.path)
            error = error_of(case, got)
            assert (got.status_code, error["code"], error["param"]) == (400, "request_invalid", param)

    asyncio.run(main())


def test_what_cannot_be_rewritten_is_flagged() -> None:
    """An address in an identifier goes on and is told as a flag; in a text beside it, it is redacted; a strict policy blocks both."""

    async def main() -> None:
        async with FakeProvider(_answers(MESSAGES, "ok")) as provider, world(provider=provider.url) as w:
            block = {"type": "tool_result", "tool_use_id": MAIL, "content": f"of {MAIL}"}
            body = {**MESSAGES.ask(""), "messages": [{"role": "user", "content": [block]}]}
            got = await w.post(body, SECRET, MESSAGES.path)
            sent = msgspec.json.decode(provider.bodies[0])["messages"][0]["content"][0]
            assert sent["tool_use_id"] == MAIL and MAIL not in sent["content"]
            opened = w.of(got.headers["x-affiant-exchange"])[0].body
            found = [(each["action"], each["found"], each["acted"]) for each in opened["decisions"] if each["guard"] == "pii"]
            assert found == [("redact", 1, 1), ("flag", 1, 0)]
            got = await w.post({**body, "model": "strict"}, SECRET, MESSAGES.path)
            assert (got.status_code, error_of(MESSAGES, got)["code"]) == (403, "pii_detected")

    asyncio.run(main())


def test_an_identifier_of_an_answer_is_looked_at_and_kept() -> None:
    """An address in an id of the provider is told as a flag, whole and streamed; the id stays."""

    async def main() -> None:
        def answer(body: dict[str, Any]) -> Any:
            said = {**MESSAGES.said("ok"), "id": MAIL}
            if not body.get("stream"):
                return http_json(said)
            return [MESSAGES.begun()[0], named({"type": "message_start", "message": said}), *MESSAGES.begun("ok")[2:], *MESSAGES.ended()]

        async with FakeProvider(answer) as provider, world(provider=provider.url) as w:
            for stream in (False, True):
                got = await w.post(_asked(MESSAGES, "hi", stream), SECRET, MESSAGES.path)
                assert MAIL.encode() in got.content
                closed = _closed(w, got.headers["x-affiant-exchange"])
                assert [(each["action"], each["found"], each["acted"]) for each in closed["decisions"]] == [("flag", 1, 0)]

    asyncio.run(main())


def test_what_nobody_can_read_is_counted_on_both_ways() -> None:
    """A picture in a request and an encrypted field in an answer are said to be not inspected."""

    async def main() -> None:
        said = {**MESSAGES.said("ok"), "content": [{"type": "thinking", "thinking": "so", "signature": "c2lnbmF0dXJl"}]}
        async with FakeProvider(lambda _: http_json(said)) as provider, world(provider=provider.url) as w:
            image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAAANSUhEUgAA" * 60}}
            got = await w.post({**MESSAGES.ask(""), "messages": [{"role": "user", "content": [image]}]}, SECRET, MESSAGES.path)
            opened, closed = w.of(got.headers["x-affiant-exchange"])
            assert (opened.body["uninspected"], closed.body["uninspected"]) == (1, 1)

    asyncio.run(main())


def test_models_are_listed_in_the_shape_that_the_caller_speaks() -> None:
    """Who sends `anthropic-version` gets Anthropic's list and errors, others OpenAI's."""

    async def main() -> None:
        async with world() as w:
            client = w.anthropic()
            names = {model.id async for model in await client.models.list()}
            one = await client.models.retrieve("chat")
            await client.close()
            assert names == {item["id"] for item in (await w.get("/v1/models")).json()["data"]} and "verse" in names
            assert (one.id, one.type) == ("chat", "model")
            got = await w.call("GET", "/v1/models", b"", None, HEADERS)
            assert got.status_code == 401 and got.json()["type"] == "error" and got.json()["error"]["type"] == "authentication_error"
            got = await w.call("POST", "/v1/messages/count_tokens", b"{}", SECRET, {})
            assert (got.status_code, got.json()["error"]["type"], got.code) == (404, "not_found_error", "surface_not_served")
            got = await w.post(MESSAGES.ask("hi"), SECRET, MESSAGES.path, anthropic_version="latest")
            assert (got.status_code, got.json()["error"]["param"]) == (400, "anthropic-version")

    asyncio.run(main())
