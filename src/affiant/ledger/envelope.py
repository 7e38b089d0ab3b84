"""Envelope v1: the bytes of one event, frozen (docs/decisions/0002-envelope.md).

A producer makes the bytes; the writer frames and hashes exactly them; nothing re-serializes them later.
Leaves out: what types mean (`registry`), where bytes go (`segment`).

Keys of an envelope (absent means omitted):
`v` envelope version · `type` event type · `tv` version of that type · `tenant` · `producer` node/role/incarnation ·
`seq` gap-free number of that producer, from 0 · `at` wall time, integer µs UTC · `mono` ns since the producer started, at most 2^53 - 1 ·
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
MAX_KNOWN_KEYS = 10_000
MAX_SHAPE = 64
_KEY = re.compile(r"[a-z0-9_]+")
_good_keys: set[str] = set()
_good_shapes: set[tuple[str, ...]] = set()
_decoder = msgspec.json.Decoder()

Body = dict[str, Any]
Ready = msgspec.Raw
"""Canonical bytes of a part of a body, as `ready` makes them; a body holds no other."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before its producer stamps it.

    Args:
        type: name in the registry, such as `exchange.opened`.
        body: the event's fields: str, int, list, dict of these and what `ready` made; no float, bool or None.
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


class _Envelope(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """Fields in the order of their names, which is the order of their bytes; those with a default are omitted where empty."""

    actor: str = ""
    at: int
    body: Body = {}
    mono: int
    policy: str = ""
    producer: str
    ref: str = ""
    seq: int
    tenant: str = ""
    tv: int
    type: str
    v: int


_encoder = msgspec.json.Encoder(order="deterministic")


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
        BadInput: a float, bool, None, over-large integer or key outside `[a-z0-9_]`; says where it is.
    """
    if not _fine(value):
        _explain(value, where)


def _fine(value: Any) -> bool:
    """Whether a value can be carried. On every event's path: a dict's keys are looked up together, not matched one by one."""
    kind = type(value)
    if kind is dict:
        shape = tuple(value)
        if shape not in _good_shapes and not _learn_shape(shape):
            return False
        value = value.values()
    elif kind is not list and kind is not tuple:
        return kind is str or (kind is int and -MAX_INT <= value <= MAX_INT) or kind is Ready
    for inner in value:
        kind = type(inner)
        if kind is str:
            continue
        if kind is int:
            if not -MAX_INT <= inner <= MAX_INT:
                return False
        elif not _fine(inner):
            return False
    return True


def ready(value: Any) -> Ready:
    """A value checked and made into its canonical bytes, once for many events whose bodies hold it.

    Raises:
        BadInput: as `encode`.
    """
    check_value(value)
    return Ready(_encoder.encode(value))


def _learn_shape(shape: tuple[Any, ...]) -> bool:
    if not all(map(_learn, shape)):
        return False
    if len(_good_shapes) < MAX_KNOWN_KEYS and len(shape) <= MAX_SHAPE:
        _good_shapes.add(shape)
    return True


def _learn(key: Any) -> bool:
    if type(key) is not str:
        return False
    if key in _good_keys:
        return True
    if not _KEY.fullmatch(key):
        return False
    if len(_good_keys) < MAX_KNOWN_KEYS:
        _good_keys.add(key)
    return True


def _explain(value: Any, where: str) -> None:
    """Say what about a value cannot be carried."""
    if _fine(value):
        return
    if type(value) is int:
        raise BadInput(f"{where} is beyond ±(2^53-1).", "Send it as a string.")
    if type(value) is dict:
        for key, inner in value.items():
            if not _learn(key):
                raise BadInput(f"{where} has the key {key!r}.", "Keys are [a-z0-9_].")
            _explain(inner, f"{where}.{key}")
    if type(value) in (list, tuple):
        for number, inner in enumerate(value):
            _explain(inner, f"{where}[{number}]")
    raise BadInput(f"{where} is a {type(value).__name__}.", "Use strings, integers (booleans as 0/1), lists and objects.")


def encode(draft: Draft, producer: str, seq: int, at_us: int, mono_ns: int) -> bytes:
    """Canonical bytes of one event.

    Args:
        mono_ns: ns since the producer started; what canonical JSON cannot carry, after 104 days, stays at its greatest number.

    Raises:
        BadInput: a value that canonical JSON v1 cannot carry (a lone surrogate too), or more than 65,535 bytes.
    """
    try:
        if not _fine(draft.body):
            _explain(draft.body, "body")
    except RecursionError:
        raise BadInput(f"The event {draft.type} is nested too deeply.", "Flatten it.") from None
    if not -MAX_INT <= at_us <= MAX_INT:
        raise BadInput(f"The clock says {at_us} µs, which no entry can carry.", "Set the clock of this machine.")
    envelope = _Envelope(
        actor=draft.actor, at=at_us, body=draft.body, mono=min(mono_ns, MAX_INT), policy=draft.policy, producer=producer, ref=draft.ref,
        seq=seq, tenant=draft.tenant, tv=draft.version, type=draft.type, v=ENVELOPE_VERSION,
    )  # fmt: skip
    try:
        data = _encoder.encode(envelope)
    except (UnicodeEncodeError, RecursionError, TypeError) as error:
        raise BadInput(f"The event {draft.type} cannot be written: {error}.", "Use text without lone surrogates.") from None
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
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise BadInput(f"An entry is no envelope: {error}.", "Run `affiant ledger verify`.") from error
