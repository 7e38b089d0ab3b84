"""Gateway keys: made, scoped, revoked. The secret is shown once and stored as SHA-256.

A revocation is asked for in one transaction (`key.revoke_requested`, with the epoch that carries it) and done when every
worker in contact has confirmed that epoch (`key.revoked`, with the measured time). Leaves out: who confirms (`server`).
"""

from __future__ import annotations

import time
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

from affiant.kit.crypto import new_secret, secret_hash
from affiant.kit.errors import Conflict, NotFound
from affiant.ledger import Draft
from affiant.records.model import Key, NewKey
from affiant.records.tenants import ensure_keys
from affiant.records.unit import Unit, actor_of

SECRET_PREFIX = "sk-aff-"  # noqa: S105 - a prefix, not a secret


@cache
def boot_id() -> str:
    """Names this run of the machine: monotonic times are comparable within it only. "" where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def create(
    unit: Unit, owner: str, tenant: str, scope: Collection[str], expires_us: int, by: str, key_id: str = "", change: str = ""
) -> NewKey:  # fmt: skip
    """Make a key. The caller has checked owner, tenant and scope.

    Raises:
        Conflict: the id is taken.
    """
    key_id = key_id or unit.new_id("key")
    if unit.store.key(key_id) is not None:
        raise Conflict(f"The key `{key_id}` exists.", "Choose another id, or revoke it and make a new one.")
    secret = new_secret(SECRET_PREFIX)
    key = Key(key_id, owner, tenant, tuple(scope), unit.now_us, expires_us, 0, 0)
    unit.store.put_key(key, secret_hash(secret))
    ensure_keys(unit, (tenant,))
    body: dict[str, Any] = {"owner": owner, "scope": list(scope)}
    if expires_us:
        body["expires"] = expires_us
    if change:
        body["change"] = change
    unit.emit(Draft("key.created", body, ref=key_id, tenant=tenant, actor=actor_of(by)))
    unit.new_epoch()
    return NewKey(key, secret)


def live(unit: Unit, key_id: str) -> Key:
    """A key that nobody has asked to revoke.

    Raises:
        NotFound: no such key.
        Conflict: it is revoked or being revoked.
    """
    key = unit.store.key(key_id)
    if key is None:
        raise NotFound(f"There is no key `{key_id}`.", "See `key list`.")
    if key.state != "live":
        raise Conflict(f"The key `{key_id}` is {key.state}.", "Nothing to do.")
    return key


def ask_revoke(unit: Unit, key_id: str, why: str, actor: str) -> int:
    """Ask that a key stop working; the epoch that carries it.

    Raises:
        NotFound, Conflict: as `live`.
    """
    key, epoch = live(unit, key_id), unit.new_epoch()
    unit.store.ask_revoke(key_id, unit.now_us, epoch, time.monotonic_ns(), boot_id())
    unit.emit(Draft("key.revoke_requested", {"why": why, "epoch": epoch}, ref=key_id, tenant=key.tenant, actor=actor))
    return epoch


def finish_revocations(unit: Unit, epoch: int, workers: int) -> tuple[str, ...]:
    """End every asked revocation that a confirmed epoch carries; ids of the keys.

    Args:
        epoch: confirmed by every worker in contact.
        workers: how many confirmed.
    """
    done = []
    for row in unit.store.revoking():
        if row["revoke_epoch"] > epoch:
            continue
        elapsed_ms = (time.monotonic_ns() - row["revoke_mono_ns"]) // 1_000_000
        if not boot_id() or row["revoke_boot"] != boot_id() or elapsed_ms < 0:
            elapsed_ms = max(0, unit.now_us - row["revoke_us"]) // 1000
        unit.store.end_revoke(row["id"], unit.now_us)
        body = {"requested": row["revoke_us"], "effective": unit.now_us, "elapsed_ms": elapsed_ms, "epoch": epoch, "workers": workers}
        unit.emit(Draft("key.revoked", body, ref=row["id"], tenant=row["tenant"], actor="system:control"))
        done.append(row["id"])
    return tuple(done)
