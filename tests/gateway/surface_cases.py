"""The four surfaces as tests ask them: requests, what a provider answers, whole and streamed, and the text in what a caller gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from gateway_world import STREAM_END, STREAM_HEAD, Answer, delta, http_chunk, streamed, whole

HEADERS = {"anthropic-version": "2023-06-01"}


def http_json(body: Any) -> bytes:
    """A provider's whole answer as HTTP."""
    data = msgspec.json.encode(body)
    return f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data


def named(event: dict[str, Any]) -> bytes:
    """One event with a name, as HTTP."""
    return http_chunk(f"event: {event['type']}\ndata: ".encode() + msgspec.json.encode(event) + b"\n\n")


@dataclass(frozen=True)
class Case:
    """One surface.

    Args:
        ask: a request with a text.
        said: a provider's whole answer with a text, before encoding.
        begun: pieces of a stream up to some of its text; `ended` the rest of it.
        text: in what a caller got.
        usage: tokens in and out that a provider of `said` and `ended` reports.
        failing: an event with which a provider says that it failed.
        last: type of the last event of a proper stream, or `[DONE]`.
    """

    name: str
    path: str
    ask: Callable[..., dict[str, Any]]
    said: Callable[[str], dict[str, Any]]
    begun: Callable[..., list[Any]]
    ended: Callable[..., list[Any]]
    text: Callable[[Answer], str]
    usage: tuple[int, int]
    failing: bytes = b""
    last: str = ""
    anthropic: bool = False
    links: tuple[str, str] = ("sim/small", "two/spare")

    def stream(self, *pieces: str) -> list[Any]:
        return [*self.begun(*pieces), *self.ended(*pieces)]


def _chat(text: str, model: str = "chat", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def _message(text: str, model: str = "chat", **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 200, "messages": [{"role": "user", "content": text}], **more}


def _input(text: str, model: str = "chat", **more: Any) -> dict[str, Any]:
    return {"model": model, "input": text, **more}


# -- Messages


def _message_said(text: str) -> dict[str, Any]:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": 4},
    }  # fmt: skip


def _message_begun(*pieces: str) -> list[Any]:
    first = {**_message_said(""), "content": [], "stop_reason": None}
    first["usage"] = {**first["usage"], "output_tokens": 1}
    return [
        STREAM_HEAD, named({"type": "message_start", "message": first}),
        named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}), named({"type": "ping"}),
        *(named({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}) for piece in pieces),
    ]  # fmt: skip


def _message_ended(*pieces: str) -> list[Any]:
    return [
        named({"type": "content_block_stop", "index": 0}),
        named({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 4}}),
        named({"type": "message_stop"}), STREAM_END,
    ]  # fmt: skip


def _message_text(answer: Answer) -> str:
    if answer.headers["content-type"].startswith("application/json"):
        return "".join(block["text"] for block in answer.json()["content"])
    return "".join(frame["delta"]["text"] for frame in answer.frames() if frame["type"] == "content_block_delta")


# -- Responses


def _item(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


def _response_said(text: str) -> dict[str, Any]:
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "error": None, "incomplete_details": None,
        "instructions": None, "metadata": {}, "model": "m", "output": [_item(text)], "parallel_tool_calls": True, "temperature": 1.0,
        "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "usage": {"input_tokens": 7, "output_tokens": 4, "total_tokens": 11, "input_tokens_details": {"cached_tokens": 0},
                  "output_tokens_details": {"reasoning_tokens": 0}},
    }  # fmt: skip


_AT = {"item_id": "msg_1", "output_index": 0, "content_index": 0}


def _response_begun(*pieces: str) -> list[Any]:
    begun = {**_response_said(""), "status": "in_progress", "output": [], "usage": None}
    part = _item("")["content"][0]
    return [
        STREAM_HEAD, named({"type": "response.created", "sequence_number": 0, "response": begun}),
        named({"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": {**_item(""), "content": []}}),
        named({"type": "response.content_part.added", "sequence_number": 2, **_AT, "part": part}),
        *(
            named({"type": "response.output_text.delta", "sequence_number": 3 + number, **_AT, "delta": piece, "logprobs": []})
            for number, piece in enumerate(pieces)
        ),
    ]  # fmt: skip


def _response_ended(*pieces: str) -> list[Any]:
    text, number = "".join(pieces), 3 + len(pieces)
    item = _item(text)
    return [
        named({"type": "response.output_text.done", "sequence_number": number, **_AT, "text": text, "logprobs": []}),
        named({"type": "response.content_part.done", "sequence_number": number + 1, **_AT, "part": item["content"][0]}),
        named({"type": "response.output_item.done", "sequence_number": number + 2, "output_index": 0, "item": item}),
        named({"type": "response.completed", "sequence_number": number + 3, "response": _response_said(text)}), STREAM_END,
    ]  # fmt: skip


def _response_text(answer: Answer) -> str:
    if answer.headers["content-type"].startswith("application/json"):
        return "".join(part["text"] for item in answer.json()["output"] for part in item["content"])
    return "".join(frame["delta"] for frame in answer.frames() if frame["type"] == "response.output_text.delta")


# -- Embeddings


def _embedded(text: str) -> dict[str, Any]:
    data = [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}]
    return {"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 7, "total_tokens": 7}}


_CHAT_USAGE = http_chunk(
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}\n\n'
)
CHAT = Case(
    "chat.completions", "/v1/chat/completions", _chat, lambda text: msgspec.json.decode(whole(text).partition(b"\r\n\r\n")[2]),
    lambda *pieces: [STREAM_HEAD, delta("", role="assistant"), *map(delta, pieces)],
    lambda *pieces: [*streamed()[2:-2], _CHAT_USAGE, *streamed()[-2:]], Answer.text, (3, 4),
    http_chunk(b'data: {"error":{"message":"x"}}\n\n'), "[DONE]",
)  # fmt: skip
RESPONSES = Case(
    "responses", "/v1/responses", _input, _response_said, _response_begun, _response_ended, _response_text, (7, 4),
    named({"type": "response.failed", "sequence_number": 9, "response": {"status": "failed"}}), "response.completed",
)  # fmt: skip
MESSAGES = Case(
    "messages", "/v1/messages", _message, _message_said, _message_begun, _message_ended, _message_text, (7, 4),
    named({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}), "message_stop", True, ("bay/verse", "cove/refrain"),
)  # fmt: skip
EMBEDDINGS = Case(
    "embeddings", "/v1/embeddings", _input, _embedded, lambda *pieces: [], lambda *pieces: [],
    lambda answer: str(answer.json()["data"][0]["embedding"]), (7, 0),
)  # fmt: skip
CASES = (CHAT, RESPONSES, MESSAGES, EMBEDDINGS)
STREAMED = CASES[:3]


def last_type(answer: Answer) -> str:
    """Type of the last event of a stream."""
    frame = answer.frames()[-1]
    return str(frame) if isinstance(frame, str) else str(frame.get("type", "error" if "error" in frame else ""))


def error_of(case: Case, answer: Answer) -> dict[str, Any]:
    """The error in a plain answer or the last event, held to its format's shape."""
    body = answer.json() if answer.headers["content-type"].startswith("application/json") else answer.frames()[-1]
    error = body["error"]
    assert isinstance(error["message"], str) and error["type"]
    if case.anthropic:
        assert body["type"] == "error" and body["request_id"] == answer.headers["x-affiant-exchange"] == answer.headers["request-id"]
    elif body.get("type") == "error":
        assert body["code"] == error["code"] and isinstance(body["sequence_number"], int)
    return dict(error)
