"""OpenAI Responses as a provider speaks it: answers repeat instructions, tools and metadata of the request."""

from __future__ import annotations

from typing import Any

import msgspec

from affiant.testing.simulator import answers
from affiant.testing.simulator.answers import Asked, Message, Said, encode, named_event, text_of


class _Request(msgspec.Struct):
    model: str = ""
    input: str | list[dict[str, Any]] = ""
    instructions: str | None = None
    stream: bool = False
    max_output_tokens: int | None = None
    tools: list[dict[str, Any]] = []
    metadata: dict[str, str] | None = None


_decoder = msgspec.json.Decoder(_Request)


class Responses:
    """`POST /v1/responses`."""

    error = staticmethod(answers.error)
    secret = staticmethod(answers.bearer)

    def read(self, body: bytes) -> Asked:
        request = _decoder.decode(body)
        given = [{"role": "user", "content": request.input}] if isinstance(request.input, str) else request.input
        messages = [Message(str(item.get("role", "tool")), item.get("content") or item.get("output")) for item in given]
        system = request.instructions or next((text_of(m.content) for m in messages if m.role in ("system", "developer")), "")
        return Asked(
            request.model, request.stream, (request.instructions or "") + "".join(text_of(m.content) for m in messages),
            answers.last_of(messages), text_of(messages[-1].content) if messages else "", system,
            next((str(tool.get("name")) for tool in request.tools if tool.get("type") == "function"), ""), request.max_output_tokens,
            echo={"instructions": request.instructions, "tools": request.tools, "metadata": request.metadata or {}},
        )  # fmt: skip

    def plain(self, asked: Asked, said: Said) -> bytes:
        return encode(_whole(asked, said))

    def events(self, asked: Asked, said: Said, chunk_chars: int) -> list[bytes]:
        out: list[bytes] = []

        def add(type_: str, **more: Any) -> None:
            out.append(named_event({"type": type_, "sequence_number": len(out), **more}))

        whole = _whole(asked, said)
        begun = {**whole, "status": "in_progress", "output": [], "usage": None}
        add("response.created", response=begun)
        add("response.in_progress", response=begun)
        for place, item in enumerate(whole["output"]):
            (_message if item["type"] == "message" else _call)(add, place, item, chunk_chars)
        add("response.completed", response=whole)
        return out


def _message(add: Any, place: int, item: dict[str, Any], chunk_chars: int) -> None:
    part = item["content"][0]
    at = {"item_id": item["id"], "output_index": place, "content_index": 0}
    add("response.output_item.added", output_index=place, item={**item, "status": "in_progress", "content": []})
    add("response.content_part.added", **at, part={**part, "text": ""})
    for piece in answers.pieces(part["text"], chunk_chars):
        add("response.output_text.delta", **at, delta=piece, logprobs=[])
    add("response.output_text.done", **at, text=part["text"], logprobs=[])
    add("response.content_part.done", **at, part=part)
    add("response.output_item.done", output_index=place, item=item)


def _call(add: Any, place: int, item: dict[str, Any], chunk_chars: int) -> None:
    at = {"item_id": item["id"], "output_index": place}
    add("response.output_item.added", output_index=place, item={**item, "status": "in_progress", "arguments": ""})
    for piece in answers.pieces(item["arguments"], chunk_chars):
        add("response.function_call_arguments.delta", **at, delta=piece)
    add("response.function_call_arguments.done", **at, name=item["name"], arguments=item["arguments"])
    add("response.output_item.done", output_index=place, item=item)


def _whole(asked: Asked, said: Said) -> dict[str, Any]:
    part = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
    output: list[dict[str, Any]] = [
        {"type": "message", "id": f"msg_sim{said.number:08d}", "role": "assistant", "status": "completed", "content": [part]}
    ]
    if said.arguments:
        output.append({
            "type": "function_call", "id": f"fc_sim{said.number:08d}", "call_id": f"call_sim{said.number:08d}", "name": asked.tool,
            "arguments": said.arguments, "status": "completed",
        })  # fmt: skip
    usage = said.usage and {
        "input_tokens": said.usage[0], "input_tokens_details": {"cached_tokens": 0}, "output_tokens": said.usage[1],
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": sum(said.usage),
    }  # fmt: skip
    return {
        "id": f"resp_sim{said.number:08d}", "object": "response", "created_at": said.now_s, "status": "completed", "error": None,
        "incomplete_details": None, "model": asked.model, "output": output, "parallel_tool_calls": True, "temperature": 1.0,
        "tool_choice": "auto", "top_p": 1.0, "usage": usage, **asked.echo,
    }  # fmt: skip
