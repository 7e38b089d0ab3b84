"""Who may do what: one table, action -> roles. What is not in the table is refused, and nobody approves their own work.

Own work is judged where the author is known (`changes`), not here. Leaves out: what a gateway key may call (its scope).
"""

from __future__ import annotations

from collections.abc import Iterable

from affiant.records.model import KINDS, LOCAL

ADMIN, COMPLIANCE, DEVELOPER, OPERATOR = "admin", "compliance", "developer", "operator"
CONSUMER, REVIEWER, PRIVACY, AUDITOR = "consumer", "reviewer", "privacy", "auditor"
ROLES = (ADMIN, COMPLIANCE, DEVELOPER, OPERATOR, CONSUMER, REVIEWER, PRIVACY, AUDITOR)

_STAFF = frozenset({ADMIN, COMPLIANCE, DEVELOPER, OPERATOR, REVIEWER, PRIVACY, AUDITOR})
_ALL = frozenset(ROLES)

# Affiant's admin keeps it running and approves nothing; the auditor only reads.
_PROPOSE: dict[str, frozenset[str]] = {
    "person": frozenset({ADMIN, COMPLIANCE}),
    "provider": frozenset({ADMIN, COMPLIANCE, DEVELOPER, OPERATOR, PRIVACY}),
    "policy": frozenset({ADMIN, COMPLIANCE, DEVELOPER, OPERATOR, PRIVACY}),
    "model": frozenset({ADMIN, COMPLIANCE, DEVELOPER, OPERATOR}),
    "route": frozenset({ADMIN, COMPLIANCE, DEVELOPER, OPERATOR}),
    "limit": frozenset({ADMIN, COMPLIANCE, DEVELOPER, OPERATOR}),
    "commitment": frozenset({ADMIN, COMPLIANCE, PRIVACY}),
    "protected": frozenset({ADMIN, COMPLIANCE, DEVELOPER, OPERATOR, PRIVACY}),
    "control": frozenset({ADMIN, COMPLIANCE}),
}
_APPROVE: dict[str, frozenset[str]] = {
    "person": frozenset({COMPLIANCE}),
    "provider": frozenset({COMPLIANCE, PRIVACY}),
    "policy": frozenset({COMPLIANCE, PRIVACY}),
    "model": frozenset({COMPLIANCE, REVIEWER}),
    "route": frozenset({COMPLIANCE, OPERATOR}),
    "limit": frozenset({COMPLIANCE, OPERATOR}),
    "commitment": frozenset({COMPLIANCE}),
    "protected": frozenset({COMPLIANCE, PRIVACY}),
    "control": frozenset({COMPLIANCE}),
}

MATRIX: dict[str, frozenset[str]] = {
    "status.read": _ALL,
    "record.read": _STAFF,
    "person.read": _STAFF,
    "person.invite": frozenset({ADMIN, COMPLIANCE}),
    "person.contact.read": frozenset({ADMIN, COMPLIANCE, PRIVACY}),  # one's own always
    "person.contact.set": frozenset({ADMIN, COMPLIANCE}),
    "person.leave": frozenset({ADMIN, COMPLIANCE}),
    "key.read": _STAFF | {CONSUMER},  # a consumer sees their own only
    "key.create": frozenset({ADMIN, COMPLIANCE, DEVELOPER, OPERATOR}),
    "key.revoke": frozenset({ADMIN, COMPLIANCE, OPERATOR}),
    "change.read": _STAFF,
    "exchange.read": _STAFF | {CONSUMER},  # a consumer sees those of their own keys only
    "ledger.read": _STAFF,
    "control.read": _STAFF,
    "control.run": frozenset({ADMIN, COMPLIANCE, OPERATOR}),
    "control.adopt": frozenset({ADMIN, COMPLIANCE}),
    "population.read": _STAFF,
    "usage.import": frozenset({ADMIN, COMPLIANCE, OPERATOR}),
    "affidavit.build": frozenset({ADMIN, COMPLIANCE, AUDITOR}),
    "tenant.destroy": frozenset({PRIVACY}),
    "subject.destroy": frozenset({PRIVACY}),
    "appeal.read": _STAFF | {CONSUMER},  # a consumer sees those about their own keys only
    "appeal.raise": _ALL - {AUDITOR},  # a consumer about exchanges of their own keys only
    "appeal.decide": frozenset({COMPLIANCE, PRIVACY, REVIEWER}),
    "hold.read": _STAFF,
    "hold.place": frozenset({COMPLIANCE, PRIVACY}),
    "hold.release": frozenset({COMPLIANCE, PRIVACY}),
    "ledger.prune": frozenset({COMPLIANCE}),
    **{f"change.propose:{kind}": _PROPOSE[kind] for kind in KINDS},
    **{f"change.approve:{kind}": _APPROVE[kind] for kind in KINDS},
    **{f"change.activate:{kind}": _PROPOSE[kind] | _APPROVE[kind] for kind in KINDS},
    "apply": frozenset({ADMIN, COMPLIANCE, DEVELOPER, OPERATOR, PRIVACY}),  # each change in it needs its own right to propose
}

_LOCAL_DENIED_PREFIXES = (
    "change.approve:", "tenant.destroy", "subject.destroy", "hold.place", "hold.release", "ledger.prune", "person.contact.",
    "control.adopt", "appeal.",
)  # fmt: skip


def may(roles: Iterable[str], action: str) -> bool:
    """Whether one of the roles may do the action; an unknown action is refused."""
    return not MATRIX.get(action, frozenset()).isdisjoint(roles)


def local_may(action: str) -> bool:
    """Whether the home's local credential may do it without naming a person: all but what must carry a person's name."""
    return action in MATRIX and not action.startswith(_LOCAL_DENIED_PREFIXES)


def who_may(action: str) -> tuple[str, ...]:
    """Roles that may do the action, in their usual order; for messages."""
    return tuple(role for role in ROLES if role in MATRIX.get(action, frozenset()))


def is_local(by: str) -> bool:
    """Whether `by` is the local credential rather than a person."""
    return by == LOCAL
