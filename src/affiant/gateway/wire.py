"""A request as guards see it: its parts, and the body that is sent.

Leaves out: where parts stand (`guards.places`), and answers (`reply`, `streaming`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from affiant.gateway.faults import Refusal
from affiant.gateway.surfaces import Asked, Surface
from affiant.guards import Part, places

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Request:
    """A request, opened.

    Args:
        body: decoded; what `encode` sends, but for the model.
        asked: what it asks for beside its texts.
        parts: for guards; without the name of the model, which is a route's here and another one's at a provider.
        opened: as `places` read it.
    """

    surface: Surface
    body: dict[str, Any]
    asked: Asked
    parts: tuple[Part, ...]
    opened: places.Opened

    def apply(self, parts: Sequence[Part]) -> None:
        """Put the texts of `parts` (same order and number) where they came from; those that must match elsewhere stay."""
        fixed = self.opened.fixed
        kept = tuple(
            before if number in fixed else after
            for number, (before, after) in enumerate(zip(self.opened.parts, parts, strict=True))
        )  # fmt: skip
        self.body = places.put(self.body, self.surface.name, kept)

    def encode(self, upstream: str) -> bytes:
        """The body for one link."""
        return _encode({**self.surface.sent(self.body, self.asked), "model": upstream})


def read_request(raw: bytes, surface: Surface) -> Request:
    """Open a request.

    Raises:
        Refusal: it is none of this surface.
    """
    try:
        body = _decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        why = str(error) if isinstance(error, msgspec.DecodeError) else "too deep, or no UTF-8"
        raise Refusal("request_invalid", detail=f"It is no JSON: {why}.") from None
    if not isinstance(body, dict):
        raise Refusal("request_invalid", detail="It is no JSON object.")
    asked = surface.asked(body)
    try:
        opened = places.read(body, surface.name)
    except places.BadShape as error:
        raise Refusal("request_invalid", detail=str(error)) from None
    parts = tuple(replace(part, text="") if part.where == "model" else part for part in opened.parts)
    return Request(surface, body, asked, parts, opened)
