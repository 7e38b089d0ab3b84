"""Anthropic Messages as a provider speaks it: a version must be named, errors have a shape of their own, events with names."""

from __future__ import annotations

from typing import Any

import msgspec

from affiant.testing.simulator import answers
from affiant.testing.simulator.answers import Asked, Message, Said, encode, named_event, text_of

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class _Request(msgspec.Struct):
    model: str
    max_tokens: int
    messages: list[Message]
    system: Any = None
    stream: bool = False
    tools: list[dict[str, Any]] = []


_decoder = msgspec.json.Decoder(_Request)


class Messages:
    """`POST /v1/messages`."""

    def secret(self, headers: dict[str, str]) -> str:
        return (headers.get("x-api-key") or answers.bearer(headers)) if headers.get("anthropic-version") else ""

    def error(self, status: int, message: str) -> bytes:
        error = {"type": _TYPES.get(status, "api_error"), "message": message}
        return encode({"type": "error", "error": error, "request_id": "req_sim"})

    def read(self, body: bytes) -> Asked:
        request = _decoder.decode(body)
        messages, system = request.messages, text_of(request.system)
        return Asked(
            request.model, request.stream, system + "".join(text_of(m.content) for m in messages), answers.last_of(messages),
            text_of(messages[-1].content) if messages else "", system,
            next((str(tool.get("name")) for tool in request.tools if "input_schema" in tool), ""), request.max_tokens,
        )  # fmt: skip

    def plain(self, asked: Asked, said: Said) -> bytes:
        content: list[dict[str, Any]] = [{"type": "text", "text": said.text}]
        if said.arguments:
            content.append({**_tool(asked, said), "input": msgspec.json.decode(said.arguments)})
        return encode({**_head(asked, said), "content": content, "stop_reason": _reason(said)} | _usage(said.usage))

    def events(self, asked: Asked, said: Said, chunk_chars: int) -> list[bytes]:
        first = {**_head(asked, said), "content": [], "stop_reason": None} | _usage(said.usage and (said.usage[0], 1))
        out: list[dict[str, Any]] = [
            {"type": "message_start", "message": first},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "ping"},
        ]
        out += _deltas(0, "text_delta", "text", said.text, chunk_chars)
        if said.arguments:
            out.append({"type": "content_block_start", "index": 1, "content_block": {**_tool(asked, said), "input": {}}})
            out += _deltas(1, "input_json_delta", "partial_json", said.arguments, chunk_chars)
        usage = {"usage": {"output_tokens": said.usage[1]}} if said.usage else {}
        out.append({"type": "message_delta", "delta": {"stop_reason": _reason(said), "stop_sequence": None}, **usage})
        out.append({"type": "message_stop"})
        return [named_event(event) for event in out]


def _deltas(index: int, type_: str, name: str, text: str, chunk_chars: int) -> list[dict[str, Any]]:
    made = [
        {"type": "content_block_delta", "index": index, "delta": {"type": type_, name: piece}}
        for piece in answers.pieces(text, chunk_chars)
    ]
    return [*made, {"type": "content_block_stop", "index": index}]


def _head(asked: Asked, said: Said) -> dict[str, Any]:
    return {"id": f"msg_sim{said.number:08d}", "type": "message", "role": "assistant", "model": asked.model, "stop_sequence": None}


def _tool(asked: Asked, said: Said) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_sim{said.number:08d}", "name": asked.tool}


def _reason(said: Said) -> str:
    return "tool_use" if said.arguments else "end_turn"


def _usage(usage: answers.Usage | None) -> dict[str, Any]:
    return {"usage": {"input_tokens": usage[0], "output_tokens": usage[1]}} if usage else {}
