"""The control process: records and snapshots, console and API, scheduled work; analytics in a child of its own.

One event loop. What waits for the disk runs in threads, what reads the whole ledger in the analytics child, so that the snapshot
confirmation every 250 ms is never late. Leaves out: forwarding exchanges (workers), writing entries (the writer), what routes do.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from affiant import api, console
from affiant.app_analytics import Analytics
from affiant.app_asgi import InEffect, Listening, unix_socket
from affiant.app_findings import LedgerFindings
from affiant.app_guards import Bench
from affiant.app_life import Lifeline, live, say
from affiant.app_ports import url_of
from affiant.app_work import Work, adopter, changed_controls, probe_key_keeper
from affiant.catalog import load
from affiant.gateway.policies import judge_detectors
from affiant.kit.clock import CLOCK_ENV, Clock, open_clock
from affiant.kit.errors import AffiantError, BadInput, Conflict, LedgerUnavailable
from affiant.kit.home import Home, open_home
from affiant.kit.keyring import Keyring, open_keyring
from affiant.ledger import Anchors, Draft, Event, LedgerClient, period_open_drafts
from affiant.ledger.opening import close_reader, open_reader
from affiant.ledger.timestamps import Stamps, read_authorities
from affiant.operations import Context as OperationsContext
from affiant.operations import Operations
from affiant.records import Records, SnapshotServer

_log = logging.getLogger("affiant.control")
_TICK_S = 1.0
_CONNECT_S = 20.0
_IN_EFFECT_S = 2.0
_FOLLOWING_US = 5_000_000


def run_control(root: Path, lifeline_fd: int, socket_fd: int, gateway_url: str) -> None:
    """Be control until SIGTERM or the end of the supervisor.

    Raises:
        BadInput: it was started by hand, without a listening socket.
    """
    if socket_fd < 0:
        raise BadInput("Control needs a listening socket.", "Start it with `affiant serve`.")
    home, lifeline = open_home(root), Lifeline(lifeline_fd)
    listening = socket.socket(fileno=socket_fd)

    async def work(stop: asyncio.Event) -> None:
        control = Control(home, open_keyring(home), open_clock(), listening, gateway_url)
        try:
            await control.start()
            lifeline.ready()
            await stop.wait()
        finally:
            await control.stop()

    uvloop.run(live(lifeline, work))
    lifeline.close()


class Control:
    """Everything that control runs, started and stopped in order.

    Args:
        listening: the console's socket.
        gateway_url: how probes reach the gateway.
    """

    def __init__(self, home: Home, keyring: Keyring, clock: Clock, listening: socket.socket, gateway_url: str) -> None:
        self._home, self._keyring, self._clock, self._gateway_url = home, keyring, clock, gateway_url
        self._console_url = url_of(listening)
        self._listening = listening
        self._stack = contextlib.AsyncExitStack()
        self._committed = asyncio.Event()
        self._started_us = clock.now_us()

    async def start(self) -> None:
        """Open everything; when this returns, console, API, snapshots and scheduled work run.

        Raises:
            AffiantError: something cannot be opened.
        """
        home, clock, stack = self._home, self._clock, self._stack
        self._loop = asyncio.get_running_loop()
        self._ledger = await LedgerClient.connect(home.run / "writer.sock", home.node, "control", clock, timeout_s=_CONNECT_S)
        stack.push_async_callback(self._ledger.close)
        self._records = Records(home, self._keyring, clock, on_commit=self._on_commit, judge=judge_detectors)
        stack.callback(self._records.close)
        self._reader = await asyncio.to_thread(open_reader, home)
        stack.callback(close_reader, self._reader)
        self._anchors = Anchors(home, self._reader, clock)
        self._analytics = Analytics(home.root, self._append)
        stack.push_async_callback(self._analytics.close)
        self._catalog = await asyncio.to_thread(load)
        self._say_what_changed()
        self._work = Work(self._analytics.call, self._settle, self._anchor)
        self._snapshots = SnapshotServer(self._records, home.run / "snapshot.sock")
        await self._snapshots.start()
        stack.push_async_callback(self._snapshots.stop)
        self._operations = Operations(self._operations_context())
        await self._serve()
        for task in (self._pump(), self._tick()):
            running = asyncio.create_task(task)
            stack.push_async_callback(_cancelled, running)

    def _say_what_changed(self) -> None:
        changed = [control.id for control in changed_controls(self._records, self._catalog)]
        if changed:
            say(
                f"{', '.join(changed)}: this program ships another version than the one in force; it is not tested until "
                "`affiant control adopt --all --as PERSON`"
            )

    async def stop(self) -> None:
        """Close everything, the newest first."""
        await self._stack.aclose()

    # -- the ledger

    def _on_commit(self) -> None:
        """A record change was committed, in whatever thread: have the writer fetch it now."""
        self._loop.call_soon_threadsafe(self._committed.set)

    async def _pump(self) -> None:
        while True:
            await self._committed.wait()
            self._committed.clear()
            with contextlib.suppress(LedgerUnavailable):  # the writer looks by itself each second
                await self._ledger.outbox()

    async def _append(self, drafts: Sequence[Draft]) -> int:
        return await self._ledger.append(drafts)

    async def _settle(self) -> None:
        """Bring every record change into the ledger and sign over everything on disk."""
        await self._ledger.outbox()
        await self._ledger.checkpoint()

    # -- scheduled work

    def _operations_context(self) -> OperationsContext:
        return OperationsContext(
            home=self._home, keyring=self._keyring, clock=self._clock, gateway_url=self._gateway_url, append=self._append,
            snapshot=lambda: self._snapshots.snapshot, ready=lambda: self._snapshots.ready, exchange_event=self._exchange_event,
            anchor=self._anchor, open_period=self._open_period, reader=self._reader, jobs=self._records.jobs, kept=self._records.kept,
        )  # fmt: skip

    async def _exchange_event(self, exchange: str) -> Event | None:
        def look() -> Event | None:
            events = (self._reader.event(index) for index in self._reader.find(exchange))
            return next((event for event in events if event.type in ("exchange.opened", "exchange.refused")), None)

        return await asyncio.to_thread(look)

    async def _anchor(self) -> str:
        authorities = read_authorities(self._home)
        if not self._home.witnesses and not authorities:
            return "no witness is configured"
        await self._ledger.checkpoint()
        outcomes = await asyncio.to_thread(self._anchors.submit)
        stamped = await asyncio.to_thread(Stamps(self._home, self._clock).hourly, self._reader.checkpoint()) if authorities else []
        drafts = [outcome.draft for outcome in outcomes] + [stamp.draft for stamp in stamped if stamp.draft is not None]
        if drafts:
            await self._append(drafts)
        missed = [f"{outcome.witness}: {outcome.why}" for outcome in outcomes if outcome.anchor is None]
        missed += [f"{stamp.authority}: {stamp.why}" for stamp in stamped if stamp.stamp is None]
        return "; ".join(missed) if missed else f"cosigned by {', '.join(outcome.witness for outcome in outcomes) or 'all before'}"

    async def _open_period(self, name: str, from_us: int) -> str:
        if self._records.jobs is not None:
            with contextlib.suppress(LedgerUnavailable):  # no head can be signed; entries that are in place are read all the same
                await self._settle()  # another node may have opened it a moment ago, and died
        try:
            drafts = await asyncio.to_thread(period_open_drafts, self._reader, name, from_us)
        except Conflict:
            return f"{name} was opened before"
        await self._append(drafts)
        return f"{name} opened with {len(drafts) - 1} carried records"

    async def _tick(self) -> None:
        """Look each second, unless an injected clock stands still: then whoever moves it asks for each look."""
        while True:
            await asyncio.sleep(_TICK_S)
            if CLOCK_ENV in os.environ and abs(self._clock.now_us() - time.time_ns() // 1000) > _FOLLOWING_US:
                continue
            await self._look()

    async def _look(self) -> None:
        try:
            await self._operations.tick()
        except AffiantError as error:
            _log.warning("scheduled work: %s", error)

    # -- what answers

    async def _serve(self) -> None:
        outside = self._application(allow_local=False, more=console.create_console(self._console_context()))
        api_inside = self._application(allow_local=True, more=[])
        inside = Starlette(routes=[Route("/internal/tick", self._internal_tick, methods=["POST"]), Mount("/", api_inside)])
        for app, listening in ((inside, unix_socket(self._home.run / "control.sock")), (outside, self._listening)):
            server = Listening(app, listening)
            await server.start()
            self._stack.push_async_callback(server.stop)

    def _application(self, allow_local: bool, more: Sequence[BaseRoute]) -> ASGIApp:
        routes: list[BaseRoute] = [
            Route("/healthz", _alive),
            Route("/readyz", self._ready),
            Mount("/api/v1", api.create_api(self._api_context(), allow_local)),
            *more,
        ]
        return InEffect(Starlette(routes=routes), self._in_effect)

    async def _in_effect(self) -> None:
        """Wait until every worker in contact decides from what was committed; one that is out of contact has stopped by itself soon."""
        epoch = await asyncio.to_thread(lambda: self._records.epoch)
        if not await self._snapshots.wait_epoch(epoch, _IN_EFFECT_S):
            _log.warning("a change is committed; not every worker has confirmed it within %.0f s", _IN_EFFECT_S)

    async def _ready(self, request: Request) -> Response:
        fault = self._snapshots.fault
        if fault is not None or not self._ledger.available:
            return PlainTextResponse(f"{fault or 'the ledger writer is away'}\n", 503)
        return PlainTextResponse("ready\n")

    async def _internal_tick(self, request: Request) -> Response:
        """Look at the clock once: for a driver that moves an injected clock; nobody else may ask."""
        given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not hmac.compare_digest(given.encode(), self._keyring.local_token.encode()):
            return PlainTextResponse("unknown credential\n", 401)
        if CLOCK_ENV not in os.environ:
            return PlainTextResponse("the clock of this home is the system's\n", 409)
        await self._operations.tick()
        return PlainTextResponse("{}", media_type="application/json")

    def _api_context(self) -> api.Context:
        return api.Context(
            records=self._records, reader=self._reader, clock=self._clock, local_token=self._keyring.local_token,
            run_controls=self._work.run_controls, build_package=self._work.build_package,
            adopt_controls=adopter(self._home, self._records), status=self._status,
            save_probe_key=probe_key_keeper(self._home, self._keyring, self._records), due=self._due, console_url=self._console_url,
        )  # fmt: skip

    def _console_context(self) -> console.Context:
        findings = LedgerFindings(self._home, self._reader, self._catalog, self._records, self._anchors, self._clock, self._rebuild_rows)

        async def run(principal: str, controls: tuple[str, ...]) -> Any:
            return await self._work.run_now(principal, controls)

        return console.Context(
            origin=self._home.origin, clock=self._clock, records=self._records, reader=self._reader, anchors=self._anchors.all,
            catalog=self._catalog, findings=findings, run_controls=run, index_path=self._home.derived / "console.db",
            home_words=str(self._home.root), guards=Bench(self._records),
        )  # fmt: skip

    def _rebuild_rows(self, freeze: str) -> None:
        """From a page's thread: have the analytics child make kept rows again, and wait."""
        asyncio.run_coroutine_threadsafe(self._analytics.call("rebuild", {"freeze": freeze}), self._loop).result()

    def _due(self) -> list[dict[str, Any]]:
        """What waits for its time, and what guards raised within a day."""
        due = [{"what": name, "due_us": due_us} for name, due_us in self._operations.due_items()]
        return due + [{"what": f"look at an alert: {alert.text}", "due_us": alert.until_us} for alert in self._operations.alerts()]

    def _status(self) -> dict[str, Any]:
        """Processes, writer and anchors as they are now; called in a thread."""
        view = self._snapshots.view
        status: dict[str, Any] = {
            "processes": _supervisor(self._home), "control_started_us": self._started_us, "console": self._console_url,
            "gateway": self._gateway_url, "workers_in_contact": view.workers, "workers_ready": view.ready, "in_flight": view.in_flight,
            "witnesses": len(self._home.witnesses), "anchors": self._anchor_status(), "writer": {},
        }  # fmt: skip
        with contextlib.suppress(LedgerUnavailable):
            status["writer"] = asyncio.run_coroutine_threadsafe(self._ledger.status(2.0), self._loop).result(5.0)
        fault = self._snapshots.fault or self._snapshots.revoking_fault
        if fault is not None:
            status["fault"] = str(fault)
        return status

    def _anchor_status(self) -> dict[str, Any]:
        newest = self._anchors.newest()
        if newest is None:
            return {"size": 0}
        return {"size": newest.size, "witness": newest.witness, "time_s": newest.time_s, "count": len(self._anchors.all())}


async def _alive(request: Request) -> Response:
    return PlainTextResponse("alive\n")


def _supervisor(home: Home) -> dict[str, Any]:
    try:
        return dict(json.loads((home.run / "supervisor.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
