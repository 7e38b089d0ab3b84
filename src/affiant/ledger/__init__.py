"""The ledger: append, sign, read, witness.

Events are `Draft`s; `LedgerClient` writes them through the one writer process of a home, `LedgerReader` reads them back,
`verify_home` checks everything. Formats are in docs/ledger.md. Leaves out: what events mean to a control (`assurance`).
"""

from typing import TYPE_CHECKING, Any

from affiant.ledger.anchors import Anchors, Outcome, witness_knows_longer, witness_size
from affiant.ledger.anchorstore import Anchor
from affiant.ledger.carried import period_open_drafts
from affiant.ledger.checkpoints import LogKey, SignedHead, log_vkey
from affiant.ledger.client import LedgerClient
from affiant.ledger.envelope import Draft, Event, Ready, decode, encode, ready
from affiant.ledger.logkeys import signing_key
from affiant.ledger.reader import LedgerReader
from affiant.ledger.registry import REGISTRY, EventType
from affiant.ledger.run import run_writer
from affiant.ledger.syncclient import LedgerClientSync
from affiant.ledger.verify import Report, Step, verify_home
from affiant.ledger.witness import WitnessState, witness_seed, witness_vkey
from affiant.ledger.writer import Writer, WriterOptions

if TYPE_CHECKING:
    from affiant.ledger.witnessapp import WitnessServer, run_witness

__all__ = [
    "REGISTRY",
    "Anchor",
    "Anchors",
    "Draft",
    "Event",
    "EventType",
    "LedgerClient",
    "LedgerClientSync",
    "LedgerReader",
    "LogKey",
    "Outcome",
    "Ready",
    "Report",
    "SignedHead",
    "Step",
    "WitnessServer",
    "WitnessState",
    "Writer",
    "WriterOptions",
    "decode",
    "encode",
    "log_vkey",
    "period_open_drafts",
    "ready",
    "run_witness",
    "run_writer",
    "signing_key",
    "verify_home",
    "witness_knows_longer",
    "witness_seed",
    "witness_size",
    "witness_vkey",
]


def __getattr__(name: str) -> Any:
    """The witness's HTTP side is loaded only where one is served."""
    if name in ("WitnessServer", "run_witness"):
        from affiant.ledger import witnessapp

        return getattr(witnessapp, name)
    raise AttributeError(name)
