"""Builds the operations of a home from the doors of records and ledger: what `app` calls in control.

Whatever waits for a disk or a socket runs in a thread, so that control's event loop goes on. Leaves out: the work itself.
"""

from __future__ import annotations

import asyncio

from affiant.kit.clock import Clock
from affiant.kit.errors import CouldNotLook
from affiant.kit.home import Home
from affiant.kit.keyring import Keyring
from affiant.ledger import Anchors, Event, LedgerClient, LedgerReader, period_open_drafts
from affiant.operations.operations import Context, Operations
from affiant.records import LOCAL, Records, SnapshotServer


def open_operations(
    home: Home,
    keyring: Keyring,
    clock: Clock,
    gateway_url: str,
    client: LedgerClient,
    reader: LedgerReader,
    anchors: Anchors,
    records: Records,
    snapshots: SnapshotServer,
) -> Operations:
    """Operations of a home that is being served.

    Args:
        home, keyring, clock: of the home.
        gateway_url: base URL that callers use, without `/v1`.
        client: control's own producer.
        reader: of the home's ledger.
        anchors: of the home.
        records: the records.
        snapshots: started.
    """

    async def exchange_event(exchange: str) -> Event | None:
        return await asyncio.to_thread(_exchange_event, reader, exchange)

    async def anchor() -> str:
        await client.checkpoint()
        if not home.witnesses:
            raise CouldNotLook("No witness is configured.", "Name one, so that somebody outside can tell that history was not replaced.")
        outcomes = await asyncio.to_thread(anchors.submit)
        drafts = [outcome.draft for outcome in outcomes]
        if drafts:
            await client.append(drafts)
        missed = [f"{outcome.witness}: {outcome.why}" for outcome in outcomes if outcome.anchor is None]
        if missed:
            raise CouldNotLook("; ".join(missed), "Later heads cover the same entries; see when the witness answers again.")
        return ""

    async def open_period(name: str, from_us: int) -> str:
        drafts = await asyncio.to_thread(period_open_drafts, reader, name, from_us)
        await client.append(drafts, timeout_s=60)
        return f"{name}: {len(drafts) - 1} live records carried"

    async def create_key(owner: str, tenant: str) -> tuple[str, str]:
        made = await asyncio.to_thread(records.create_key, owner, ["*"], LOCAL, tenant)
        snapshots.notify()
        return made.key.id, made.secret

    return Operations(
        Context(
            home=home,
            keyring=keyring,
            clock=clock,
            gateway_url=gateway_url,
            append=client.append,
            snapshot=lambda: snapshots.snapshot,
            ready=lambda: snapshots.ready,
            exchange_event=exchange_event,
            anchor=anchor,
            open_period=open_period,
            create_key=create_key,
            ensure_tenant_keys=lambda: asyncio.to_thread(records.ensure_tenant_keys),
        )
    )


def _exchange_event(reader: LedgerReader, exchange: str) -> Event | None:
    for index in reader.find(exchange):
        event = reader.event(index)
        if event.type in ("exchange.opened", "exchange.refused"):
            return event
    return None
