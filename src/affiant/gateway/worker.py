"""A gateway worker: opens the ledger client and the contact with control, serves the application on an inherited socket.

Leaves out: how processes are started, told to stop and restarted (`app`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import uvicorn

from affiant import __version__
from affiant.gateway.asgi import GatewayApp
from affiant.gateway.contact import Contact
from affiant.gateway.conversations import Conversations
from affiant.gateway.counters import SLOTS, Counter, open_lost
from affiant.gateway.evidence import Flood, Recorder, source_name
from affiant.gateway.forward import Secrets, Timeouts
from affiant.gateway.guardpool import GuardPool
from affiant.gateway.limits import Limits
from affiant.gateway.live import OpenExchanges
from affiant.gateway.metrics import Metrics
from affiant.gateway.parts import Parts
from affiant.gateway.tables import Tables
from affiant.gateway.upstream import Pool
from affiant.guards import GuardChain
from affiant.kit.clock import Clock
from affiant.kit.errors import LedgerUnavailable
from affiant.kit.home import Home
from affiant.ledger import Draft, LedgerClient

_TICK_S = 0.1
_WARM_UP_LOOK_S = 0.005
_log = logging.getLogger("affiant.gateway")


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How one worker runs.

    Args:
        slot: its number, from 0; below 64.
        drain_s: how long it finishes what is open when told to stop.
        refused_per_minute: events a minute and source for unauthenticated refusals; more are counted.
        warm_up_s: how long it waits, before it takes connections, to be able to serve exchanges.
        guards_at_once: long texts that are guarded at a time; `guards_waiting` more may wait.
    """

    slot: int = 0
    drain_s: float = 5.0
    refused_per_minute: int = 60
    timeouts: Timeouts = field(default_factory=Timeouts)
    warm_up_s: float = 3.0
    guards_at_once: int = 2
    guards_waiting: int = 64

    @property
    def name(self) -> str:
        return f"gateway-{self.slot}"


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def serve(
    home: Home,
    clock: Clock,
    listening: socket.socket,
    stop: asyncio.Event,
    options: WorkerOptions | None = None,
    ready: Callable[[], None] | None = None,
    chain: GuardChain | None = None,
) -> None:
    """Serve exchanges until `stop` is set.

    Args:
        listening: bound and listening; stays the caller's.
        chain: guards with their models; those without a model where it is None.
        ready: called once, when the socket is served (which may be before exchanges are: see /readyz).
    """
    options = options or WorkerOptions()
    unrecorded, lost = Counter(home.run / "unrecorded", options.slot % SLOTS), open_lost(home.run, options.slot)
    ledger = await LedgerClient.connect(home.run / "writer.sock", home.node, "gateway", clock, wait=False)
    chain = chain or GuardChain()
    recorder = Recorder(ledger, clock, unrecorded, lost, chain.toolbox.digest)
    ledger.on_late, ledger.on_ended = recorder.on_late, recorder.on_ended
    exchanges = OpenExchanges()
    contact = Contact(
        home.run / "snapshot.sock", options.name, lambda: len(exchanges), exchanges.on_change, lambda why: _log.warning("contact: %s", why)
    )
    pool = Pool()
    flood = Flood(options.refused_per_minute)
    guards = GuardPool(options.guards_at_once, options.guards_waiting)
    parts = Parts(
        contact, Limits(contact), recorder, pool, Secrets(), clock, exchanges, flood, Metrics(), options.timeouts,
        chain, guards, Conversations(home.root / "sealed" / "pseudonyms"),
    )  # fmt: skip
    app = GatewayApp(parts, options.name)
    contact.serving = app.ready
    config = uvicorn.Config(
        app, http="httptools", ws="none", lifespan="off", access_log=False, log_config=None, server_header=False, date_header=True,
        timeout_keep_alive=75, timeout_graceful_shutdown=max(1, int(options.drain_s)), backlog=1024, proxy_headers=False,
    )  # fmt: skip
    server = _Server(config)
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(contact.run()), loop.create_task(_watch(parts)), loop.create_task(_stopper(server, stop, ready))]
    failed: list[BaseException] = []

    def ended(task: asyncio.Task[None]) -> None:
        """A helper that fails takes the worker with it: a worker that no longer watches must not serve."""
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            failed.append(fault)
            server.should_exit = True

    for task in tasks:
        task.add_done_callback(ended)
    try:
        await _warm_up(app, stop, failed, options.warm_up_s)
        await server.serve(sockets=[listening.dup()])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        pool.close()
        guards.close()
        await _write(parts, parts.flood.take(_naming(contact.tables, clock.now_us())))
        await ledger.close()
        unrecorded.close()
        lost.close()
    if failed:
        raise failed[0]


async def _warm_up(app: GatewayApp, stop: asyncio.Event, failed: list[BaseException], most_s: float) -> None:
    """Take no connection before exchanges would be served, for a while: another worker, or the backlog, serves it better."""
    deadline = time.monotonic() + most_s
    while not (app.ready() or stop.is_set() or failed) and time.monotonic() < deadline:  # noqa: ASYNC110 - contact and ledger are apart
        await asyncio.sleep(_WARM_UP_LOOK_S)


async def _stopper(server: uvicorn.Server, stop: asyncio.Event, ready: Callable[[], None] | None) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.005)
    if ready is not None:
        ready()
    await stop.wait()
    server.should_exit = True


async def _watch(parts: Parts) -> None:
    """Ten times a second: notice lost and regained contact, write counted refusals, catch up with the ledger."""
    lost_at_us = lost_cut = 0
    minute = -1
    pending = _loaded(parts)
    while True:
        await asyncio.sleep(_TICK_S)
        contact, now_us, now_s = parts.contact, parts.clock.now_us(), time.monotonic()
        if not contact.fresh() and (contact.tables is not None or parts.stale_refused):
            lost_at_us = lost_at_us or now_us
            lost_cut += parts.open.cut_all("stale")
        elif lost_at_us and contact.fresh():
            body = {"from": lost_at_us, "to": max(now_us, lost_at_us), "refused": parts.stale_refused, "cut": lost_cut}
            pending.append(Draft("gateway.stale", body, actor="system:gateway"))
            lost_at_us = lost_cut = parts.stale_refused = 0
        if int(now_s // 60) != minute:
            minute = int(now_s // 60)
            if minute % 60 == 0:
                await asyncio.to_thread(parts.conversations.sweep, now_us)
            pending += parts.flood.take(_naming(contact.tables, now_us))
        pending = await _write(parts, pending)
        await parts.recorder.tick(now_s)


def _loaded(parts: Parts) -> list[Draft]:
    """What names the versions of guards that exchanges name by their digest."""
    toolbox = parts.chain.toolbox
    if not toolbox.digest:
        return []
    versions = [{"guard": guard, "version": version} for guard, version in toolbox.versions]
    return [Draft("guards.loaded", {"versions": versions, "software": __version__}, ref=toolbox.digest, actor="system:gateway")]


def _naming(tables: Tables | None, now_us: int) -> Callable[[str], str]:
    return lambda address: source_name(tables, address, now_us)


async def _write(parts: Parts, drafts: list[Draft]) -> list[Draft]:
    """Write events; gives those that wait for the ledger."""
    for number, draft in enumerate(drafts):
        try:
            await parts.recorder.write(draft)
        except LedgerUnavailable:
            return drafts[number:]
    return []


def run_worker(home: Home, clock: Clock, listening: socket.socket, options: WorkerOptions | None = None) -> None:
    """Run one worker in this process until SIGTERM or SIGINT; for tests and small programs (`app` has its own way to end)."""
    import signal

    import uvloop

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(home, clock, listening, stop, options)

    uvloop.run(main())
