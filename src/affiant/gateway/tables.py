"""A snapshot as a worker looks things up in it: dictionaries built once per push, never changed.

What can be decided for all exchanges of a route is decided here: its policy, and the links of its chain that are approved and
whose provider may receive the route's label. Leaves out: how snapshots arrive (`contact`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from affiant.gateway.fixed import without_redaction
from affiant.gateway.formats import Format
from affiant.gateway.policies import read_policy
from affiant.guards import Mode, Policy
from affiant.guards.leakage import Protected, Watchlist
from affiant.kit.errors import BadInput
from affiant.ledger import Ready, ready
from affiant.records.snapshot import KeySnap, LimitSnap, PolicySnap, ProtectedSnap, ProviderSnap, RouteSnap, Snapshot

CAP = 2
"""Most attempts at one link."""
NO_TENANT = "-"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider listens.

    Args:
        path: prefix of every path, such as `/v1`.
        private: whether addresses that are not public are allowed.
    """

    scheme: str
    host: str
    port: int
    path: str
    private: bool

    @property
    def authority(self) -> str:
        """Value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Link:
    """One model version of a chain, permitted on its route.

    Args:
        format: that its provider speaks.
        betas: features that may be turned on there by a header.
    """

    model: str
    version: str
    upstream: str
    provider: str
    secret_ref: str
    endpoint: Endpoint
    format: Format
    betas: frozenset[str]


@dataclass(frozen=True, slots=True)
class Chain:
    """The links of a route that serve one format.

    Args:
        links: permitted ones, in order.
        listed: the same as `exchange.opened` records them.
        betas: features that may be turned on at each of them.
    """

    links: tuple[Link, ...]
    listed: Ready
    betas: frozenset[str]


@dataclass(frozen=True, slots=True)
class Route:
    """A route with what follows from the snapshot.

    Args:
        policy: None where the named one is not in the snapshot.
        looking: the same for what cannot be rewritten.
        links: permitted ones, in order.
        refusal: code where `links` is empty.
        chains: `links` by the format that their providers speak.
        strict: whether a request with fields that its format does not have is refused.
        risk: low, limited or high.
    """

    id: str
    tenant: str
    label: str
    mode: Mode
    policy: Policy | None
    looking: Policy | None
    links: tuple[Link, ...]
    refusal: str
    chains: Mapping[Format, Chain]
    strict: bool
    risk: str


class Tables:
    """Lookups of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.epoch, self.node = snapshot.epoch, snapshot.node
        self.stale_ok_s = snapshot.stale_ok_ms / 1000
        self.keys: dict[str, KeySnap] = {key.hash: key for key in snapshot.keys}
        self.live_keys = frozenset(key.id for key in snapshot.keys if not key.revoked)
        policies = {policy.id: policy for policy in snapshot.policies}
        providers = {provider.id: provider for provider in snapshot.providers}
        routes = {route.id: route for route in snapshot.routes}
        for model in snapshot.models:
            if model.id not in routes:
                routes[model.id] = RouteSnap(model.id, (model.id,), "default", "enforce", "internal", "", 1)
        self.routes: dict[str, Route] = {}
        self._by_tenant: dict[tuple[str, str], Route] = {}
        known: dict[tuple[str, str, str], Policy] = {}

        def policy_for(snap: PolicySnap, risk: str, tenant: str) -> Policy:
            case = (snap.id, risk if snap.overrides else "", tenant if snap.overrides else "")
            return known.get(case) or known.setdefault(case, read_policy(snap, risk, tenant))

        for route in routes.values():
            snap = policies.get(route.policy)
            policy = policy_for(snap, route.risk, route.tenant) if snap else None
            made = self.routes[route.id] = self._route(route, snapshot, policy, providers)
            for override in snap.overrides if snap else ():
                if snap and override.tenant:
                    own = policy_for(snap, route.risk, override.tenant)
                    self._by_tenant[route.id, override.tenant] = replace(made, policy=own, looking=_looking(own))
        self.limits: dict[str, tuple[LimitSnap, ...]] = {}
        for limit in snapshot.limits:
            self.limits[limit.scope] = (*self.limits.get(limit.scope, ()), limit)
        self.watchlist = Watchlist([read_protected(each) for each in snapshot.protected])
        self._month_keys = {(known.tenant, known.month): known.key for known in snapshot.tenant_keys}

    @staticmethod
    def _route(route: RouteSnap, snapshot: Snapshot, policy: Policy | None, providers: dict[str, ProviderSnap]) -> Route:
        models = {model.id: model for model in snapshot.models}
        links: list[Link] = []
        approved = False
        for name in route.models:
            model = models.get(name)
            provider = providers.get(model.provider) if model else None
            if model is None or provider is None or not model.approved:
                continue
            approved = True
            if route.label in provider.labels:
                links.append(
                    Link(
                        model.id, model.version, model.upstream, provider.id, provider.secret_ref, read_endpoint(provider),
                        read_format(provider), frozenset(provider.betas),
                    )
                )  # fmt: skip
        refusal = "" if links else ("label_forbidden" if approved else "model_not_approved")
        return Route(
            route.id, route.tenant, route.label, Mode(route.mode), policy, _looking(policy), tuple(links), refusal,
            {spoken: _chain(links, spoken) for spoken in Format}, bool(route.strict), route.risk,
        )  # fmt: skip

    def route_for(self, name: str, tenant: str) -> Route | None:
        """A route as it is for a tenant, whose policy may have overrides; None where there is none."""
        return self._by_tenant.get((name, tenant)) or self.routes.get(name)

    def month_key(self, tenant: str, now_us: int) -> bytes | None:
        """The salt key of a tenant's month; None where control has pushed none."""
        return self._month_keys.get((tenant or NO_TENANT, month_of(now_us)))


def _looking(policy: Policy | None) -> Policy | None:
    return without_redaction(policy) if policy else None


def _chain(links: list[Link], spoken: Format) -> Chain:
    mine = tuple(link for link in links if link.format is spoken)
    listed = ready([{"provider": x.provider, "model": x.model, "version": x.version, "cap": CAP} for x in mine])
    return Chain(mine, listed, frozenset.intersection(*(link.betas for link in mine)) if mine else frozenset())


_month_cache: tuple[int, int] = (-1, 0)


def month_of(now_us: int) -> int:
    """yyyymm, UTC."""
    global _month_cache
    day = now_us // 86_400_000_000
    if _month_cache[0] != day:
        when = time.gmtime(now_us // 1_000_000)
        _month_cache = (day, when.tm_year * 100 + when.tm_mon)
    return _month_cache[1]


def read_protected(snap: ProtectedSnap) -> Protected:
    """A pushed protected text as guards take it."""
    prints = frozenset(int.from_bytes(snap.prints[at : at + 8], "big") for at in range(0, len(snap.prints), 8))
    return Protected(snap.id, snap.what, snap.label, snap.tenant, snap.words, prints)


def read_format(provider: ProviderSnap) -> Format:
    """What a provider speaks.

    Raises:
        BadInput: a kind that this version does not know.
    """
    try:
        return Format(provider.kind)
    except ValueError:
        raise BadInput(
            f"The provider {provider.id} is of a kind that is not known here: {provider.kind}.", "Correct the provider."
        ) from None


def read_endpoint(provider: ProviderSnap) -> Endpoint:
    """Where a provider listens.

    Raises:
        BadInput: a base URL that is none.
    """
    parts = urlsplit(provider.base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput(f"The base URL of provider {provider.id} is no http(s) URL.", "Correct the provider.")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Endpoint(parts.scheme, parts.hostname, port, parts.path.rstrip("/"), provider.network == "private")
