"""One question to the writer that serves a home, over `run/writer.sock`, by a command that writes nothing else.

Leaves out: writing events (`client`), what may be asked (`logkeys`, `serverhome.floor`).
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from affiant.kit.errors import AffiantError, BadInput, Conflict, CouldNotLook, Forbidden, LedgerUnavailable, NotFound
from affiant.ledger.wire import Frames, pack_frame, reachable

TIMEOUT_S = 30.0
_ERRORS: dict[str, type[AffiantError]] = {kind.code: kind for kind in (BadInput, Conflict, CouldNotLook, Forbidden, NotFound)}


def ask_writer(path: Path, verb: str, asked: dict[str, Any], lost: str) -> dict[str, Any] | None:
    """Ask the writer that serves for something that is answered under the same verb; None if none answers there.

    Args:
        path: of its socket.
        lost: what to do where the answer is lost.

    Raises:
        LedgerUnavailable: the answer was lost.
        AffiantError: as the writer says.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(TIMEOUT_S)
    with connection:
        try:
            with reachable(path) as name:
                connection.connect(name)
        except OSError:
            return None
        try:
            connection.sendall(pack_frame([verb, 1, asked]))
            frames = Frames()
            while True:
                data = connection.recv(65_536)
                if not data:
                    raise LedgerUnavailable("The writer closed the connection.", lost)
                for message in frames.feed(data):
                    if message[0] == verb:
                        return dict(message[2])
                    kind = _ERRORS.get(str(message[2]), LedgerUnavailable)
                    raise kind(str(message[3]), "")
        except OSError as error:
            raise LedgerUnavailable(f"The writer did not answer: {error}.", lost) from error
