"""Control's API over its Unix socket, as the command line uses it: the home's local credential, acting for a person by name.

Leaves out: what the actions mean; see the API's own description at `/api/v1/openapi.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from affiant.kit.errors import CouldNotLook
from affiant.operations.wire import Wire


class Control:
    """One connection to control.

    Args:
        socket: `HOME/run/control.sock`.
        token: the home's local credential.
    """

    def __init__(self, socket: Path, token: str) -> None:
        self._wire = Wire(f"unix:{socket}", timeout_s=120)
        self._headers = {"authorization": f"Bearer {token}", "accept": "application/json"}

    async def get(self, path: str) -> Any:
        """The JSON of a resource."""
        return await self.call("GET", f"/api/v1{path}")

    async def post(self, path: str, value: object = None, person: str = "") -> Any:
        """Do an action for a person."""
        return await self.call("POST", f"/api/v1{path}", json.dumps({} if value is None else value).encode(), person)

    async def tick(self) -> None:
        """Let scheduled work look at the clock once (a home whose clock is injected only)."""
        await self.call("POST", "/internal/tick", b"{}")

    async def call(self, method: str, path: str, body: bytes = b"", person: str = "", kind: str = "application/json") -> Any:
        """One request.

        Raises:
            CouldNotLook: no answer, or a refusal; the message says which.
        """
        headers = dict(self._headers)
        if body:
            headers["content-type"] = kind
        if person:
            headers["x-affiant-as"] = person
        reply = await self._wire.request(method, path, headers, body)
        if reply.status >= 400:
            text = reply.body[:600].decode("utf-8", "replace")
            raise CouldNotLook(f"{method} {path} gave {reply.status}: {text}", "See the demonstration's log.")
        return json.loads(reply.body) if reply.body else None

    async def close(self) -> None:
        """Close the connection."""
        await self._wire.close()
