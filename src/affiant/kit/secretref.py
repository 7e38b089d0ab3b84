"""Secrets by reference: `env:NAME`, `file:PATH` or `vault:MOUNT/PATH#FIELD`. A literal secret in configuration is refused.

A secret of Vault is asked for again after a minute, so that one rotated there is in use here soon; while Vault does not answer, the last
one goes on for a quarter of an hour. Leaves out: cloud secret managers, and where Vault is (`kit.vault`).
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from affiant.kit.errors import BadInput, CouldNotLook, NotFound
from affiant.kit.vault import SecretPath, VaultClient

FRESH_S = 60.0
STALE_S = 900.0
AGAIN_S = 15.0
_lock = threading.Lock()
_known: dict[str, _Known] = {}


@dataclass(slots=True)
class _Known:
    """A secret of Vault as last read, and when to ask again (monotonic s)."""

    value: str
    read_s: float
    next_s: float


def check_ref(ref: str) -> str:
    """Give back a well-formed reference.

    Raises:
        BadInput: a literal, or a reference of another form.
    """
    scheme, separator, rest = ref.partition(":")
    if separator and rest and scheme in ("env", "file"):
        return ref
    if separator and scheme == "vault":
        SecretPath.parse(rest)
        return ref
    raise BadInput("A secret must be given by reference.", "Write env:NAME, file:PATH or vault:MOUNT/PATH#FIELD, never the secret itself.")


def resolve(ref: str) -> str:
    """The secret that a reference names.

    Raises:
        BadInput: as `check_ref`.
        NotFound: the variable, file or secret is not there.
        Forbidden, CouldNotLook: Vault refuses or does not answer.
    """
    scheme, _, rest = check_ref(ref).partition(":")
    if scheme == "vault":
        return _of_vault(rest)
    if scheme == "env":
        value = os.environ.get(rest, "")
        if not value:
            raise NotFound(f"The environment variable {rest} is not set.", "Set it where Affiant is started.")
        return value
    try:
        return Path(rest).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NotFound(f"The secret file {rest} cannot be read: {error.strerror}.", "Create it, readable by Affiant only.") from None


def _of_vault(rest: str) -> str:
    with _lock:
        known, now = _known.get(rest), time.monotonic()
        if known is not None and now < known.next_s:
            return known.value
        try:
            value = VaultClient.from_env(resolve).secret(SecretPath.parse(rest))
        except CouldNotLook:
            if known is None or now > known.read_s + STALE_S:
                raise
            known.next_s = now + AGAIN_S
            return known.value
        _known[rest] = _Known(value, now, now + FRESH_S)
        return value


def forget_secrets() -> None:
    """Ask Vault again for every secret from now on."""
    with _lock:
        _known.clear()
