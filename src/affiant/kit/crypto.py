"""Salted commitments, sealing (AES-256-GCM), hashes of secrets and passwords. Pure functions over bytes.

A commitment is HMAC-SHA256(salt, SHA-256(data)), and its salt is HMAC-SHA256(tenant-month key, exchange id ‖ 0x00 ‖ field):
nothing has to be stored to open one; whoever is given the salt and the data's SHA-256 can check that one commitment and no
other; destroying the tenant-month key closes all of them for ever. Leaves out: signatures (`proof.ed25519`, the ledger) and
where keys live (`kit.keyring`, `records`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from affiant.kit.errors import BadInput

_NONCE_BYTES = 12
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**15, 8, 1
_SCRYPT_MAX_MEMORY = 64 * 1024 * 1024


def salt(tenant_month_key: bytes, exchange_id: str, field: str) -> bytes:
    """The 32-byte salt of one commitment of one exchange.

    Args:
        tenant_month_key: 32 random bytes of the tenant's month.
        exchange_id: such as `xc_01j…`.
        field: name of the event field that holds the commitment, such as `commit_received`.
    """
    return hmac.digest(tenant_month_key, exchange_id.encode() + b"\x00" + field.encode(), "sha256")


def commit(salt_bytes: bytes, data: bytes) -> str:
    """The salted commitment (hex) to `data`; with `salt` it can be opened from SHA-256(data) alone."""
    return commit_digest(salt_bytes, hashlib.sha256(data).digest())


def commit_digest(salt_bytes: bytes, sha256_digest: bytes) -> str:
    """The salted commitment (hex) to data whose SHA-256 is `sha256_digest`."""
    return hmac.digest(salt_bytes, sha256_digest, "sha256").hex()


def seal(key: bytes, plain: bytes, context: bytes) -> bytes:
    """Encrypt with AES-256-GCM: 12-byte random nonce, then ciphertext and tag. `context` is bound, not stored."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, context)


def unseal(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """Decrypt what `seal` made.

    Raises:
        BadInput: another key or context, or altered bytes.
    """
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        raise BadInput("Sealed bytes do not open.", "Check that this keyring belongs to this home; restore both from one backup.") from None


def new_secret(prefix: str = "") -> str:
    """A fresh secret of 256 random bits, URL-safe, behind `prefix`."""
    return prefix + secrets.token_urlsafe(32)


def secret_hash(secret: str) -> str:
    """Hex SHA-256 of a random secret: enough for 256 random bits, too little for a password (see `hash_password`)."""
    return hashlib.sha256(secret.encode()).hexdigest()


def hash_password(password: str) -> str:
    """A salted scrypt hash of a password, with its parameters, as text."""
    salt_bytes = secrets.token_bytes(16)
    key = _scrypt(password, salt_bytes, _SCRYPT_N)
    return f"scrypt${_SCRYPT_N}${salt_bytes.hex()}${key.hex()}"


def check_password(password: str, stored: str) -> bool:
    """Whether `password` is the one that `hash_password` hashed. "" stored matches nothing, in the same time."""
    scheme, _, rest = (stored or f"scrypt${_SCRYPT_N}${'00' * 16}${'00' * 32}").partition("$")
    parts = rest.split("$")
    if scheme != "scrypt" or len(parts) != 3:
        raise BadInput("A stored password hash has an unknown form.", "Set the password again.")
    same = hmac.compare_digest(_scrypt(password, bytes.fromhex(parts[1]), int(parts[0])), bytes.fromhex(parts[2]))
    return same and bool(stored)


def _scrypt(password: str, salt_bytes: bytes, n: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt_bytes, n=n, r=_SCRYPT_R, p=_SCRYPT_P, maxmem=_SCRYPT_MAX_MEMORY, dklen=32)


def signature_holds(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a 64-byte Ed25519 signature holds under a 32-byte public key: `proof.ed25519.verify`, natively."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
