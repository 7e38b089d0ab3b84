"""The gateway key that probes travel under: an ordinary key of an ordinary owner, its secret sealed in `HOME/keys/probe`.

JSON {"v":1,"key":id,"sealed":hex}; AES-256-GCM under the keyring's master, bound to the home's id, which all nodes of a ledger have.
Nodes that share records keep it there, since any of them may have to probe. Leaves out: making the key (records do, with an author
and an event like any other key's).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from affiant.kit.crypto import seal, unseal
from affiant.kit.errors import BadInput
from affiant.kit.home import Home
from affiant.kit.keyring import Keyring
from affiant.records.jobs import Kept

_NAME = "probe"


@dataclass(frozen=True, slots=True)
class ProbeKey:
    """A key id and its secret."""

    key_id: str
    secret: str


def _path(home: Home) -> Path:
    return home.root / "keys" / "probe"


def _context(home: Home) -> bytes:
    return b"affiant probe key " + home.id.encode()


def save_probe_key(home: Home, keyring: Keyring, key: ProbeKey, kept: Kept | None = None) -> None:
    """Seal a key for probes, replacing an earlier one.

    Args:
        kept: where nodes share it.
    """
    plain = json.dumps([key.key_id, key.secret]).encode()
    blob = json.dumps({"v": 1, "key": key.key_id, "sealed": seal(keyring.master, plain, _context(home)).hex()}).encode()
    if kept is not None:
        kept.put(_NAME, blob)
        return
    temporary = _path(home).with_suffix(".tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, blob)
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(temporary, _path(home))


def find_probe_key(home: Home, keyring: Keyring, kept: Kept | None = None) -> ProbeKey | None:
    """The key for probes, None if none was made yet.

    Args:
        kept: where nodes share it; a node that made one before they did gives it to them.

    Raises:
        BadInput: it was altered or belongs to another home.
        CouldNotLook: what nodes share cannot be read.
    """
    found = kept.get(_NAME) if kept is not None else None
    try:
        data = _path(home).read_bytes() if found is None else found
        blob = json.loads(data)
        key_id, secret = json.loads(unseal(keyring.master, bytes.fromhex(blob["sealed"]), _context(home)))
    except FileNotFoundError:
        return None
    except (KeyError, ValueError, TypeError) as error:
        raise BadInput(f"The key for probes cannot be read: {error}.", "Make another: `affiant key create --probes`.") from None
    if kept is not None and found is None:
        kept.put(_NAME, data)
    return ProbeKey(key_id, secret)
