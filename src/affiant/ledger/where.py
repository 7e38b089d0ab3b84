"""Whether a home keeps its own ledger or its ledger lies on servers, and the reader and the check that fit.

What servers need is imported only for a home that has them. Leaves out: both kinds themselves (`reader`, `serverhome`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from affiant.kit.errors import Conflict
from affiant.kit.home import Home
from affiant.ledger.reader import LedgerReader
from affiant.ledger.verify import Report, verify_home


def config_path(home: Home) -> Path:
    """Where a node keeps the places of its ledger."""
    return home.root / "server.json"


def is_server_home(home: Home) -> bool:
    """Whether the ledger of a home lies on servers."""
    return config_path(home).exists()


def need_own_ledger(home: Home, what: str) -> None:
    """Refuse what only a home with a ledger of its own can do.

    Args:
        what: the action, as the beginning of a sentence.

    Raises:
        Conflict: the ledger lies on servers.
    """
    if is_server_home(home):
        raise Conflict(f"{what} needs a home that keeps its own ledger; this one lies on servers.", "See docs/operations-server.md.")


def open_reader(home: Home) -> LedgerReader:
    """The reader that fits a home; give it to `close_reader` in the end.

    Raises:
        CouldNotLook: the ledger lies on servers, and what they need is not installed or cannot be reached.
    """
    if not is_server_home(home):
        return LedgerReader(home)
    from affiant.ledger.serverhome.reader import ServerReader

    return ServerReader(home)


def close_reader(reader: LedgerReader) -> None:
    """Disconnect a reader that has connections."""
    close = getattr(reader, "close", None)
    if close is not None:
        close()


@contextmanager
def reading(home: Home) -> Iterator[LedgerReader]:
    """`open_reader`, closed in the end."""
    reader = open_reader(home)
    try:
        yield reader
    finally:
        close_reader(reader)


def verify_any(home: Home, vkey: str | None = None) -> Report:
    """`verify_home`, or `check_server` where the ledger lies on servers."""
    if not is_server_home(home):
        return verify_home(home, vkey)
    from affiant.ledger.serverhome.check import check_server

    return check_server(home, vkey=vkey)
