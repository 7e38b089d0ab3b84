"""A provider's whole answer as it may be released: the same JSON, only its texts guarded and pseudonyms undone.

Where nothing changed it leaves byte for byte as it came. Leaves out: where texts stand (`guards.places`), and streams (`streaming`).
"""

from __future__ import annotations

import msgspec

from affiant.gateway.faults import LinkFault
from affiant.gateway.outbound import Outbound
from affiant.gateway.surfaces import Surface
from affiant.guards import Part, places

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Reply:
    """One answer.

    Args:
        raw: body as the provider sent it.

    Raises:
        LinkFault: it is no answer of this surface.
    """

    def __init__(self, raw: bytes, surface: Surface) -> None:
        try:
            body = _decode(raw)
        except (msgspec.DecodeError, RecursionError):
            raise LinkFault("garbage", "The provider's answer is no JSON.", 200) from None
        surface.check(body)
        self._body, self._surface, self.raw = body, surface, raw

    def usage(self) -> tuple[int, int] | None:
        """Tokens in and out, as the provider counts them; None where it does not."""
        return self._surface.usage(self._body)

    def guard(self, outbound: Outbound) -> bytes:
        """The bytes to release; look at `outbound.blocked` afterwards.

        Raises:
            LinkFault: it is nested too deeply, or holds too many texts.
        """
        if not outbound.acts and not outbound.observes:
            return self.raw
        fixed: list[Part] = []
        try:
            made, walk = places.rewrite(self._body, self._surface.name, outbound.text, answer=True, look=fixed.append)
        except places.BadShape as error:
            raise LinkFault("garbage", f"The provider's answer cannot be read: {error.message}", 200) from None
        outbound.look(fixed)
        outbound.note(walk.unknown, walk.uninspected)
        return self.raw if made is self._body else _encode(made)

    def text(self) -> str:
        """Its text as it came."""
        return self._surface.text(self._body)
