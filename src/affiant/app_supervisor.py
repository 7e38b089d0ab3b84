"""The supervisor behind `affiant serve`: starts writer, control and workers, restarts whoever dies, ends them in order.

It holds the home, the listening sockets, `run/supervisor.json` (process ids, kept current) and the counters of unrecorded
refusals. All processes start at once and wait for each other; they end in order: workers (drained), control, the writer last.
Leaves out: what each process does (`app`), one process's own life (`app_child`).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from affiant.app_child import Child, how
from affiant.app_life import DRAIN_S, alone, remove_stale_sockets, say
from affiant.app_ports import answers_ready, listen_on, url_of
from affiant.app_unrecorded import SLOTS, Unrecorded, UnrecordedFile
from affiant.kit.clock import Clock, open_clock
from affiant.kit.errors import AffiantError, BadInput, CouldNotLook, LedgerUnavailable
from affiant.kit.home import Home, open_home
from affiant.kit.keyring import open_keyring
from affiant.ledger import Draft, LedgerClient

READY_S = 60.0
_COUNT_S = 0.25
_QUIET_S = 1.0


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What `affiant serve` was asked for. Port 0 means any free one."""

    home: Path
    workers: int = 1
    gateway_port: int = 8080
    console_port: int = 8081
    host: str = "127.0.0.1"
    console_host: str = "127.0.0.1"


class StartFailedError(AffiantError):
    """A process could not start; its own words are on standard error. The exit code is that process's."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(
            f"The {name} process could not start ({how(code)}).", "Its reason is printed above; `affiant doctor` names all faults."
        )
        self.exit_code = code if code in (1, 2, 3) else 3


class Supervisor:
    """Runs one home until it is told to stop.

    Args:
        lock_fd: descriptor of the lock that every child must hold too.
        gateway: the gateway's listening socket.
        console: the console's.
    """

    def __init__(self, home: Home, workers: int, lock_fd: int, gateway: socket.socket, console: socket.socket) -> None:
        self._home, self._lock_fd, self._gateway, self._console = home, lock_fd, gateway, console
        self._writer = Child("writer", "writer")
        self._control = Child("control", "control")
        self._workers = [Child(f"worker {n + 1}", "worker", n) for n in range(workers)]
        self._children = [self._writer, self._control, *self._workers]
        self._keepers: list[asyncio.Task[None]] = []
        self._resting: set[str] = set()
        self._stop = asyncio.Event()
        self._serving = self._stopping = False
        self._failed: StartFailedError | None = None
        self._clock = open_clock()
        self._started_us = self._clock.now_us()
        self._unrecorded = UnrecordedFile(home.run / "unrecorded")
        self._last_one = os.pipe()

    async def run(self) -> None:
        """Start everything, say that it is ready, and stay until a signal.

        Raises:
            StartFailedError: a process ended before all were ready.
            CouldNotLook: not ready within a minute.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal)
        counting = asyncio.create_task(self._count_unrecorded())
        try:
            await self._start_all()
            if not self._stop.is_set():
                self._serving = True
                self._announce()
            await self._stop.wait()
        finally:
            counting.cancel()
            await asyncio.gather(counting, return_exceptions=True)
            await self._end_all()
            self._unrecorded.close()
            for fd in self._last_one:
                os.close(fd)
        if self._failed is not None:
            raise self._failed

    # -- starting

    async def _start_all(self) -> None:
        for child in self._children:
            await self._start(child)
            self._keepers.append(asyncio.create_task(self._keep(child)))
        deadline = time.monotonic() + READY_S
        for child in self._children:
            while not child.ready.is_set():
                await self._breathe(deadline, f"The {child.name} process")
        for listening in (self._gateway, self._console):
            while not await answers_ready(listening):
                await self._breathe(deadline, f"{url_of(listening)}/readyz")

    async def _breathe(self, deadline: float, what: str) -> None:
        """Wait a moment for something to become ready; leaves the start when told to stop."""
        if time.monotonic() > deadline:
            raise CouldNotLook(f"{what} is not ready after {READY_S:.0f} s.", "Run `affiant doctor`.")
        try:
            await asyncio.wait_for(self._stop.wait(), 0.03)
        except TimeoutError:
            return
        if self._failed is not None:
            raise self._failed
        raise CouldNotLook("Stopped while starting.", "Start again when you want.")

    async def _start(self, child: Child) -> None:
        arguments, fds = ["--home", str(self._home.root)], [self._lock_fd]
        if child is self._writer:
            fds.append(self._last_one[0])
            arguments += ["--siblings", str(self._last_one[0])]
        else:
            listening = self._console if child is self._control else self._gateway
            fds += [self._last_one[1], listening.fileno()]
            arguments += ["--socket", str(listening.fileno()), "--slot", str(child.slot), "--gateway", url_of(self._gateway)]
        await child.start(arguments, fds)
        self._save()

    async def _keep(self, child: Child) -> None:
        """Own a child from its first start on: notice its death, start it again."""
        while True:
            code = await child.ended()
            self._save()
            if self._stopping:
                return
            if not self._serving:
                self._failed = self._failed or StartFailedError(child.name, code)
                self._stop.set()
                return
            self._resting.add(child.name)
            say(f"{child.name} ended ({how(code)}); starting it again")
            await self._start_again(child)

    async def _start_again(self, child: Child) -> None:
        while True:
            await asyncio.sleep(child.pause_s())
            self._resting.discard(child.name)
            child.restarts += 1
            try:
                await self._start(child)
                return
            except OSError as error:
                say(f"{child.name} cannot be started now: {error.strerror}")
                self._resting.add(child.name)

    # -- ending

    def _on_signal(self) -> None:
        if self._stop.is_set():
            say("forced: ending every process at once")
            for child in self._children:
                child.send(signal.SIGKILL)
            return
        say("stopping: workers first, the ledger writer last (again to force)")
        self._stop.set()

    async def _end_all(self) -> None:
        self._stopping = True
        for child, keeper in zip(self._children, self._keepers, strict=False):
            if child.name in self._resting:
                keeper.cancel()  # between a death and the next start: nothing new must begin
        await asyncio.gather(*(worker.end(DRAIN_S + 3) for worker in self._workers))
        await self._control.end(8.0)
        await self._writer.end(30.0)
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for child in self._children:
            child.let_go()
        remove_stale_sockets(self._home)
        self._state_path.unlink(missing_ok=True)

    # -- what others read

    @property
    def _state_path(self) -> Path:
        return self._home.run / "supervisor.json"

    def _state(self) -> dict[str, object]:
        pids = {"writer": self._writer.pid, "control": self._control.pid, "workers": [worker.pid for worker in self._workers]}
        return {"ready": self._serving, "gateway": url_of(self._gateway), "console": url_of(self._console), "pids": pids}

    def _announce(self) -> None:
        self._save()
        print(json.dumps(self._state(), separators=(",", ":")), flush=True)  # noqa: T201 -- the one line of `serve`
        say(f"gateway {url_of(self._gateway)} · console {url_of(self._console)} · Ctrl-C stops")

    def _save(self) -> None:
        restarts = {
            "writer": self._writer.restarts, "control": self._control.restarts, "workers": [worker.restarts for worker in self._workers],
        }  # fmt: skip
        state = self._state() | {"supervisor": os.getpid(), "started_us": self._started_us, "restarts": restarts}
        temporary = self._state_path.with_suffix(".tmp")
        try:
            temporary.write_text(json.dumps(state) + "\n", encoding="utf-8")
            os.replace(temporary, self._state_path)
        except OSError as error:
            say(f"cannot write {self._state_path}: {error.strerror}")

    # -- refusals while the writer was away

    async def _count_unrecorded(self) -> None:
        while True:
            await asyncio.sleep(_COUNT_S)
            found = self._unrecorded.pending(self._clock.now_us())
            if found is None or not self._writer.pid or not self._writer.ready.is_set():
                continue
            await asyncio.sleep(_QUIET_S)
            found = self._unrecorded.pending(self._clock.now_us())
            if found is not None and await _record(self._home, self._clock, found):
                self._unrecorded.told(found)


async def _record(home: Home, clock: Clock, found: Unrecorded) -> bool:
    """Make the one event durable; False where the writer could not take it now."""
    body = {"from": found.from_us, "to": found.to_us, "count": found.count}
    try:
        client = await LedgerClient.connect(home.run / "writer.sock", home.node, "supervisor", clock)
        try:
            await client.append([Draft("exchange.unrecorded", body, actor="system:supervisor")])
        finally:
            await client.close()
    except LedgerUnavailable:
        return False
    say(f"{found.count} refusals while the ledger writer was away are recorded")
    return True


def serve(options: ServeOptions) -> None:
    """Hold the home, check what can be checked before anything starts, and supervise until told to stop.

    Raises:
        AffiantError: the home is in use, its keys do not open, a port is taken, or a process could not start.
    """
    if not 1 <= options.workers <= SLOTS:
        raise BadInput(f"{options.workers} workers cannot be started.", f"Give 1 to {SLOTS} with --workers.")
    home = open_home(options.home)
    open_keyring(home)
    with (
        alone(home) as lock_fd,
        _listening(options.host, options.gateway_port, "gateway", "--gateway-port") as gateway,
        _listening(options.console_host, options.console_port, "console", "--console-port") as console,
    ):
        remove_stale_sockets(home)
        asyncio.run(_supervise(home, options.workers, lock_fd, gateway, console))


async def _supervise(home: Home, workers: int, lock_fd: int, gateway: socket.socket, console: socket.socket) -> None:
    await Supervisor(home, workers, lock_fd, gateway, console).run()


@contextmanager
def _listening(host: str, port: int, what: str, option: str) -> Iterator[socket.socket]:
    with listen_on(host, port, what, option) as listening:
        yield listening
