"""The supervisor behind `affiant serve`: starts writer, control and workers, restarts whoever dies, ends them in order.

It holds the home, the listening sockets of gateway and console (children inherit them, so that a restart refuses no
connection), `run/supervisor.json` (pids, kept current) and the counters of unrecorded refusals. Order of starting: writer,
control, workers. Order of ending: workers (drained), control, the writer last. Leaves out: what each process does (`app`).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from affiant.app_life import DRAIN_S, alone, remove_stale_sockets, say
from affiant.app_unrecorded import SLOTS, Unrecorded, UnrecordedFile
from affiant.kit.clock import Clock, open_clock
from affiant.kit.errors import AffiantError, BadInput, Conflict, CouldNotLook, LedgerUnavailable
from affiant.kit.home import Home, open_home
from affiant.kit.keyring import open_keyring
from affiant.ledger import Draft, LedgerClient

READY_S = 60.0
_LONGEST_PAUSE_S = 5.0
_STEADY_S = 20.0
_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What `affiant serve` was asked for. Port 0 means any free one."""

    home: Path
    workers: int = 1
    gateway_port: int = 8080
    console_port: int = 8081
    host: str = "127.0.0.1"
    console_host: str = "127.0.0.1"


@dataclass
class Child:
    """One supervised process and its history."""

    name: str
    role: str
    slot: int = 0
    process: asyncio.subprocess.Process | None = None
    line: socket.socket | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    started_s: float = 0.0
    failures: int = 0
    restarts: int = 0

    @property
    def pid(self) -> int:
        """Process id, 0 while it does not run."""
        return self.process.pid if self.process is not None and self.process.returncode is None else 0

    def pause_s(self) -> float:
        """How long to wait before the next start: at once at first, then longer while it keeps dying young."""
        if time.monotonic() - self.started_s > _STEADY_S:
            self.failures = 0
        self.failures += 1
        return 0.0 if self.failures == 1 else min(0.1 * 2.0 ** (self.failures - 2), _LONGEST_PAUSE_S)


class StartFailed(AffiantError):
    """A process could not start; its own words are on standard error. The exit code is that process's."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(
            f"The {name} process could not start (exit {code}).", "Its reason is printed above; `affiant doctor` names all faults."
        )
        self.exit_code = code if code in (1, 2, 3) else 3


class Supervisor:
    """Runs one home until it is told to stop."""

    def __init__(self, options: ServeOptions, home: Home, lock_fd: int, gateway: socket.socket, console: socket.socket) -> None:
        self._options = options
        self._home = home
        self._lock_fd = lock_fd
        self._gateway = gateway
        self._console = console
        self._siblings = os.pipe()
        self._writer = Child("writer", "writer")
        self._control = Child("control", "control")
        self._workers = [Child(f"worker {n + 1}", "worker", slot=n) for n in range(options.workers)]
        self._stopping = False
        self._stop = asyncio.Event()
        self._failed: StartFailed | None = None
        self._serving = False
        self._clock = open_clock()
        self._started_us = self._clock.now_us()
        self._unrecorded = UnrecordedFile(home.run / "unrecorded")
        self._watchers: list[asyncio.Task[None]] = []

    @property
    def _children(self) -> list[Child]:
        return [self._writer, self._control, *self._workers]

    async def run(self) -> None:
        """Start everything, say that it is ready, and stay until a signal.

        Raises:
            StartFailed: a process ended before all were ready.
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
            for fd in self._siblings:
                os.close(fd)
        if self._failed is not None:
            raise self._failed

    # -- starting

    async def _start_all(self) -> None:
        for group in ([self._writer], [self._control], self._workers):
            for child in group:
                if self._stop.is_set():
                    return
                await self._start(child)
                self._watchers.append(asyncio.create_task(self._keep(child)))
            for child in group:
                await self._await_ready(child)
        for port in (self._gateway, self._console):
            await self._await_readyz(port.getsockname()[:2])

    async def _await_ready(self, child: Child) -> None:
        waits = [asyncio.create_task(child.ready.wait()), asyncio.create_task(self._stop.wait())]
        done, pending = await asyncio.wait(waits, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if not done:
            raise CouldNotLook(f"The {child.name} process is not ready after {READY_S:.0f} s.", "Run `affiant doctor`.")

    async def _await_readyz(self, address: tuple[str, int]) -> None:
        deadline = time.monotonic() + READY_S
        while not self._stop.is_set():
            if await _answers_ready(address):
                return
            if time.monotonic() > deadline:
                raise CouldNotLook(f"http://{address[0]}:{address[1]}/readyz does not answer 200.", "Run `affiant doctor`.")
            await asyncio.sleep(0.05)

    async def _start(self, child: Child) -> None:
        ours, theirs = socket.socketpair()
        fds = [theirs.fileno(), self._lock_fd]
        arguments = ["--home", str(self._home.root), "--lifeline", str(theirs.fileno())]
        if child.role == "writer":
            fds.append(self._siblings[0])
            arguments += ["--siblings", str(self._siblings[0])]
        else:
            listening = self._console if child.role == "control" else self._gateway
            fds += [self._siblings[1], listening.fileno()]
            arguments += ["--socket", str(listening.fileno())]
        if child.role == "worker":
            arguments += ["--slot", str(child.slot)]
        if child.role == "control":
            arguments += ["--gateway", _url(self._gateway)]
        child.ready = asyncio.Event()
        child.started_s = time.monotonic()
        try:
            child.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "affiant.app", child.role, *arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=2, pass_fds=fds, start_new_session=True,
            )  # fmt: skip
        finally:
            theirs.close()
        if child.line is not None:
            child.line.close()
        ours.setblocking(False)
        child.line = ours
        self._save()

    async def _keep(self, child: Child) -> None:
        """Own a child from its first start on: notice that it is ready, notice its death, start it again."""
        while True:
            assert child.process is not None and child.line is not None
            listening = asyncio.create_task(_listen(child.line, child.ready))
            code = await child.process.wait()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            self._save()
            if self._stopping:
                return
            if not self._serving:
                self._failed = StartFailed(child.name, code)
                self._stop.set()
                return
            pause = child.pause_s()
            say(f"{child.name} ended ({_how(code)}); starting it again" + (f" in {pause:.1f} s" if pause else ""))
            await asyncio.sleep(pause)
            if self._stopping:
                return
            child.restarts += 1
            await self._start(child)

    # -- ending

    def _on_signal(self) -> None:
        if self._stop.is_set():
            say("forced: ending every process at once")
            for child in self._children:
                _signal(child, signal.SIGKILL)
            return
        say("stopping: workers first, the ledger writer last (again to force)")
        self._stop.set()

    async def _end_all(self) -> None:
        self._stopping = True
        for watcher in self._watchers:
            if not watcher.done() and self._sleeping(watcher):
                watcher.cancel()
        for group, patience in ((self._workers, DRAIN_S + 3), ([self._control], 8.0), ([self._writer], 30.0)):
            await asyncio.gather(*(self._end(child, patience) for child in group))
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        for child in self._children:
            if child.line is not None:
                child.line.close()
        remove_stale_sockets(self._home)
        Path(self._home.run / "supervisor.json").unlink(missing_ok=True)

    def _sleeping(self, watcher: asyncio.Task[None]) -> bool:
        """Whether a watcher is between a death and the next start, so that nothing new must be started."""
        index = self._watchers.index(watcher)
        return index < len(self._children) and not self._children[index].pid

    async def _end(self, child: Child, patience_s: float) -> None:
        if child.process is None or child.process.returncode is not None:
            return
        _signal(child, signal.SIGTERM)
        try:
            await asyncio.wait_for(child.process.wait(), patience_s)
        except TimeoutError:
            say(f"{child.name} did not end within {patience_s:.0f} s; ending it")
            _signal(child, signal.SIGKILL)
            await child.process.wait()

    # -- what others read

    def _state(self) -> dict[str, object]:
        return {
            "ready": self._serving,
            "gateway": _url(self._gateway),
            "console": _url(self._console),
            "pids": {"writer": self._writer.pid, "control": self._control.pid, "workers": [worker.pid for worker in self._workers]},
        }

    def _announce(self) -> None:
        self._save()
        print(json.dumps(self._state(), separators=(",", ":")), flush=True)  # noqa: T201 -- the one line of `serve`
        say(f"gateway {_url(self._gateway)} · console {_url(self._console)} · Ctrl-C stops")

    def _save(self) -> None:
        state = self._state() | {
            "supervisor": os.getpid(), "started_us": self._started_us,
            "restarts": {"writer": self._writer.restarts, "control": self._control.restarts, "workers": [w.restarts for w in self._workers]},
        }  # fmt: skip
        path = self._home.run / "supervisor.json"
        temporary = path.with_suffix(".tmp")
        try:
            temporary.write_text(json.dumps(state) + "\n", encoding="utf-8")
            os.replace(temporary, path)
        except OSError as error:
            say(f"cannot write {path}: {error.strerror}")

    # -- refusals while the writer was away

    async def _count_unrecorded(self) -> None:
        while True:
            await asyncio.sleep(0.25)
            found = self._unrecorded.pending(self._clock.now_us())
            if found is None or not self._writer.pid or not self._writer.ready.is_set():
                continue
            await asyncio.sleep(1.0)
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


def _signal(child: Child, number: signal.Signals) -> None:
    if child.process is not None and child.process.returncode is None:
        try:
            child.process.send_signal(number)
        except ProcessLookupError:
            return  # it ended in between


async def _listen(line: socket.socket, ready: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(line, 64):
        if b"ready" in data:
            ready.set()


async def _answers_ready(address: tuple[str, int]) -> bool:
    """One GET /readyz; True for 200."""
    host = "127.0.0.1" if address[0] in ("0.0.0.0", "") else address[0]  # noqa: S104 -- compared, not bound
    try:
        async with asyncio.timeout(2.0):
            reader, writer = await asyncio.open_connection(host, address[1])
            try:
                writer.write(f"GET /readyz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
                line = await reader.readline()
            finally:
                writer.close()
                await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in line


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    host = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 -- shown, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen_on(host: str, port: int, what: str, option: str) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise BadInput(f"{host} is no address to listen on: {error}.", "Give an address of this machine.") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise Conflict(
            f"The {what} cannot listen on {host}:{port}: {error.strerror}.",
            f"End what uses that port, or give another with {option} (0: any free one).",
        ) from error
    listening.setblocking(False)
    return listening


def serve(options: ServeOptions) -> None:
    """Hold the home, check what can be checked before anything starts, and supervise until told to stop.

    Raises:
        AffiantError: the home is in use, its keys do not open, a port is taken, or a process could not start.
    """
    if not 1 <= options.workers <= SLOTS:
        raise BadInput(f"{options.workers} workers cannot be started.", f"Give 1 to {SLOTS} with --workers.")
    home = open_home(options.home)
    open_keyring(home)
    with alone(home) as lock_fd:
        gateway = _listen_on(options.host, options.gateway_port, "gateway", "--gateway-port")
        try:
            console = _listen_on(options.console_host, options.console_port, "console", "--console-port")
            try:
                remove_stale_sockets(home)
                asyncio.run(_supervise(options, home, lock_fd, gateway, console))
            finally:
                console.close()
        finally:
            gateway.close()


async def _supervise(options: ServeOptions, home: Home, lock_fd: int, gateway: socket.socket, console: socket.socket) -> None:
    await Supervisor(options, home, lock_fd, gateway, console).run()
