"""Identifiers: a prefix, a time-ordered part and 80 random bits, in Crockford base 32."""

from __future__ import annotations

import os

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str, now_us: int) -> str:
    """`prefix_` + 26 characters: 48 bits of wall time in ms, then 80 random bits (ULID, lower case)."""
    number = ((now_us // 1000) & ((1 << 48) - 1)) << 80 | int.from_bytes(os.urandom(10), "big")
    digits = [""] * 26
    for position in range(25, -1, -1):
        digits[position] = _ALPHABET[number & 31]
        number >>= 5
    return f"{prefix}_{''.join(digits)}"
