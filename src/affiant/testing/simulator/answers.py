"""Answers computed from the request: the same request always gets the same answer, and part of it comes back.

Leaves out: sense, and the wire shapes, which are each surface's own (`chat`, `responses`, `messages`, `embeddings`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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
encode = msgspec.json.Encoder().encode
Usage = tuple[int, int]


class Message(msgspec.Struct):
    """A message of a request, as much of it as answers depend on."""

    role: str = ""
    content: Any = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as much of it as answers depend on.

    Args:
        texts: of all messages, which are what its tokens are counted of.
        last: text of the last user message.
        end: text of the last message, whose script counts.
        system: the system prompt, "" without one.
        tool: name of the first tool that it offers, "" without one.
        most_tokens: of the answer; None without a limit.
        wants_usage: whether a stream is to report usage.
        echo: what the surface's answers repeat of the request.
    """

    model: str
    stream: bool
    texts: str
    last: str
    end: str
    system: str = ""
    tool: str = ""
    most_tokens: int | None = None
    wants_usage: bool = True
    echo: Any = None


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, before a surface gives it its shape.

    Args:
        number: of the answer, which its ids are made of.
        now_s: wall time in seconds.
        arguments: of a call of the request's first tool, as JSON; "" for none.
        usage: tokens in and out; None where they are not to be reported.
    """

    number: int
    now_s: int
    text: str
    arguments: str
    usage: Usage | None


class Wire(Protocol):
    """One surface as a provider speaks it."""

    def secret(self, headers: dict[str, str]) -> str:
        """The caller's credential, "" where there is none."""
        ...

    def read(self, body: bytes) -> Asked:
        """A request.

        Raises:
            msgspec.DecodeError: it is none.
        """
        ...

    def plain(self, asked: Asked, said: Said) -> bytes:
        """A whole answer."""
        ...

    def events(self, asked: Asked, said: Said, chunk_chars: int) -> list[bytes]:
        """The events of a streamed answer."""
        ...

    def error(self, status: int, message: str) -> bytes:
        """An error body."""
        ...


def text_of(content: Any) -> str:
    """The text of a message's content: a string, a list of parts, or what a tool gave back."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(filter(None, (text_of(part.get("text") or part.get("content")) for part in content if isinstance(part, dict))))
    return ""


def last_of(messages: Sequence[Message], role: str = "user") -> str:
    """Text of the last message of a role."""
    return next((text_of(message.content) for message in reversed(messages) if message.role == role), "")


def count_tokens(text: str) -> int:
    """A stand-in for a tokenizer: four characters a token, at least one."""
    return max(1, len(text) // 4)


def compose(asked: Asked, script: Script) -> str:
    """The answer's text."""
    pick = hashlib.sha256(asked.last.encode("utf-8", "replace")).digest()
    parts = [_OPENINGS[pick[0] % len(_OPENINGS)]]
    if script.words:
        parts.append(" ".join(_FILL[(pick[1] + n) % len(_FILL)] for n in range(script.words)))
    if asked.last:
        parts.append(f"You wrote: {asked.last[:_ECHO_CHARS]}")
    if "leak" in script.plants:
        parts.append(f"My instructions are: {asked.system}")
    if "pii" in script.plants:
        parts.append(PLANTED_PII)
    if "secret" in script.plants:
        parts.append(PLANTED_CREDENTIAL)
    parts.append(_CLOSINGS[pick[2] % len(_CLOSINGS)])
    text = " ".join(parts)
    return text if asked.most_tokens is None else text[: asked.most_tokens * 4]


def arguments_of(asked: Asked, script: Script) -> str:
    """Arguments with which the first tool is called; "" where the script asks for no call, or no tool is offered."""
    return encode({"text": asked.last[:_ECHO_CHARS]}).decode() if script.tool and asked.tool else ""


def bearer(headers: dict[str, str]) -> str:
    """The credential as OpenAI's format has it."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    return secret if scheme.lower() == "bearer" else ""


def pieces(text: str, chars: int) -> list[str]:
    """A text, cut."""
    return [text[start : start + chars] for start in range(0, len(text), chars)]


def named_event(event: dict[str, Any]) -> bytes:
    """An event of a stream that names it."""
    return b"event: " + str(event["type"]).encode() + b"\ndata: " + encode(event) + b"\n\n"


def error(status: int, message: str) -> bytes:
    """An error body as OpenAI shapes it."""
    kinds = {400: "invalid_request_error", 401: "invalid_request_error", 404: "invalid_request_error", 429: "rate_limit_exceeded"}
    return encode({"error": {"message": message, "type": kinds.get(status, "server_error"), "param": None, "code": kinds.get(status)}})
