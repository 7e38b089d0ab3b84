"""The API over a real home: records with people, a real ledger writer, and a caller without a network."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from affiant.api import Context, PackageRequest, RunRequest, create_api
from affiant.kit.clock import FixedClock
from affiant.kit.home import create_home
from affiant.kit.keyring import Keyring
from affiant.ledger import LedgerReader, Writer
from affiant.records import NewKey, Records

START_US = 1_767_225_600_000_000  # 1 January 2026
RING = Keyring(b"l" * 32, b"m" * 32, "local-token")
ROLES = ("admin", "compliance", "developer", "operator", "consumer", "reviewer", "privacy", "auditor")
COMPANY: dict[str, Any] = {
    "people": [{"id": f"the-{role}", "roles": [role]} for role in ROLES] + [{"id": "other-consumer", "roles": ["consumer"]}],
    "providers": [
        {"id": "sim", "kind": "openai", "base_url": "http://127.0.0.1:9/v1", "secret_ref": "env:SIM", "network": "private"},
    ],
    "models": [{"id": "m1", "provider": "sim", "upstream": "one", "version": "1", "approved_by": "the-compliance"}],
    "keys": [
        {"id": "k-mine", "owner": "the-consumer", "tenant": "acme", "models": ["m1"]},
        {"id": "k-other", "owner": "other-consumer", "tenant": "belmont", "models": ["m1"]},
    ],
}


class Reply:
    """Status, headers and JSON of an answer."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], data: bytes) -> None:
        self.status, self.data = status, data
        self.headers = [(name.decode(), value.decode()) for name, value in headers]

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])

    def cookie(self, name: str) -> str:
        """The value that the answer sets for a cookie."""
        for header, value in self.headers:
            if header == "set-cookie" and value.startswith(name + "="):
                return value.partition("=")[2].partition(";")[0]
        return ""


class World:
    """The API, its records and its ledger."""

    def __init__(self, root: Path) -> None:
        self.clock = FixedClock(START_US)
        os.environ["AFFIANT_SUBJECTS"] = f"file:{root / 'subjects'}"  # opened by the first sealed value of this world
        self.home = create_home(root / "home", "test.example/log", START_US)
        self.writer = Writer.create(self.home, RING, self.clock)
        self.records = Records(self.home, RING, self.clock, create=True)
        self.runs: list[RunRequest] = []
        self.probe_keys: list[NewKey] = []

        async def run_controls(request: RunRequest) -> list[dict[str, Any]]:
            self.runs.append(request)
            return [{"control": each, "result": "no deviations noted"} for each in request.controls]

        async def build_package(request: PackageRequest) -> BinaryIO:
            return BytesIO(b"package of " + request.period.encode())

        def adopt_controls(controls: tuple[str, ...], by: str) -> list[dict[str, Any]]:
            wanted: list[tuple[str, int, str, list[dict[str, Any]]]] = [(each, 2, "b" * 64, []) for each in controls]
            return [{"id": each, "version": 2} for each in self.records.adopt_controls(wanted, by)]

        self.context = Context(
            self.records, LedgerReader(self.home), self.clock, RING.local_token, run_controls, build_package, adopt_controls,
            status=lambda: {"workers": 2}, save_probe_key=self.probe_keys.append, console_url="http://127.0.0.1:8081",
        )  # fmt: skip
        self.local = create_api(self.context, allow_local=True)
        self.public = create_api(self.context, allow_local=False)

    def settle(self) -> None:
        """Bring the outbox into the ledger and sign it."""
        self.writer.pump_outbox()
        self.writer.checkpoint()

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, local: bool = False, media: str = ""
    ) -> Reply:
        """One request, straight into the application."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = dict(headers or {})
        if data:
            sent.setdefault("content-type", media or "application/json")
        route, _, query = path.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": route, "raw_path": route.encode(),
            "root_path": "", "scheme": "http", "query_string": query.encode(), "server": ("localhost", 80), "client": ("127.0.0.1", 1),
            "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        }  # fmt: skip
        messages: list[dict[str, Any]] = []

        async def run() -> None:
            given = iter([{"type": "http.request", "body": data, "more_body": False}])

            async def receive() -> dict[str, Any]:
                message = next(given, None)
                if message is None:
                    await asyncio.sleep(3600)
                assert message is not None
                return message

            async def send(message: dict[str, Any]) -> None:
                messages.append(message)

            await (self.local if local else self.public)(scope, receive, send)

        asyncio.run(run())
        start = next(message for message in messages if message["type"] == "http.response.start")
        data = b"".join(message.get("body", b"") for message in messages if message["type"] == "http.response.body")
        return Reply(start["status"], list(start["headers"]), data)

    def as_local(self, method: str, path: str, body: Any = None, person: str = "", media: str = "") -> Reply:
        """One request with the local credential."""
        headers = {"authorization": f"Bearer {RING.local_token}"} | ({"x-affiant-as": person} if person else {})
        return self.call(method, path, body, headers, local=True, media=media)

    def sign_in(self, person: str) -> dict[str, str]:
        """Headers of a fresh session."""
        done = self.records.use_link(self.records.sign_in_link(person, "local"))
        return {"cookie": f"affiant_session={done.token}", "x-affiant-csrf": done.session.csrf}


@contextmanager
def world(root: Path, company: bool = True) -> Iterator[World]:
    """A fresh home with the company in force."""
    w = World(root)
    try:
        if company:
            w.records.apply(COMPANY, "the-admin")
        w.settle()
        yield w
    finally:
        w.records.close()
        w.writer.close()
