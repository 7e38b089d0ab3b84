"""Serves a witness over HTTP: `POST /add-checkpoint` (C2SP tlog-witness) and its published cosignatures.

`GET /` names it; `GET /ORIGINHASH/checkpoint` gives the newest cosigned note of a log, `GET /ORIGINHASH/checkpoint/SIZE` the first one
given for a size (ORIGINHASH = hex SHA-256 of the origin). Leaves out: what is accepted (`witness`).
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from affiant.kit.clock import Clock, open_clock
from affiant.kit.errors import BadInput, Conflict
from affiant.ledger.witness import MAX_BODY_BYTES, Answer, WitnessState, witness_seed


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, {"content-type": answer.content_type, "cache-control": "no-store"})


def witness_app(state: WitnessState) -> Starlette:
    """The HTTP application of a witness."""

    async def add_checkpoint(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                return _response(Answer(400, b"The request is too large.\n"))
        return _response(await run_in_threadpool(state.add_checkpoint, body))

    async def checkpoint(request: Request) -> Response:
        size = request.path_params.get("size")
        note = await run_in_threadpool(state.note, request.path_params["origin"], size)
        return _response(Answer(404, b"Nothing was cosigned.\n") if note is None else Answer(200, note))

    async def about(request: Request) -> Response:
        body = {"witness": state.key.name, "vkey": state.vkey, "logs": [str(key) for keys in state.logs.values() for key in keys]}
        return Response(json.dumps(body) + "\n", media_type="application/json")

    return Starlette(
        routes=[
            Route("/", about),
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/{origin}/checkpoint", checkpoint),
            Route("/{origin}/checkpoint/{size:int}", checkpoint),
        ]
    )


class WitnessServer:
    """A witness that listens.

    Args:
        state: what it remembers and signs with.
        host: address to listen on.
        port: 0 for any; `url` tells which.

    Raises:
        Conflict: the port is taken.
    """

    def __init__(self, state: WitnessState, host: str = "127.0.0.1", port: int = 0) -> None:
        self.state = state
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
            self._socket.listen(128)
        except OSError as error:
            self._socket.close()
            raise Conflict(f"Cannot listen on {host}:{port}: {error.strerror}.", "Choose another address.") from error
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            witness_app(state), log_level="warning", lifespan="off", access_log=False, server_header=False, timeout_graceful_shutdown=2
        )
        self._server = uvicorn.Server(config)

    async def serve(self) -> None:
        """Serve until `stop`, SIGTERM or SIGINT."""
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Let `serve` return."""
        self._server.should_exit = True


def run_witness(
    state_file: Path,
    key_file: Path,
    listen: str,
    logs: list[str],
    name: str,
    clock: Clock | None = None,
    ready: Callable[[str, str], None] | None = None,
) -> None:
    """Be a witness until SIGTERM or SIGINT.

    Args:
        state_file: its memory; losing it means that the witness must get a new key.
        key_file: its key, made if missing.
        listen: HOST:PORT; port 0 for any.
        logs: verifier keys of the logs to cosign.
        name: of the cosigner, such as `witness.example/w1`.
        ready: told (URL, verifier key) before the first request is taken.

    Raises:
        BadInput: an argument is not acceptable.
        Conflict: the port is taken.
    """
    host, _, port = listen.rpartition(":")
    if not port.isdigit():
        raise BadInput(f"{listen!r} is no HOST:PORT.", "Write 127.0.0.1:8470, or :0 for any port.")
    state = WitnessState(state_file, name, witness_seed(key_file), logs, clock or open_clock())
    try:
        server = WitnessServer(state, host.strip("[]") or "127.0.0.1", int(port))
        if ready is not None:
            ready(server.url, state.vkey)
        asyncio.run(server.serve())
    finally:
        state.close()
