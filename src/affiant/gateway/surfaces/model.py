"""The nouns of surfaces: what a request asks for, what a stream says of itself, and a surface. Also what several of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, TypeGuard

import msgspec

from affiant.gateway.codes import Code
from affiant.gateway.faults import LinkFault, Refusal
from affiant.gateway.formats import Format, error_object

DEFAULT_MAX_TOKENS = 1024
"""Reserved for an answer where the caller names no limit."""
_MOST_TOKENS = 10_000_000
_MOST_COUNTED = 2**40
encode = msgspec.json.Encoder().encode

Json = Any
Usage = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for, beside its texts.

    Args:
        model: the route that it names.
        stream: whether the answer is to come in events.
        max_tokens: the most that the answer may cost.
        wants_usage: whether the events of a stream are to end with usage.
    """

    model: str
    stream: bool
    max_tokens: int
    wants_usage: bool = False


class Reading:
    """What a stream says beside its texts, event by event.

    Args:
        keep: whether `text` is asked for at the end.

    Attributes:
        usage: tokens in and out, as far as the provider has told them.
        chars: characters of text so far, for an estimate where usage is missing.
        ended: whether the last event ends the stream.
        complete: whether nothing is missing, should the stream end now without an event that says so.
    """

    def __init__(self, keep: bool) -> None:
        self._keep = keep
        self._kept: dict[int, list[str]] = {}
        self.usage: Usage | None = None
        self.chars = 0
        self.ended = False
        self.complete = False

    def note(self, event: Json) -> None:
        """Take one event.

        Raises:
            LinkFault: it is no event of this surface, or says that the provider failed.
        """
        raise NotImplementedError

    def text(self) -> str:
        """The answer's text as it came; "" unless it was asked to keep it."""
        return "\n\n".join("".join(pieces) for _, pieces in sorted(self._kept.items()))

    def _text(self, number: object, text: object) -> None:
        if isinstance(text, str):
            self.chars += len(text)
            if self._keep and isinstance(number, int):
                self._kept.setdefault(number, []).append(text)


class Surface:
    """One wire format of one path. A subclass for each; instances hold nothing.

    Attributes:
        name: as `guards.places` and the evidence call it.
        path: behind `/v1` here, and behind the base URL at a provider.
        format: that a provider must speak.
        judged: whether its answers are texts whose quality can be judged.
        named: whether the events of its streams carry their type as a name.
    """

    name: ClassVar[str]
    path: ClassVar[str]
    format: ClassVar[Format] = Format.OPENAI
    judged: ClassVar[bool] = True
    named: ClassVar[bool] = False

    def asked(self, body: dict[str, Json]) -> Asked:
        """What a request asks for.

        Raises:
            Refusal: it is no request of this surface.
        """
        raise NotImplementedError

    def sent(self, body: dict[str, Json], asked: Asked) -> dict[str, Json]:
        """The request with what the gateway itself needs of the answer."""
        return body

    def check(self, body: Json) -> None:
        """Take a body for an answer.

        Raises:
            LinkFault: it is none.
        """
        raise NotImplementedError

    def usage(self, body: dict[str, Json]) -> Usage | None:
        """Tokens in and out of an answer; None where it tells none."""
        return usage_of(body.get("usage"))

    def text(self, body: dict[str, Json]) -> str:
        """The text of an answer, as it came."""
        raise NotImplementedError

    def reading(self, keep: bool) -> Reading:
        """For a stream."""
        raise NotImplementedError

    def told(self, event: dict[str, Json], asked: Asked) -> dict[str, Json] | None:
        """An event without what only the gateway asked for; None where nothing is left, the same event where all is."""
        return event

    def frame(self, event: dict[str, Json]) -> bytes:
        """An event as bytes of a stream."""
        return self.raw_frame(event, encode(event))

    def raw_frame(self, event: dict[str, Json], data: bytes) -> bytes:
        """The same of an event whose JSON is at hand."""
        framed = b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"
        return b"event: " + str(event["type"]).encode() + b"\n" + framed if self.named else framed

    def error(self, code: Code, exchange: str, number: int) -> bytes:
        """The event with which a stream ends as an error.

        Args:
            number: that the event has, where the surface counts them.
        """
        return self.frame(error_object(self.format, code, exchange))


def named_model(body: dict[str, Json]) -> str:
    """What `model` names.

    Raises:
        Refusal: nothing.
    """
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Refusal("request_invalid", "model", "`model` must be a string.")
    return model


def messages_in(body: dict[str, Json]) -> None:
    """Take a request for one with messages.

    Raises:
        Refusal: there are none, or one has no role.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refusal("request_invalid", "messages", "`messages` must be a list with at least one message.")
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise Refusal("request_invalid", f"messages[{number}]", "A message must be an object with a `role`.")


def flag(body: dict[str, Json], name: str) -> bool:
    """A switch; absent and null are off.

    Raises:
        Refusal: it is no switch.
    """
    value = body.get(name)
    if not isinstance(value, bool | None):
        raise Refusal("request_invalid", name, f"`{name}` must be true or false.")
    return bool(value)


def count(body: dict[str, Json], name: str, default: int | None, most: int = _MOST_TOKENS) -> int:
    """A positive number; the default where it is absent or null.

    Raises:
        Refusal: it is none, or is missing and has no default.
    """
    value = body.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
        raise Refusal("request_invalid", name, f"`{name}` must be an integer from 1 to {most}.")
    return value


def usage_of(usage: Json, tokens_in: str = "prompt_tokens", tokens_out: str = "completion_tokens") -> Usage | None:
    """Tokens in and out of a usage object; None if it is none."""
    if not isinstance(usage, dict):
        return None
    before, after = usage.get(tokens_in), usage.get(tokens_out)
    return (before, after) if counted(before) and counted(after) else None


def counted(value: Json) -> TypeGuard[int]:
    """Whether a value is a number of tokens."""
    return type(value) is int and 0 <= value < _MOST_COUNTED


def garbage(what: str) -> LinkFault:
    """A provider's answer that is none."""
    return LinkFault("garbage", what, 200)


def type_of(event: Json) -> str:
    """The type of a named event.

    Raises:
        LinkFault: it has none that could be a name.
    """
    type_ = event.get("type") if isinstance(event, dict) else None
    if not isinstance(type_, str) or not type_.isascii() or not type_.isprintable() or not 0 < len(type_) <= 128:
        raise garbage("An event of the provider has no type.")
    return type_
