"""Whether a home keeps its own ledger or its ledger lies on servers. Leaves out: reading either (`opening`)."""

from __future__ import annotations

from pathlib import Path

from affiant.kit.errors import Conflict
from affiant.kit.home import Home


def config_path(home: Home) -> Path:
    """Where a node keeps the places of its ledger."""
    return home.root / "server.json"


def is_server_home(home: Home) -> bool:
    """Whether the ledger of a home lies on servers."""
    return config_path(home).exists()


def need_own_ledger(home: Home, what: str, instead: str) -> None:
    """Refuse what only a home with a ledger of its own can do.

    Args:
        what: the action, as the beginning of a sentence.
        instead: why there is no need of it elsewhere, as a sentence.

    Raises:
        Conflict: the ledger lies on servers.
    """
    if is_server_home(home):
        raise Conflict(
            f"{what} needs a home that keeps its own ledger; this one lies on servers. {instead}", "See docs/operations-server.md."
        )
