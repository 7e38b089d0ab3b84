"""A blocking form of `LedgerClient` for commands and the supervisor: one caller, one event loop of its own in a thread.

Leaves out: everything that `client` does.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from affiant import __version__
from affiant.kit.clock import Clock
from affiant.ledger.client import LedgerClient
from affiant.ledger.envelope import Draft

T = TypeVar("T")


class LedgerClientSync:
    """Use as a context manager, or call `close`.

    Raises:
        LedgerUnavailable: the writer did not answer in time.
    """

    def __init__(self, path: Path, node: str, role: str, clock: Clock, timeout_s: float = 2.0, software: str = __version__) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ledger-client", daemon=True)
        self._thread.start()
        try:
            self._client = self._do(LedgerClient.connect(path, node, role, clock, timeout_s, software))
        except BaseException:
            self._end_loop()
            raise

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def producer(self) -> str:
        """The incarnation that this client writes as."""
        return self._client.producer

    @property
    def available(self) -> bool:
        """Whether the writer answers now."""
        return self._client.available

    def append(self, drafts: Sequence[Draft], timeout_s: float | None = None) -> int:
        """As `LedgerClient.append`."""
        return self._do(self._client.append(drafts, None, timeout_s))

    def outbox(self) -> int:
        """As `LedgerClient.outbox`."""
        return self._do(self._client.outbox())

    def checkpoint(self) -> bytes:
        """As `LedgerClient.checkpoint`."""
        return self._do(self._client.checkpoint())

    def status(self) -> dict[str, Any]:
        """As `LedgerClient.status`."""
        return self._do(self._client.status())

    def close(self) -> None:
        """As `LedgerClient.close`."""
        if not self._loop.is_closed():
            self._do(self._client.close())
            self._end_loop()

    def __enter__(self) -> LedgerClientSync:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
