"""The clockwork of control: each second it looks whether the node serves, and runs what is due.

Everything it learns becomes events. Leaves out: when to call `tick` (control does, each second; a demonstration's driver does,
each simulated hour) and analytics over the ledger (assurance, in child processes).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from affiant.kit.clock import CLOCK_ENV, Clock
from affiant.kit.errors import AffiantError, NotFound
from affiant.kit.home import Home
from affiant.kit.keyring import Keyring
from affiant.ledger import Draft, Event
from affiant.operations.alerts import Alert, Alerts, Reading, Turns
from affiant.operations.probe_key import ProbeKey, find_probe_key, save_probe_key
from affiant.operations.probe_plans import INJECTION, PII, UNAPPROVED, UNAUTHENTICATED
from affiant.operations.probes import Ports, run_probe
from affiant.operations.schedule import DAY_US, Every, Schedule, iso, month_of
from affiant.operations.scheduler import FileBook, Job, Outcome, Scheduler, run_job
from affiant.operations.service import Observation, ServiceMeter
from affiant.records.jobs import JobBook, Kept
from affiant.records.snapshot import Snapshot

PROBE_MINUTES: dict[str, int] = {UNAUTHENTICATED: 187, INJECTION: 433, PII: 611, UNAPPROVED: 904}
EXPIRY_NOTICE_DAYS = 14
_MAX_UNWRITTEN = 1_000
_FOLLOWING_US = 5_000_000


@dataclass(frozen=True, slots=True)
class Context:
    """What operations need of control.

    Args:
        home: the home.
        keyring: its open keys.
        clock: wall time.
        gateway_url: base URL that callers use, without `/v1`.
        append: makes events durable in the ledger, under control's producer.
        snapshot: what workers decide from now.
        ready: whether at least one worker of this node is in contact and would serve now.
        exchange_event: the `exchange.opened` or `exchange.refused` of an exchange id, None if there is none.
        anchor: signs a checkpoint, has the witnesses cosign it, writes `anchor.cosigned` or `anchor.missed`; says what it did.
        open_period: writes `period.opened` and its `state.carried` for (name, first instant in µs); says what it did.
        create_key: makes a gateway key for (owner, tenant) with the scope `*` and gives (key id, secret), so that a home has a key to
            probe with by itself; None: somebody makes one with `affiant key create --probes`.
        reader: of the ledger, for alerts over windows; None: none are raised.
        jobs: where the nodes that share records take what one of them does; None where there is one.
        kept: where such nodes keep the key for probes.
    """

    home: Home
    keyring: Keyring
    clock: Clock
    gateway_url: str
    append: Callable[[Sequence[Draft]], Awaitable[object]]
    snapshot: Callable[[], Snapshot]
    ready: Callable[[], bool]
    exchange_event: Callable[[str], Awaitable[Event | None]]
    anchor: Callable[[], Awaitable[str]]
    open_period: Callable[[str, int], Awaitable[str]]
    create_key: Callable[[str, str], Awaitable[tuple[str, str]]] | None = None
    reader: Reading | None = None
    jobs: JobBook | None = None
    kept: Kept | None = None


class Operations:
    """Scheduled work of one home: one instance in control, used from one event loop."""

    def __init__(self, context: Context) -> None:
        self._context = context
        derived = context.home.derived
        self._injected = CLOCK_ENV in os.environ
        self._meter = ServiceMeter(context.home.node, derived / "service.json", self._injected)
        self._scheduler = Scheduler(self._jobs(), FileBook(derived / "jobs.json"), context.clock.now_us(), context.jobs)
        self._alerts = Alerts(context.reader) if context.reader is not None else None
        self._turns = Turns(context.jobs)
        self._unwritten: list[Draft] = []
        self._ended: list[Outcome] = []
        self._durable: list[Outcome] = []
        self._renewing: asyncio.Task[None] | None = None
        self._key_epoch = -1
        self._probe_key: ProbeKey | None = None
        self._turn = asyncio.Lock()
        self._working: asyncio.Task[list[Outcome]] | None = None
        self._apart: dict[str, asyncio.Task[None]] = {}

    async def tick(self) -> None:
        """Look whether the node serves, and see that what is due is being done.

        Nothing waits for work under way, so that the next look is not late: except under an injected clock that stands still, where
        whoever moves it must know that the work of this moment, the hour's anchor included, is done.

        Raises:
            LedgerUnavailable: outcomes could not be written; they are kept and written later.
        """
        now_us = self._context.clock.now_us()
        self._meter.observe(Observation(now_us, time.monotonic_ns(), self._context.ready()))
        if self._injected and abs(now_us - time.time_ns() // 1000) > _FOLLOWING_US:
            await self._work()
            await asyncio.gather(*self._apart.values())
        else:
            done = self._working
            if done is None or done.done():
                self._working = asyncio.create_task(self._work())
            if done is not None and done.done():
                done.result()
            if self._context.jobs is not None and self._scheduler.busy and (self._renewing is None or self._renewing.done()):
                self._renewing = asyncio.create_task(self._renew())
        self._meter.save()

    async def run_due(self) -> list[Outcome]:
        """Run what is due now to its end and write what came of it.

        Raises:
            LedgerUnavailable: as `tick`.
        """
        outcomes = await self._work()
        await asyncio.gather(*self._apart.values())
        await self._write([])
        await self._mark_done()
        return outcomes

    async def close(self) -> None:
        """Give up work under way; what was not written by then is lost with it."""
        tasks = [task for task in (self._working, self._renewing, *self._apart.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> list[Outcome]:
        async with self._turn:
            await self._prepare_probe_key()
            await self._raise_alerts()
            outcomes = []
            taken = await self._take()
            for job, due_us, number in taken:
                if job.apart:  # first, so that it goes on beside the others
                    work = self._run_apart(job, due_us, number, self._apart.get(job.name))
                    self._apart[job.name] = asyncio.create_task(work)
            for job, due_us, number in taken:
                if not job.apart:
                    outcomes.append(await run_job(job, due_us, number))
                    self._note(outcomes[-1])
            await self._write([])
            await self._mark_done()
            return outcomes

    async def _raise_alerts(self) -> None:
        """Once a minute: events for windows that are over and exceed what a policy allows."""
        alerts, now_us = self._alerts, self._context.clock.now_us()
        if alerts is None or not alerts.due(now_us):
            return
        drafts = await asyncio.to_thread(alerts.look, self._context.snapshot(), now_us)
        try:
            mine = await asyncio.to_thread(self._turns.mine, drafts, alerts.told_before)
            if mine:
                await self._context.append(mine)
                await asyncio.to_thread(self._turns.written, mine)
        except AffiantError:
            alerts.withdraw(drafts)
            raise

    def alerts(self) -> list[Alert]:
        """Alerts of the last day, the newest first."""
        return self._alerts.recent(self._context.clock.now_us()) if self._alerts is not None else []

    async def _take(self) -> list[tuple[Job, int, int]]:
        """Take what is due; asking the other nodes' records is waiting, and nothing else waits for it."""
        now_us, ready = self._context.clock.now_us(), self._context.ready()
        if self._context.jobs is None:
            return self._scheduler.take(now_us, ready)
        return await asyncio.to_thread(self._scheduler.take, now_us, ready)

    async def _renew(self) -> None:
        """Keep what is under way; if it cannot be kept, another node may do it again, which shows."""
        with contextlib.suppress(AffiantError):
            await asyncio.to_thread(self._scheduler.renew)

    async def _run_apart(self, job: Job, due_us: int, number: int, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        self._note(await run_job(job, due_us, number))

    def _note(self, outcome: Outcome) -> None:
        self._ended.append(outcome)
        if outcome.told:
            self._unwritten.append(outcome.draft())
            del self._unwritten[:-_MAX_UNWRITTEN]

    async def _write(self, drafts: Sequence[Draft]) -> None:
        """Make these and what waited durable, together; what could not be written waits again."""
        kept, self._unwritten = self._unwritten, []
        ended, self._ended = self._ended, []
        try:
            if kept or drafts:
                await self._context.append([*kept, *drafts])
        except AffiantError:
            self._unwritten, self._ended = [*kept, *self._unwritten], [*ended, *self._ended]
            raise
        self._durable += ended

    async def _mark_done(self) -> None:
        """Nobody needs to do again what ended and is written. Where that cannot be said, it is said later."""
        durable, self._durable = self._durable, []
        try:
            if durable:
                await asyncio.to_thread(self._scheduler.done, durable)
        except AffiantError:
            self._durable = [*durable, *self._durable]
            raise

    def due_items(self) -> list[tuple[str, int]]:
        """Names of jobs and the due time (µs) that each waits to run for now."""
        return [(job.name, due_us) for job, due_us in self._scheduler.due(self._context.clock.now_us())]

    def _jobs(self) -> list[Job]:
        hourly, daily = Every.HOUR, Every.DAY
        return [
            Job("service", Schedule(hourly, 1), self._service, quiet=True, each_node=True),
            Job("period", Schedule(Every.MONTH, 0), self._period),
            *(Job(f"probe.{name}", Schedule(daily, minute), self._probe(name)) for name, minute in PROBE_MINUTES.items()),
            Job("keys", Schedule(daily, 360), self._keys),
            Job("anchor", Schedule(hourly, 4), self._anchor, quiet=True, apart=True, each_node=True),  # each keeps its cosignatures
        ]

    async def _service(self, due_us: int) -> str:
        drafts = self._meter.finished(due_us)
        if drafts:
            await self._write(drafts)
            self._meter.forget(due_us)
        return ""

    async def _period(self, due_us: int) -> str:
        return await self._context.open_period(f"{month_of(due_us) // 100}-{month_of(due_us) % 100:02d}", due_us)

    def _probe(self, name: str) -> Callable[[int], Awaitable[str]]:
        context = self._context
        ports = Ports(
            context.gateway_url, context.append, context.snapshot, self._key, context.exchange_event, context.clock,
        )  # fmt: skip

        async def run(due_us: int) -> str:
            return await run_probe(ports, name, due_us)

        return run

    async def _prepare_probe_key(self) -> None:
        """Have a key to probe with long before a probe is due: its owner and tenant are those that most live keys have."""
        snapshot = self._context.snapshot()
        moved = snapshot.epoch != self._key_epoch
        if not moved and (self._context.kept is None or self._probe_key is not None):
            return  # where nodes share the key, another may have kept it a moment after it was made
        self._key_epoch = snapshot.epoch
        try:
            await self._choose_probe_key(snapshot)
        except AffiantError as error:
            if moved:
                self._unwritten.append(Outcome("probe.key", self._context.clock.now_us(), False, str(error)).draft())

    async def _choose_probe_key(self, snapshot: Snapshot) -> None:
        home, keyring = self._context.home, self._context.keyring
        self._probe_key = await asyncio.to_thread(find_probe_key, home, keyring, self._context.kept)
        live = {key.id: key for key in snapshot.keys if not key.revoked}
        create = self._context.create_key
        if create is None or not live or (self._probe_key is not None and self._probe_key.key_id in live):
            return
        owner, tenant = Counter((key.owner, key.tenant) for key in live.values()).most_common(1)[0][0]
        self._probe_key = ProbeKey(*await create(owner, tenant))
        await asyncio.to_thread(save_probe_key, home, keyring, self._probe_key, self._context.kept)

    def _key(self) -> ProbeKey:
        if self._probe_key is None:
            raise NotFound("There is no key to probe with.", "Make one with `affiant key create --probes --models '*' --owner PERSON`.")
        return self._probe_key

    async def _keys(self, due_us: int) -> str:
        until = due_us + EXPIRY_NOTICE_DAYS * DAY_US
        soon = [key for key in self._context.snapshot().keys if not key.revoked and due_us < key.expires_us <= until]
        if not soon:
            return ""
        listed = ", ".join(f"{key.id} of {key.owner} on {iso(key.expires_us)[:10]}" for key in soon)
        return f"{len(soon)} keys expire within {EXPIRY_NOTICE_DAYS} days: {listed}"

    async def _anchor(self, due_us: int) -> str:
        return await self._context.anchor()
