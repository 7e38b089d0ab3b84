"""A provider's stream as it may be released: events decoded, their texts guarded in windows, framed again.

The event that ends the stream is kept back (`last`), so that evidence can come before it. Usage that only the gateway asked for is
taken out. In watch and warn events pass as they came. Leaves out: where texts stand (`guards.places`), the connection and the order of
evidence (`relay`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from affiant.gateway.codes import Code
from affiant.gateway.faults import LinkFault
from affiant.gateway.outbound import Outbound
from affiant.gateway.sse import DONE
from affiant.gateway.streamform import StreamForm
from affiant.gateway.surfaces import Asked, Surface
from affiant.guards import places

DONE_FRAME = b"data: [DONE]\n\n"
_decode = msgspec.json.Decoder().decode

Json = Any


class StreamedAnswer:
    """One streamed answer.

    Args:
        outbound: decides about it.
        asked: what the caller asked for.
        form: takes the events as they are released.
        keep: whether `text` is asked for at the end.

    Attributes:
        ended: whether the provider ended it properly.
        last: the frame that ends it, to be sent when its evidence is there.
    """

    def __init__(self, surface: Surface, outbound: Outbound, asked: Asked, form: StreamForm, keep: bool = False) -> None:
        self._surface, self._outbound, self._asked, self._form = surface, outbound, asked, form
        self._reading = surface.reading(keep)
        self._places = places.stream(surface.name, outbound) if outbound.acts or outbound.observes else None
        self._number = 0
        self.ended = False
        self.last = b""

    @property
    def usage(self) -> tuple[int, int] | None:
        """Tokens in and out, as the provider counts them."""
        return self._reading.usage

    @property
    def chars(self) -> int:
        """Characters of text that came."""
        return self._reading.chars

    @property
    def complete(self) -> bool:
        """Whether it would be whole, should the provider say no more."""
        return self._reading.complete

    def text(self) -> str:
        """Its text as it came; "" unless it was asked to keep it."""
        return self._reading.text()

    def chunk(self, data: bytes) -> bytes:
        """What may be released after one event of the provider; look at `outbound.blocked` and `ended` afterwards.

        Raises:
            LinkFault: it is no event of the surface.
        """
        if data == DONE and not self._surface.named:
            return self.finish()
        event = _event(data)
        self._reading.note(event)
        told = self._surface.told(event, self._asked)
        if told is None:
            return b""
        raw = self._surface.raw_frame(told, data) if told is event else self._surface.frame(told)
        out = self._released(told)
        frames = [raw] if out is None else [self._surface.frame(each) for each in out]
        if self._outbound.blocked:
            return b""
        self._count(out or [told])
        self._form.note([told] if out is None else out)
        if self._reading.ended:
            self.ended, self.last = True, frames.pop()
        return b"".join(frames)

    def finish(self) -> bytes:
        """What was held, at an end that is no event; look at `outbound.blocked` afterwards."""
        self.ended, self.last = True, DONE_FRAME
        held = self._places.finish() if self._places is not None else []
        if not self._outbound.acts or self._outbound.blocked:
            return b""
        self._form.note(held)
        return b"".join(map(self._surface.frame, held))

    def settle(self) -> None:
        """Tell the guard what could not be read; once, at the end, whatever the end was."""
        if self._places is not None:
            self._outbound.note(self._places.unknown, self._places.uninspected)

    def error(self, code: Code, exchange: str) -> bytes:
        """The event that ends it as an error."""
        return self._surface.error(code, exchange, self._number)

    def _released(self, event: dict[str, Json]) -> list[Json] | None:
        """The events in place of one; None: as it came."""
        if self._places is None:
            return None
        try:
            made = self._places.event(event)
        except places.BadShape as error:
            raise LinkFault("garbage", f"An event of the provider cannot be read: {error.message}", 200) from None
        return made if self._outbound.acts else None

    def _count(self, events: list[Json]) -> None:
        number = events[-1].get("sequence_number")
        if isinstance(number, int):
            self._number = number + 1


def _event(data: bytes) -> Json:
    try:
        return _decode(data)
    except (msgspec.DecodeError, RecursionError):
        raise LinkFault("garbage", "An event of the provider is no JSON.", 200) from None
