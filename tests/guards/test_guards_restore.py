"""Restoring: placeholders come back in any form a model writes them, whole, in pieces, in JSON; nothing else is held or changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affiant.guards.model import Part
from affiant.guards.places import Lane, stream
from affiant.guards.redact import Pseudonyms, Restorer, placeholder

SECRET = b"tenant secret"
EMAIL, CARD = placeholder(SECRET, "EMAIL", "d"), placeholder(SECRET, "CREDIT_CARD", "4")
E, C = EMAIL[1:-1], CARD[1:-1]
ODD = 'dana"\\\n@example.com'


def _names(original: str = "dana@example.com") -> Pseudonyms:
    names = Pseudonyms((), SECRET)
    assert names.assign("EMAIL", "d", original) == EMAIL and names.assign("CREDIT_CARD", "4", "4111 1111") == CARD
    return names


def _streamed(names: Pseudonyms, pieces: list[str]) -> str:
    restorer = Restorer(names)
    return "".join([restorer.feed(piece) for piece in pieces] + [restorer.finish()])


FORMS = {
    EMAIL: "dana@example.com",
    E: "dana@example.com",
    EMAIL.lower(): "dana@example.com",
    f"{E[:6]}{E[6:].lower()}": "dana@example.com",
    EMAIL.title(): "dana@example.com",
    EMAIL.replace("_", " "): "dana@example.com",
    EMAIL.replace("_", "-"): "dana@example.com",
    E.replace("_", "\\_"): "dana@example.com",
    f"\\[{E}\\]": "dana@example.com",
    f"**{EMAIL}**": "**dana@example.com**",
    f"`{E}`": "`dana@example.com`",
    f"<{E}>": "<dana@example.com>",
    f"({EMAIL})": "(dana@example.com)",
    f"[{EMAIL}](mailto:{E})": "[dana@example.com](mailto:dana@example.com)",
    f"%5B{E}%5D": "dana%40example.com",
    f"https://x.example/?q=%5b{E}%5d&r=1": "https://x.example/?q=dana%40example.com&r=1",
    f"%5B{E.replace('_', '%5F')}%5D": "dana%40example.com",
    f"\\u005b{E}\\u005D": "dana@example.com",
    f"[{E}, {C}]": "[dana@example.com, 4111 1111]",
    f"[{E}": "[dana@example.com",
    f"{E}{C}": "dana@example.com" + C,
    f"{EMAIL}{CARD}": "dana@example.com4111 1111",
    CARD.replace("_", " ").lower(): "4111 1111",
    C.replace("_", "-"): "4111 1111",
    f"\\{EMAIL}": "\\dana@example.com",
    f"x{E}": f"x{E}",
    E.lower(): E.lower(),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_restored_whole_and_one_character_at_a_time(form: str) -> None:
    """Case, separators, brackets or none, markdown, JSON escapes, percent-encoding; the original is escaped as its form was."""
    assert _names().restore(f"a {form} b") == f"a {FORMS[form]} b"
    assert _streamed(_names(), list(f"a {form} b")) == f"a {FORMS[form]} b"
    assert _streamed(_names(), list(form)) == _names().restore(form)


def test_an_original_is_escaped_as_its_form_was() -> None:
    """Plain in plain text, as JSON inside of JSON escapes, percent-encoded in a URL."""
    names = _names(ODD)
    assert names.restore(EMAIL) == ODD
    assert json.loads(f'"{names.restore(f"%s{E}%s" % (chr(92) + "u005b", chr(92) + "u005d"))}"') == ODD
    assert names.restore(f"%5B{E}%5D") == "dana%22%5C%0A%40example.com"


def test_made_up_placeholders_stay_and_are_counted() -> None:
    """What the model invents, alters or takes from elsewhere is not undone."""
    names = _names()
    made = placeholder(b"other", "EMAIL", "x")
    text = f"{made} [EMAIL_B2CCD2DD] [EMAIL_1] [PERSON_{E[6:]}] EMAIL_ [EMAIL]"
    assert names.restore(text) == text and not names.undone and names.made_up == 2
    assert names.restore(EMAIL) and names.undone


@pytest.mark.parametrize(
    "text",
    [
        "Email me at home",
        "see [1] and [2",
        "a [link",
        "EM dash",
        "an E",
        "CREDIT where due",
        "50% of it",
        "C:\\temp\\",
        "I_O",
        "THE",
        "[EMAIL",
        "x[E",
    ],
)
def test_ordinary_text_is_held_no_longer_than_it_may_become_a_placeholder(text: str) -> None:
    """What is held at any moment is a proper beginning of a form of a known placeholder."""
    names = _names()
    restorer = Restorer(names)
    out = ""
    for char in text:
        out += restorer.feed(char)
        assert text.startswith(out)
    assert out + restorer.finish() == text
    for plain in ("Email", "the end", "a [link", "see [1]", "50", "THE", "word e", "[x", "E.", "CREDIT."):
        restorer = Restorer(names)
        assert restorer.feed(plain) == plain, plain
    for start in ("[", "[E", "[email_", "EMAIL", E[:-1], EMAIL[:-1], "CREDIT-", "%5", "\\u00", "\\"):
        restorer = Restorer(names)
        assert restorer.feed(f"x {start}") == "x ", start
    assert Restorer(Pseudonyms()).feed("[E") == "[E"


_PIECES = st.sampled_from(
    [
        EMAIL,
        E,
        CARD,
        C,
        EMAIL.lower(),
        "[",
        "]",
        "_",
        " ",
        "EMAIL",
        "email",
        "CREDIT",
        "[EMAIL_",
        E[6:],
        E[6:10],
        "%5B",
        "%5D",
        "\\",
        "\\u005b",
        "\\u005d",
        "%",
        "5",
        "u00",
        "é",
        "x",
        "E",
        "C",
        "-",
        "\n",
        "😀",
        EMAIL[:-1],
        EMAIL[1:],
        f"%5B{E}%5D",
        f"\\u005b{E}\\u005d",
    ]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(_PIECES, max_size=12).map("".join), st.lists(st.integers(1, 9), max_size=80))
def test_any_cut_gives_what_the_whole_gives(text: str, sizes: list[int]) -> None:
    """And at no time is more held than one placeholder may be long."""
    pieces, place = [], 0
    for size in sizes:
        pieces.append(text[place : place + size])
        place += size
    pieces.append(text[place:])
    names = _names()
    assert _streamed(names, pieces) == _names().restore(text)
    assert names.holdback(text) <= 60


_SHAPES = Pseudonyms((), SECRET)
_STANDS = [
    _SHAPES.assign("EMAIL", "d", "dana@example.com", shape=True),
    _SHAPES.assign("PHONE", "14155550132", "+1 (415) 555-0132", shape=True),
    _SHAPES.assign("CREDIT_CARD", "4", "4111-1111-1111-1111", shape=True),
    _SHAPES.assign("US_SSN", "5", "536-22-8145", shape=True),
]
_DIGITS = ["".join(char for char in name if char.isdigit()) for name in _STANDS[1:]]


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *_STANDS,
                *_DIGITS,
                _STANDS[0].upper(),
                _STANDS[0].replace("@", "%40"),
                " ",
                "-",
                "1",
                "+",
                "(",
                ".",
                "q",
                "é",
                "x ",
                _DIGITS[0][:5],
                _STANDS[0][:4],
                "@",
                "%",
                "40",
            ]
        ),
        max_size=9,
    ).map("".join),
    st.lists(st.integers(1, 9), max_size=80),
)
def test_any_cut_of_stand_ins_with_a_shape_gives_what_the_whole_gives(text: str, sizes: list[int]) -> None:
    """Numbers in other spellings, addresses in another case or percent-encoded."""
    pieces, place = [], 0
    for size in sizes:
        pieces.append(text[place : place + size])
        place += size
    pieces.append(text[place:])
    assert _streamed(_SHAPES, pieces) == _SHAPES.restore(text)


class _Restoring:
    def __init__(self, names: Pseudonyms) -> None:
        self.names = names

    def scanner(self, lane: Lane) -> Restorer:
        return Restorer(self.names)

    def text(self, part: Part) -> str:
        return self.names.restore(part.text)

    def fixed(self, part: Part) -> None:
        pass


_SAID = st.lists(st.sampled_from([EMAIL, E, CARD, "x", '"', "\\", "\n", "é"]), max_size=5).map("".join)
_ORIGINALS = st.text(min_size=1, max_size=12) | st.just(ODD)


@settings(max_examples=200, deadline=None)
@given(
    _ORIGINALS,
    st.lists(st.sampled_from([EMAIL, E, CARD, "x", '"', "\\", "\n", "é"]), max_size=5).map("".join),
    st.lists(st.integers(1, 7), max_size=90),
    st.booleans(),
)
def test_streamed_arguments_stay_valid_json_when_restored(original: str, text: str, sizes: list[int], escaped: bool) -> None:
    """Whatever the original holds, and wherever the pieces were cut, inside of escapes too; keys are restored as well."""
    names = _names(original)
    value: Any = {"to": text, "list": [text, 1, {"k": EMAIL}], EMAIL: True}
    raw = json.dumps(value)
    if escaped:
        raw = raw.replace("[EMAIL", "\\u005BEMAIL").replace(']"', '\\u005d"')
    places = stream("messages", _Restoring(names))
    pieces, place = [], 0
    for size in sizes:
        pieces.append(raw[place : place + size])
        place += size
    pieces.append(raw[place:])
    events = [{"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": piece}} for piece in pieces]
    out = [made for event in [*events, {"type": "content_block_stop", "index": 0}] for made in places.event(event)]
    whole = "".join(event["delta"]["partial_json"] for event in out if event["type"] == "content_block_delta")
    restored = _names(original).restore
    assert json.loads(whole) == {"to": restored(text), "list": [restored(text), 1, {"k": original}], original: True}


def test_a_number_of_a_stand_in_comes_back_in_arguments() -> None:
    """A card that the model gives as a number is the original again, a number where it can be one."""
    names = Pseudonyms((), SECRET)
    plain = names.assign("CREDIT_CARD", "4111111111111111", "4111111111111111", shape=True)
    raw = f'{{"card": {plain}, "text": "{plain}"}}'
    events = [{"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": char}} for char in raw]
    places = stream("messages", _Restoring(names))
    out = [made for event in [*events, {"type": "content_block_stop", "index": 0}] for made in places.event(event)]
    whole = "".join(event["delta"]["partial_json"] for event in out if event["type"] == "content_block_delta")
    assert json.loads(whole) == {"card": 4111111111111111, "text": "4111111111111111"}


@pytest.mark.parametrize("seed", ["[", "[EMAIL_", "EMAIL_", "%5B", "\\u005b", "1 ", "q", "\\", EMAIL[:-1], "+(1", "E"])
def test_hostile_text_is_restored_in_bounded_steps(seed: str) -> None:
    """Long runs of beginnings come through unchanged."""
    names = Pseudonyms((), SECRET)
    names.assign("EMAIL", "d", "x")
    names.assign("PHONE", "14155550132", "+1 (415) 555-0132", shape=True)
    text = seed * (200_000 // len(seed))
    assert len(names.restore(text)) <= len(text)
    assert _streamed(names, [text[place : place + 1000] for place in range(0, len(text), 1000)]) == names.restore(text)
