"""Changing the log's key from outside the writer: over `run/writer.sock` while the home is served, else with a writer of one's own.

Leaves out: what the change is (`logkeys`), who may ask (whoever may read the keyring and reach the socket: the home's own user).
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from affiant.kit.clock import Clock
from affiant.kit.errors import AffiantError, BadInput, Conflict, CouldNotLook, Forbidden, LedgerUnavailable, NotFound
from affiant.kit.home import Home, home_lock
from affiant.kit.keyring import open_keyring
from affiant.ledger.logkeys import change
from affiant.ledger.wire import Frames, pack_frame, reachable
from affiant.ledger.writer import Writer

TIMEOUT_S = 30.0
_ERRORS: dict[str, type[AffiantError]] = {kind.code: kind for kind in (BadInput, Conflict, CouldNotLook, Forbidden, NotFound)}


def ask_for_keys(home: Home, clock: Clock, asked: dict[str, Any]) -> dict[str, Any]:
    """Rotate or revoke; see `logkeys.change` for what may be asked. Gives the event's index and the key concerned.

    Raises:
        Conflict: another process holds the home, or the ledger lies in PostgreSQL.
        AffiantError: as `rotate` and `revoke`.
    """
    if (home.root / "server.json").exists():
        raise Conflict("This ledger lies in PostgreSQL; its key cannot be changed by this version.", "Keep the key, or ask for an update.")
    path = home.run / "writer.sock"
    if path.exists():
        answer = _over_socket(path, asked)
        if answer is not None:
            return answer
    with home_lock(home):
        ring = open_keyring(home)
        with Writer.open(home, ring, clock) as writer:
            made = change(writer, writer.keyring, asked)
            writer.append(writer.ending(writer.name, "stopped"))
            writer.checkpoint()
    return {"index": made.index, "vkey": str(made.vkey)}


def _over_socket(path: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """Ask the writer that serves; None if none answers there."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(TIMEOUT_S)
    with connection:
        try:
            with reachable(path) as name:
                connection.connect(name)
        except OSError:
            return None
        try:
            connection.sendall(pack_frame(["key", 1, asked]))
            frames = Frames()
            while True:
                data = connection.recv(65_536)
                if not data:
                    raise LedgerUnavailable("The writer closed the connection.", "See `affiant ledger key show` for what was done.")
                for message in frames.feed(data):
                    if message[0] == "key":
                        return dict(message[2])
                    kind = _ERRORS.get(str(message[2]), LedgerUnavailable)
                    raise kind(str(message[3]), "")
        except OSError as error:
            raise LedgerUnavailable(f"The writer did not answer: {error}.", "See `affiant ledger key show` for what was done.") from error
