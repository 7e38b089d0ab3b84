"""Room on PostgreSQL's disk that is kept for closings and refusals: a table of bytes that is dropped when the disk is full.

What an embedded home does with preallocated blocks. While the disk is found full (`short`, which PostgreSQL tells all nodes) exchanges
cannot be opened; what is open can be closed and refusals are written within the room that the table gave back. The table is unlogged:
making it writes no WAL, and a PostgreSQL that fell because its WAL found no room empties the table before it recovers, which gives it the
room to do so. Leaves out: refusing (`node`), who makes it whole again (the holder of a term, `sequencer`).
"""

from __future__ import annotations

import contextlib
import logging
import time

from affiant.kit.errors import LedgerUnavailable, NoRoom
from affiant.ledger.serverhome.store import LedgerStore

_log = logging.getLogger("affiant.ledger")
FIRST_RETRY_S, LAST_RETRY_S = 5.0, 300.0


class Reserve:
    """The reserve as one process sees it.

    Args:
        megabytes: how much is kept (MiB); 0: nothing is, and a full disk refuses everything.

    Attributes:
        short: whether the disk was found full and the reserve is not whole again.
    """

    def __init__(self, store: LedgerStore, megabytes: int) -> None:
        self.short = False
        self._store = store
        self._megabytes = megabytes
        self._due = 0.0
        self._pause_s = FIRST_RETRY_S

    async def look(self) -> None:
        """Hear what other nodes found."""
        if self._megabytes:
            self.short = (await self._store.ledger()).short

    async def spend(self) -> bool:
        """The disk is full: give the reserve back to it.

        Returns:
            Whether this made room; False where the reserve was spent before, or there is none.
        """
        if not self._megabytes or self.short:
            return False
        self.short = True
        self._due = time.monotonic() + self._pause_s
        _log.warning("reserve: the disk of PostgreSQL is full; exchanges are not opened until there is room again")
        with contextlib.suppress(LedgerUnavailable):
            await self._store.spend_reserve()
        return True

    async def keep(self) -> None:
        """Make the reserve if it is not whole, now and then, as long as the disk has no room for it.

        Raises:
            LedgerUnavailable: PostgreSQL cannot be reached.
        """
        if not self._megabytes or time.monotonic() < self._due or await self._store.reserve_bytes() >= self._megabytes << 20:
            return
        try:
            await self._store.make_reserve(self._megabytes)
        except NoRoom:
            await self.spend()
            self._due, self._pause_s = time.monotonic() + self._pause_s, min(2 * self._pause_s, LAST_RETRY_S)
            return
        if self.short:
            _log.warning("reserve: there is room again")
        self.short, self._pause_s = False, FIRST_RETRY_S
