"""Canonical JSON v1: the one way to write a value as bytes. What is hashed is read back only if it is written this way.

Strings, integers within +-(2^53-1), lists and objects with keys [a-z0-9_] in ascending order; no floats, booleans or null;
no spaces; UTF-8 with only the escapes that JSON requires. Leaves out: what the values mean.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, NoReturn, Tuple

from .errors import Malformed

MAX_INT = 2**53 - 1
_KEY = re.compile(r"[a-z0-9_]+")
_good_keys: "set[str]" = set()
# Bytes that may be a literal or a number beyond the limits; only where they occur is every value looked at.
_SUSPECT = re.compile(rb"true|false|null|[0-9]{17}|9[0-9]{15}")


def _refuse(text: str) -> NoReturn:
    raise Malformed(f"Canonical JSON cannot carry {text[:40]}.")


def _check_key(key: Any) -> None:
    if type(key) is not str or not _KEY.fullmatch(key):
        _refuse(f"the key {key!r}")
    if len(_good_keys) < 10_000:
        _good_keys.add(key)


def _object(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        _refuse("a key twice")
    for key in result:
        if key not in _good_keys:
            _check_key(key)
    return result


def check(value: Any) -> None:
    """Refuse what canonical JSON v1 cannot carry.

    Raises:
        Malformed: a float, boolean, null, over-large integer or key outside `[a-z0-9_]`.
    """
    kind = type(value)
    if kind is str:
        return
    if kind is int:
        if not -MAX_INT <= value <= MAX_INT:
            _refuse(str(value))
    elif kind is dict:
        for key, inner in value.items():
            _check_key(key)
            check(inner)
    elif kind in (list, tuple):
        for inner in value:
            check(inner)
    else:
        _refuse(f"a {kind.__name__}")


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode
_decode = json.JSONDecoder(object_pairs_hook=_object, parse_float=_refuse, parse_constant=_refuse).decode


def dumps(value: Any) -> bytes:
    """Canonical bytes of a value.

    Raises:
        Malformed: a value that canonical JSON v1 cannot carry.
    """
    try:
        check(value)
        return _encode(value).encode("utf-8")
    except (UnicodeEncodeError, RecursionError) as error:
        raise Malformed(f"A value cannot be written as canonical JSON: {error}.") from None


def loads(data: bytes) -> Any:
    """Read canonical bytes; bytes written in any other way are refused, so that one value has one hash.

    Raises:
        Malformed: not JSON, not canonical, or a value that canonical JSON v1 cannot carry.
    """
    try:
        value = _decode(data.decode("utf-8"))
        if _SUSPECT.search(data):
            check(value)
        same = _encode(value).encode("utf-8") == data
    except (ValueError, RecursionError) as error:
        raise Malformed(f"Not canonical JSON: {error}.") from None
    if not same:
        raise Malformed("JSON is not written canonically (order of keys, spaces or escapes).")
    return value
