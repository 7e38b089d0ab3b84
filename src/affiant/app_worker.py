"""A gateway worker process: the inherited socket, a lifeline, and the gateway's own loop between them."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path

import uvloop

from affiant.app_life import DRAIN_S, Lifeline, live
from affiant.gateway import WorkerOptions, serve
from affiant.guards import GuardChain
from affiant.kit.clock import open_clock
from affiant.kit.errors import BadInput
from affiant.kit.home import open_home
from affiant.weights import load_toolbox

_log = logging.getLogger("affiant.worker")


def run_worker(root: Path, lifeline_fd: int, socket_fd: int, slot: int) -> None:
    """Serve exchanges until SIGTERM or the end of the supervisor.

    Raises:
        BadInput: it was started by hand, without a listening socket.
    """
    if socket_fd < 0:
        raise BadInput("A worker needs a listening socket.", "Start it with `affiant serve`.")
    home, clock, lifeline = open_home(root), open_clock(), Lifeline(lifeline_fd)
    listening = socket.socket(fileno=socket_fd)
    chain = GuardChain(toolbox=load_toolbox(_log.info, home.derived))

    async def work(stop: asyncio.Event) -> None:
        await serve(home, clock, listening, stop, WorkerOptions(slot=slot, drain_s=DRAIN_S), lifeline.ready, chain)

    with listening:
        uvloop.run(live(lifeline, work))
    lifeline.close()
