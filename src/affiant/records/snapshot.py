"""The immutable snapshot that each gateway worker decides from, and the frames that carry it.

Control compiles it (`records.compile`), numbers it with an epoch and pushes it over `HOME/run/snapshot.sock`; it holds no
clear secrets of providers (references only) and no clear key secrets (hashes only). Frames: u32 big-endian length + msgpack.
"""

from __future__ import annotations

import msgspec

LABELS = ("public", "internal", "confidential", "restricted")
RISKS = ("low", "limited", "high")
"""Classes of a route by what its answers decide about."""
DEFAULT_RISK = "limited"
STALE_OK_MS = 10_000
"""For so long a worker decides without news from control."""
SHARE = 50
"""A slice is at most this part of a limit, unless one exchange needs more."""


class KeySnap(msgspec.Struct, frozen=True, array_like=True):
    """A gateway key: `hash` is hex SHA-256 of its secret; `scope` are route or model ids ("*" = all of its tenant)."""

    id: str
    hash: str
    owner: str
    tenant: str
    scope: tuple[str, ...]
    expires_us: int = 0
    revoked: int = 0


class ProviderSnap(msgspec.Struct, frozen=True, array_like=True):
    """A registered provider; `secret_ref` is `env:NAME` or `file:PATH`, resolved in the worker."""

    id: str
    kind: str
    base_url: str
    secret_ref: str
    region: str
    network: str
    labels: tuple[str, ...]
    betas: tuple[str, ...] = ()


class ModelSnap(msgspec.Struct, frozen=True, array_like=True):
    """A registered model version; only an approved one may serve."""

    id: str
    provider: str
    upstream: str
    version: str
    approved: int


class RouteSnap(msgspec.Struct, frozen=True, array_like=True):
    """A route: the chain of models tried in order.

    A model without a route has an implicit one of its own id (policy `default`, mode enforce, label `internal`). A strict one takes no
    request with fields that its format does not have.
    """

    id: str
    models: tuple[str, ...]
    policy: str
    mode: str
    label: str
    tenant: str
    implicit: int = 0
    strict: int = 0
    risk: str = DEFAULT_RISK


class PlaceSnap(msgspec.Struct, frozen=True, array_like=True):
    """How a rule differs at one place; see `guards.GuardRule`."""

    action: str
    how: str
    threshold_ppm: int
    types: dict[str, str]


class RuleSnap(msgspec.Struct, frozen=True, array_like=True):
    """One guard's rule in a policy; see `guards.GuardRule`."""

    guard: str
    action: str
    how: str
    threshold_ppm: int
    types: dict[str, str]
    at: dict[str, PlaceSnap] = {}


class PatternSnap(msgspec.Struct, frozen=True, array_like=True):
    """A pattern that a policy declares; see `guards.detectors.declared.DeclaredPattern`."""

    rule: str
    type: str
    regex: str
    exact: str
    ignore_case: int
    width: int
    whole: int
    context: tuple[str, ...]
    needs_context: int
    score_ppm: int
    context_score_ppm: int
    check: str


class DetectorSnap(msgspec.Struct, frozen=True, array_like=True):
    """A detector that a policy declares."""

    id: str
    rank: int
    patterns: tuple[PatternSnap, ...]


class OverrideSnap(msgspec.Struct, frozen=True, array_like=True):
    """Rules that replace those of a policy on routes of a risk, or for a tenant; "" stands for any."""

    risk: str
    tenant: str
    rules: tuple[RuleSnap, ...]


class AlertSnap(msgspec.Struct, frozen=True, array_like=True):
    """An alert of a policy: what is counted over a window, and the value above which it is raised.

    `of` is block, flag, redact (share of exchanges) or score (mean of `guard`); `guard` and `type` narrow it, "" any.
    """

    id: str
    of: str
    guard: str
    type: str
    over_ppm: int
    window_s: int
    least: int


class PolicySnap(msgspec.Struct, frozen=True, array_like=True):
    """A policy; see `guards.Policy`."""

    id: str
    digest: str
    rules: tuple[RuleSnap, ...]
    on_evidence_loss: str
    detectors: tuple[DetectorSnap, ...] = ()
    overrides: tuple[OverrideSnap, ...] = ()
    on_busy: str = "refuse"
    alerts: tuple[AlertSnap, ...] = ()
    labels: dict[str, str] = {}
    on_label: str = "flag"
    keep_pseudonyms_s: int = 0
    labels_in: str = "requests"

    def rules_for(self, risk: str, tenant: str) -> tuple[RuleSnap, ...]:
        """The rules in force on a route of a risk for a tenant."""
        rules = {rule.guard: rule for rule in self.rules}
        for override in self.overrides:
            if override.risk in ("", risk) and override.tenant in ("", tenant):
                rules |= {rule.guard: rule for rule in override.rules}
        return tuple(rules.values())


class LimitSnap(msgspec.Struct, frozen=True, array_like=True):
    """A limit; `scope` is `key:ID`, `tenant:ID`, `route:ID` or `all`; `unit` is requests or tokens."""

    id: str
    scope: str
    unit: str
    window_s: int
    value: int


class ProtectedSnap(msgspec.Struct, frozen=True, array_like=True):
    """A protected text; see `guards.leakage.Protected`. `prints` are fingerprints, 8 bytes each, big endian."""

    id: str
    what: str
    label: str
    tenant: str
    words: int
    prints: bytes


class TenantKeySnap(msgspec.Struct, frozen=True, array_like=True):
    """The salt key of a tenant's month (`month` as yyyymm); destroying it closes all commitments made under it."""

    tenant: str
    month: int
    key: bytes


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """All that a worker decides from."""

    epoch: int
    node: str
    origin: str
    keys: tuple[KeySnap, ...]
    providers: tuple[ProviderSnap, ...]
    models: tuple[ModelSnap, ...]
    routes: tuple[RouteSnap, ...]
    policies: tuple[PolicySnap, ...]
    limits: tuple[LimitSnap, ...]
    tenant_keys: tuple[TenantKeySnap, ...]
    stale_ok_ms: int = STALE_OK_MS
    protected: tuple[ProtectedSnap, ...] = ()


class Push(msgspec.Struct, frozen=True, tag="push"):
    """Control -> worker: a new snapshot, as records were when `looked_ns` began (monotonic clock of the machine; 0: now)."""

    snapshot: Snapshot
    looked_ns: int = 0


class Confirm(msgspec.Struct, frozen=True, tag="confirm"):
    """Control -> worker, every 250 ms: this epoch was still the newest at `looked_ns` (as in `Push`)."""

    epoch: int
    looked_ns: int = 0


class Ack(msgspec.Struct, frozen=True, tag="ack"):
    """Worker -> control, after each push and confirm: the epoch that it decides from and whether it would serve now."""

    worker: str
    epoch: int
    ready: int
    in_flight: int


class Lease(msgspec.Struct, frozen=True, tag="lease"):
    """Worker -> control: wants a slice of a limit for the window that starts at `window` (unix seconds // window_s).

    An exchange that waits cannot do without `need` (0: all of `want`).
    """

    number: int
    limit: str
    subject: str
    window: int
    want: int
    need: int = 0


class Grant(msgspec.Struct, frozen=True, tag="grant"):
    """Control -> worker: the slice granted (less than needed: exhausted; below 0: nobody can tell now)."""

    number: int
    granted: int


ToWorker = Push | Confirm | Grant
ToControl = Ack | Lease
