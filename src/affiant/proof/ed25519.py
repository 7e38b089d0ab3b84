"""Ed25519 verification (RFC 8032) in plain integers, so that a verifier needs nothing installed. About 3 ms a signature.

Strict: S must be below the group order, both points must be encoded canonically, and a public key of small order is
refused, because it would accept signatures that nobody made. Leaves out: signing (the ledger signs with a library).
"""

from __future__ import annotations

import hashlib
from typing import Optional, Tuple

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_D2 = 2 * _D % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)

# A point is (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.
_Point = Tuple[int, int, int, int]
_IDENTITY: _Point = (0, 1, 1, 0)


def _add(a: _Point, b: _Point) -> _Point:
    """Complete addition, RFC 8032 section 5.1.4."""
    e = (a[1] - a[0]) * (b[1] - b[0]) % _P
    f = (a[1] + a[0]) * (b[1] + b[0]) % _P
    g = a[3] * b[3] % _P * _D2 % _P
    h = 2 * a[2] * b[2] % _P
    i, j, k, m = f - e, h - g, h + g, f + e
    return (i * j % _P, k * m % _P, j * k % _P, i * m % _P)


def _double(a: _Point) -> _Point:
    """Doubling, RFC 8032 section 5.1.4."""
    e = a[0] * a[0] % _P
    f = a[1] * a[1] % _P
    g = 2 * a[2] * a[2] % _P
    h = e + f
    i = h - (a[0] + a[1]) * (a[0] + a[1]) % _P
    j = e - f
    k = g + j
    return (i * k % _P, j * h % _P, k * j % _P, i * h % _P)


def _decode(data: bytes) -> Optional[_Point]:
    """A point from its one canonical encoding, or None."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= _P:
        return None
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) % _P * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    check = v * x * x % _P
    if check == -u % _P:
        x = x * _SQRT_M1 % _P
    elif check != u:
        return None
    if x == 0 and sign:
        return None
    if x & 1 != sign:
        x = _P - x
    return (x, y, 1, x * y % _P)


def _encode(point: _Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE = _decode(bytes([0x58]) + bytes([0x66]) * 31)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) is `public`'s (32 bytes) over `message`. Never raises for bytes of any content."""
    if len(public) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    key, commitment = _decode(public), _decode(signature[:32])
    if s >= _L or key is None or commitment is None or _BASE is None:
        return False
    eight = _double(_double(_double(key)))
    if eight[0] == 0 and eight[1] == eight[2]:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _L
    # [s]B - [k]A must be R: both scalars in one pass of doublings.
    minus = (_P - key[0], key[1], key[2], _P - key[3])
    both = _add(_BASE, minus)
    result = _IDENTITY
    for bit in range(252, -1, -1):
        result = _double(result)
        pair = (s >> bit & 1) | (k >> bit & 1) << 1
        if pair:
            result = _add(result, (_BASE, minus, both)[pair - 1])
    return _encode(result) == signature[:32]
