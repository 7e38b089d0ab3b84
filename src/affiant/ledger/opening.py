"""The reader, the check and the holdings that fit a home, whether it keeps its own ledger or its ledger lies on servers.

What servers need is imported only for a home that has them. Leaves out: both kinds themselves (`reader`, `serverhome`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from affiant.kit.home import Home
from affiant.ledger.reader import LedgerReader
from affiant.ledger.retention import Holdings, OwnHoldings
from affiant.ledger.verify import Report, verify_home
from affiant.ledger.where import is_server_home


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


def holdings_of(reader: LedgerReader) -> Holdings:
    """What the ledger of a reader holds, on this disk or on servers."""
    if not is_server_home(reader.home):
        return OwnHoldings(reader)
    from affiant.ledger.serverhome.holdings import ServerHoldings
    from affiant.ledger.serverhome.reader import ServerReader

    assert isinstance(reader, ServerReader)
    return ServerHoldings(reader)
