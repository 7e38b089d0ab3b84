"""Entry of the writer process. Leaves out: arguments and supervision (`app`, the supervisor)."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable

from affiant.kit.clock import Clock
from affiant.kit.errors import LedgerFault
from affiant.kit.home import Home
from affiant.kit.keyring import Keyring
from affiant.ledger.fileops import FileOps
from affiant.ledger.segment import SyncError
from affiant.ledger.server import WriterServer
from affiant.ledger.writer import Writer, WriterOptions

SWITCH_S = 0.0001


def run_writer(
    home: Home,
    keyring: Keyring,
    clock: Clock,
    options: WriterOptions | None = None,
    ops: FileOps | None = None,
    ready: Callable[[], None] | None = None,
) -> None:
    """Be the writer of a home until SIGTERM or SIGINT.

    Args:
        ready: called once `run/writer.sock` takes connections.

    Raises:
        LedgerFault: the ledger contradicts what was signed, or the disk no longer keeps what it is given.
        Conflict: another writer holds the home.
    """
    try:
        import uvloop

        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = uvloop.new_event_loop
    except ImportError:
        loop_factory = None
    with Writer.open(home, keyring, clock, options, ops) as writer, asyncio.Runner(loop_factory=loop_factory) as runner:
        # The signer hashes in a thread beside the loop, which must not wait long for its turn after each sync.
        sys.setswitchinterval(SWITCH_S)
        runner.run(_serve(writer, home, ready))


async def _serve(writer: Writer, home: Home, ready: Callable[[], None] | None) -> None:
    server = WriterServer(writer)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    try:
        await server.run(home.run / "writer.sock", ready)
    except SyncError as error:
        raise LedgerFault(str(error), "The writer stopped; check the disk. Starting again reads back what the disk holds.") from error
