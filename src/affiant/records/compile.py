"""Compiles what is in force into the immutable snapshot that workers decide from. Reads one store; holds no clear secret.

A model without a route gets its implicit one. Leaves out: pushing it (`server`).
"""

from __future__ import annotations

from affiant.records.activate import effective_routes
from affiant.records.policies import policy_snap
from affiant.records.snapshot import (
    DEFAULT_RISK,
    KeySnap,
    LimitSnap,
    ModelSnap,
    ProtectedSnap,
    ProviderSnap,
    RouteSnap,
    Snapshot,
    TenantKeySnap,
)
from affiant.records.store import Store
from affiant.records.tenants import month_of, open_key, step


def compile_snapshot(store: Store, master: bytes, node: str, origin: str, now_us: int, stale_ok_ms: int) -> Snapshot:
    """The snapshot of this moment, numbered with the epoch of the last change that it carries.

    Raises:
        BadInput: tenant-month keys do not open under this keyring.
    """
    hashes = store.key_hashes()
    keys = tuple(
        KeySnap(key.id, hashes[key.id], key.owner, key.tenant, key.scope, key.expires_us, int(key.state != "live"))
        for key in store.all_keys()
    )
    providers = tuple(
        ProviderSnap(
            each.id, each.content["kind"], each.content["base_url"], each.content["secret_ref"], each.content["region"],
            each.content["network"], tuple(each.content["labels"]), tuple(each.content.get("betas", ())),
        )
        for each in store.all_governed("provider")
    )  # fmt: skip
    models = tuple(
        ModelSnap(each.id, each.content["provider"], each.content["upstream"], each.content["version"], each.content["approved"])
        for each in store.all_governed("model")
    )
    routes = tuple(
        RouteSnap(
            route, tuple(content["models"]), content["policy"], content["mode"], content["label"], content["tenant"], int(implicit),
            content.get("strict", 0), content.get("risk", DEFAULT_RISK),
        )
        for route, (content, implicit) in sorted(effective_routes(store).items())
    )  # fmt: skip
    policies = tuple(policy_snap(each.id, each.content) for each in store.all_governed("policy"))
    limits = tuple(
        LimitSnap(each.id, each.content["scope"], each.content["unit"], each.content["window_s"], each.content["value"])
        for each in store.all_governed("limit")
    )
    protected = tuple(
        ProtectedSnap(
            each.id, each.content["what"], each.content["label"], each.content["tenant"], each.content["words"],
            bytes.fromhex(each.content["prints"]),
        )
        for each in store.all_governed("protected")
    )  # fmt: skip
    last_month = step(month_of(now_us), -1)
    tenant_keys = tuple(
        TenantKeySnap(tenant, month, open_key(master, tenant, month, sealed))
        for tenant, month, sealed in store.tenant_keys_from(last_month)
    )
    return Snapshot(
        store.counter("epoch"), node, origin, keys, providers, models, routes, policies, limits, tenant_keys, stale_ok_ms, protected
    )  # fmt: skip
