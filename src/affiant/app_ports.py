"""Listening sockets of a served home: bound once by the supervisor, inherited by children, so that a restart refuses no connection."""

from __future__ import annotations

import asyncio
import socket

from affiant.kit.errors import BadInput, Conflict

_BACKLOG = 2048
_ANY = ("0.0.0.0", "::")  # noqa: S104 -- compared, not bound


def listen_on(host: str, port: int, what: str, option: str) -> socket.socket:
    """Bind and listen; port 0 takes any free one.

    Args:
        what: for whom, in words.
        option: the option that chooses another port.

    Raises:
        BadInput: no address of this machine. Conflict: the port is taken.
    """
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


def url_of(listening: socket.socket) -> str:
    """The URL at which this machine reaches a listening socket."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def answers_ready(listening: socket.socket) -> bool:
    """One GET /readyz; whether the answer is 200."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- compared, not bound
    try:
        async with asyncio.timeout(2.0):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                line = await reader.readline()
            finally:
                writer.close()
                await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in line
