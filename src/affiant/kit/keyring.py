"""The keyring of a home: a small encrypted file. Nothing in it ever lies in the home in the clear.

File: JSON {"v":1,"salt":hex,"nonce":hex,"sealed":hex}; AES-256-GCM under scrypt(unlock secret, salt), bound to the home's id.
The unlock secret lies outside the home: `AFFIANT_UNLOCK` (`env:NAME`, `file:PATH` or `vault:MOUNT/PATH#FIELD`), default
`~/.config/affiant/unlock/<home id>`. It can be replaced (`rewrap`): the new one is written beside the old one first, so that a kill at any
point leaves one of them that opens the file. Leaves out: what keys sign and when one follows another (`ledger.logkeys`).
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from affiant.kit.errors import BadInput, Conflict, NotFound
from affiant.kit.home import Home
from affiant.kit.secretref import check_ref, resolve
from affiant.kit.signer import LocalSigner, Signer, TransitSigner
from affiant.kit.vault import TransitPath, VaultClient

UNLOCK_ENV = "AFFIANT_UNLOCK"
NEXT = ".next"


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key of the log as this home holds it.

    Args:
        public: 32-byte Ed25519 public key.
        seed: its private seed where the keyring holds it, else empty.
        transit: `vault:MOUNT/NAME@VERSION` where Vault holds it, else "". With neither, it signs no more.
    """

    public: bytes
    seed: bytes = field(default=b"", repr=False)
    transit: str = ""

    @classmethod
    def local(cls, seed: bytes) -> HeldKey:
        """A key of which the keyring holds the seed."""
        return cls(LocalSigner(seed).public, seed)

    def signer(self) -> Signer:
        """Whoever signs with it.

        Raises:
            NotFound: it was given up.
            BadInput: Vault is not configured.
        """
        if self.transit:
            return TransitSigner(VaultClient.from_env(resolve), TransitPath.parse(self.transit), self.public)
        if not self.seed:
            raise NotFound("This key of the log was given up: it signs no more.", "Use the key in force.")
        return LocalSigner(self.seed)

    def given_up(self) -> HeldKey:
        """The same without anything to sign with."""
        return HeldKey(self.public)


@dataclass(frozen=True, slots=True)
class Keyring:
    """Open keys of a home.

    Args:
        log_seed: 32-byte Ed25519 seed of the log's key in force; empty where Vault holds it.
        master: 32 bytes that wrap tenant-month and subject keys in `records.db` (AES-256-GCM).
        local_token: credential of the local command line towards control.
        log_keys: every key of the log so far, oldest first, the last in force; empty means: only the one of `log_seed`.
        statements: signed notes by which one key handed over to the next or was revoked, oldest first.
    """

    log_seed: bytes = field(repr=False)
    master: bytes = field(repr=False)
    local_token: str = field(repr=False)
    log_keys: tuple[HeldKey, ...] = ()
    statements: tuple[bytes, ...] = ()

    @property
    def held(self) -> tuple[HeldKey, ...]:
        """Every key of the log, oldest first."""
        return self.log_keys or (HeldKey.local(self.log_seed),)


def unlock_path(home: Home) -> Path | None:
    """The file that holds the unlock secret, or None where it is no file."""
    ref = os.environ.get(UNLOCK_ENV)
    if ref:
        scheme, _, rest = ref.partition(":")
        return Path(rest) if scheme == "file" else None
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "affiant" / "unlock" / home.id


def _unlock(home: Home, create: bool) -> bytes:
    path = unlock_path(home)
    if path is None:
        return resolve(os.environ[UNLOCK_ENV]).encode()
    if create and not path.exists():
        _write_private(path, secrets.token_hex(32).encode())
    if os.environ.get(UNLOCK_ENV):
        return resolve(os.environ[UNLOCK_ENV]).encode()
    try:
        return path.read_bytes().strip()
    except FileNotFoundError:
        raise NotFound(
            f"The secret that unlocks {home.root} is not at {path}.",
            f"Put it back, or set {UNLOCK_ENV}=file:PATH (or env:NAME, or vault:MOUNT/PATH#FIELD).",
        ) from None


def _write_private(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def _replace_private(path: Path, data: bytes) -> None:
    """Put new bytes in a file's place, whole or not at all, and on disk when this returns."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)
    _write_private(temporary, data)
    os.replace(temporary, path)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _key(unlock: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(unlock, salt=salt, n=2**14, r=8, p=1, dklen=32)


def _sealed(home: Home, ring: Keyring, unlock: bytes) -> bytes:
    plain: dict[str, object] = {"log_seed": ring.log_seed.hex(), "master": ring.master.hex(), "local_token": ring.local_token}
    if ring.log_keys:
        plain["log_keys"] = [{"public": k.public.hex(), "seed": k.seed.hex(), "transit": k.transit} for k in ring.log_keys]
        plain["statements"] = [note.decode() for note in ring.statements]
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    sealed = AESGCM(_key(unlock, salt)).encrypt(nonce, json.dumps(plain).encode(), home.id.encode())
    return json.dumps({"v": 1, "salt": salt.hex(), "nonce": nonce.hex(), "sealed": sealed.hex()}).encode()


def create_keyring(home: Home, log_seed: bytes = b"") -> Keyring:
    """Make the keys of a new home and the unlock secret outside it, if there is none yet.

    Args:
        log_seed: seed of the log's key, for a synthetic ledger that must come out the same again; random by default.

    Raises:
        FileExistsError: the home has a keyring.
    """
    ring = Keyring(log_seed or secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_urlsafe(32))
    _write_private(home.keyring, _sealed(home, ring, _unlock(home, create=True)))
    return ring


def open_keyring(home: Home) -> Keyring:
    """Unlock the keys of a home.

    Raises:
        NotFound: the keyring or its unlock secret is not there.
        BadInput: the secret does not open it, or the file was altered.
    """
    return _open(home)[0]


def _open(home: Home) -> tuple[Keyring, bytes]:
    """The keyring and the secret that opens it: the one in place, or the one that a killed `rewrap` left beside it."""
    try:
        blob = json.loads(home.keyring.read_bytes())
    except FileNotFoundError:
        raise NotFound(f"{home.keyring} is missing.", "Restore it from a backup; without it nothing can be signed.") from None
    except ValueError:
        blob = {}
    path = unlock_path(home)
    beside = path.with_name(path.name + NEXT) if path is not None else None
    candidates = [_unlock(home, create=False)]
    if beside is not None and beside.exists():
        candidates.append(beside.read_bytes().strip())
    for unlock in candidates:
        try:
            key = _key(unlock, bytes.fromhex(blob["salt"]))
            plain = json.loads(AESGCM(key).decrypt(bytes.fromhex(blob["nonce"]), bytes.fromhex(blob["sealed"]), home.id.encode()))
        except (InvalidTag, KeyError, TypeError, ValueError):
            continue
        held = tuple(
            HeldKey(bytes.fromhex(k["public"]), bytes.fromhex(k["seed"]), str(k["transit"])) for k in plain.get("log_keys", [])
        )  # fmt: skip
        statements = tuple(str(text).encode() for text in plain.get("statements", []))
        ring = Keyring(bytes.fromhex(plain["log_seed"]), bytes.fromhex(plain["master"]), plain["local_token"], held, statements)
        return ring, unlock
    raise BadInput(f"The unlock secret does not open {home.keyring}.", f"Check {UNLOCK_ENV}.")


def save_keyring(home: Home, ring: Keyring) -> None:
    """Put a changed keyring in place of the present one, under the same unlock secret; on disk when this returns.

    Raises:
        NotFound, BadInput: as `open_keyring`.
    """
    _replace_private(home.keyring, _sealed(home, ring, _open(home)[1]))


def rewrap(home: Home, new_ref: str = "") -> str:
    """Seal the keyring under another unlock secret; the keys in it stay.

    Args:
        new_ref: reference to a secret that is in place already; "" makes a fresh one where the present one lies, if that is a file.

    Returns:
        The reference that `AFFIANT_UNLOCK` must name from now on; "" where nothing is to be set.

    Raises:
        Conflict: the present secret is no file, and no other one was named.
        NotFound, BadInput: as `open_keyring`, or the new reference cannot be resolved.
    """
    ring, present = _open(home)
    if new_ref:
        unlock = resolve(check_ref(new_ref)).encode()
        if len(unlock) < 16:
            raise BadInput("The new unlock secret has fewer than 16 characters.", "Use one with at least 128 random bits.")
        if unlock == present:
            raise Conflict("The new unlock secret is the present one.", "Put another one there first.")
        _replace_private(home.keyring, _sealed(home, ring, unlock))
        return new_ref
    path = unlock_path(home)
    if path is None:
        raise Conflict(f"{UNLOCK_ENV} names no file that could be written.", "Put a new secret in place and name it with --to.")
    # Order: the new secret is on disk before the keyring needs it, and takes the old one's place only when the keyring does.
    beside, fresh = path.with_name(path.name + NEXT), secrets.token_hex(32).encode()
    if beside.exists() and beside.read_bytes().strip() == present:
        os.replace(beside, path)
        _sync_folder(path.parent)
    _replace_private(beside, fresh)
    _replace_private(home.keyring, _sealed(home, ring, fresh))
    os.replace(beside, path)
    _sync_folder(path.parent)
    return ""
