"""What walks use: one of each in a worker."""

from __future__ import annotations

from dataclasses import dataclass

from affiant.gateway.contact import Contact
from affiant.gateway.conversations import Conversations
from affiant.gateway.evidence import Flood, Recorder
from affiant.gateway.forward import Secrets, Timeouts
from affiant.gateway.guardpool import GuardPool
from affiant.gateway.limits import Limits
from affiant.gateway.live import OpenExchanges
from affiant.gateway.metrics import Metrics
from affiant.gateway.upstream import Pool
from affiant.guards import GuardChain
from affiant.kit.clock import Clock


@dataclass(slots=True)
class Parts:
    """The parts of a worker."""

    contact: Contact
    limits: Limits
    recorder: Recorder
    pool: Pool
    secrets: Secrets
    clock: Clock
    open: OpenExchanges
    flood: Flood
    metrics: Metrics
    timeouts: Timeouts
    chain: GuardChain
    guards: GuardPool
    conversations: Conversations
    stale_refused: int = 0
