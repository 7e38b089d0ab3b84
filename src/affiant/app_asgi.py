"""Serving an ASGI application on a socket that is there already, and calling one without any socket.

Leaves out: what the applications are (`app_control`, `app_local`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from affiant.kit.errors import CouldNotLook
from affiant.ledger.wire import reachable

_GRACE_S = 3


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the process has one place for that."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class InEffect:
    """Holds the answer to a change until the change is in effect, so that who made a key can use it at once.

    Args:
        app: what answers.
        effect: waits until everything committed is in effect, for a bounded time.
    """

    def __init__(self, app: ASGIApp, effect: Callable[[], Awaitable[None]]) -> None:
        self._app, self._effect = app, effect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return

        async def held(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                await self._effect()
            await send(message)

        await self._app(scope, receive, held)


class Listening:
    """One application on one listening socket.

    Args:
        app: the ASGI application.
        listening: bound and listening; closed at the end.
    """

    def __init__(self, app: ASGIApp, listening: socket.socket) -> None:
        self._socket = listening
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", server_header=False, date_header=False, ws="none",
            proxy_headers=False, timeout_graceful_shutdown=_GRACE_S,
        )  # fmt: skip
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take requests."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not self._task.done():  # noqa: ASYNC110 -- uvicorn offers a flag, no event
            await asyncio.sleep(0.01)
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """Finish what is being answered, then close."""
        self._server.should_exit = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        self._socket.close()


def unix_socket(path: Path) -> socket.socket:
    """A listening Unix socket that only its owner may use, however deep the home lies.

    Raises:
        CouldNotLook: it cannot be made.
    """
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reachable(path) as name:
            listening.bind(name)
            os.chmod(name, 0o600)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise CouldNotLook(f"{path} cannot be made: {error.strerror}.", "Make the home writable for Affiant.") from error
    listening.setblocking(False)
    return listening


async def call_app(
    app: ASGIApp, method: str, path: str, headers: dict[str, str], body: bytes, into: BinaryIO | None = None
) -> tuple[int, bytes]:
    """One request to an application in this process; gives status and body.

    Args:
        into: takes the body of a good answer as it comes; nothing of it is given then.

    Raises:
        CouldNotLook: the answer ended early.
    """
    target, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": target, "raw_path": target.encode(), "query_string": query.encode(), "root_path": "", "client": ("local", 0),
        "server": ("local", 0), "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    sent = ended = False
    status = 0
    parts: list[bytes] = []

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()  # who calls from this process does not hang up
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status, ended
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            (into.write if into is not None and status < 400 else parts.append)(message.get("body", b""))
            ended = not message.get("more_body", False)

    await app(scope, receive, send)
    if not ended:
        raise CouldNotLook("The answer ended early.", "Try again.")
    return status, b"".join(parts)
