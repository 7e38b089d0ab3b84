"""One supervised process: how it is started, how it says that it is ready, how it is ended, how long to wait before the next start.

Leaves out: which processes there are and in which order (`app_supervisor`).
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from affiant.app_life import say

_LONGEST_PAUSE_S = 5.0
_STEADY_S = 20.0


@dataclass
class Child:
    """One process and its history.

    Args:
        name: for people, such as `worker 1`.
        role: as `python -m affiant.app` takes it.
        slot: a worker's slot in `run/unrecorded`.
    """

    name: str
    role: str
    slot: int = 0
    process: asyncio.subprocess.Process | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    restarts: int = 0
    _line: socket.socket | None = None
    _started_s: float = 0.0
    _failures: int = 0

    @property
    def pid(self) -> int:
        """Process id, 0 while it does not run."""
        return self.process.pid if self.process is not None and self.process.returncode is None else 0

    async def start(self, arguments: Sequence[str], fds: Sequence[int]) -> None:
        """Start it, with these arguments and open descriptors besides its lifeline.

        Raises:
            OSError: the system cannot start a process now.
        """
        ours, theirs = socket.socketpair()
        self.ready = asyncio.Event()
        self._started_s = time.monotonic()
        command = [sys.executable, "-m", "affiant.app", self.role, "--lifeline", str(theirs.fileno()), *arguments]
        try:
            self.process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=2, pass_fds=[theirs.fileno(), *fds], start_new_session=True
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self.let_go()
        ours.setblocking(False)
        self._line = ours

    async def ended(self) -> int:
        """Wait for its end, noticing on the way that it is ready; gives its exit code (negative: a signal)."""
        assert self.process is not None and self._line is not None
        listening = asyncio.create_task(self._listen(self._line))
        try:
            return await self.process.wait()
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, line: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(line, 64):
            if b"ready" in data:
                self.ready.set()

    def pause_s(self) -> float:
        """How long to wait before the next start: not at all at first, then longer while it keeps dying young."""
        if time.monotonic() - self._started_s > _STEADY_S:
            self._failures = 0
        self._failures += 1
        return 0.0 if self._failures == 1 else min(0.1 * 2.0 ** (self._failures - 2), _LONGEST_PAUSE_S)

    def send(self, number: signal.Signals) -> None:
        """Signal it, if it runs."""
        if self.process is not None and self.process.returncode is None:
            try:
                self.process.send_signal(number)
            except ProcessLookupError:
                return  # it ended in between

    async def end(self, patience_s: float) -> None:
        """Ask it to end, wait, and end it hard if it does not."""
        if self.process is None or self.process.returncode is not None:
            return
        self.send(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), patience_s)
        except TimeoutError:
            say(f"{self.name} did not end within {patience_s:.0f} s; ending it")
            self.send(signal.SIGKILL)
            await self.process.wait()

    def let_go(self) -> None:
        """Close our end of its lifeline."""
        if self._line is not None:
            self._line.close()
            self._line = None


def how(code: int) -> str:
    """An exit code in words."""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"
