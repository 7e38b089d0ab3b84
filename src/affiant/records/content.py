"""What a governed record may contain: raw mapping in, normalized content or faults out; one function a kind.

Normalized content holds texts, integers, lists and mappings only, with every default written out, so that its digest
(`digest_of`) means the same for ever. Leaves out: references between records (`references`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import msgspec

from affiant.kit.errors import BadInput
from affiant.kit.secretref import check_ref
from affiant.records.faults import Faults
from affiant.records.fields import Fields, id_fault
from affiant.records.guardwords import PII_TYPES
from affiant.records.model import Content
from affiant.records.network import Resolve, url_fault
from affiant.records.roles import ROLES
from affiant.records.rules import read_policy_fields, rules_for
from affiant.records.snapshot import DEFAULT_RISK, LABELS, RISKS

MODES = ("watch", "warn", "enforce")
PROVIDER_KINDS = ("openai", "anthropic")
UNITS = ("requests", "tokens")
PROTECTED_KINDS = ("document", "canary", "marker")
MAX_PRINTS, MAX_BETAS = 20_000, 32
_BETA = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]{0,63}")
_PRINTS = re.compile(r"(?:[0-9a-f]{16})+")

_encoder = msgspec.json.Encoder(order="sorted")


def canonical(content: Content | None) -> bytes:
    """Canonical JSON of a normalized content: sorted keys, no spaces."""
    return _encoder.encode(content)


def digest_of(content: Content | None) -> str:
    """Hex SHA-256 of the canonical content; a removal has that of `null`."""
    return hashlib.sha256(canonical(content)).hexdigest()


def _person(fields: Fields, resolve: Resolve) -> Content:
    roles = fields.texts("roles", allowed=ROLES)
    if fields.raw.get("roles") == []:
        fields.fault("roles", "must name at least one role; somebody who leaves is taken out with `leave`.")
    return {"roles": sorted(roles)}


def _provider(fields: Fields, resolve: Resolve) -> Content:
    kind = fields.choice("kind", PROVIDER_KINDS)
    url = fields.text("base_url", max_chars=1000)
    network = fields.choice("network", ("public", "private"), "public")
    if url:
        problem = url_fault(url, network, resolve)
        if problem:
            fields.fault("base_url", problem)
    ref = fields.text("secret_ref")
    if ref:
        try:
            check_ref(ref)
        except BadInput as error:
            fields.fault("secret_ref", str(error))
            ref = ""  # never carried on: it may be the secret itself
    content: Content = {
        "kind": kind, "base_url": url.rstrip("/"), "secret_ref": ref, "region": fields.text("region", ""), "network": network,
        "labels": sorted(fields.texts("labels", LABELS, ("public", "internal")), key=LABELS.index),
    }  # fmt: skip
    betas = fields.texts("betas", default=())
    for number, each in enumerate(betas):
        if not _BETA.fullmatch(each):
            fields.fault(f"betas[{number}]", "must be a name of a feature as a header has it: letters, digits, . _ = and -, at most 64.")
    if len(betas) > MAX_BETAS:
        fields.fault("betas", f"must be at most {MAX_BETAS}.")
    if betas:
        content["betas"] = sorted(betas)
    usage_url = fields.text("usage_url", "", max_chars=1000)
    if usage_url:
        problem = url_fault(usage_url, network, resolve)
        if problem:
            fields.fault("usage_url", problem)
        content["usage_url"] = usage_url
    return content


def _model(fields: Fields, resolve: Resolve) -> Content:
    provider = fields.id("provider")
    content: Content = {"provider": provider, "upstream": fields.text("upstream"), "version": fields.text("version")}
    named = fields.id("approved_by", person=True, default="")
    if fields.recorded:  # a change of its own carries the approval with it, unless it says `approved: 0`
        content["approved"] = min(1, fields.count("approved", default=1)) if fields.has_recorded("approved") else 1
    else:
        content["approved"] = int(bool(named))
    return content


def _route(fields: Fields, resolve: Resolve) -> Content:
    models = fields.texts("models", ids=True)
    if not models or "*" in models:
        fields.fault("models", "must be a list of at least one model id, in the order to try.")
    content: Content = {
        "models": models, "policy": fields.id("policy", default="default"), "mode": fields.choice("mode", MODES, "enforce"),
        "label": fields.choice("label", LABELS, "internal"), "tenant": fields.tenant("tenant", ""),
    }  # fmt: skip
    strict = min(1, fields.count("strict", default=0))
    risk = fields.choice("risk", RISKS, DEFAULT_RISK)
    return content | ({"strict": 1} if strict else {}) | ({} if risk == DEFAULT_RISK else {"risk": risk})


def _policy(fields: Fields, resolve: Resolve) -> Content:
    return read_policy_fields(fields)


def _limit(fields: Fields, resolve: Resolve) -> Content:
    scope = fields.text("scope")
    kind, _, subject = scope.partition(":")
    if scope and scope != "all" and (kind not in ("key", "tenant", "route") or (subject != "*" and id_fault(subject))):
        fields.fault("scope", "must be all, or key:, tenant: or route: with an id, or with * for each of them by itself.")
    unit = fields.choice("unit", (*UNITS, "spend", "concurrency"))
    if unit not in UNITS:
        fields.fault("unit", f"{unit} is not enforced by this version; use requests or tokens.")
    window_s = fields.count("window_s", least=1) if fields.has_recorded("window_s") else fields.seconds("window")
    return {"scope": scope, "unit": unit, "window_s": window_s, "value": fields.count("value", least=1)}


def _commitment(fields: Fields, resolve: Resolve) -> Content:
    content: Content = {"text": fields.text("text", max_chars=4000), "controls": fields.texts("controls", ids=True, default=())}
    threshold = fields.count("per_million") if fields.has_recorded("per_million") else fields.ppm("threshold", None, percent=True)
    if threshold is not None:
        content["per_million"] = threshold
    return content


def _protected(fields: Fields, resolve: Resolve) -> Content:
    """A text that must not turn up elsewhere: fingerprints of it, never the text."""
    what = fields.choice("what", PROTECTED_KINDS)
    words = fields.count("words", least=1)
    prints = fields.text("prints", max_chars=16 * MAX_PRINTS)
    if not _PRINTS.fullmatch(prints):
        fields.fault("prints", f"must be 1 to {MAX_PRINTS:,} fingerprints of 16 hex digits, joined; `affiant guard protect` makes them.")
    return {
        "what": what, "label": fields.choice("label", LABELS, "confidential"), "tenant": fields.tenant("tenant", ""), "words": words,
        "prints": prints,
    }  # fmt: skip


_READERS: dict[str, Callable[[Fields, Resolve], Content]] = {
    "person": _person, "provider": _provider, "policy": _policy, "model": _model, "route": _route, "limit": _limit,
    "commitment": _commitment, "protected": _protected,
}  # fmt: skip


def limit_id(content: Content) -> str:
    """The id of a limit that was given none: it follows from what it limits."""
    return f"{content['scope'].replace('*', 'each')}/{content['unit']}/{content['window_s']}s"


def read_content(kind: str, raw: object, path: str, faults: Faults, resolve: Resolve, with_id: bool = False) -> tuple[str, Content]:
    """Normalize one record. Without an id it is a proposal of its own, which may repeat a record as it is kept.

    Args:
        with_id: whether the mapping also holds the record's `id` (a limit may leave it out: `limit_id`).

    Returns:
        The id ("" if not asked for or faulty) and the content; meaningful only if no fault was noted.
    """
    fields = Fields(raw, path, faults, recorded=not with_id)
    record = fields.id("id", person=kind == "person", default="" if kind == "limit" else None) if with_id else ""
    content = _READERS[kind](fields, resolve)
    fields.done()
    return record or (limit_id(content) if kind == "limit" else ""), content


def governed_kinds() -> tuple[str, ...]:
    """Kinds that a change can carry."""
    return tuple(_READERS)


def redacted_types(policy: Content | None, risk: str = DEFAULT_RISK, tenant: str = "") -> list[str]:
    """PII types on which a policy acts (redact, hold or block) in some part, sorted; what the privacy control reads.

    Args:
        risk: of the route that follows it.
        tenant: of the only one that may use that route; "": any.
    """
    rule = rules_for(policy or {"guards": {}}, risk, tenant).get("pii")
    if rule is None:
        return []
    told = [dict.fromkeys(PII_TYPES, each["action"]) | each["types"] for each in (rule, *rule.get("at", {}).values())]
    return sorted({name for types in told for name, action in types.items() if action in ("redact", "hold", "block")})
