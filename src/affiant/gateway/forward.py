"""Forwarding: attempts along the chain, each under an opaque id of its own, within the cap that `exchange.opened` stated.

An attempt that fails before anything was released is followed by the next: once more at the same link, then the next link.
A provider's 400, 413 and 422 are about the request and end the chain. The path behind the base URL is the
surface's own, the credential stands where the provider's format has it. Leaves out: reading answers (`reply`, `streaming`).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import msgspec

from affiant.gateway.betas import HEADERS
from affiant.gateway.evidence import Ticket
from affiant.gateway.faults import LinkFault, Refusal
from affiant.gateway.formats import Format
from affiant.gateway.live import Live
from affiant.gateway.tables import CAP, Link
from affiant.gateway.upstream import Connection, Pool
from affiant.gateway.wire import Request
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.kit.ids import new_id
from affiant.kit.secretref import resolve

NOT_SENT, NO_ANSWER = 0, -1
"""Status of an attempt that sent nothing, and of one whose provider gave no status."""
_REJECTED = (400, 413, 422)
_BACK_OFF_S = 0.05
_MOST_RETRY_AFTER_S = 1.0
_SECRET_KEPT_S = 30.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Real seconds an attempt may take.

    Args:
        head_s: until headers.
        idle_s: between pieces of a stream.
        total_s: until a whole body.
    """

    head_s: float = 60.0
    idle_s: float = 60.0
    total_s: float = 300.0


class Secrets:
    """Provider secrets by reference, kept for a short time so that a rotation needs no restart."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, str]] = {}

    def get(self, ref: str) -> str:
        """The secret.

        Raises:
            LinkFault: it cannot be had, or holds characters that no header may.
        """
        now = time.monotonic()
        kept = self._kept.get(ref)
        if kept is not None and now - kept[0] < _SECRET_KEPT_S:
            return kept[1]
        try:
            secret = resolve(ref)
        except (BadInput, CouldNotLook):
            raise LinkFault("secret", "The provider's secret cannot be had from its reference.") from None
        if not secret.isascii() or not secret.isprintable():
            raise LinkFault("secret", "The provider's secret holds characters that no header may.")
        self._kept[ref] = (now, secret)
        return secret


class Attempt:
    """One attempt whose headers have come: status 200, body to be read."""

    def __init__(self, link: Link, connection: Connection, entry: dict[str, str | int], started_s: float) -> None:
        self.link, self.connection, self.entry = link, connection, entry
        self._started_s = started_s

    def finish(self, ticket: Ticket, whole: bool) -> None:
        """The attempt is over; its time and connection are given back."""
        elapsed = time.monotonic() - self._started_s
        self.entry["ms"] = round(elapsed * 1000)
        if whole:
            self.connection.end()
        else:
            self.connection.close()
        ticket.provider, ticket.model = self.link.provider, self.link.model


class Forwarder:
    """Walks the chain of one exchange, attempt by attempt.

    Args:
        version: of Anthropic's format, for its providers.
    """

    def __init__(
        self, pool: Pool, secrets: Secrets, timeouts: Timeouts, ticket: Ticket, request: Request, live: Live, version: str
    ) -> None:
        self._pool, self._secrets, self.timeouts = pool, secrets, timeouts
        self._ticket, self._request, self._live, self._version = ticket, request, live, version
        assert ticket.chain is not None
        self._plan = [(link, number) for link in ticket.chain.links for number in range(CAP)]
        self._bodies: dict[str, bytes] = {}
        self._fault: LinkFault | None = None

    def body_for(self, link: Link) -> bytes:
        """The request as sent to one link."""
        body = self._bodies.get(link.upstream)
        if body is None:
            try:
                body = self._bodies[link.upstream] = self._request.encode(link.upstream)
            except (OverflowError, ValueError):
                raise Refusal("request_invalid", detail="It holds a number that JSON cannot carry on.") from None
        return body

    @property
    def more(self) -> bool:
        """Whether an attempt is left of those that were permitted."""
        return bool(self._plan)

    async def next(self) -> Attempt:
        """The next attempt that gets a 200.

        Raises:
            Refusal: the chain is at its end, or a provider rejected the request.
        """
        while self._plan:
            link, number = self._plan.pop(0)
            if self._live.reason:
                raise Refusal("answer_cut")
            try:
                return await self._try(link, number)
            except LinkFault as fault:
                self.failed(fault, link)
                if self._plan and self._plan[0][0] is link:
                    await asyncio.sleep(_BACK_OFF_S)
        timed_out = self._fault is not None and self._fault.kind == "timeout"
        raise Refusal("provider_timeout" if timed_out else "provider_failed")

    def failed(self, fault: LinkFault, link: Link) -> None:
        """An attempt failed with nothing released: decide whether its link is worth another."""
        self._fault = fault
        if fault.kind in ("address", "secret", "tls") or (
            fault.kind == "status" and fault.status not in (408, 409, 429, 500, 502, 503, 504, 529)
        ):
            self._plan = [step for step in self._plan if step[0] is not link]

    async def _try(self, link: Link, number: int) -> Attempt:
        ticket, live = self._ticket, self._live
        started_s = time.monotonic()
        entry: dict[str, str | int] = {
            "id": "", "provider": link.provider, "model": link.model, "version": link.version, "status": NOT_SENT, "ms": 0,
        }  # fmt: skip
        connection: Connection | None = None
        try:
            secret = self._secrets.get(link.secret_ref)
            connection = await self._pool.take(link.endpoint, fresh=number > 0)
            if live.reason:
                raise LinkFault("cut", "Cut before it was sent.")
            live.connection = connection
            entry["id"] = new_id("at", ticket.now_us)
            ticket.attempts.append(entry)
            entry["status"] = NO_ANSWER
            connection.send(self._bytes(link, secret, str(entry["id"])))
            status = entry["status"] = await connection.head(self.timeouts.head_s)
            if status != 200:
                await self._other_status(connection, status)
            return Attempt(link, connection, entry, started_s)
        except LinkFault as fault:
            if not entry["id"]:
                entry["id"] = new_id("at", ticket.now_us)
                ticket.attempts.append(entry)
            if connection is not None and fault.kind != "status":
                connection.close()
            raise
        finally:
            elapsed = time.monotonic() - started_s
            entry["ms"] = round(elapsed * 1000)
            ticket.upstream_s += elapsed

    async def _other_status(self, connection: Connection, status: int) -> None:
        body = await connection.body(10.0)
        connection.end()
        if status in _REJECTED:
            raise Refusal("provider_rejected", detail=_what_it_says(status, body))
        if status == 429:
            wait = connection.headers.get(b"retry-after", b"0")
            if not wait.isdigit() or int(wait) > _MOST_RETRY_AFTER_S:
                self._plan = [step for step in self._plan if step[0].provider != self._ticket.attempts[-1]["provider"]]
            elif int(wait):
                await asyncio.sleep(int(wait))
        raise LinkFault("status", f"The provider answered {status}.", status)

    def _bytes(self, link: Link, secret: str, attempt: str) -> bytes:
        body = self.body_for(link)
        accept = "text/event-stream" if self._ticket.stream else "application/json"
        auth = f"authorization: Bearer {secret}"
        if link.format is Format.ANTHROPIC:
            auth = f"x-api-key: {secret}\r\nanthropic-version: {self._version}"
        if self._ticket.betas:
            auth += f"\r\n{HEADERS[link.format]}: {','.join(self._ticket.betas)}"
        return (
            f"POST {link.endpoint.path}{self._request.surface.path} HTTP/1.1\r\nhost: {link.endpoint.authority}\r\n{auth}\r\n"
            f"content-type: application/json\r\naccept: {accept}\r\naccept-encoding: identity\r\nuser-agent: affiant\r\n"
            f"x-request-id: {attempt}\r\nx-affiant-request: {attempt}\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode() + body


def _what_it_says(status: int, body: bytes) -> str:
    """The provider's own code and parameter; its message may quote content and is not repeated."""
    try:
        error = msgspec.json.decode(body)["error"]
        named = {name: error[name] for name in ("code", "param", "type") if isinstance(error.get(name), str) and len(error[name]) <= 64}
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        named = {}
    listed = ", ".join(f"{name} {value}" for name, value in named.items() if value.replace("_", "").replace(".", "").isalnum())
    return f"It answered {status}{': ' + listed if listed else ''}."
