"""Sealed pseudonyms of a conversation: shared by its calls for a stated time, by nobody else, and never readable at rest."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gateway_world import SECRET, TENANT_KEY, FakeProvider, World, ask, key, policy, rule, whole, world

from affiant.gateway.conversations import Conversation, Conversations
from affiant.guards import AnswerContext
from affiant.guards.redact import Pseudonyms
from affiant.records import FaultyInput, parse_yaml, policy_snap
from affiant.records.policies import read_policy

MAIL = "dana.whitfield@example.com"
PLACEHOLDER = re.compile(rb"\[EMAIL_[A-Z0-9]{8}\]")
HOUR_US = 3_600_000_000


def _policy(keep_s: int = 3600) -> Any:
    pii = rule("pii", "redact", "pseudonymize", FORGED_PLACEHOLDER="flag")
    return msgspec.structs.replace(policy("default", pii, rule("output", "redact")), keep_pseudonyms_s=keep_s)


async def _turn(w: World, text: str, conversation: str = "c-1", secret: str = SECRET) -> str:
    headers = {"x_affiant_conversation": conversation} if conversation else {}
    return (await w.post(ask(text), secret, **headers)).text()


def _run(test: Any, keep_s: int = 3600) -> None:
    async def main() -> None:
        def echo(body: dict[str, Any]) -> bytes:
            return whole(body["messages"][0]["content"])

        keys = (key("k1", SECRET), key("k2", "afk_other"))
        async with FakeProvider(echo) as provider, world(provider=provider.url, policies=(_policy(keep_s),), keys=keys) as w:
            await test(w, provider)

    asyncio.run(main())


def test_a_later_turn_undoes_what_an_earlier_one_replaced() -> None:
    """Though its own text holds only the placeholder, which is then no forged one; and a value keeps its placeholder."""

    async def test(w: World, provider: FakeProvider) -> None:
        assert await _turn(w, f"Write to {MAIL}.") == f"Write to {MAIL}."
        name = PLACEHOLDER.findall(provider.bodies[0])[0].decode()
        assert await _turn(w, f"And now remind {name}.") == f"And now remind {MAIL}."
        assert [each["action"] for each in w.events("exchange.opened")[1].body["decisions"]] == ["allow"]
        assert await _turn(w, f"Not {name} but {MAIL}.") == f"Not {MAIL} but {MAIL}."
        assert PLACEHOLDER.findall(provider.bodies[2]) == [name.encode()] * 2
        assert not any(MAIL.encode() in body for body in provider.bodies)

    _run(test)


@pytest.mark.parametrize(("conversation", "secret"), [("c-2", SECRET), ("", SECRET), ("c-1", "afk_other")])
def test_nobody_else_gets_it(conversation: str, secret: str) -> None:
    """Another conversation, none, or the same name under another key: the placeholder stays, and is told as forged."""

    async def test(w: World, provider: FakeProvider) -> None:
        await _turn(w, f"Write to {MAIL}.")
        name = PLACEHOLDER.findall(provider.bodies[0])[0].decode()
        assert await _turn(w, f"Who is {name}?", conversation, secret) == f"Who is {name}?"
        told = [each["types"] for each in w.events("exchange.opened")[1].body["decisions"] if "types" in each]
        assert told == [[{"type": "FORGED_PLACEHOLDER/foreign", "n": 1}]]

    _run(test)


def test_in_memory_nothing_is_kept() -> None:
    """A policy that says nothing of time leaves no file."""

    async def test(w: World, provider: FakeProvider) -> None:
        await _turn(w, f"Write to {MAIL}.")
        assert not (w.home.root / "sealed").exists()

    _run(test, keep_s=0)


def test_at_rest_nothing_can_be_read() -> None:
    """Neither value, placeholder, key nor conversation stands in the files, their names or the ledger."""

    async def test(w: World, provider: FakeProvider) -> None:
        await _turn(w, f"Write to {MAIL}.", "c-secret-name")
        files = list((w.home.root / "sealed" / "pseudonyms").glob("*.map"))
        assert len(files) == 1 and re.fullmatch(r"[0-9a-f]{64}\.map", files[0].name)
        data = files[0].read_bytes()
        assert not any(each in data for each in (MAIL.encode(), b"EMAIL", b"c-secret-name"))
        assert (await w.post(ask("hi"), x_affiant_conversation="no blanks please")).code == "request_invalid"

    _run(test)


def _context(entries: dict[str, str]) -> AnswerContext:
    names = Pseudonyms()
    for name, original in entries.items():
        names.know(name, original)
    return AnswerContext((), names)


def test_the_time_ends_and_a_key_closes_it(tmp_path: Path) -> None:
    """Past its end it is gone, from the disk too; the key of the month before opens, one that is gone opens nothing."""
    kept, later = Conversations(tmp_path / "p"), bytes([8]) * 32
    mine = Conversation((TENANT_KEY,), b"k1\0c", HOUR_US)

    async def main() -> None:
        await kept.keep(mine, _context({"[EMAIL_A]": MAIL}), 0)
        assert await kept.load(mine, HOUR_US - 1) == {"[EMAIL_A]": MAIL}
        assert await kept.load(Conversation((later, TENANT_KEY), b"k1\0c", HOUR_US), 1) == {"[EMAIL_A]": MAIL}
        assert await kept.load(Conversation((later,), b"k1\0c", HOUR_US), 1) == {}
        await kept.keep(mine, _context({"[EMAIL_B]": "b"}), HOUR_US // 2)
        assert kept.sweep(HOUR_US) == 0 and set(await kept.load(mine, HOUR_US)) == {"[EMAIL_A]", "[EMAIL_B]"}
        assert kept.sweep(2 * HOUR_US) == 1 and not list((tmp_path / "p").glob("*.map"))
        await kept.keep(mine, _context({"[EMAIL_A]": MAIL}), 0)
        file = next((tmp_path / "p").glob("*.map"))
        file.write_bytes(b"\x7f" + file.read_bytes()[1:])  # a later end than was sealed
        assert await kept.load(mine, 1) == {} and not file.exists()

    asyncio.run(main())


def test_parallel_calls_lose_nothing(tmp_path: Path) -> None:
    """Each adds its own, whichever worker it runs in."""
    mine = Conversation((TENANT_KEY,), b"k1\0c", HOUR_US)

    async def main() -> None:
        workers = [Conversations(tmp_path / "p") for _ in range(4)]
        await asyncio.gather(*(workers[n % 4].keep(mine, _context({f"[EMAIL_{n}]": str(n)}), 0) for n in range(40)))
        assert len(await workers[0].load(mine, 1)) == 40

    asyncio.run(main())


def test_the_time_is_read_and_bounded() -> None:
    """A policy that says nothing of it is as it was."""

    def snap(more: str) -> Any:
        return policy_snap(*read_policy(parse_yaml("{id: p, guards: {pii: {action: redact}}" + more + "}", "p"), "p"))

    assert snap(", keep_pseudonyms: 24h").keep_pseudonyms_s == 86_400 and snap("").keep_pseudonyms_s == 0
    with pytest.raises(FaultyInput, match="1m to 7d"):
        snap(", keep_pseudonyms: 8d")
