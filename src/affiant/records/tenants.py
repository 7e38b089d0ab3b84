"""Tenant-month keys: 32 random bytes each, sealed under the keyring's master key. Destroying one closes its commitments.

The current and the next month exist for each tenant, `-` included, so that a turn of the month never waits.
"""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Iterable

from affiant.kit.crypto import seal, unseal
from affiant.records.model import NO_TENANT
from affiant.records.store import Store
from affiant.records.unit import Unit

KEY_BYTES = 32


def month_of(at_us: int) -> int:
    """The UTC month of an instant, as yyyymm."""
    at = datetime.datetime.fromtimestamp(at_us / 1_000_000, datetime.UTC)
    return at.year * 100 + at.month


def step(month: int, by: int = 1) -> int:
    """The month `by` months later, as yyyymm."""
    count = month // 100 * 12 + month % 100 - 1 + by
    return count // 12 * 100 + count % 12 + 1


def _context(tenant: str, month: int) -> bytes:
    return f"affiant/tenant-month/{month}/{tenant}".encode()


def missing(store: Store, now_us: int, tenants: Iterable[str] = ()) -> list[tuple[str, int]]:
    """(tenant, month) of this month and the next that have no key."""
    now = month_of(now_us)
    names = sorted({NO_TENANT, *tenants, *store.tenants()})
    return [(tenant, month) for tenant in names for month in (now, step(now)) if store.tenant_key(tenant, month) is None]


def ensure_keys(unit: Unit, tenants: Iterable[str] = ()) -> int:
    """Make the missing keys of this month and the next; how many were made."""
    made = missing(unit.store, unit.now_us, tenants)
    for tenant, month in made:
        sealed = seal(unit.master, secrets.token_bytes(KEY_BYTES), _context(tenant, month))
        unit.store.put_tenant_key(tenant, month, sealed, unit.now_us)
    return len(made)


def open_key(master: bytes, tenant: str, month: int, sealed: bytes) -> bytes:
    """The clear key.

    Raises:
        BadInput: the keyring is not the one that sealed it.
    """
    return unseal(master, sealed, _context(tenant, month))
