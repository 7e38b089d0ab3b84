"""Entry of the writer process of a node whose ledger lies on servers, and a moment of leading for a command. Leaves out: arguments and
supervision."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from affiant.kit.clock import Clock
from affiant.kit.errors import Conflict
from affiant.kit.home import Home
from affiant.kit.keyring import Keyring
from affiant.ledger.serverhome.config import load_config
from affiant.ledger.serverhome.keychange import ChangedKey
from affiant.ledger.serverhome.node import Node, NodeOptions
from affiant.ledger.serverhome.objects import ObjectStore
from affiant.ledger.serverhome.sequencer import Sequencer, SequencerOptions
from affiant.ledger.serverhome.store import LedgerStore

T = TypeVar("T")


@contextmanager
def writer_lock(home: Home) -> Iterator[None]:
    """Hold the home's only place for a writer, embedded or not.

    Raises:
        Conflict: another process holds it.
    """
    fd = os.open(home.run / "writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"Another writer holds {home.root}.", "Stop it first.") from None
        yield
    finally:
        os.close(fd)


def run_node(
    home: Home,
    keyring: Keyring,
    clock: Clock,
    node_options: NodeOptions | None = None,
    sequencer_options: SequencerOptions | None = None,
    ready: Callable[[], None] | None = None,
) -> None:
    """Be the writer of a node until SIGTERM or SIGINT.

    Args:
        ready: called once `run/writer.sock` takes connections.

    Raises:
        LedgerFault: database or storage contradict what was signed.
        LedgerUnavailable: PostgreSQL cannot be reached at start.
        Conflict: another writer holds the home, or serves under this node's name.
    """
    try:
        import uvloop

        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = uvloop.new_event_loop
    except ImportError:
        loop_factory = None
    with writer_lock(home), asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_serve(home, keyring, clock, node_options, sequencer_options, ready))


def change_key(home: Home, keyring: Keyring, clock: Clock, asked: dict[str, Any]) -> ChangedKey:
    """Change the log's key as a node that nothing serves: lead for a moment, do it, resign.

    Raises:
        Conflict: a writer holds the home, or this node does not hold the key in force.
        AffiantError: as `Sequencer.change`.
    """
    with writer_lock(home):
        return asyncio.run(_led(home, keyring, clock, lambda sequencer: sequencer.change(asked)))


def lead_to_prune(home: Home, keyring: Keyring, clock: Clock, asked: dict[str, Any]) -> int:
    """Move the floor as a node that nothing serves: lead for a moment, do it, resign. Gives the index of the entry that says so.

    Raises:
        Conflict: a writer holds the home, or this node does not hold the key in force.
        AffiantError: as `Sequencer.move_floor`.
    """
    with writer_lock(home):
        return asyncio.run(_led(home, keyring, clock, lambda sequencer: sequencer.move_floor(asked)))


async def _led(home: Home, keyring: Keyring, clock: Clock, ask: Callable[[Sequencer], Coroutine[Any, Any, T]]) -> T:
    config = load_config(home)
    objects = ObjectStore(config)
    store = await LedgerStore.open(config, f"node {home.node}", connections=4)
    try:
        await store.check_durable()
        await store.ensure_keys(keyring.statements)
        await store.ensure_newest()
        sequencer = Sequencer(store, objects, home, keyring, clock)
        running = asyncio.create_task(sequencer.run())
        asking = asyncio.create_task(ask(sequencer))
        await asyncio.wait([running, asking], return_when=asyncio.FIRST_COMPLETED)
        sequencer.stop()
        await running
        return await asking
    finally:
        await store.close()
        await asyncio.to_thread(objects.close)


async def _serve(
    home: Home,
    keyring: Keyring,
    clock: Clock,
    node_options: NodeOptions | None,
    sequencer_options: SequencerOptions | None,
    ready: Callable[[], None] | None,
) -> None:
    config = load_config(home)
    objects = ObjectStore(config)
    store = await LedgerStore.open(config, f"node {home.node}", connections=6)
    try:
        await store.check_durable()
        await store.ensure_keys(keyring.statements)
        await store.ensure_newest()
        sequencer = Sequencer(store, objects, home, keyring, clock, sequencer_options, config.reserve_mb)
        node = Node(home, store, sequencer, node_options)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, node.stop)
        await node.run(home.run / "writer.sock", ready)
    finally:
        await store.close()
        await asyncio.to_thread(objects.close)
