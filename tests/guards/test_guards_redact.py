"""Redaction: what stands in place of a value, alike for equal values, never what the caller typed, never anybody else's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affiant.guards import redact_shapes
from affiant.guards.pseudonym_map import MapUnusable, PseudonymMap
from affiant.guards.redact import (
    FOREIGN,
    HASH,
    HOWS,
    MADE_UP,
    MASK,
    PARTIAL,
    PSEUDONYMIZE,
    REMOVE,
    SHAPE,
    Pseudonyms,
    forged,
    genuine,
    partial,
    placeholder,
    replacement,
    value_key,
)
from affiant.guards.restore import KEYED_BODY
from affiant.kit.crypto import seal, unseal

SECRET = b"tenant secret"


@pytest.mark.parametrize(
    ("how", "type_", "original", "stands"),
    [
        (MASK, "EMAIL", "dana@example.com", "[EMAIL]"),
        (MASK, "NATIONAL_ID/de", "12 345", "[NATIONAL_ID]"),
        ("odd", "EMAIL", "x", "[EMAIL]"),
        (REMOVE, "EMAIL", "dana@example.com", ""),
        (PARTIAL, "EMAIL", "dana@example.co.uk", "d***@***.uk"),
        (PARTIAL, "CREDIT_CARD", "4111-1111-1111-1234", "****-****-****-1234"),
        (PARTIAL, "PHONE", "+49 30 901820", "+** ** **1820"),
        (PARTIAL, "PERSON", "Dana", "D***"),
        (PARTIAL, "PHONE", "12345", "***"),
        (PARTIAL, "IBAN", "DE89370400440532013000", "******************3000"),
    ],
)
def test_each_way_has_its_form(how: str, type_: str, original: str, stands: str) -> None:
    """Label, nothing, or a remainder too short to tell whose it is."""
    assert replacement(how, type_, value_key(type_, original), original, None, SECRET) == stands


def test_a_hash_is_keyed_and_equal_for_equal_values() -> None:
    """Under one key two spellings of a number are one value; under another key it is another."""
    one, two = (replacement(HASH, "PHONE", value_key("PHONE", text), text, None, SECRET) for text in ("+49 30 901820", "4930901820"))
    assert one == two and re.fullmatch(r"\[PHONE:[0-9a-f]{12}\]", one)
    assert one != replacement(HASH, "PHONE", "4930901820", "", None, b"other")


def test_a_pseudonym_is_determined_by_secret_type_and_value() -> None:
    """Parallel calls, retries and later turns agree; another tenant, type or value differs; the check digit fits its own secret."""
    first, second = Pseudonyms((), SECRET), Pseudonyms(("other text",), SECRET)
    second.assign("EMAIL", "before@example.com", "before@example.com")
    name = first.assign("EMAIL", "dana@example.com", "Dana@example.com")
    assert name == second.assign("EMAIL", "dana@example.com", "dana@example.com") == placeholder(SECRET, "EMAIL", "dana@example.com")
    assert re.fullmatch(rf"\[EMAIL_{KEYED_BODY}\]", name) and genuine(SECRET, name)
    others = {placeholder(b"else", "EMAIL", "dana@example.com"), placeholder(SECRET, "PERSON", "dana@example.com"),
              placeholder(SECRET, "EMAIL", "dan@example.com")}  # fmt: skip
    assert name not in others and len(others) == 3
    assert first.originals == {name: "Dana@example.com"}


def test_check_digits_tell_made_up_placeholders() -> None:
    """Of random ones about one in thirty passes; none of another secret's passes more often."""
    foreign = [placeholder(b"other", "EMAIL", str(number)) for number in range(2000)]
    assert sum(genuine(SECRET, name) for name in foreign) < 150
    assert all(genuine(b"other", name) for name in foreign)


def test_a_placeholder_that_the_caller_typed_is_never_given_out() -> None:
    """In any form; the value gets another one, and what was typed is not undone."""
    name = placeholder(SECRET, "EMAIL", "dana@example.com")
    for typed in (
        name,
        name.lower(),
        name[1:-1],
        name.replace("_", " "),
        name.replace("[", "%5B").replace("]", "%5D"),
        name.replace("_", "\\_"),
    ):
        names = Pseudonyms((f"what is {typed}?",), SECRET)
        other = names.assign("EMAIL", "dana@example.com", "dana@example.com")
        assert other != name and names.restore(typed) == typed, typed
        assert names.restore(other) == "dana@example.com"


def test_forged_placeholders_are_found() -> None:
    """Those that fit this tenant's secret are foreign, others in brackets made up; ordinary text has none."""
    name = placeholder(SECRET, "EMAIL", "dana@example.com")
    text = f"undo {name} and {name[1:-1]} and [EMAIL_B2CCD2DD] and [PERSON_12]"
    assert [(text[one.start : one.end], one.type) for one in forged(text, SECRET)] == [
        (name, FOREIGN), (name[1:-1], FOREIGN), ("[EMAIL_B2CCD2DD]", MADE_UP), ("[PERSON_12]", MADE_UP)
    ]  # fmt: skip
    for plain in ("MAX_TIMEOUT", "[1] see [A_B]", "[EMAIL]", "a [link](https://x.example/A_B)", "SOME_CONSTANT_NAMES = 3", "[x_y_z]"):
        assert forged(plain, SECRET) == [], plain


def test_without_a_secret_placeholders_are_numbered() -> None:
    """Above those that stand in the request."""
    names = Pseudonyms(("see [EMAIL_7]",))
    assert names.assign("EMAIL", "a", "a@b.c") == "[EMAIL_8]" and names.assign("PERSON", "b", "B") == "[PERSON_8]"
    assert names.restore("[email_8] [EMAIL_7] EMAIL_8") == "a@b.c [EMAIL_7] EMAIL_8"


def test_thousands_of_values_have_a_placeholder_each() -> None:
    """No two share one, and all are undone."""
    names = Pseudonyms((), SECRET)
    made = {names.assign("EMAIL", str(number), f"{number}@example.com") for number in range(5000)}
    assert len(made) == 5000
    assert names.restore(" ".join(sorted(made, key=lambda name: names.originals[name]))).split() == sorted(names.originals.values())


# -- shapes


@pytest.mark.parametrize(
    ("type_", "original", "pattern"),
    [
        ("EMAIL", "Dana.Whitfield@example.com", r"q[a-z0-9]{8}@pseudonym\.example"),
        ("PHONE", "+1 (415) 555-0132", r"\+1 \([2-9]\d\d\) 555-01\d\d"),
        ("PHONE", "212.555.0100", r"[2-9]\d\d\.555\.01\d\d"),
        ("PHONE", "+49 30 901820", r"\+49 00 \d{6}"),
        ("PHONE", "4155550132", r"[2-9]\d\d55501\d\d"),
        ("CREDIT_CARD", "4111-1111-1111-1111", r"4000-00\d\d-\d{4}-\d{4}"),
        ("CREDIT_CARD", "378282246310005", r"400000\d{9}"),
        ("US_SSN", "536-22-8145", r"9\d\d-[0-4]\d-\d{4}"),
    ],
)
def test_a_stand_in_keeps_the_shape_and_is_nobody_s(type_: str, original: str, pattern: str) -> None:
    """Reserved domains and fictitious ranges, separators where they were, the same each time, undone in other spellings too."""
    names = Pseudonyms((), SECRET)
    key = value_key(type_, original.lower())
    name = replacement(SHAPE, type_, key, original, names, SECRET)
    assert re.fullmatch(pattern, name) and name == replacement(SHAPE, type_, key, original, Pseudonyms((), SECRET), SECRET)
    assert names.restore(f"is it {name}?") == f"is it {original}?"
    if type_ != "EMAIL":
        digits = "".join(char for char in name if char.isdigit())
        assert names.restore(f"a {digits}, b {digits}9 c") == f"a {original}, b {digits}9 c"
        if type_ == "CREDIT_CARD":
            assert _luhn(digits)
    else:
        assert names.restore(f"mailto:{name.upper().replace('@', '%40')}") == "mailto:Dana.Whitfield%40example.com"


def _luhn(digits: str) -> bool:
    doubled = [int(char) * (1 + place % 2) for place, char in enumerate(reversed(digits))]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0


def test_a_schema_says_which_shapes_it_wants() -> None:
    """By `format`, at any depth; anything else says nothing."""
    tools = [{"function": {"parameters": {"properties": {"to": {"anyOf": [{"type": "string", "format": "email"}, {"type": "null"}]}}}}}]
    assert redact_shapes.wanted(tools) == {"EMAIL"}
    assert redact_shapes.wanted([{"format": "Phone"}, {"format": {"type": "grammar"}}, "format", None]) == {"PHONE"}
    assert redact_shapes.wanted(None) == frozenset()


def test_a_type_without_a_shape_gets_a_placeholder() -> None:
    """Names, places, and numbers of odd length."""
    names = Pseudonyms((), SECRET)
    for type_, original in (("PERSON", "Dana"), ("PHONE", "123"), ("CREDIT_CARD", "4"), ("IBAN", "DE89370400440532013000")):
        assert names.assign(type_, original, original, shape=True).startswith(f"[{type_}_")
        assert redact_shapes.stand_in(type_, original, 7) is None


def test_a_stand_in_that_the_caller_typed_is_never_given_out() -> None:
    """Nor in another spelling."""
    for type_, original in (("EMAIL", "dana@example.com"), ("PHONE", "+1 (415) 555-0132")):
        name = Pseudonyms((), SECRET).assign(type_, "k", original, shape=True)
        typed = name.upper() if type_ == "EMAIL" else "".join(char for char in name if char.isdigit())
        names = Pseudonyms((f"whose is {typed}?",), SECRET)
        assert names.assign(type_, "k", original, shape=True) != name and names.restore(typed) == typed


def test_thousands_of_shapes_do_not_collide() -> None:
    """Where a range is exhausted, a value gets a placeholder instead."""
    names = Pseudonyms((), SECRET)
    made = {names.assign("PHONE", str(number), f"+1415{number:07d}", shape=True) for number in range(3000)}
    assert len(made) == 3000 and set(names.originals) == made


# -- the mapping


KEY = b"k" * 32


def _encrypt(data: bytes) -> bytes:
    return seal(KEY, data, b"pseudonyms")


def _decrypt(data: bytes) -> bytes:
    return unseal(KEY, data, b"pseudonyms")


def test_a_mapping_is_sealed_for_its_time() -> None:
    """It fills a later exchange of the conversation until its end, and not after."""
    first = Pseudonyms((), SECRET)
    name = first.assign("EMAIL", "dana@example.com", "dana@example.com")
    shaped = first.assign("PHONE", "14155550132", "+14155550132", shape=True)
    sealed = PseudonymMap(dict(first.originals), expires=100).seal(_encrypt)
    assert b"dana" not in sealed
    opened = PseudonymMap.unseal(sealed, _decrypt, now=99)
    later = Pseudonyms((), SECRET)
    assert later.restore(name) == name
    for placeholder_, original in opened.entries.items():
        later.know(placeholder_, original)
    assert later.restore(f"{name} {shaped}") == "dana@example.com +14155550132"
    with pytest.raises(MapUnusable, match="time has passed"):
        PseudonymMap.unseal(sealed, _decrypt, now=100)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "no mapping"),
        (b"[]", "no mapping"),
        (b'{"version":1}', "no mapping"),
        (b'{"version":2,"expires":9,"entries":{}}', "version 2"),
        (b'{"version":1,"expires":9,"entries":{"a":1}}', "no mapping"),
        (b"\xff", "no mapping"),
    ],
)
def test_what_is_no_mapping_is_refused(raw: bytes, says: str) -> None:
    """With what to do next."""
    with pytest.raises(MapUnusable, match=says) as refused:
        PseudonymMap.unseal(raw, lambda data: data, now=0)
    assert refused.value.next_step


# -- properties


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["EMAIL", "CREDIT_CARD", "PERSON", "PHONE"]), st.text(min_size=1, max_size=20)), max_size=12),
    st.lists(st.text(max_size=10), min_size=13, max_size=13),
)
def test_redact_then_restore_is_the_identity(values: list[tuple[str, str]], between: list[str]) -> None:
    """Whatever the values and the text between them."""
    names = Pseudonyms(tuple(between), SECRET)
    spelled: dict[tuple[str, str], str] = {}
    pieces, originals = [between[0]], [between[0]]
    for (type_, original), after in zip(values, between[1:], strict=False):
        key = value_key(type_, original)
        originals += [spelled.setdefault((type_, key), original), after]
        pieces += [replacement(PSEUDONYMIZE, type_, key, original, names, SECRET), after]
    assert names.restore("".join(pieces)) == "".join(originals)


@given(st.text(max_size=60))
def test_partial_never_shows_a_whole_value(text: str) -> None:
    """Something is masked of anything that has a letter or digit."""
    assert not any(char.isalnum() for char in text) or partial("X", text) != text


def test_the_ways_have_names() -> None:
    """As policies name them."""
    assert HOWS == ("mask", "partial", "hash", "remove", "pseudonymize", "pseudonymize_shape")
