"""What a policy says: a rule a guard, where it differs by place, and overrides by the risk of a route or by tenant.

    guards:
      injection:
        action: block
        threshold: model            # or a share; the model's own, by role and language, is written out when the policy is taken in
        at:                         # who wrote the part, and the language of its text
          tool: {threshold: 0.6}
          document: {action: flag}
          user/other: {threshold: 0.4}
    overrides:
      - risk: high                  # and, or, tenant: acme
        guards:
          injection: {action: block, threshold: 0.3}

An entry of `at` that names an action says all about its place; one that does not differs only in what it names. An override replaces
the rule of each guard that it names; of several that fit, the last one counts. Leaves out: which guards there are (`guardwords`).
"""

from __future__ import annotations

from affiant.records.detectors import own_types, read_detectors
from affiant.records.fields import Fields
from affiant.records.guardwords import (
    GUARDS,
    LANGUAGES,
    MODEL_THRESHOLDS,
    ON_INVALID,
    PII_TYPES,
    REDACTING,
    places_of,
    types_of,
    written_out,
)
from affiant.records.model import Content
from affiant.records.snapshot import LABELS, RISKS

ACTIONS = ("allow", "flag", "redact", "hold", "block")
HOWS = ("mask", "partial", "hash", "remove", "pseudonymize", "pseudonymize_shape")
ON_BUSY = ("refuse", "pass_flagged")
"""What becomes of an exchange that guards are too busy to look at."""
LABELS_IN = ("requests", "both")
"""Where labels are detected: in requests, or in their answers too."""
DEFAULT_THRESHOLD_PPM = 500_000
EVERY_STAGE = "every_stage"
MODEL = "model"
"""Value of `threshold`: those that belong to the weights of this version."""
MAX_OVERRIDES, MAX_ALERTS = 32, 16
MAX_KEPT_S = 7 * 86_400
"""Longest time for which a conversation keeps its pseudonyms; less than a month, so that two of its keys open all."""
ALERTS_OF = ("block", "flag", "redact", "score")
"""What an alert is of: the share of exchanges with such a decision, or the mean score of a guard."""


def read_policy_fields(fields: Fields) -> Content:
    """A policy, normalized; faults are noted."""
    detectors = read_detectors(fields)
    content: Content = {
        "guards": _guards(fields, detectors), "on_evidence_loss": fields.choice("on_evidence_loss", ("refuse", "open"), "refuse"),
    }  # fmt: skip
    on_busy = fields.choice("on_busy", ON_BUSY, ON_BUSY[0])
    if on_busy != ON_BUSY[0]:
        content["on_busy"] = on_busy
    if fields.has_recorded("keep_pseudonyms_s") or "keep_pseudonyms" in fields.raw:
        content["keep_pseudonyms_s"] = _kept_s(fields)
    labels = _labels(fields, detectors)
    on_label = fields.choice("on_label", ("flag", "block"), "flag")
    if labels:
        content |= {"labels": labels, "on_label": on_label}
        if fields.choice("labels_in", LABELS_IN, LABELS_IN[0]) != LABELS_IN[0]:
            content["labels_in"] = LABELS_IN[1]
    elif fields.raw.get("labels_in"):
        fields.fault("labels_in", "says nothing without `labels`.")
    elif fields.raw.get("on_label"):
        fields.fault("on_label", "says nothing without `labels`.")
    alerts = [
        _alert(Fields(raw, f"{fields.path}.alerts[{number}]", fields.faults, fields.recorded))
        for number, raw in enumerate(fields.sequence("alerts", MAX_ALERTS))
    ]
    if len({alert["id"] for alert in alerts}) < len(alerts):
        fields.fault("alerts", "hold two of one id; give each an id of its own.")
    if alerts:
        content["alerts"] = alerts
    overrides = [
        _override(Fields(raw, f"{fields.path}.overrides[{number}]", fields.faults, fields.recorded), detectors)
        for number, raw in enumerate(fields.sequence("overrides", MAX_OVERRIDES))
    ]
    return content | ({"detectors": detectors} if detectors else {}) | ({"overrides": overrides} if overrides else {})


def rules_for(policy: Content, risk: str, tenant: str) -> dict[str, Content]:
    """Guard -> rule, as it is in force on a route of a risk for a tenant."""
    rules: dict[str, Content] = dict(policy["guards"])
    for override in policy.get("overrides", []):
        if override["risk"] in ("", risk) and override["tenant"] in ("", tenant):
            rules |= override["guards"]
    return rules


def _kept_s(fields: Fields) -> int:
    recorded = fields.has_recorded("keep_pseudonyms_s")
    seconds = fields.count("keep_pseudonyms_s", 60) if recorded else fields.seconds("keep_pseudonyms")
    if not 60 <= seconds <= MAX_KEPT_S:
        fields.fault("keep_pseudonyms", "must be from 1m to 7d.")
    return seconds


def _labels(fields: Fields, detectors: list[Content]) -> dict[str, str]:
    """Type -> label of what holds it."""
    known = {*PII_TYPES, "SECRET", "LEAK", *(name for guard in ("pii", "secrets") for name in own_types(detectors, guard))}
    made = fields.mapping("labels")
    for name, label in made.items():
        if name not in known and name.partition("/")[0] not in known:
            fields.fault(f"labels.{name}", f"is not a type that is found; one of: {', '.join(sorted(known))}.")
        elif label not in LABELS:
            fields.fault(f"labels.{name}", f"must be one of: {', '.join(LABELS)}.")
    return dict(sorted(made.items()))


def _alert(fields: Fields) -> Content:
    of, guard = fields.choice("of", ALERTS_OF), fields.choice("guard", ("", *GUARDS), "")
    if of == "score" and not guard:
        fields.fault("guard", "must be named: a score belongs to one guard.")
    window_s = fields.count("window_s") if fields.has_recorded("window_s") else fields.seconds("window")
    if window_s % 60 or 86_400 % max(window_s, 1):
        fields.fault("window", "must be whole minutes that a day holds a whole number of times, such as 5m, 1h or 1d.")
    over = fields.count("over_ppm") if fields.has_recorded("over_ppm") else fields.ppm("over", None, percent=of != "score")
    if over is None:
        fields.fault("over", "must be a share, such as 0.05 or 5 %.")
    content: Content = {
        "id": fields.id("id"), "of": of, "guard": guard, "type": fields.text("type", "", max_chars=97), "over_ppm": over or 0,
        "window_s": window_s, "least": fields.count("least", 1, 20),
    }  # fmt: skip
    fields.done()
    return content


def _override(fields: Fields, detectors: list[Content]) -> Content:
    risk, tenant = fields.choice("risk", ("", *RISKS), ""), fields.tenant("tenant", "")
    if not risk and not tenant:
        fields.fault("", "must say for which `risk` or `tenant` it is.")
    content: Content = {"risk": risk, "tenant": tenant, "guards": _guards(fields, detectors)}
    fields.done()
    return content


def _guards(fields: Fields, detectors: list[Content]) -> dict[str, Content]:
    made: dict[str, Content] = {}
    raw = fields.mapping("guards")
    if not raw:
        fields.fault("guards", "must name at least one guard.")
    for name, rule in raw.items():
        if name not in GUARDS:
            fields.fault(f"guards.{name}", f"is not a guard; one of: {', '.join(GUARDS)}.")
        else:
            inner = Fields(rule, f"{fields.path}.guards.{name}", fields.faults, fields.recorded)
            made[name] = _rule(name, inner, own_types(detectors, name))
    return made


def _rule(guard: str, fields: Fields, own: tuple[str, ...]) -> Content:
    base = {"action": fields.choice("action", ACTIONS), "how": "", "threshold_ppm": DEFAULT_THRESHOLD_PPM, "types": {}}
    named, rule = _read(guard, fields, own, base)
    places = fields.mapping("at")
    known = places_of(guard)
    at: dict[str, Content] = {}
    if guard == "injection" and fields.raw.get("threshold") == MODEL:
        rule["threshold_ppm"] = MODEL_THRESHOLDS["user"]
        at = {place: rule | {"threshold_ppm": ppm} for place, ppm in MODEL_THRESHOLDS.items() if ppm != rule["threshold_ppm"]}
    for place, raw in places.items():
        if place not in known:
            fields.fault(f"at.{place}", _no_place(guard, known))
            continue
        inner = Fields(raw, f"{fields.path}.at.{place}", fields.faults, fields.recorded)
        anew = "action" in inner.raw
        start = at.get(place, rule)
        start = start | {"types": {} if anew else named} | ({"action": inner.choice("action", ACTIONS), "how": ""} if anew else {})
        at[place] = _read(guard, inner, own, start)[1]
        inner.done()
    fields.done()
    return rule | ({"at": dict(sorted(at.items()))} if at else {})


def _read(guard: str, fields: Fields, own: tuple[str, ...], base: Content) -> tuple[dict[str, str], Content]:
    """The types that are named, and the rule with everything written out; what is not named is as in `base`."""
    action = base["action"]
    if guard == "schema":
        how = fields.choice("how" if fields.has_recorded("how") else "on_invalid", ON_INVALID, base["how"] or ON_INVALID[0])
    elif guard == "injection":
        how = fields.choice("how", ("", EVERY_STAGE), base["how"])
    else:
        how = fields.choice("how", HOWS, base["how"] or ("mask" if action == "redact" else ""))
    kept = fields.has_recorded("threshold_ppm")  # as it is recorded, with everything written out
    threshold = fields.count("threshold_ppm") if kept else _threshold(guard, fields, base["threshold_ppm"])
    types = base["types"] | fields.mapping("types")
    known = types_of(guard, own)
    for name, value in types.items():
        if known is not None and name not in known:
            fields.fault(f"types.{name}", f"is not a type that this version finds; one of: {', '.join(known)}.")
        elif value not in ACTIONS:
            fields.fault(f"types.{name}", f"must be one of: {', '.join(ACTIONS)}.")
    if "redact" in (action, *types.values()) and guard not in REDACTING:
        fields.fault("action", f"{guard} has nothing to redact; use block or flag.")
    written = types if kept else written_out(guard, action, types, own)
    return types, {"action": action, "how": how, "threshold_ppm": threshold, "types": written}


def _threshold(guard: str, fields: Fields, default: int) -> int:
    if guard == "injection" and fields.raw.get("threshold") == MODEL:
        fields.text("threshold")
        return default
    return fields.ppm("threshold", default) or 0


def _no_place(guard: str, known: tuple[str, ...]) -> str:
    if not known:
        return f"{guard} looks at answers as a whole and has no places."
    words = f"is no place of {guard}; one of: {', '.join(dict.fromkeys(each.partition('/')[0] for each in known))}"
    return words + (f", each also with a language, such as user/de or user/other: {', '.join(LANGUAGES)}." if guard == "injection" else ".")
