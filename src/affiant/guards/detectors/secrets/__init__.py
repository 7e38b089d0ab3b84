"""Secrets: tokens by their form, values by the name before them, key blocks and credentials in addresses.

`DETECTORS` go into one `guards.scan.Scanner`; spans are the secret values, typed `SECRET/<kind>`. Leaves out: whether a secret
is live, which only its issuer could say.
"""

from __future__ import annotations

from affiant.guards.detectors.secrets import assigned, blocks, business, cloud, code, headed, talk
from affiant.guards.detectors.secrets.judge import token
from affiant.guards.scan import Detector

TOKENS = (*cloud.PATTERNS, *code.PATTERNS, *talk.PATTERNS, *business.PATTERNS)

DETECTORS = (
    Detector("secret_tokens", TOKENS, token, 10),
    *(Detector(f"secret_{name}", patterns, judge, rank) for name, patterns, judge, rank in blocks.GROUPS),
    Detector("secret_assigned", assigned.WORDS, assigned.assigned, 30),
    Detector("secret_of_service", assigned.SERVICES, assigned.of_service, 32),
    Detector("secret_headed", (headed.HEADED,), headed.headed, 34),
)
"""Every detector of secrets, for the scanner."""

__all__ = ["DETECTORS", "TOKENS"]
