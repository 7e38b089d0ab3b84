"""Envelope v1: the bytes of one event, frozen (docs/decisions/0002-envelope.md).

A producer makes the bytes; the writer frames and hashes exactly them; nothing re-serializes them later.
Leaves out: what types mean (`registry`), where bytes go (`segment`).

Keys of an envelope (absent means omitted):
`v` envelope version · `type` event type · `tv` version of that type · `tenant` · `producer` node/role/incarnation ·
`seq` gap-free number of that producer, from 0 · `at` wall time, integer µs UTC · `mono` ns since the producer started ·
`actor` who (`key:ID`, `person:ID`, `system:NAME`, `anonymous`) · `policy` digest of the policy in force ·
`ref` exchange or record id · `body` the event's own fields.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from affiant.kit.errors import BadInput

ENVELOPE_VERSION = 1
MAX_ENTRY_BYTES = 65_535
MAX_INT = 2**53 - 1
_KEY = re.compile(r"[a-z0-9_]+")
_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder()

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before its producer stamps it.

    Args:
        type: name in the registry, such as `exchange.opened`.
        body: the event's fields: str, int, list and dict of these; no float, bool or None.
        ref: id of the exchange or record it is about.
        tenant: tenant id, or "" where none applies.
        actor: `key:ID`, `person:ID`, `system:NAME` or `anonymous`.
        policy: digest (hex) of the policy in force, where one was.
        version: version of the event type.
    """

    type: str
    body: Body = field(default_factory=dict)
    ref: str = ""
    tenant: str = ""
    actor: str = ""
    policy: str = ""
    version: int = 1


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded envelope."""

    type: str
    version: int
    producer: str
    seq: int
    at_us: int
    mono_ns: int
    tenant: str
    actor: str
    policy: str
    ref: str
    body: Body


def check_value(value: Any, where: str = "body") -> None:
    """Refuse what canonical JSON v1 cannot carry.

    Raises:
        BadInput: a float, bool, None, over-large integer, lone surrogate or key outside `[a-z0-9_]`.
    """
    kind = type(value)
    if kind is str:
        return
    if kind is int:
        if -MAX_INT <= value <= MAX_INT:
            return
        raise BadInput(f"{where} is beyond ±(2^53-1).", "Send it as a string.")
    if kind is dict:
        for key, inner in value.items():
            if type(key) is not str or not _KEY.fullmatch(key):
                raise BadInput(f"{where} has the key {key!r}.", "Keys are [a-z0-9_].")
            check_value(inner, f"{where}.{key}")
        return
    if kind is list or kind is tuple:
        for number, inner in enumerate(value):
            check_value(inner, f"{where}[{number}]")
        return
    raise BadInput(f"{where} is a {kind.__name__}.", "Use strings, integers (booleans as 0/1), lists and objects.")


def encode(draft: Draft, producer: str, seq: int, at_us: int, mono_ns: int) -> bytes:
    """Canonical bytes of one event.

    Raises:
        BadInput: a value that canonical JSON v1 cannot carry, or more than 65,535 bytes.
    """
    check_value(draft.body)
    fields: dict[str, Any] = {
        "v": ENVELOPE_VERSION, "type": draft.type, "tv": draft.version,
        "producer": producer, "seq": seq, "at": at_us, "mono": mono_ns,
    }  # fmt: skip
    if draft.tenant:
        fields["tenant"] = draft.tenant
    if draft.actor:
        fields["actor"] = draft.actor
    if draft.policy:
        fields["policy"] = draft.policy
    if draft.ref:
        fields["ref"] = draft.ref
    if draft.body:
        fields["body"] = draft.body
    data = _encoder.encode(fields)
    if len(data) > MAX_ENTRY_BYTES:
        raise BadInput(f"The event {draft.type} has {len(data)} bytes.", "Cut its lists to fit 65,535 bytes.")
    return data


def decode(data: bytes) -> Event:
    """Read an envelope of a known version.

    Raises:
        BadInput: not JSON, not an envelope, or a newer envelope version.
    """
    try:
        raw = _decoder.decode(data)
        if raw["v"] != ENVELOPE_VERSION:
            raise BadInput(f"Envelope version {raw['v']} is newer than this program.", "Upgrade Affiant.")
        return Event(
            raw["type"], raw["tv"], raw["producer"], raw["seq"], raw["at"], raw.get("mono", 0),
            raw.get("tenant", ""), raw.get("actor", ""), raw.get("policy", ""), raw.get("ref", ""), raw.get("body", {}),
        )  # fmt: skip
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise BadInput(f"An entry is no envelope: {error}.", "Run `affiant ledger verify`.") from error
