"""Judges hits of tokens that have a form of their own: placeholders, words and broken checksums are no tokens.

Leaves out: values known by what stands before them (`assigned`), blocks and addresses (`blocks`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from affiant.guards.detectors.secrets import checks
from affiant.guards.detectors.secrets.form import PREFIX, TRUSTED
from affiant.guards.detectors.secrets.shapes import in_sequence, is_hex, mask, transitions, wordiness
from affiant.guards.scan import Candidate, Found

UNCHECKED = 750_000
_CHECKED: dict[str, Callable[[str], bool]] = {
    "github_pat": checks.crc62,
    "github_oauth_token": checks.crc62,
    "github_user_token": checks.crc62,
    "github_refresh_token": checks.crc62,
    "npm_token": checks.crc62,
}
"""A right checksum makes sure; a wrong one only lowers the score: issuers have changed theirs before."""
_NEEDS: dict[str, re.Pattern[str]] = {
    kind: re.compile(pattern, re.IGNORECASE)
    for kind, pattern in {
        "vault_token_old": r"vault|token|apikey|hashi",
        "okta_token": r"okta|ssws|token|api",
        "voyage_key": r"voyage|key|token",
        "zhipu_key": r"zhipu|glm|bigmodel|key|token",
        "lepton_key": r"lepton|key|token|secret|auth",
        "baseten_key": r"baseten|api|key|token|secret",
        "kagi_token": r"kagi",
        "airtable_key": r"airtable",
        "mandrill_key": r"mandrill|mail|key",
        "datadog_rum_token": r"datadog|dd_|rum|client",
        "modal_token": r"modal|token|key|secret",
        "dify_key": r"dify|key|auth|bearer|token",
        "nomic_key": r"nomic|key|token",
        "fireworks_key": r"fireworks|key|token",
        "mailgun_key_new": r"mailgun|mail|key|mg",
        "truenas_key": r"truenas|api.?key|nas",
        "sumologic_access_id": r"sumo",
        "google_hmac_key_short": r"key|id|google|gcs|storage",
        "hcaptcha_secret_old": r"captcha|secret",
        "checkout_com_key": r"checkout|secret|key",
        "dfuse_key": r"dfuse|key|token",
        "unleash_token": r"unleash|token|key|auth|secret",
        "ably_key": r"ably|key|token",
        "ghost_admin_key": r"ghost|admin|key|content",
        "azure_entra_client_secret": r"secret|client|azure|password|key|token|credential",
        "phabricator_token": r"phab|token|conduit|api",
        "databricks_dkea_token": r"databricks|token|key|secret",
        "databricks_oauth_secret": r"databricks|token|key|secret",
        "ngrok_api_key": r"ngrok|key|token|auth",
        "statsig_key": r"statsig|key|secret",
        "launchdarkly_key": r"launch|sdk|key|ld_|token",
        "uptimerobot_key": r"uptime|robot|key|api",
        "lob_key": r"lob|key|token|secret|api|stripe|pay",
        "mollie_key": r"mollie|key|token|secret|api|pay",
        "gocardless_token": r"cardless|key|token|secret|api|pay",
        "clickhouse_cloud_secret": r"click|secret|key|token",
        "sanity_token": r"sanity|token|key",
        "confluent_cloud_secret": r"confluent|kafka|secret|key",
        "cursor_key": r"cursor|key",
        "artifactory_reference_token": r"art|jfrog|token|key|pass",
        "imagekit_private_key": r"key|imagekit|private",
    }.items()
}
"""What must stand near tokens whose form alone is not telling."""
_BORING = 0.5


def _body(value: str) -> str:
    """The longest piece of letters and digits, one with a digit first: what a service drew at random."""
    return max(re.split(r"[^A-Za-z0-9]+", value), key=lambda piece: (any(map(str.isdigit, piece)), len(piece)))


def _dull(value: str) -> bool:
    """Whether the value is a mask, a template or made of words."""
    body = _body(value)
    if len(set(body)) < 5 or (len(body) >= 24 and len(set(body)) < 7):
        return True
    if mask(body) or "EXAMPLE" in value or (len(value) < 160 and mask(value) and wordiness(value) > 0.3):
        return True
    if is_hex(body):
        return False
    return (wordiness(body) > _BORING and sum(map(str.isdigit, body)) * 6 < len(body)) or (
        len(body) >= 16 and transitions(body) < 2 and in_sequence(body) < 0.3
    )


def token(candidate: Candidate) -> Iterable[Found]:
    """Whether a hit of a form is a token: near what it needs, not dull, checksum right or the score lower."""
    value, kind = candidate.value, candidate.pattern.rule
    need = _NEEDS.get(kind)
    if need is not None and not need.search(candidate.before(80) + candidate.after(40)):
        return ()
    if "://" not in value and _dull(value):
        return ()
    score = candidate.pattern.score_ppm
    check = _CHECKED.get(kind)
    if check is not None:
        score = TRUSTED if check(value) else UNCHECKED
    if kind == "age_secret_key" and not checks.bech32(value):
        score = UNCHECKED
    return (Found(candidate.start, candidate.end, PREFIX + kind, score),)
