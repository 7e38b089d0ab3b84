"""The immutable snapshot that each gateway worker decides from, and the frames that carry it.

Control compiles it (`records.compile`), numbers it with an epoch and pushes it over `HOME/run/snapshot.sock`; it holds no
clear secrets of providers (references only) and no clear key secrets (hashes only). Frames: u32 big-endian length + msgpack.
"""

from __future__ import annotations

import msgspec

STALE_OK_MS = 10_000
"""For so long a worker decides without news from control."""


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


class ModelSnap(msgspec.Struct, frozen=True, array_like=True):
    """A registered model version; only an approved one may serve."""

    id: str
    provider: str
    upstream: str
    version: str
    approved: int


class RouteSnap(msgspec.Struct, frozen=True, array_like=True):
    """A route: the chain of models tried in order.

    A model without a route has an implicit one of its own id (policy `default`, mode enforce, label `internal`).
    """

    id: str
    models: tuple[str, ...]
    policy: str
    mode: str
    label: str
    tenant: str
    implicit: int = 0


class RuleSnap(msgspec.Struct, frozen=True, array_like=True):
    """One guard's rule in a policy; see `guards.GuardRule`."""

    guard: str
    action: str
    how: str
    threshold_ppm: int
    types: dict[str, str]


class PolicySnap(msgspec.Struct, frozen=True, array_like=True):
    """A policy; see `guards.Policy`."""

    id: str
    digest: str
    rules: tuple[RuleSnap, ...]
    on_evidence_loss: str


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
    """Worker -> control: wants a slice of a limit for the window that starts at `window` (unix seconds // window_s)."""

    number: int
    limit: str
    subject: str
    window: int
    want: int


class Grant(msgspec.Struct, frozen=True, tag="grant"):
    """Control -> worker: the slice granted (0: exhausted)."""

    number: int
    granted: int


ToWorker = Push | Confirm | Grant
ToControl = Ack | Lease
