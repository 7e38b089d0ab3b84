"""A chat completion request as guards see it: every string in it becomes a part, and goes back where it came from.

Nothing textual is passed by: system and assistant turns, names, `user`, metadata, tool definitions, arguments of tool calls (JSON
inside a string is opened), tool results, unknown fields, keys of free objects, long numbers. Images, audio and files are counted
as not inspected. Leaves out: answers (`reply`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from affiant.gateway.faults import Refusal
from affiant.guards import Kind, Part, Role

MAX_DEPTH = 48
MAX_PARTS = 20_000
DEFAULT_MAX_TOKENS = 1024  # reserved for an answer where the caller names no limit
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

_ROLES = {
    "system": Role.SYSTEM, "developer": Role.SYSTEM, "user": Role.USER, "assistant": Role.ASSISTANT, "tool": Role.TOOL,
    "function": Role.TOOL,
}  # fmt: skip
_KNOWN = frozenset(
    [
        "model",
        "messages",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
        "n",
        "max_tokens",
        "max_completion_tokens",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "seed",
        "parallel_tool_calls",
        "reasoning_effort",
        "service_tier",
        "store",
        "modalities",
        "verbosity",
        "response_format",
        "tool_choice",
        "tools",
        "functions",
        "function_call",
        "user",
        "metadata",
        "stop",
        "prediction",
        "safety_identifier",
        "prompt_cache_key",
        "audio",
        "web_search_options",
    ]
)
_DEFINITIONS = ("tools", "functions", "response_format", "tool_choice", "function_call")
_MEDIA = {"image_url": Kind.IMAGE, "input_image": Kind.IMAGE, "input_audio": Kind.AUDIO, "file": Kind.FILE, "input_file": Kind.FILE}
_LONG_NUMBER = 10**8

Json = Any


@dataclass(slots=True)
class _Slot:
    """Where a part came from: `holder[key]`, or the key itself; inside a JSON text where `document` is set."""

    holder: Any
    key: str | int
    renames: bool = False
    document: _Document | None = None


@dataclass(slots=True)
class _Document:
    """A string that is JSON itself: `holder[key]`, opened."""

    holder: Any
    key: str | int
    root: list[Json]
    changed: bool = False


@dataclass(slots=True)
class ChatRequest:
    """A request, opened.

    Args:
        body: decoded; owned by this request and changed by `apply` and `encode`.
        uninspected: content parts that guards cannot read.
        unknown: names of fields that the format does not have, as this version knows it.
    """

    body: dict[str, Json]
    model: str
    stream: bool
    wants_usage: bool
    max_tokens: int
    parts: list[Part] = field(default_factory=list)
    uninspected: int = 0
    unknown: set[str] = field(default_factory=set)
    _slots: list[_Slot] = field(default_factory=list)

    def apply(self, parts: tuple[Part, ...]) -> None:
        """Put the texts of `parts` (same order and number) where they came from."""
        documents: list[_Document] = []
        for slot, before, after in zip(self._slots, self.parts, parts, strict=True):
            if before.text == after.text:
                continue
            if slot.renames:
                slot.holder[after.text] = slot.holder.pop(before.text)
            else:
                slot.holder[slot.key] = after.text
            if slot.document is not None and not slot.document.changed:
                slot.document.changed = True
                documents.append(slot.document)
        for document in documents:
            document.holder[document.key] = _encode(document.root[0]).decode()

    def encode(self, upstream: str) -> bytes:
        """The body for one link."""
        self.body["model"] = upstream
        return _encode(self.body)


def read_request(raw: bytes) -> ChatRequest:
    """Open a request.

    Raises:
        Refusal: it is no chat completion request.
    """
    try:
        body = _decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        why = str(error) if isinstance(error, msgspec.DecodeError) else "too deep, or no UTF-8"
        raise Refusal("request_invalid", detail=f"It is no JSON: {why}.") from None
    if not isinstance(body, dict):
        raise Refusal("request_invalid", detail="It is no JSON object.")
    model, messages = body.get("model"), body.get("messages")
    if not isinstance(model, str) or not model:
        raise Refusal("request_invalid", "model", "`model` must be a string.")
    if not isinstance(messages, list) or not messages:
        raise Refusal("request_invalid", "messages", "`messages` must be a list with at least one message.")
    stream = body.get("stream") or False
    if not isinstance(stream, bool):
        raise Refusal("request_invalid", "stream", "`stream` must be true or false.")
    request = ChatRequest(body, model, stream, _usage_wanted(body), _most_tokens(body))
    if stream:
        options = body.get("stream_options")
        body["stream_options"] = {**options, "include_usage": True} if isinstance(options, dict) else {"include_usage": True}
    _Walk(request).run(messages)
    return request


def _usage_wanted(body: dict[str, Json]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _most_tokens(body: dict[str, Json]) -> int:
    most = body.get("max_completion_tokens", body.get("max_tokens"))
    if most is None:
        most = DEFAULT_MAX_TOKENS
    if not isinstance(most, int) or isinstance(most, bool) or not 0 < most <= 10_000_000:
        raise Refusal("request_invalid", "max_tokens", "`max_tokens` must be a positive integer.")
    n = body.get("n")
    if n is None:
        return most
    if not isinstance(n, int) or isinstance(n, bool) or not 0 < n <= 128:
        raise Refusal("request_invalid", "n", "`n` must be an integer from 1 to 128.")
    return most * n


class _Walk:
    """Collects parts of one request."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._document: _Document | None = None
        self._media = False

    def run(self, messages: list[Json]) -> None:
        request = self._request
        for number, message in enumerate(messages):
            if not isinstance(message, dict) or not isinstance(message.get("role"), str):
                raise Refusal("request_invalid", f"messages[{number}]", "A message must be an object with a `role`.")
            self._message(message, f"messages[{number}]")
        body = request.body
        for name in body:
            if name in ("model", "messages"):
                continue
            kind = Kind.TOOL_DEFINITION if name in _DEFINITIONS else Kind.TEXT
            if name not in _KNOWN:
                kind = Kind.UNKNOWN_FIELD
                request.unknown.add(name)
            role = Role.SYSTEM if kind is Kind.TOOL_DEFINITION else Role.USER
            self._free(body, name, name, role, kind, 0)
        for name in request.unknown:
            if name in body:
                self._key(body, name, name, Role.USER)

    def _add(self, holder: Any, key: str | int, where: str, role: Role, kind: Kind, text: str, renames: bool = False) -> None:
        request = self._request
        if len(request.parts) >= MAX_PARTS:
            raise Refusal("request_invalid", detail=f"It has more than {MAX_PARTS} strings.")
        request.parts.append(Part(where, role, kind, text))
        request._slots.append(_Slot(holder, key, renames, self._document))

    def _message(self, message: dict[str, Json], where: str) -> None:
        role = _ROLES.get(message["role"])
        if role is None:
            self._request.unknown.add("role")
            self._free(message, "role", f"{where}.role", Role.USER, Kind.UNKNOWN_FIELD, 0)
            role = Role.USER
        kind = Kind.TOOL_RESULT if role is Role.TOOL else Kind.TEXT
        for name in list(message):
            at = f"{where}.{name}"
            if name == "role":
                continue
            if name == "content":
                self._content(message, at, role, kind)
            elif name in ("tool_calls", "function_call"):
                self._calls(message, name, at, role)
            elif name in ("name", "tool_call_id", "refusal", "audio", "annotations", "reasoning_content", "reasoning"):
                self._free(message, name, at, role, Kind.TEXT, 0)
            else:
                self._request.unknown.add(name)
                self._free(message, name, at, role, Kind.UNKNOWN_FIELD, 0)
                self._key(message, name, at, role)

    def _content(self, message: dict[str, Json], where: str, role: Role, kind: Kind) -> None:
        content = message["content"]
        if isinstance(content, str):
            self._text(message, "content", where, role, kind)
            return
        if not isinstance(content, list):
            if content is not None:
                self._free(message, "content", where, role, Kind.UNKNOWN_FIELD, 0)
            return
        for number, part in enumerate(content):
            at = f"{where}[{number}]"
            if not isinstance(part, dict):
                self._free(content, number, at, role, Kind.UNKNOWN_FIELD, 0)
                continue
            type_ = part.get("type")
            media = _MEDIA.get(type_) if isinstance(type_, str) else None
            if media is not None:
                self._request.uninspected += 1
                self._request.parts.append(Part(at, role, media))
                self._request._slots.append(_Slot(None, ""))
            self._media = media is not None
            for name in list(part):
                if name == "text" and type_ in ("text", "input_text", "output_text") and isinstance(part[name], str):
                    self._text(part, name, f"{at}.text", role, kind)
                elif name != "type" or (media is None and type_ not in ("text", "refusal", "input_text", "output_text")):
                    known = media is not None or type_ in ("text", "refusal")
                    self._free(part, name, f"{at}.{name}", role, kind if known else Kind.UNKNOWN_FIELD, 0)
        self._media = False

    def _text(self, holder: Any, key: str, where: str, role: Role, kind: Kind) -> None:
        """A message's text; a tool result that is JSON with escapes is opened, since a model reads through escapes."""
        text = holder[key]
        if kind is Kind.TOOL_RESULT and "\\" in text and text.lstrip()[:1] in ("{", "["):
            self._json_text(holder, key, where, role, kind)
        else:
            self._add(holder, key, where, role, kind, text)

    def _calls(self, message: dict[str, Json], name: str, where: str, role: Role) -> None:
        calls = message[name] if name == "tool_calls" else [message]
        if not isinstance(calls, list):
            self._free(message, name, where, role, Kind.TOOL_CALL, 0)
            return
        for number, call in enumerate(calls):
            at = f"{where}[{number}]" if name == "tool_calls" else where
            function = call.get("function" if name == "tool_calls" else name) if isinstance(call, dict) else None
            if isinstance(function, dict) and isinstance(function.get("arguments"), str):
                self._json_text(function, "arguments", f"{at}.arguments", role, Kind.TOOL_CALL)
                for other in list(function):
                    if other != "arguments":
                        self._free(function, other, f"{at}.{other}", role, Kind.TOOL_CALL, 0)
                if name == "tool_calls":
                    for other in list(call):
                        if other not in ("function", "type"):
                            self._free(call, other, f"{at}.{other}", role, Kind.TOOL_CALL, 0)
            else:
                self._free(
                    calls if name == "tool_calls" else message, number if name == "tool_calls" else name, at, role, Kind.TOOL_CALL, 0
                )

    def _json_text(self, holder: Any, key: str, where: str, role: Role, kind: Kind) -> None:
        try:
            opened = _decode(holder[key])
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            self._add(holder, key, where, role, kind, holder[key])
            return
        outer, self._document = self._document, _Document(holder, key, [opened])
        self._free(self._document.root, 0, where, role, kind, 0)
        self._document = outer

    def _free(self, holder: Any, key: str | int, where: str, role: Role, kind: Kind, depth: int) -> None:
        """Every string below `holder[key]`."""
        if depth > MAX_DEPTH:
            raise Refusal("request_invalid", where[:64], "It is nested too deeply.")
        value = holder[key]
        if isinstance(value, str):
            if not (self._media and (key in ("data", "file_data") or value.startswith("data:"))):
                self._add(holder, key, where, role, kind, value)
        elif isinstance(value, dict):
            for name in list(value):
                self._free(value, name, f"{where}.{name}", role, kind, depth + 1)
                self._key(value, name, where, role)
        elif isinstance(value, list):
            for number in range(len(value)):
                self._free(value, number, f"{where}[{number}]", role, kind, depth + 1)
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) >= _LONG_NUMBER:
            self._add(holder, key, where, role, kind, str(int(value)))

    def _key(self, holder: dict[str, Json], name: str, where: str, role: Role) -> None:
        """A key that may hold personal data."""
        if len(name) > 6 and ("@" in name or not name.isascii() or sum(char.isdigit() for char in name) >= 7):
            self._add(holder, name, where, role, Kind.UNKNOWN_FIELD, name, renames=True)
