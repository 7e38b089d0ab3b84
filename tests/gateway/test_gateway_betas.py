"""Features that a request turns on by a header: sent on where each provider of its chain lists them, else refused before it leaves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from anthropic import PermissionDeniedError
from anthropic.types.beta import BetaMessageParam
from gateway_world import SECRET, FakeProvider, snapshot, world
from surface_cases import CASES, MESSAGES, RESPONSES, STREAMED, Case, error_of, http_json

from affiant.gateway.betas import asked_betas
from affiant.gateway.formats import Format
from affiant.gateway.tables import Chain
from affiant.ledger import ready
from affiant.records.snapshot import ProviderSnap

LISTED = ("context-1m-2025-08-07", "interleaved-thinking-2025-05-14", "responses=v1")
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def _header(case: Case) -> str:
    return "anthropic_beta" if case is MESSAGES else "OpenAI_Beta"


def _providers(url: str, **betas: tuple[str, ...]) -> dict[str, Any]:
    """All providers, with what each lists."""
    known: list[ProviderSnap] = [
        ProviderSnap(each.id, each.kind, each.base_url, each.secret_ref, each.region, each.network, each.labels, betas.get(each.id, ()))
        for each in snapshot(url).providers
    ]
    return {"provider": url, "providers": tuple(known)}


def _answer(case: Case) -> Any:
    return lambda body: case.stream("Hi.") if body.get("stream") else http_json(case.said("Hi."))


@each_case
def test_a_listed_feature_reaches_the_provider(case: Case) -> None:
    """In the header of its format, values in their order and once each; *opened* names them."""

    async def main() -> None:
        async with FakeProvider(_answer(case)) as provider, world(**_providers(provider.url, sim=LISTED, bay=LISTED)) as w:
            value = f"{LISTED[1]}, {LISTED[0]},{LISTED[1]}"
            for stream in (False, True) if case in STREAMED else (False,):
                got = await w.post(case.ask("hi", **({"stream": True} if stream else {})), SECRET, case.path, **{_header(case): value})
                assert got.status_code == 200
                name = _header(case).replace("_", "-").lower()
                assert provider.heads[-1][name] == f"{LISTED[1]},{LISTED[0]}"
                assert w.of(got.headers["x-affiant-exchange"])[0].body["betas"] == [LISTED[1], LISTED[0]]
            plain = await w.post(case.ask("hi"), SECRET, case.path)
            assert plain.status_code == 200 and not [name for name in provider.heads[-1] if name.endswith("-beta")]
            assert "betas" not in w.of(plain.headers["x-affiant-exchange"])[0].body

    asyncio.run(main())


@each_case
@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("files-api-2025-04-14", "Not listed: files-api-2025-04-14."),
        (f"{LISTED[0]},files-api-2025-04-14", "Not listed: files-api-2025-04-14."),
        ("dana whitfield", "no name of a feature"),
        ("x" * 65, "no name of a feature"),
        (",".join(f"a{number}" for number in range(33)), "At most 32"),
    ],
    ids=["unlisted", "one of two", "no name", "too long", "too many"],
)
def test_what_is_not_listed_is_refused(case: Case, value: str, says: str) -> None:
    """With the header in `param`; nothing leaves, and the refusal is an entry without the value."""

    async def main() -> None:
        async with FakeProvider(_answer(case)) as provider, world(**_providers(provider.url, sim=LISTED, bay=LISTED)) as w:
            got = await w.post(case.ask("hi"), SECRET, case.path, **{_header(case): value})
            error = error_of(case, got)
            assert got.status_code == 403 and says in error["message"] and "whitfield" not in error["message"]
            assert error["code"] == "beta_not_listed" and (case is MESSAGES or error["param"] == "openai-beta")
            assert not provider.bodies
            (refused,) = w.events("exchange.refused")
            assert refused.body["code"] == "beta_not_listed" and value not in str(refused.body)

    asyncio.run(main())


def test_a_header_may_come_in_several_lines() -> None:
    """They count as one; each value once."""
    chain = Chain((), ready([]), frozenset(LISTED))
    lines = [(b"anthropic-beta", LISTED[0].encode()), (b"x", b"y"), (b"anthropic-beta", f" {LISTED[1]} ,{LISTED[0]},".encode())]
    assert asked_betas(lines, chain, Format.ANTHROPIC) == LISTED[:2]
    assert asked_betas(lines, chain, Format.OPENAI) == ()


def test_nothing_is_listed_where_a_record_says_nothing() -> None:
    """The default; an empty header turns on nothing."""

    async def main() -> None:
        async with FakeProvider(_answer(MESSAGES)) as provider, world(**_providers(provider.url)) as w:
            got = await w.post(MESSAGES.ask("hi"), SECRET, MESSAGES.path, anthropic_beta=LISTED[0])
            assert error_of(MESSAGES, got)["code"] == "beta_not_listed" and not provider.bodies
            assert (await w.post(MESSAGES.ask("hi"), SECRET, MESSAGES.path, anthropic_beta=" , ")).status_code == 200

    asyncio.run(main())


def test_the_official_client_turns_a_feature_on() -> None:
    """As it sends it: a header beside a path of its own; what is not listed is an error of its kind."""

    async def main() -> None:
        async with FakeProvider(_answer(MESSAGES)) as provider, world(**_providers(provider.url, bay=LISTED)) as w:
            said: list[BetaMessageParam] = [{"role": "user", "content": "hi"}]
            async with w.anthropic() as client:
                made = await client.beta.messages.create(model="chat", max_tokens=9, messages=said, betas=[LISTED[0]])
                assert [block.type for block in made.content] == ["text"] and provider.heads[-1]["anthropic-beta"] == LISTED[0]
                with pytest.raises(PermissionDeniedError, match="Not listed: files-api"):
                    await client.beta.messages.create(model="chat", max_tokens=9, messages=said, betas=["files-api-2025-04-14"])
            assert len(provider.bodies) == 1

    asyncio.run(main())


def test_every_provider_of_a_chain_must_list_it() -> None:
    """A chain that could fall back to one that does not is refused; the header of another format turns on nothing."""

    async def main() -> None:
        known = {"model": "chain", "header": LISTED[2]}
        async with FakeProvider(_answer(RESPONSES)) as provider, world(**_providers(provider.url, sim=LISTED, two=LISTED[:2])) as w:
            got = await w.post(RESPONSES.ask("hi", known["model"]), SECRET, RESPONSES.path, OpenAI_Beta=known["header"])
            assert error_of(RESPONSES, got)["code"] == "beta_not_listed" and not provider.bodies
            assert (await w.post(RESPONSES.ask("hi", "chain"), SECRET, RESPONSES.path, OpenAI_Beta=LISTED[0])).status_code == 200
            assert provider.heads[-1]["openai-beta"] == LISTED[0]
            other = await w.post(RESPONSES.ask("hi", "chain"), SECRET, RESPONSES.path, anthropic_beta="files-api-2025-04-14")
            assert other.status_code == 200 and "anthropic-beta" not in provider.heads[-1]

    asyncio.run(main())
