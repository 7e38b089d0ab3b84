"""Exchanges that are open now, so that a revocation, a withdrawn route or lost contact can cut them."""

from __future__ import annotations

import asyncio

from affiant.gateway.faults import LinkFault
from affiant.gateway.tables import Tables
from affiant.gateway.upstream import Connection


class Live:
    """One open exchange.

    Attributes:
        reason: why it was cut; "" while it may go on.
        connection: the provider's, while there is one.
        sending: whether its task waits for a slow caller; then cutting cancels that task.
    """

    __slots__ = ("connection", "key", "model", "reason", "route", "sending", "task")

    def __init__(self, key: str, route: str) -> None:
        self.key, self.route = key, route
        self.model = ""
        self.reason = ""
        self.connection: Connection | None = None
        self.sending = False
        self.task = asyncio.current_task()

    def cut(self, reason: str) -> None:
        """End it now."""
        if self.reason:
            return
        self.reason = reason
        if self.connection is not None:
            self.connection.abort(LinkFault("cut", "The exchange was cut."))
        if self.sending and self.task is not None:
            self.task.cancel()


class OpenExchanges:
    """All open exchanges of this worker."""

    def __init__(self) -> None:
        self._open: set[Live] = set()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, live: Live) -> None:
        """An exchange begins."""
        self._open.add(live)

    def discard(self, live: Live) -> None:
        """An exchange is over."""
        self._open.discard(live)

    def on_change(self, tables: Tables) -> int:
        """Cut what the new snapshot no longer allows; gives how many."""
        count = 0
        for live in list(self._open):
            route = tables.routes.get(live.route)
            withdrawn = route is None or route.policy is None or (live.model and all(link.model != live.model for link in route.links))
            if live.key not in tables.live_keys or withdrawn or (route is not None and not route.links):
                if not live.reason:
                    count += 1
                live.cut("withdrawn")
        return count

    def cut_all(self, reason: str) -> int:
        """Cut everything; gives how many."""
        count = sum(1 for live in self._open if not live.reason)
        for live in list(self._open):
            live.cut(reason)
        return count
