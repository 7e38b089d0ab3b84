"""The nouns of records: people, sessions, keys, changes, governed records and what `apply` plans. Frozen values, no I/O.

Leaves out: the snapshot that workers decide from (`snapshot`) and how a governed content is checked (`content`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Content = dict[str, Any]

LOCAL = "local"
"""Who acts through the home's local credential without naming a person."""

NO_TENANT = "-"
"""The tenant of a key that was given none."""

KINDS = ("person", "provider", "policy", "model", "route", "limit", "commitment", "protected", "control")
"""Kinds of governed record, in the order in which one may refer to those before it."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person. `id` is a handle, never an e-mail address: it appears in the ledger, which cannot forget."""

    id: str
    roles: tuple[str, ...]
    active: bool
    has_password: bool
    since_us: int


@dataclass(frozen=True, slots=True)
class Session:
    """A console sign-in. `csrf` is what a mutation must repeat in the header `x-affiant-csrf`."""

    id: str
    person: str
    roles: tuple[str, ...]
    csrf: str
    opened_us: int
    expires_us: int


@dataclass(frozen=True, slots=True)
class SignIn:
    """A fresh session and its token, which is shown once and stored only as a hash."""

    session: Session
    token: str


@dataclass(frozen=True, slots=True)
class Key:
    """A gateway key. Its secret is stored as SHA-256 only; `scope` are route or model ids, or `*`."""

    id: str
    owner: str
    tenant: str
    scope: tuple[str, ...]
    created_us: int
    expires_us: int
    revoke_requested_us: int
    revoked_us: int

    @property
    def state(self) -> str:
        """`live`, `revoking` (asked for, not yet confirmed by every worker) or `revoked`."""
        if self.revoked_us:
            return "revoked"
        return "revoking" if self.revoke_requested_us else "live"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made, with its secret, which nobody can see again."""

    key: Key
    secret: str


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's approval of one content digest."""

    by: str
    at_us: int
    digest: str


@dataclass(frozen=True, slots=True)
class Change:
    """A change to a governed record.

    Args:
        content: the normalized new content; None removes the record.
        digest: hex SHA-256 of the canonical content ("" for a removal is never used: a removal has the digest of `null`).
        before: digest of the content that it replaces, "" if there was none.
        state: proposed, approved, activated or rejected.
        awaits: the person who was named to confirm it, or "".
        approvals: in order.
    """

    id: str
    kind: str
    target: str
    content: Content | None
    digest: str
    before: str
    author: str
    emergency: bool
    bootstrap: bool
    reason: str
    state: str
    awaits: str
    proposed_us: int
    activated_us: int
    activated_by: str
    approvals: tuple[Approval, ...] = ()


@dataclass(frozen=True, slots=True)
class Governed:
    """A governed record in force; `approved_by` is who approved the change that set it (joined by commas)."""

    kind: str
    id: str
    content: Content
    digest: str
    change: str
    author: str
    approved_by: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Planned:
    """One line of what `apply` will do or did.

    Args:
        action: create, update, unchanged, pending (a change with this content already waits), waits (needs another record first).
        change: id of the change, where one was or is proposed.
        state: activated or proposed once done; "" in a dry run.
        awaits: the person who must confirm.
    """

    kind: str
    target: str
    action: str
    before: str = ""
    digest: str = ""
    change: str = ""
    state: str = ""
    awaits: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What `apply` did. `secrets` are the keys made, shown once."""

    bootstrap: bool
    dry_run: bool
    planned: tuple[Planned, ...]
    secrets: tuple[NewKey, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class UsageResult:
    """What a usage import did: rows recorded now, and rows that were there before."""

    source: str
    recorded: int
    known: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """A control version in force."""

    id: str
    version: int
    sha: str
    schedule: tuple[dict[str, Any], ...]
    at_us: int
