"""Envelope v1 and the registry of event types."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affiant.kit.errors import BadInput
from affiant.ledger import REGISTRY, Draft, decode, encode
from affiant.ledger.envelope import MAX_INT, check_value
from affiant.proof.canonical import dumps, loads

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_leaf = st.one_of(_text, st.integers(-MAX_INT, MAX_INT))
_keys = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=8)
_values = st.recursive(
    _leaf, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_keys, inner, max_size=4)), max_leaves=12
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(_keys, _values, max_size=6), _text)
def test_bytes_are_canonical_and_read_back(body: dict[str, Any], ref: str) -> None:
    """What is encoded is canonical JSON by the verifier's own strict reader, and decodes to what was given."""
    data = encode(Draft("job.run", body, ref=ref, actor="system:x"), "n1/gateway/a", 7, 1, 2)
    assert dumps(loads(data)) == data
    event = decode(data)
    assert (event.body, event.ref, event.seq, event.producer) == (body, ref, 7, "n1/gateway/a")


@pytest.mark.parametrize("mono_ns", [MAX_INT, MAX_INT + 1, 2**63])
def test_a_process_that_runs_for_months_writes_what_a_verifier_reads(mono_ns: int) -> None:
    """Its own age stops at the greatest number that canonical JSON carries, after 104 days."""
    data = encode(Draft("job.run", {}), "n1/gateway/a", 7, 1, mono_ns)
    assert dumps(loads(data)) == data and decode(data).mono_ns == MAX_INT


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (1.5, "body.x is a float"),
        (True, "body.x is a bool"),
        (None, "body.x is a NoneType"),
        (2**53, "body.x is beyond"),
        (-(2**53), "body.x is beyond"),
        ({"Upper": 1}, "body.x has the key 'Upper'"),
        ({1: 1}, "body.x has the key 1"),
        ([1, {"a": [0.5]}], r"body.x[1].a[0] is a float"),
        (b"bytes", "body.x is a bytes"),
    ],
)
def test_what_cannot_be_carried_is_named(value: object, where: str) -> None:
    """The refusal says where in the body the value is."""
    with pytest.raises(BadInput, match=re.escape(where)):
        check_value({"ok": "text", "x": value})


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_lone_surrogates_are_refused(text: str) -> None:
    """Text that is no Unicode is refused, not written."""
    with pytest.raises(BadInput):
        encode(Draft("job.run", {"note": text}), "n1/gateway/a", 0, 0, 0)


def test_deep_and_large_are_refused() -> None:
    """Too deep and too large are bad input."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(BadInput):
        encode(Draft("job.run", {"x": deep}), "n1/gateway/a", 0, 0, 0)
    while deep:
        deep = deep.pop()
    with pytest.raises(BadInput, match="bytes"):
        encode(Draft("job.run", {"x": "y" * 65_536}), "n1/gateway/a", 0, 0, 0)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"v":2}', b'{"v":1,"type":"x"}', b"\xff"])
def test_no_envelope(data: bytes) -> None:
    """Bytes that are no envelope of a known version are bad input."""
    with pytest.raises(BadInput):
        decode(data)


def test_registry_is_consistent() -> None:
    """Names are unique and well formed; whatever ends a carried record is a type."""
    for name, kind in REGISTRY.items():
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", name) and kind.name == name
        assert kind.meaning.endswith(".")
        assert all(re.fullmatch(r"[a-z0-9_]+\??", field) for field in kind.fields)
        assert all(end in REGISTRY for end in kind.ended_by)
