"""Checksums and inner structure that some tokens carry: a token that fails is no token.

CRC-32 in base 62 (GitHub, npm), Bech32 (age), Base58Check and BIP-39 (keys of wallets), JSON inside Base64 (JWT and its kin).
Leaves out: signatures, which only the issuer can check.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Sequence

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def crc62(token: str) -> bool:
    """Whether the last six of the characters after the last `_` are the CRC-32 of those before, in base 62."""
    body = token.rpartition("_")[2]
    if len(body) < 12 or not body.isascii():
        return False
    value, digits = zlib.crc32(body[:-6].encode()), ""
    while value:
        value, rest = divmod(value, 62)
        digits = _BASE62[rest] + digits
    return digits.rjust(6, "0") == body[-6:]


def bech32(text: str) -> bool:
    """Whether the checksum of a Bech32 text (BIP 173) is right."""
    low = text.lower()
    human, mark, data = low.rpartition("1")
    if not mark or not human or any(char not in _BECH32 for char in data):
        return False
    values = [ord(char) >> 5 for char in human] + [0] + [ord(char) & 31 for char in human] + [_BECH32.index(char) for char in data]
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place in range(5):
            check ^= _GENERATOR[place] if top >> place & 1 else 0
    return check == 1


def base58check(text: str) -> bool:
    """Whether the last four bytes of a Base58 text are the head of the double SHA-256 of the rest."""
    number = 0
    for char in text:
        place = _BASE58.find(char)
        if place < 0:
            return False
        number = number * 58 + place
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    raw = b"\0" * (len(text) - len(text.lstrip("1"))) + raw
    return len(raw) > 4 and hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


def mnemonic(places: Sequence[int]) -> bool:
    """Whether the last bits of a BIP-39 mnemonic, its words as their places in the list, are the head of the SHA-256 of the others."""
    bits = len(places) // 3
    number = 0
    for place in places:
        number = number << 11 | place
    entropy = (number >> bits).to_bytes(bits * 4, "big")
    return hashlib.sha256(entropy).digest()[0] >> (8 - bits) == number & ((1 << bits) - 1)


def unbase64(text: str) -> bytes:
    """The bytes of Base64 in either alphabet, padded or not; b"" where it is none."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def json_header(part: str) -> bool:
    """Whether a part of a JWT decodes to a JSON object."""
    try:
        return isinstance(json.loads(unbase64(part)), dict)
    except (ValueError, RecursionError):
        return False
