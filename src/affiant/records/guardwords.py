"""What a policy may name: guards and, of each, the types that it can be told about one by one.

Written out here and not imported, since records know nothing of guards; a test holds the two to each other.
"""

from __future__ import annotations

GUARDS = ("sanitize", "pii", "secrets", "injection", "output", "groundedness", "quality", "leakage", "schema")
NATIONAL_ID = "NATIONAL_ID"
PII_TYPES = (
    "EMAIL", "PHONE", "CREDIT_CARD", "US_SSN", "US_ITIN", "IBAN", NATIONAL_ID, "PASSPORT", "DRIVER_LICENSE", "US_DRIVER_LICENSE",
    "MEDICAL_RECORD", "BANK_ROUTING", "BIC", "ADDRESS", "DATE_OF_BIRTH", "IP", "MAC", "URL_CREDENTIALS", "URL", "PERSON", "LOCATION",
    "ORGANIZATION", "FORGED_PLACEHOLDER",
)  # fmt: skip
FORGED = "FORGED_PLACEHOLDER"
NOT_IDENTIFYING = ("URL", "IP", "MAC", "PERSON", "LOCATION", "ORGANIZATION", FORGED)
"""Types that a policy acts on only where it names them: common in ordinary work, a matter of likelihood, or nobody's value."""
REDACTING = ("pii", "secrets", "sanitize", "output")
"""Guards that can take out what they find."""

ROLES = ("system", "user", "assistant", "tool", "document")
"""Who wrote a part of a request: places at which a rule may differ."""
ANSWER = "answer"
"""The place of a guard that looks at requests and answers alike."""
LANGUAGES = (
    "en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "no", "fi", "pl", "cs", "ro", "hu", "tr", "id", "ru", "uk", "bg", "el", "he",
    "ar", "fa", "hi", "th", "ko", "ja", "zh", "other",
)  # fmt: skip
"""Languages by which a threshold of injection may differ; `other`: every one but English that is not named."""
MODEL_THRESHOLDS = {"user": 747_576, "user/other": 347_062, "tool/other": 464_390, "document/other": 471_578}
"""Thresholds of the injection model of this version, parts per million, where they differ from the one for users."""

ON_INVALID = ("repair", "retry", "leave")
"""What is done about an answer that does not have the form that was asked, before the action is taken."""


def places_of(guard: str) -> tuple[str, ...]:
    """Places at which a rule of a guard may differ."""
    if guard == "injection":
        return (*ROLES, *(f"{role}/{language}" for role in (*ROLES, "*") for language in LANGUAGES))
    if guard == "leakage":
        return (*ROLES, ANSWER)
    return ROLES if guard in ("sanitize", "pii", "secrets") else ()


def types_of(guard: str, own: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    """Types that a policy may name of a guard; None: any.

    Args:
        own: types of the policy's own detectors.
    """
    return (*PII_TYPES, *own) if guard == "pii" else None


def written_out(guard: str, action: str, named: dict[str, str], own: tuple[str, ...] = ()) -> dict[str, str]:
    """What a rule does about each type, with the defaults of today written out, so that a version that knows more types changes nothing."""
    if guard != "pii":
        return dict(sorted(named.items()))
    defaults = dict.fromkeys(own, action) | {name: "allow" if name in NOT_IDENTIFYING else action for name in PII_TYPES}
    if action != "allow":
        defaults[FORGED] = "flag"
    return dict(sorted((defaults | named).items()))
