"""The stream of each surface that has one."""

from __future__ import annotations

from affiant.guards.places.stream import StreamPlaces, Texts
from affiant.guards.places.stream_chat import ChatStream
from affiant.guards.places.stream_messages import MessagesStream
from affiant.guards.places.stream_responses import ResponsesStream
from affiant.kit.errors import BadInput

STREAMS: dict[str, type[StreamPlaces]] = {"chat.completions": ChatStream, "responses": ResponsesStream, "messages": MessagesStream}


def stream(surface: str, texts: Texts) -> StreamPlaces:
    """Places of one streamed answer of a surface.

    Raises:
        BadInput: the surface has no streams.
    """
    if surface not in STREAMS:
        raise BadInput(f"`{surface}` has no streams.", f"Use one of {', '.join(STREAMS)}.")
    return STREAMS[surface](texts)
