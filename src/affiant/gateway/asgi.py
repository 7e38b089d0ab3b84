"""The gateway as an ASGI application: which path leads where. No framework.

POST to the path of a surface · GET /v1/models and /v1/models/{id} · /healthz · /readyz · /metrics. Every other path under /v1 is
refused with evidence where a caller asked for it. Who speaks Anthropic's format (its path, or `anthropic-version`) gets lists and
errors in it.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from affiant.gateway.admit import authenticate, may_use
from affiant.gateway.caller import Caller, CallerLeft, Receive, Scope, Send
from affiant.gateway.evidence import Ticket
from affiant.gateway.faults import Refusal
from affiant.gateway.formats import Format
from affiant.gateway.parts import Parts
from affiant.gateway.surfaces import BY_PATH
from affiant.gateway.tables import Route
from affiant.gateway.walk import Walk, record_refusal
from affiant.kit.ids import new_id

_MESSAGES = "/v1/messages"


class GatewayApp:
    """The application of one worker.

    Args:
        parts: what walks use.
        worker: name of this worker, for metrics.
    """

    def __init__(self, parts: Parts, worker: str) -> None:
        self._p, self._worker = parts, worker

    def ready(self) -> bool:
        """Whether an exchange would be served now."""
        return self._p.contact.fresh() and self._p.recorder.available()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        now_us = self._p.clock.now_us()
        exchange = new_id("xc", now_us)
        path, method = scope["path"], scope["method"]
        caller = Caller(scope, receive, send, exchange, _format(scope))
        surface = BY_PATH.get(path) if method == "POST" else None
        if surface is not None:
            await Walk(self._p, caller, Ticket(exchange, surface.name, time.monotonic(), now_us), surface).run()
            return
        if path in ("/healthz", "/readyz", "/metrics"):
            await self._state(caller, path, method)
            return
        ticket = Ticket(exchange, "models" if path.startswith("/v1/models") else "other", time.monotonic(), now_us)
        try:
            await self._other(caller, ticket, path, method)
        except Refusal as refusal:
            self._p.metrics.refused(refusal.code)
            if refusal.code == "snapshot_stale":
                self._p.stale_refused += 1
            elif path.startswith("/v1/") or path == "/v1":
                await record_refusal(self._p, ticket, caller, refusal)
            await caller.refuse(refusal.known, refusal.param, refusal.detail, refusal.retry_after_s)
        except CallerLeft:
            return

    async def _other(self, caller: Caller, ticket: Ticket, path: str, method: str) -> None:
        if not path.startswith("/v1"):
            raise Refusal("surface_not_served")
        if not self._p.contact.fresh():
            raise Refusal("snapshot_stale")
        tables = ticket.tables = self._p.contact.tables
        assert tables is not None
        ticket.body = await caller.body()
        key = ticket.key = authenticate(tables, caller.scope["headers"], ticket.now_us)
        if path in BY_PATH or (path.startswith("/v1/models") and method != "GET"):
            raise Refusal("method_not_allowed")
        if path == "/v1/models":
            usable = [route for route in tables.routes.values() if may_use(key, route) and not route.refusal and route.policy is not None]
            listed = [_model(route, caller.spoken) for route in sorted(usable, key=lambda route: route.id)]
            await caller.answer(200, msgspec.json.encode(_list(listed, caller.spoken)))
            return
        if path.startswith("/v1/models/"):
            name = ticket.named_route = path.removeprefix("/v1/models/")[:128]
            route = tables.routes.get(name)
            if route is None or not may_use(key, route):
                raise Refusal("model_not_found", "model")
            if route.refusal:
                raise Refusal(route.refusal, "model")
            await caller.answer(200, msgspec.json.encode(_model(route, caller.spoken)))
            return
        raise Refusal("surface_not_served", detail=f"Served here: {', '.join(BY_PATH)}.")

    async def _state(self, caller: Caller, path: str, method: str) -> None:
        if method not in ("GET", "HEAD"):
            refusal = Refusal("method_not_allowed")
            await caller.refuse(refusal.known, None, "")
        elif path == "/healthz":
            await caller.answer(200, b'{"alive":true}')
        elif path == "/readyz":
            ready = self.ready()
            state = {"ready": ready, "snapshot": self._p.contact.fresh(), "ledger": self._p.recorder.available()}
            await caller.answer(200 if ready else 503, msgspec.json.encode(state))
        else:
            epoch = self._p.contact.tables.epoch if self._p.contact.tables else 0
            text = self._p.metrics.text(self._worker, len(self._p.open), epoch, self.ready())
            await caller.answer(200, text, b"text/plain; version=0.0.4; charset=utf-8")

    @staticmethod
    async def _lifespan(receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


def _format(scope: Scope) -> Format:
    """What the caller speaks."""
    spoken = scope["path"] == _MESSAGES or scope["path"].startswith(f"{_MESSAGES}/")
    if spoken or (scope["path"] not in BY_PATH and any(name == b"anthropic-version" for name, _ in scope["headers"])):
        return Format.ANTHROPIC
    return Format.OPENAI


def _model(route: Route, spoken: Format) -> dict[str, str | int]:
    if spoken is Format.ANTHROPIC:
        return {"type": "model", "id": route.id, "display_name": route.id, "created_at": "1970-01-01T00:00:00Z", "lifecycle": "active"}
    return {"id": route.id, "object": "model", "created": 0, "owned_by": "affiant"}


def _list(models: list[dict[str, str | int]], spoken: Format) -> dict[str, Any]:
    if spoken is Format.OPENAI:
        return {"object": "list", "data": models}
    ends = {"first_id": models[0]["id"], "last_id": models[-1]["id"]} if models else {"first_id": None, "last_id": None}
    return {"data": models, "has_more": False, **ends}
