"""Every error code that the gateway gives: one table, documented in docs/reference/gateway.md (a test holds the two together).

A code is stable. Its message names the control that refused and says what to do. Leaves out: when each is given (`admit`, `walk`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """One refusal or failure.

    Args:
        code: stable name.
        status: HTTP status.
        type: OpenAI's error type, which official clients map to exception classes.
        control: id of the control that refuses; "" where none does.
        message: what happened.
        next_step: what the caller should do.
    """

    code: str
    status: int
    type: str
    control: str
    message: str
    next_step: str

    @property
    def text(self) -> str:
        """Message for a caller."""
        control = f" (control {self.control})" if self.control else ""
        return f"{self.message}{control} {self.next_step}"


_REQUEST, _AUTH, _DENIED, _LIMIT, _SERVER = (
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "rate_limit_error",
    "server_error",
)

_TABLE = (
    # -- who calls
    Code("key_missing", 401, _AUTH, "SEC-1.1", "No gateway key was sent.", "Send `Authorization: Bearer KEY` or `x-api-key: KEY`."),
    Code("key_unknown", 401, _AUTH, "SEC-1.1", "This gateway key is not known.", "Ask your Affiant operator for a key."),
    Code("key_revoked", 401, _AUTH, "SEC-1.2", "This gateway key was revoked.", "Ask your Affiant operator for a new key."),
    Code("key_expired", 401, _AUTH, "SEC-1.2", "This gateway key has expired.", "Ask your Affiant operator for a new key."),
    Code(
        "key_scope",
        403,
        _DENIED,
        "SEC-1.1",
        "This key may not use this model.",
        "List what it may use with GET /v1/models, or ask for a wider key.",
    ),
    Code("rate_limited", 429, _LIMIT, "SEC-2.1", "A limit on requests is used up.", "Retry after the time in Retry-After."),
    Code(
        "tokens_limited",
        429,
        _LIMIT,
        "SEC-2.1",
        "A limit on tokens does not allow this request now.",
        "Retry after the time in Retry-After, or ask for fewer tokens.",
    ),
    # -- what is asked
    Code("request_too_large", 413, _REQUEST, "SEC-3.2", "The request body is too large.", "Send a smaller body."),
    Code(
        "request_invalid",
        400,
        _REQUEST,
        "SEC-3.2",
        "The request is none of this path's format.",
        "See the parameter named in `param`.",
    ),
    Code(
        "surface_not_served",
        404,
        _REQUEST,
        "SEC-2.1",
        "Affiant does not serve this path.",
        "Use one of the paths in docs/reference/gateway.md.",
    ),
    Code(
        "field_unknown",
        400,
        _REQUEST,
        "SEC-3.2",
        "The request has a field that its format does not have, and this route is strict.",
        "Remove the field named in `param`.",
    ),
    Code(
        "state_refused",
        400,
        _REQUEST,
        "SEC-3.2",
        "The request builds on state that a provider keeps, which guards cannot read.",
        "Send the whole conversation in the request.",
    ),
    Code("method_not_allowed", 405, _REQUEST, "", "This path does not take this method.", "See docs/reference/gateway.md."),
    Code(
        "model_not_found",
        404,
        _REQUEST,
        "GOV-3.1",
        "No route or registered model has this name.",
        "List what this key may use with GET /v1/models.",
    ),
    Code(
        "format_not_spoken",
        400,
        _REQUEST,
        "",
        "No provider behind this model speaks the format of this path.",
        "Use the path of its provider's format, or another model.",
    ),
    Code(
        "beta_not_listed",
        403,
        _DENIED,
        "SEC-3.2",
        "The request turns on a feature that is not listed for each provider of this model.",
        "Leave it out of the header named in `param`, or have the records of the providers list it under `betas`.",
    ),
    Code(
        "model_not_approved",
        403,
        _DENIED,
        "GOV-3.1",
        "No approved model version stands behind this name.",
        "Have the version approved by another person than its author.",
    ),
    Code(
        "label_forbidden",
        403,
        _DENIED,
        "CO-1.1",
        "The label of this route does not allow any of its providers.",
        "Use a route with another label, or have a provider allowed to receive this label.",
    ),
    Code(
        "route_without_policy",
        403,
        _DENIED,
        "SEC-3.2",
        "This route has no policy in force, so nothing may pass.",
        "Give the route a policy.",
    ),
    # -- what guards decide
    Code(
        "hidden_text",
        403,
        _DENIED,
        "SEC-3.2",
        "The request holds characters that hide text from a reader.",
        "Remove invisible and control characters.",
    ),
    Code(
        "pii_detected",
        403,
        _DENIED,
        "PR-1.1",
        "The request holds personal data that this route refuses.",
        "Remove it, or use a route that redacts.",
    ),
    Code(
        "injection_detected",
        403,
        _DENIED,
        "SEC-3.1",
        "The request reads like an attempt to override the model's instructions.",
        "Rephrase it; if this is a false alarm, appeal with the exchange id.",
    ),
    Code(
        "secret_detected",
        403,
        _DENIED,
        "SEC-4.1",
        "The request holds a secret that this route refuses.",
        "Remove it, and replace the secret: it was sent to this gateway.",
    ),
    Code(
        "protected_text",
        403,
        _DENIED,
        "CO-5.2",
        "The request holds a text that this route may not carry.",
        "Use a route with a label that allows it.",
    ),
    Code(
        "label_exceeded",
        403,
        _DENIED,
        "CO-1.1",
        "The request holds what is more confidential than this route may carry.",
        "Use a route with a higher label, or take it out.",
    ),
    Code(
        "schema_unusable",
        400,
        _REQUEST,
        "PI-1.1",
        "A JSON Schema or a grammar in the request cannot be checked against: it is too large, unfolds into too much, or names what lies "
        "outside of it.",
        "Keep it small and within itself (`$defs`), its patterns without look-around, a grammar in Lark alone; or use a route that does "
        "not check it.",
    ),
    Code(
        "answer_withheld",
        403,
        _DENIED,
        "PI-1.1",
        "The answer is not supported by its context, or does not have the form that was asked, so it is withheld.",
        "Give more context, or ask again; if this is a false alarm, appeal with the exchange id.",
    ),
    Code("guards_busy", 503, _SERVER, "", "Too many long requests wait for their guards.", "Retry shortly."),
    Code(
        "output_blocked", 403, _DENIED, "CO-5.1", "The answer held what this route may not release.", "Give your operator the exchange id."
    ),
    # -- providers
    Code(
        "provider_failed",
        502,
        _SERVER,
        "",
        "No provider behind this model gave an answer.",
        "Retry later; your operator sees why under the exchange id.",
    ),
    Code("provider_timeout", 504, _SERVER, "", "The provider did not answer in time.", "Retry later."),
    Code("provider_rejected", 400, _REQUEST, "", "The provider rejected the request.", "See what it says."),
    Code(
        "answer_cut",
        503,
        _SERVER,
        "SEC-1.2",
        "The answer was cut: its key, route or model was withdrawn, or this worker lost contact with control.",
        "Ask your Affiant operator.",
    ),
    # -- evidence and state
    Code("evidence_unavailable", 503, _SERVER, "PI-6.1", "The ledger cannot record this exchange, so it is not served.", "Retry shortly."),
    Code(
        "evidence_no_room",
        503,
        _SERVER,
        "PI-6.1",
        "The ledger has no room for new exchanges.",
        "Ask your Affiant operator to free disk space.",
    ),
    Code(
        "snapshot_stale",
        503,
        _SERVER,
        "SEC-1.2",
        "This worker has lost contact with control and cannot know whether keys are still valid.",
        "Retry shortly.",
    ),
    Code("limits_unavailable", 503, _SERVER, "SEC-2.1", "A limit could not be checked.", "Retry shortly."),
    Code("overloaded", 503, _SERVER, "", "This worker has too many exchanges open.", "Retry shortly."),
    Code("internal_error", 500, _SERVER, "", "Affiant failed while handling this exchange.", "Give your operator the exchange id."),
)

CODES: dict[str, Code] = {code.code: code for code in _TABLE}
GUARD_REASONS = (
    "hidden_text", "pii_detected", "secret_detected", "injection_detected", "protected_text", "schema_unusable", "label_exceeded",
)  # fmt: skip
