"""A provider's stream as it may be released: chunks decoded, their texts guarded in windows, framed again.

Each text of each choice has a scanner of its own; arguments of tool calls are held until their choice ends, because JSON is
judged whole. Usage that only Affiant asked for is taken out. In watch and warn chunks pass as they came. Leaves out: the
connection and the order of evidence (`walk`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from affiant.gateway.faults import LinkFault
from affiant.gateway.reply import SKIPPED, guard_arguments, usage_of
from affiant.guards import AnswerGuard, StreamScanner

MAX_ARGUMENTS = 1024 * 1024  # characters of tool-call arguments held of one answer
MAX_SCANNERS = 256
DONE_FRAME = b"data: [DONE]\n\n"
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

Json = Any
Path = tuple[str | int, ...]


def frame(document: Json) -> bytes:
    """One event."""
    return b"data: " + _encode(document) + b"\n\n"


class StreamedAnswer:
    """One streamed answer.

    Args:
        guard: of this answer.
        wants_usage: whether the caller asked for usage.
        keep: whether `text` is asked for at the end.
    """

    def __init__(self, guard: AnswerGuard, wants_usage: bool, keep: bool = False) -> None:
        self._guard, self._wants_usage, self._keep = guard, wants_usage, keep
        self._texts_kept: dict[int, list[str]] = {}
        self._active = guard.enforce and (guard.looks or bool(guard.pseudonyms.originals))
        self._observing = not guard.enforce and guard.looks
        self._scanners: dict[Path, StreamScanner] = {}
        self._arguments: dict[tuple[int, int], list[str]] = {}
        self._argument_chars = 0
        self._head: dict[str, Json] = {}
        self._begun: set[int] = set()
        self._finished: set[int] = set()
        self.usage: tuple[int, int] | None = None
        self.chars = 0

    def text(self) -> str:
        """Content of all choices, as it came; "" unless it was asked to keep it."""
        return "\n\n".join("".join(pieces) for _, pieces in sorted(self._texts_kept.items()))

    @property
    def complete(self) -> bool:
        """Whether every choice that began has ended."""
        return bool(self._begun) and self._begun <= self._finished

    def chunk(self, data: bytes) -> bytes:
        """What may be released after one event of the provider; look at `guard.blocked` afterwards.

        Raises:
            LinkFault: the event is no chunk of a chat completion.
        """
        try:
            chunk = _decode(data)
        except (msgspec.DecodeError, RecursionError):
            raise LinkFault("garbage", "An event of the provider is no JSON.", 200) from None
        if not isinstance(chunk, dict) or "error" in chunk or not isinstance(chunk.get("choices"), list):
            raise LinkFault("garbage", "An event of the provider is no chunk.", 200)
        self.usage = usage_of(chunk.get("usage")) or self.usage
        changed = False
        if not self._wants_usage and "usage" in chunk:
            del chunk["usage"]
            changed = True
            if not chunk["choices"]:
                return b""
        if not self._head:
            self._head = {name: value for name, value in chunk.items() if name not in ("choices", "usage")}
        before: list[Json] = []
        worth = not chunk["choices"]
        for choice in chunk["choices"]:
            worth = self._choice(choice, before) or worth
            if self._guard.blocked:
                break
        if not self._active:
            return frame(chunk) if changed else b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"
        released = frame({**self._head, "choices": before}) if before else b""
        return released + frame(chunk) if worth else released

    def _choice(self, choice: Json, before: list[Json]) -> bool:
        """Guard one choice in place; gives whether its chunk is still worth sending."""
        index = choice.get("index") if isinstance(choice, dict) else None
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if not isinstance(index, int) or not isinstance(delta, dict):
            raise LinkFault("garbage", "A chunk of the provider has a choice without a delta.", 200)
        self._begun.add(index)
        if self._keep and isinstance(delta.get("content"), str):
            self._texts_kept.setdefault(index, []).append(delta["content"])
        ends = choice.get("finish_reason") is not None
        if not self._active and not self._observing:
            content = delta.get("content")
            self.chars += len(content) if isinstance(content, str) else 0
        else:
            for name in list(delta):
                if name == "tool_calls" and isinstance(delta[name], list):
                    self._tool_calls(index, delta)
                elif name not in SKIPPED:
                    self._texts(delta, name, (index, name), 0)
            if self._active and choice.get("logprobs") is not None:
                choice["logprobs"] = None
        if ends:
            self._finished.add(index)
            if self._active or self._observing:
                before.extend(self._flush(index))
                if self._guard.blocked:
                    return False
        if self._guard.blocked and not any(delta.values()):
            return False
        if self._guard.blocked:
            choice["finish_reason"] = None
        return ends or "role" in delta or any(value not in ("", None, []) for value in delta.values())

    def _texts(self, holder: Any, key: str | int, path: Path, depth: int) -> None:
        if depth > 16:
            raise LinkFault("garbage", "A chunk of the provider is nested too deeply.", 200)
        value = holder[key]
        if isinstance(value, str):
            if not value:
                return
            self.chars += len(value)
            released = self._scanner(path).feed(value)
            if self._active:
                holder[key] = released
        elif isinstance(value, dict):
            for name in list(value):
                if name not in SKIPPED and not (name == "data" and path[1:2] == ("audio",)):
                    self._texts(value, name, (*path, name), depth + 1)
        elif isinstance(value, list):
            for number in range(len(value)):
                self._texts(value, number, (*path, number), depth + 1)

    def _scanner(self, path: Path) -> StreamScanner:
        scanner = self._scanners.get(path)
        if scanner is None:
            if len(self._scanners) >= MAX_SCANNERS:
                raise LinkFault("garbage", "The provider streams too many texts at once.", 200)
            scanner = self._scanners[path] = self._guard.scanner()
        return scanner

    def _tool_calls(self, index: int, delta: dict[str, Json]) -> None:
        kept = []
        for call in delta["tool_calls"]:
            function = call.get("function") if isinstance(call, dict) else None
            number = call.get("index") if isinstance(call, dict) else None
            if not isinstance(function, dict) or not isinstance(number, int):
                raise LinkFault("garbage", "A chunk of the provider has a tool call of another shape.", 200)
            arguments = function.get("arguments")
            if isinstance(arguments, str):
                self._argument_chars += len(arguments)
                self.chars += len(arguments)
                if self._argument_chars > MAX_ARGUMENTS:
                    raise LinkFault("garbage", "The provider's tool calls are too large.", 200)
                self._arguments.setdefault((index, number), []).append(arguments)
                if self._active:
                    function["arguments"] = ""
            if isinstance(function.get("name"), str) and self._active:
                function["name"] = self._guard.text(function["name"])
            if any(name in call for name in ("id", "type")) or function.get("name"):
                kept.append(call)
        if self._active:
            delta["tool_calls"] = kept

    def _flush(self, index: int) -> list[Json]:
        """Choices that carry what was held of one choice."""
        made: list[Json] = []
        for path in [path for path in self._scanners if path[0] == index]:
            rest = self._scanners.pop(path).finish()
            if rest and self._active:
                made.append({"index": index, "delta": _nest(path[1:], rest), "finish_reason": None})
            if self._guard.blocked:
                return made
        for key in sorted(key for key in self._arguments if key[0] == index):
            holder = {"arguments": "".join(self._arguments.pop(key))}
            if not guard_arguments(holder, self._guard):
                holder["arguments"] = self._guard.text(holder["arguments"])
            if self._guard.blocked:
                return made
            if self._active:
                call = {"index": key[1], "function": holder}
                made.append({"index": index, "delta": {"tool_calls": [call]}, "finish_reason": None})
        return made

    def finish(self) -> bytes:
        """The rest, at the proper end of the stream; look at `guard.blocked` afterwards."""
        if not self._active and not self._observing:
            return b""
        made: list[Json] = []
        for index in sorted(self._begun - self._finished):
            made.extend(self._flush(index))
            if self._guard.blocked:
                break
        return frame({**self._head, "choices": made}) if made and self._active else b""


def _nest(path: Path, text: str) -> Json:
    """The smallest object in which `text` stands at `path`."""
    value: Json = text
    for step in reversed(path):
        value = {step: value} if isinstance(step, str) else [*([{}] * step), value]
    return value
