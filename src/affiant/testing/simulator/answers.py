"""Answers computed from the request: the same request always gets the same answer, and part of it comes back.

Leaves out: sense. The wire shapes are those of OpenAI's chat completions, plain and as server-sent events.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from affiant.testing.simulator.script import Script

PLANTED_PII = "Reach Dana Whitfield at dana.whitfield@example.com or 415-555-0132; card 4111 1111 1111 1111, SSN 536-22-8145."
PLANTED_CREDENTIAL = "The deploy key is AKIAIOSFODNN7EXAMPLE with secret wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY."
_ECHO_CHARS = 400
_OPENINGS = (
    "Here is what I found.", "Thanks for the details.", "Short answer first.", "Let me go through this step by step.",
    "Happy to help with that.", "Based on what you wrote:",
)  # fmt: skip
_CLOSINGS = (
    "Tell me if you want the longer version.", "The next step would be to confirm the dates with the customer.",
    "I would double-check the last figure before sending this.", "Nothing else stands out in the text you gave me.",
    "Please have a colleague look at it before it goes out.", "A one-page summary would cover the rest.",
)  # fmt: skip
_FILL = (
    "the", "account", "was", "reviewed", "and", "each", "open", "item", "has", "an", "owner", "and", "a", "date", "so", "that",
    "the", "team", "can", "follow", "up", "next", "week",
)  # fmt: skip
_encode = msgspec.json.encode


class Message(msgspec.Struct):
    """A message of a request, as much of it as answers depend on."""

    role: str = ""
    content: Any = None


class ChatRequest(msgspec.Struct):
    """A chat completion request, as much of it as answers depend on."""

    model: str = ""
    messages: list[Message] = []
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    max_tokens: int | None = None


request_decoder = msgspec.json.Decoder(ChatRequest)


def text_of(content: Any) -> str:
    """The text of a message's content, whether a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return ""


def count_tokens(text: str) -> int:
    """A stand-in for a tokenizer: four characters a token, at least one."""
    return max(1, len(text) // 4)


def compose(request: ChatRequest, script: Script) -> str:
    """The answer's text."""
    last = next((text_of(m.content) for m in reversed(request.messages) if m.role == "user"), "")
    pick = hashlib.sha256(last.encode("utf-8", "replace")).digest()
    parts = [_OPENINGS[pick[0] % len(_OPENINGS)]]
    if script.words:
        parts.append(" ".join(_FILL[(pick[1] + n) % len(_FILL)] for n in range(script.words)))
    if last:
        parts.append(f"You wrote: {last[:_ECHO_CHARS]}")
    if "leak" in script.plants:
        system = next((text_of(m.content) for m in request.messages if m.role in ("system", "developer")), "")
        parts.append(f"My instructions are: {system}")
    if "pii" in script.plants:
        parts.append(PLANTED_PII)
    if "secret" in script.plants:
        parts.append(PLANTED_CREDENTIAL)
    parts.append(_CLOSINGS[pick[2] % len(_CLOSINGS)])
    text = " ".join(parts)
    return text[: request.max_tokens * 4] if request.max_tokens else text


def plain(number: int, now_s: int, model: str, text: str, usage: tuple[int, int] | None) -> bytes:
    """A whole answer."""
    body: dict[str, Any] = {
        "id": f"chatcmpl-sim{number:08d}", "object": "chat.completion", "created": now_s, "model": model,
        "choices": [{
            "index": 0, "message": {"role": "assistant", "content": text, "refusal": None}, "logprobs": None, "finish_reason": "stop",
        }],
        "system_fingerprint": "simulator",
    }  # fmt: skip
    if usage:
        body["usage"] = _usage(usage)
    return _encode(body)


def events(number: int, now_s: int, model: str, text: str, usage: tuple[int, int] | None, chunk_chars: int) -> list[bytes]:
    """The events of a streamed answer, `[DONE]` included."""
    head = {
        "id": f"chatcmpl-sim{number:08d}",
        "object": "chat.completion.chunk",
        "created": now_s,
        "model": model,
        "system_fingerprint": "simulator",
    }

    def chunk(choices: list[Any], **more: Any) -> bytes:
        return b"data: " + _encode({**head, "choices": choices, **more}) + b"\n\n"

    out = [chunk([{"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}])]
    for start in range(0, len(text), chunk_chars):
        piece = text[start : start + chunk_chars]
        out.append(chunk([{"index": 0, "delta": {"content": piece}, "logprobs": None, "finish_reason": None}]))
    out.append(chunk([{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]))
    if usage:
        out.append(chunk([], usage=_usage(usage)))
    out.append(b"data: [DONE]\n\n")
    return out


def error(status: int, message: str) -> bytes:
    """An error body as OpenAI shapes it."""
    kinds = {400: "invalid_request_error", 401: "invalid_request_error", 404: "invalid_request_error", 429: "rate_limit_exceeded"}
    return _encode({"error": {"message": message, "type": kinds.get(status, "server_error"), "param": None, "code": kinds.get(status)}})


def _usage(usage: tuple[int, int]) -> dict[str, int]:
    return {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": usage[0] + usage[1]}
