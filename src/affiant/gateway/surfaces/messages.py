"""Anthropic Messages, beside its texts."""

from __future__ import annotations

from affiant.gateway.formats import Format
from affiant.gateway.surfaces.model import (
    Asked,
    Json,
    Reading,
    Surface,
    Usage,
    count,
    counted,
    flag,
    garbage,
    messages_in,
    named_model,
    type_of,
)

_INPUTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_PIECES = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


def _usage(usage: Json, before: Usage | None = None) -> Usage | None:
    """Tokens in, those read from and written to a cache too, and out; what is not told stays as it was."""
    if not isinstance(usage, dict):
        return before
    inputs = [usage[name] for name in _INPUTS if counted(usage.get(name))]
    tokens_in = sum(inputs) if inputs else before[0] if before else None
    tokens_out = usage["output_tokens"] if counted(usage.get("output_tokens")) else before[1] if before else None
    return before if tokens_in is None or tokens_out is None else (tokens_in, tokens_out)


class _MessagesReading(Reading):
    """Events with a type, in blocks; `message_stop` ends them."""

    def note(self, event: Json) -> None:
        type_ = type_of(event)
        if type_ == "error":
            raise garbage("The provider's stream says that it failed.")
        if type_ == "message_start" and isinstance(event.get("message"), dict):
            self.usage = _usage(event["message"].get("usage"))
        elif type_ == "message_delta":
            self.usage = _usage(event.get("usage"), self.usage)
        elif type_ == "content_block_start" and isinstance(event.get("content_block"), dict):
            self._text(event.get("index"), event["content_block"].get("text"))
        elif type_ == "content_block_delta" and isinstance(event.get("delta"), dict):
            self._piece(event.get("index"), event["delta"])
        self.ended = type_ == "message_stop"

    def _piece(self, index: Json, delta: dict[str, Json]) -> None:
        piece = delta.get(_PIECES.get(str(delta.get("type")), ""))
        if delta.get("type") == "text_delta":
            self._text(index, piece)
        elif isinstance(piece, str):
            self.chars += len(piece)


class Messages(Surface):
    """`POST /v1/messages`."""

    name, path, format, named = "messages", "/messages", Format.ANTHROPIC, True

    def asked(self, body: dict[str, Json]) -> Asked:
        model = named_model(body)
        messages_in(body)
        return Asked(model, flag(body, "stream"), count(body, "max_tokens", None))

    def check(self, body: Json) -> None:
        if not isinstance(body, dict) or body.get("type") != "message" or not isinstance(body.get("content"), list):
            raise garbage("The provider's answer is no message.")

    def usage(self, body: dict[str, Json]) -> Usage | None:
        return _usage(body.get("usage"))

    def text(self, body: dict[str, Json]) -> str:
        blocks = [block.get("text") for block in body["content"] if isinstance(block, dict) and block.get("type") == "text"]
        return "\n\n".join(each for each in blocks if isinstance(each, str))

    def reading(self, keep: bool) -> Reading:
        return _MessagesReading(keep)


MESSAGES = Messages()
