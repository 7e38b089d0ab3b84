"""A ledger on servers: several nodes append to PostgreSQL, one elected sequencer gives places and signs, locked storage keeps.

The port is the embedded one: workers speak to `run/writer.sock`, readers use the API of `LedgerReader`. Needs `affiant[server]`.
Leaves out: records, which lie in the same schema (`records.shared`).
"""

from affiant.ledger.serverhome.check import check_server
from affiant.ledger.serverhome.config import ServerConfig, load_config, read_config, save_config
from affiant.ledger.serverhome.found import found, join, migrate, set_aside
from affiant.ledger.serverhome.node import UNPLACED, NodeOptions
from affiant.ledger.serverhome.objects import ObjectStore
from affiant.ledger.serverhome.reader import ServerReader
from affiant.ledger.serverhome.run import run_node
from affiant.ledger.serverhome.sequencer import Sequencer, SequencerOptions
from affiant.ledger.serverhome.store import LedgerStore
from affiant.ledger.serverhome.term import SupersededError, Term, TermOptions
from affiant.ledger.where import is_server_home

__all__ = [
    "UNPLACED",
    "LedgerStore",
    "NodeOptions",
    "ObjectStore",
    "Sequencer",
    "SequencerOptions",
    "ServerConfig",
    "ServerReader",
    "SupersededError",
    "Term",
    "TermOptions",
    "check_server",
    "found",
    "is_server_home",
    "join",
    "load_config",
    "migrate",
    "read_config",
    "run_node",
    "save_config",
    "set_aside",
]
