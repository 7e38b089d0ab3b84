"""How processes of a home live and die together: the lifeline, the order of ending, and who holds the home.

Each child holds one end of a socket pair (its lifeline). It writes `ready` into it, and reads end-of-file from it when the
supervisor is gone, however that died. The writer also holds the reading end of a pipe whose writing end every other child
inherits: end-of-file there means that it is the last one. `run/children.lock` is inherited by every child, so that the next
start waits until the last process of an earlier run is gone. Leaves out: starting and restarting (`app_supervisor`).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from affiant.kit.errors import Conflict
from affiant.kit.home import Home, home_lock

DRAIN_S = 5.0
"""How long a worker may take to finish what it is answering."""
HARD_END_S = 12.0
"""After this long without a supervisor a process that has not ended by itself is ended."""
_LAST_ONE_S = 10.0


def say(text: str) -> None:
    """One line for a person, on standard error."""
    sys.stderr.write(f"affiant: {text}\n")
    sys.stderr.flush()


class Lifeline:
    """The child's end of the socket pair; without one (`fd` < 0) the process lives until it is told to stop."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd) if fd >= 0 else None

    def ready(self) -> None:
        """Tell the supervisor that this process does its work now."""
        if self._socket is not None:
            try:
                self._socket.sendall(b"ready\n")
            except OSError:
                return  # the supervisor is gone; `watch` notices the same and ends this process

    def close(self) -> None:
        """Let go of it; the supervisor sees end-of-file."""
        if self._socket is not None:
            self._socket.close()

    def watch(self, gone: Callable[[], None], last_after: int = -1) -> None:
        """Call `gone` from a thread when the supervisor is gone, and end the process hard if it does not end in time.

        Args:
            last_after: reading end of the siblings' pipe; `gone` is called when these are gone too.
        """
        if self._socket is None:
            return
        threading.Thread(target=self._wait, args=(self._socket, gone, last_after), name="lifeline", daemon=True).start()

    @staticmethod
    def _wait(end: socket.socket, gone: Callable[[], None], last_after: int) -> None:
        try:
            while end.recv(64):
                pass
        except OSError:
            pass  # a reset is the same news as end-of-file
        if last_after >= 0:
            _wait_for_end(last_after)
        gone()
        time.sleep(HARD_END_S)
        os._exit(70)


async def live(lifeline: Lifeline, work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `work(stop)` until it returns; `stop` is set by SIGTERM, SIGINT or the end of the supervisor."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    lifeline.watch(lambda: os.kill(os.getpid(), signal.SIGTERM))
    await work(stop)


def _wait_for_end(fd: int) -> None:
    os.set_blocking(fd, False)
    deadline = time.monotonic() + _LAST_ONE_S
    while time.monotonic() < deadline:
        try:
            if os.read(fd, 64) == b"":
                return
        except BlockingIOError:
            time.sleep(0.02)


@contextmanager
def alone(home: Home, wait_s: float = HARD_END_S + 3) -> Iterator[int]:
    """Hold the home with no process of an earlier run left; gives the descriptor that children must inherit.

    Raises:
        Conflict: another process holds the home, or processes of an earlier run do not end.
    """
    with home_lock(home):
        handle = os.open(home.run / "children.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(handle, home, wait_s)
            yield handle
        finally:
            os.close(handle)


def _lock(handle: int, home: Home, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    told = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Conflict(
                    f"Processes of an earlier run still hold {home.root}.", f"See who has {home.run / 'children.lock'} open, and end them."
                ) from None
            if not told:
                told = True
                say("waiting for processes of an earlier run to end")
            time.sleep(0.05)


def remove_stale_sockets(home: Home) -> None:
    """Remove sockets that an earlier run left behind; only under `alone`."""
    for name in ("writer.sock", "snapshot.sock", "control.sock"):
        Path(home.run / name).unlink(missing_ok=True)
