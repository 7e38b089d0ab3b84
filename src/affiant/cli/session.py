"""The command line as a caller of the API: over `run/control.sock` while the home is served, else in process under its lock.

The actor is the home's local credential, acting for the person named with `--as`. Leaves out: what the actions are (the API).
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from affiant.cli.doors import LocalApi
from affiant.cli.shared import doors_of
from affiant.kit.errors import (
    AffiantError,
    BadInput,
    Conflict,
    CouldNotLook,
    Finding,
    Forbidden,
    LedgerFault,
    LedgerUnavailable,
    NoRoom,
    NotFound,
)
from affiant.kit.home import Home
from affiant.kit.keyring import open_keyring
from affiant.ledger.wire import reachable

F = TypeVar("F", bound=Callable[..., Any])
API = "/api/v1"
_TIMEOUT_S = 900.0
_STARTING_S = 8.0
_PIECE = 1 << 20


def as_option(function: F) -> F:
    """`--as PERSON`: for whom the local credential acts."""
    return click.option("--as", "person", default="", metavar="PERSON", help="The person for whom this is done.")(function)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with reachable(self._path) as name:
            self.sock.connect(name)


class _SocketApi:
    """The API of a home that is served."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def call(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        return self._ask(method, path, headers, body, None)

    def fetch(self, path: str, headers: dict[str, str], body: bytes, into: BinaryIO) -> tuple[int, bytes]:
        return self._ask("POST", path, headers, body, into)

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes, into: BinaryIO | None) -> tuple[int, bytes]:
        connection = _UnixConnection(self._path)
        try:
            connection.request(method, path, body=body or None, headers=headers)
            answer = connection.getresponse()
            if into is None or answer.status >= 400:
                return answer.status, answer.read()
            while piece := answer.read(_PIECE):
                into.write(piece)
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)
            return answer.status, b""
        except TimeoutError:
            raise CouldNotLook(
                f"Control did not answer within {_TIMEOUT_S:.0f} s.", "See `affiant status`; the action may still have been done."
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise CouldNotLook(
                f"The connection to control broke: {error}.", "See `affiant status`, and look whether the action was done."
            ) from error
        finally:
            connection.close()


class Session:
    """One home's API, with the credential and the person already in place."""

    def __init__(self, home: Home, api: LocalApi, served: bool, person: str) -> None:
        self.home = home
        self.served = served
        self._api = api
        self._headers = {"authorization": f"Bearer {open_keyring(home).local_token}", "accept": "application/json"}
        if person:
            self._headers["x-affiant-as"] = person

    def get(self, path: str) -> Any:
        """The JSON of a resource."""
        return self._call("GET", path, None)

    def post(self, path: str, value: object = None) -> Any:
        """Do an action; gives its JSON."""
        return self._call("POST", path, value)

    def send(self, method: str, path: str, body: bytes, kind: str) -> Any:
        """As `post`, with bytes of another media type."""
        return self._answer(*self._api.call(method, API + path, self._headers | {"content-type": kind}, body))

    def fetch(self, path: str, value: object, into: BinaryIO) -> None:
        """Do an action whose answer is bytes, which go into a file as they come."""
        headers = self._headers | {"content-type": "application/json", "accept": "*/*"}
        status, body = self._api.fetch(API + path, headers, json.dumps(value).encode(), into)
        if status >= 400:
            self._answer(status, body)

    def _call(self, method: str, path: str, value: object) -> Any:
        body = b"" if value is None else json.dumps(value).encode()
        headers = self._headers | ({"content-type": "application/json"} if body else {})
        return self._answer(*self._api.call(method, API + path, headers, body))

    def _answer(self, status: int, body: bytes) -> Any:
        try:
            value = json.loads(body) if body else None
        except ValueError:
            raise CouldNotLook(
                f"Control answered {status} with something that is no JSON.", "See what it wrote to standard error."
            ) from None
        if status < 400:
            return value
        raise error_of(status, value)


def error_of(status: int, value: object) -> AffiantError:
    """The error that an answer of the API stands for; its code decides the exit code."""
    error = value.get("error", value) if isinstance(value, dict) else {}
    error = error if isinstance(error, dict) else {"message": str(error)}
    code = str(error.get("code", ""))
    message = str(error.get("message", f"Control answered {status}."))
    step = str(error.get("next_step", ""))
    for fault in error.get("faults", []):
        step += f"\n  {fault.get('path', '')}: {fault.get('text', '')}"
    kinds: dict[str, type[AffiantError]] = {
        kind.code: kind for kind in (NotFound, Forbidden, Conflict, BadInput, Finding, LedgerFault, CouldNotLook, LedgerUnavailable, NoRoom)
    }
    kind = kinds.get(code, CouldNotLook if status >= 500 else BadInput)
    return kind(message, step)


def reach(home: Home) -> Path | None:
    """The control socket, if something answers on it."""
    path = home.run / "control.sock"
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.settimeout(5.0)
        with reachable(path) as name:
            probe.connect(name)
    except OSError:
        return None
    finally:
        probe.close()
    return path


@contextmanager
def session(ctx: click.Context, home: Home, person: str = "") -> Iterator[Session]:
    """Open the API of a home, wherever it runs.

    Raises:
        Conflict: another process holds the home and control does not answer.
    """
    deadline = time.monotonic() + _STARTING_S
    while True:
        path = reach(home)
        if path is not None:
            yield Session(home, _SocketApi(path), True, person)
            return
        try:
            local = doors_of(ctx).local(home)
            api = local.__enter__()
        except Conflict:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)  # it is starting, or another command is at work
            continue
        break
    try:
        yield Session(home, api, False, person)
    except BaseException as error:
        if not local.__exit__(type(error), error, error.__traceback__):
            raise
    else:
        local.__exit__(None, None, None)
