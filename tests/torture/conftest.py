"""Lets these tests use the ledger's test world (tests/ledger/ledger_world.py) when they run alone."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "ledger"))
