"""OpenAI Chat Completions as a provider speaks it."""

from __future__ import annotations

from typing import Any

import msgspec

from affiant.testing.simulator import answers
from affiant.testing.simulator.answers import Asked, Message, Said, encode, text_of


class _Request(msgspec.Struct):
    model: str = ""
    messages: list[Message] = []
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    max_tokens: int | None = None
    tools: list[dict[str, Any]] = []


_decoder = msgspec.json.Decoder(_Request)


class Chat:
    """`POST /v1/chat/completions`."""

    error = staticmethod(answers.error)
    secret = staticmethod(answers.bearer)

    def read(self, body: bytes) -> Asked:
        request = _decoder.decode(body)
        messages = request.messages
        return Asked(
            request.model, request.stream, "".join(text_of(m.content) for m in messages), answers.last_of(messages),
            text_of(messages[-1].content) if messages else "",
            next((text_of(m.content) for m in messages if m.role in ("system", "developer")), ""),
            next((str(tool["function"].get("name")) for tool in request.tools if isinstance(tool.get("function"), dict)), ""),
            request.max_tokens or None, bool((request.stream_options or {}).get("include_usage")),
        )  # fmt: skip

    def plain(self, asked: Asked, said: Said) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": said.text, "refusal": None}
        if said.arguments:
            message["tool_calls"] = [_call(asked, said, said.arguments)]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(said)}
        body = {**_head(asked, said, "chat.completion"), "choices": [choice]}
        return encode(body | ({"usage": _usage(said.usage)} if said.usage else {}))

    def events(self, asked: Asked, said: Said, chunk_chars: int) -> list[bytes]:
        head = _head(asked, said, "chat.completion.chunk")

        def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
            return b"data: " + encode({**head, "choices": [choice]}) + b"\n\n"

        out = [chunk({"role": "assistant", "content": ""})]
        out += [chunk({"content": piece}) for piece in answers.pieces(said.text, chunk_chars)]
        if said.arguments:
            out.append(chunk({"tool_calls": [{"index": 0, **_call(asked, said, "")}]}))
            for piece in answers.pieces(said.arguments, chunk_chars):
                out.append(chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}))
        out.append(chunk({}, _reason(said)))
        if said.usage and asked.wants_usage:
            out.append(b"data: " + encode({**head, "choices": [], "usage": _usage(said.usage)}) + b"\n\n")
        out.append(b"data: [DONE]\n\n")
        return out


def _head(asked: Asked, said: Said, object_: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-sim{said.number:08d}", "object": object_, "created": said.now_s, "model": asked.model,
        "system_fingerprint": "simulator",
    }  # fmt: skip


def _call(asked: Asked, said: Said, arguments: str) -> dict[str, Any]:
    return {"id": f"call_sim{said.number:08d}", "type": "function", "function": {"name": asked.tool, "arguments": arguments}}


def _reason(said: Said) -> str:
    return "tool_calls" if said.arguments else "stop"


def _usage(usage: answers.Usage) -> dict[str, int]:
    return {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": usage[0] + usage[1]}
