"""The keyring of a home: a small encrypted file. Nothing in it ever lies in the home in the clear.

File: JSON {"v":1,"salt":hex,"nonce":hex,"sealed":hex}; AES-256-GCM under scrypt(unlock secret, salt).
The unlock secret lies outside the home (`AFFIANT_UNLOCK`, see docs/architecture.md). Leaves out: rotation (a later version adds keys).
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from affiant.kit.errors import BadInput, NotFound
from affiant.kit.home import Home
from affiant.kit.secretref import resolve

UNLOCK_ENV = "AFFIANT_UNLOCK"


@dataclass(frozen=True, slots=True)
class Keyring:
    """Open keys of a home.

    Args:
        log_seed: 32-byte Ed25519 seed of the log's signing key.
        master: 32 bytes that wrap tenant-month keys in `records.db` (AES-256-GCM).
        local_token: credential of the local command line towards control.
    """

    log_seed: bytes
    master: bytes
    local_token: str


def _default_unlock_path(home: Home) -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "affiant" / "unlock" / home.id


def _unlock(home: Home, create: bool) -> bytes:
    ref = os.environ.get(UNLOCK_ENV)
    if ref:
        scheme, _, rest = ref.partition(":")
        if create and scheme == "file" and not Path(rest).exists():
            _write_private(Path(rest), secrets.token_hex(32).encode())
        return resolve(ref).encode()
    path = _default_unlock_path(home)
    if create and not path.exists():
        _write_private(path, secrets.token_hex(32).encode())
    try:
        return path.read_bytes().strip()
    except FileNotFoundError:
        raise NotFound(
            f"The secret that unlocks {home.root} is not at {path}.",
            f"Put it back, or set {UNLOCK_ENV}=file:PATH (or env:NAME).",
        ) from None


def _write_private(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def _key(unlock: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(unlock, salt=salt, n=2**14, r=8, p=1, dklen=32)


def create_keyring(home: Home) -> Keyring:
    """Make the keys of a new home and the unlock secret outside it, if there is none yet.

    Raises:
        FileExistsError: the home has a keyring.
    """
    ring = Keyring(secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_urlsafe(32))
    plain = json.dumps(
        {"log_seed": ring.log_seed.hex(), "master": ring.master.hex(), "local_token": ring.local_token}
    ).encode()
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    sealed = AESGCM(_key(_unlock(home, create=True), salt)).encrypt(nonce, plain, home.id.encode())
    blob = json.dumps({"v": 1, "salt": salt.hex(), "nonce": nonce.hex(), "sealed": sealed.hex()}).encode()
    _write_private(home.keyring, blob)
    return ring


def open_keyring(home: Home) -> Keyring:
    """Unlock the keys of a home.

    Raises:
        NotFound: the keyring or its unlock secret is not there.
        BadInput: the secret does not open it, or the file was altered.
    """
    try:
        blob = json.loads(home.keyring.read_bytes())
    except FileNotFoundError:
        raise NotFound(f"{home.keyring} is missing.", "Restore it from a backup; without it nothing can be signed.") from None
    unlock = _unlock(home, create=False)
    try:
        key = _key(unlock, bytes.fromhex(blob["salt"]))
        plain = json.loads(AESGCM(key).decrypt(bytes.fromhex(blob["nonce"]), bytes.fromhex(blob["sealed"]), home.id.encode()))
    except (InvalidTag, KeyError, ValueError):
        raise BadInput(f"The unlock secret does not open {home.keyring}.", f"Check {UNLOCK_ENV}.") from None
    return Keyring(bytes.fromhex(plain["log_seed"]), bytes.fromhex(plain["master"]), plain["local_token"])
