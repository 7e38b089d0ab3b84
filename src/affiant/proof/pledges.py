"""The computed table `pledge`: each promise to probe, and whether it was opened as promised.

A pledge is kept (`ok` = 1) if it was opened exactly once, later in the ledger and within five minutes; if the hash promised is that
of what was opened; and if the exchange named carries a commitment that the opened salt and request hash reproduce, so that a probe
cannot be claimed for an exchange that never was. Leaves out: whether the gateway decided rightly (`probe.opened` says).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Dict, List, Mapping, Tuple

from . import canonical
from .errors import Malformed
from .views import Row

WINDOW_US = 300_000_000
_FIELDS = ("nonce", "request", "key", "due", "expected")


def pledge_digest(nonce: str, request: str, key: str, due: int, expected: str) -> str:
    """The hex hash that `probe.pledged` carries."""
    return hashlib.sha256(canonical.dumps([nonce, request, key, due, expected])).hexdigest()


class Pledges:
    """Collects probe and exchange entries, then gives the rows of `pledge`."""

    def __init__(self) -> None:
        self._pledged: List[Tuple[int, int, str, str]] = []
        self._opened: Dict[str, List[Tuple[int, int, Mapping[str, Any]]]] = {}
        self._commitments: Dict[str, str] = {}

    def add(self, idx: int, envelope: Mapping[str, Any]) -> None:
        """Take notice of one entry, in the ledger's order."""
        kind = envelope["type"]
        if kind in ("exchange.opened", "exchange.refused"):
            # Kept for all exchanges: which of them are probes is known only when they are opened.
            commitment = envelope.get("body", {}).get("commit_received", "")
            if commitment:
                self._commitments[envelope.get("ref", "")] = commitment
        elif kind == "probe.pledged":
            self._pledged.append((idx, envelope["at"], envelope.get("ref", ""), envelope.get("body", {}).get("pledge", "")))
        elif kind == "probe.opened":
            self._opened.setdefault(envelope.get("ref", ""), []).append((idx, envelope["at"], envelope.get("body", {})))

    def rows(self) -> "List[Row]":
        """(idx, ref, opened_idx, ok) for each pledge; `opened_idx` is 0 for one never opened."""
        found: List[Row] = []
        for idx, at, ref, digest in self._pledged:
            opened = self._opened.get(ref, [])
            kept = len(opened) == 1 and self._kept(idx, at, digest, *opened[0])
            found.append((idx, ref, opened[0][0] if opened else 0, int(kept)))
        return found

    def _kept(self, idx: int, at: int, digest: str, opened_idx: int, opened_at: int, body: Mapping[str, Any]) -> bool:
        try:
            promised = pledge_digest(*(body[name] for name in _FIELDS))
            salt, request = bytes.fromhex(body["salt"]), bytes.fromhex(body["request"])
        except (KeyError, TypeError, ValueError, Malformed):
            return False
        commitment = hmac.new(salt, request, hashlib.sha256).hexdigest()
        return (
            opened_idx > idx
            and 0 <= opened_at - at <= WINDOW_US
            and promised == digest
            and self._commitments.get(body.get("exchange", "")) == commitment
        )
