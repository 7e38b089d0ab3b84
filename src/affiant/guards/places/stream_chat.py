"""Chunks of OpenAI Chat Completions. One lane a text of a choice; what was held comes in a chunk before the choice's last.

Every string of a delta has a lane by its path, known or not; a tool call's texts end when the next call begins.
"""

from __future__ import annotations

from typing import Any

from affiant.guards.model import Kind, Role
from affiant.guards.places.chat import ANNOTATION, CHUNK_HEAD
from affiant.guards.places.rules import IDENTIFIER, NUMBER, WORD, How, Rule
from affiant.guards.places.stream import Key, Lane, StreamPlaces
from affiant.guards.places.walk import BadShape, Context, Uninspected

Json = Any
MAX_DEPTH = 16
_KNOWN = frozenset(("content", "refusal", "reasoning_content", "reasoning", "tool_calls", "function_call", "audio", "annotations", "role"))
_HEAD = frozenset(("choices", "usage", "obfuscation"))
_CHOICE = frozenset(("index", "delta", "finish_reason", "logprobs"))
_FIXED = frozenset(("id", "type", "role"))


class ChatStream(StreamPlaces):
    """Places of one streamed chat completion."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._head: dict[str, Json] = {}
        self._calls: dict[int, int] = {}  # choice -> number of the call under way

    def event(self, event: Json) -> list[Json]:
        if not isinstance(event, dict):
            raise BadShape("An event of the stream is no object.", "Check the provider's answer.")
        choices = event.get("choices", [])
        if not isinstance(choices, list):
            raise BadShape("A chunk of the stream has `choices` that are no list.", "Check the provider's answer.")
        head = self._enveloped({name: value for name, value in event.items() if name not in _HEAD}, self._head_of)
        if not self._head:
            self._head = head
        before: list[Json] = []
        kept = []
        for choice in choices:
            made = self._choice(choice, before)
            if made is not None:
                kept.append(made)
        out = [{**self._head, "choices": [choice]} for choice in before]
        if kept or not choices or event.get("usage") is not None:
            made = {**head, "choices": kept} if "choices" in event else head
            out.append({**made, "usage": self._fixed(event["usage"], "usage", NUMBER)} if "usage" in event else made)
        return out

    def _head_of(self, head: dict[str, Json]) -> dict[str, Json]:
        return self._walk().object(head, "", CHUNK_HEAD, Context(Role.ASSISTANT))

    def finish(self) -> list[Json]:
        made: list[Json] = []
        for key in list(self._tracks):
            self._flush(key, made)
        return [{**self._head, "choices": [choice]} for choice in made]

    def _choice(self, choice: Json, before: list[Json]) -> Json | None:
        """The choice as it may be released; None where nothing is left of it."""
        index = choice.get("index") if isinstance(choice, dict) else None
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if not isinstance(index, int) or not isinstance(delta, dict | None):
            raise BadShape("A chunk of the stream has a choice without `index` or `delta`.", "Check the provider's answer.")
        self._next_call(index, delta or {}, before)
        made = dict(choice)
        if delta is not None:
            made["delta"] = {name: self._texts_of(delta[name], (index, name), 0) for name in delta}
        if made.get("logprobs"):
            made["logprobs"] = None
        if choice.get("finish_reason") is not None:
            made["finish_reason"] = self._fixed(choice["finish_reason"], "choices[].finish_reason", WORD)
        for name in choice.keys() - _CHOICE:
            self.unknown.add(f"choices[].{name}")
            made[name] = self._walk().value(
                choice[name], f"choices[{index}].{name}", Rule(How.FREE, kind=Kind.UNKNOWN_FIELD), Context(Role.ASSISTANT), 1
            )
        if choice.get("finish_reason") is not None:
            rest: list[Json] = []
            for key in [key for key in self._tracks if key[0] == index]:
                self._flush(key, rest)
            if rest and delta:
                before.append({**made, "finish_reason": None})
                made = {**made, "delta": {}}
            before.extend(rest)
            return made
        if delta and not _says(made["delta"]) and _says(delta):
            return None
        return made

    def _fixed(self, value: Json, where: str, rule: Rule) -> Json:
        """Something of the protocol: looked at, never changed."""
        return self._walk().value(value, where, rule, Context(Role.ASSISTANT), 1)

    def _next_call(self, index: int, delta: dict[str, Json], before: list[Json]) -> None:
        """Texts of a tool call end where the next one begins."""
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            number = call.get("index") if isinstance(call, dict) else None
            if not isinstance(number, int):
                continue
            if self._calls.setdefault(index, number) != number:
                for key in [key for key in self._tracks if key[:2] == (index, "tool_calls") and key[2] != number]:
                    self._flush(key, before)
            self._calls[index] = number

    def _texts_of(self, value: Json, key: Key, depth: int) -> Json:
        """A delta with each text fed to its lane."""
        if depth > MAX_DEPTH:
            raise BadShape("A chunk of the stream is nested too deeply.", "Check the provider's answer.")
        if key[1] not in _KNOWN:
            self.unknown.add(f"choices[].delta.{key[1]}")
        if key[1] == "annotations":
            return self._walk().value(value, f"choices[{key[0]}].annotations", Rule(How.TEXT, ANNOTATION, Role.DOCUMENT), Context(), 1)
        if isinstance(value, str):
            return self._string(value, key)
        if isinstance(value, dict):
            return self._object(value, key, depth)
        if isinstance(value, list):
            made = []
            for place, item in enumerate(value):
                number = item.get("index") if isinstance(item, dict) else None
                made.append(self._texts_of(item, (*key, number if isinstance(number, int) else place), depth + 1))
            return made
        return value

    def _object(self, value: dict[str, Json], key: Key, depth: int) -> dict[str, Json]:
        made = {name: self._texts_of(item, (*key, name), depth + 1) for name, item in value.items()}
        name_key = (*key, "name")
        if name_key in self._tracks and ("arguments" in value or "input" in value):  # the name of a call is whole when its arguments begin
            made["name"] = str(made.get("name") or "") + self._end(name_key)
        return made

    def _string(self, value: str, key: Key) -> str:
        if not value:
            return value
        name = key[-1]
        if name in _FIXED and (len(key) == 2 or key[1] in ("tool_calls", "audio")):
            return str(self._fixed(value, f"choices[].delta.{name}", IDENTIFIER if name == "id" else WORD))
        if key[1:] == ("audio", "data"):
            if not self.uninspected:
                self.uninspected.append(Uninspected(f"choices[{key[0]}].audio.data", "audio"))
            return value
        track = self._tracks.get(key)
        return self._feed(track.lane if track is not None else _lane(key), value)

    def _flush(self, key: Key, into: list[Json]) -> None:
        rest = self._end(key)
        if rest:
            into.append({"index": key[0], "delta": _nest(key[1:], rest), "finish_reason": None})


def _lane(key: Key) -> Lane:
    where = f"choices[{key[0]}].message" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in key[1:])
    if key[1] in ("tool_calls", "function_call"):
        return Lane(key, where, Role.ASSISTANT, Kind.TOOL_CALL, key[-1] == "arguments")
    return Lane(key, where, Role.ASSISTANT, Kind.TEXT if key[1] in _KNOWN else Kind.UNKNOWN_FIELD)


def _says(value: Json) -> bool:
    """Whether a delta says anything: a text, an id, a role. An index and a type alone do not."""
    if isinstance(value, dict):
        return any(_says(item) for name, item in value.items() if name not in ("index", "type"))
    if isinstance(value, list):
        return any(map(_says, value))
    return value not in ("", None)


def _nest(path: Key, text: str) -> Json:
    """The smallest delta in which `text` stands at `path`."""
    value: Json = text
    for place in range(len(path) - 1, -1, -1):
        step = path[place]
        if isinstance(step, str):
            value = {step: value}
        elif path[place - 1] == "tool_calls":
            value = [{"index": step, **value}]
        else:
            value = [*([{}] * step), value]
    return value
