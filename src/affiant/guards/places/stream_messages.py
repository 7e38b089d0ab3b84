"""Events of Anthropic Messages. One lane a text of a content block; what was held comes as a delta before the block stops."""

from __future__ import annotations

from typing import Any

from affiant.guards.model import Kind, Role
from affiant.guards.places.messages import EVENT
from affiant.guards.places.stream import Key, Lane, StreamPlaces
from affiant.guards.places.walk import BadShape, Context

Json = Any
_TEXTS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
_PLAIN_FIELDS = frozenset(("type", "signature", "citation"))


class MessagesStream(StreamPlaces):
    """Places of one streamed message."""

    def event(self, event: Json) -> list[Json]:
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            raise BadShape("An event of the stream is no object with a `type`.", "Check the provider's answer.")
        type_, index = event["type"], event.get("index")
        if type_ == "content_block_start" and isinstance(event.get("content_block"), dict):
            return [self._start(event)]
        if type_ == "content_block_delta" and isinstance(event.get("delta"), dict):
            return self._delta(event)
        before: list[Json] = []
        if type_ == "content_block_stop":
            before = self._flush(lambda key: key[0] == index)
        elif type_ in ("message_delta", "message_stop", "error"):
            before = self._flush(lambda key: True)
        return [*before, self._plain(event)]

    def finish(self) -> list[Json]:
        return self._flush(lambda key: True)

    def _start(self, event: dict[str, Json]) -> Json:
        """A block may begin with text; it belongs to the lane that follows."""
        block = event["content_block"]
        lanes = {name: block[name] for name in ("text", "thinking") if isinstance(block.get(name), str) and block[name]}
        made = self._plain({**event, "content_block": {name: value for name, value in block.items() if name not in lanes}})
        if not lanes:
            return made
        fed = {name: self._feed(self._lane(event, f"{name}_delta", name), text) for name, text in lanes.items()}
        return {**made, "content_block": {name: fed.get(name, made["content_block"].get(name)) for name in block}}

    def _delta(self, event: dict[str, Json]) -> list[Json]:
        delta = event["delta"]
        type_ = delta.get("type")
        plain = {name: value for name, value in delta.items() if name in _PLAIN_FIELDS or not isinstance(value, str)}
        made = self._enveloped({**event, "delta": plain}, self._plain)
        fed: dict[str, Json] = {}
        for name, text in delta.items():
            if name not in plain:
                fed[name] = self._feed(self._lane(event, type_ if isinstance(type_, str) else "", name), text) if text else text
        if fed and not any(fed.values()) and any(delta[name] for name in fed) and len(plain) < 2:
            return []
        return [{**made, "delta": {name: fed.get(name, made["delta"].get(name)) for name in delta}}] if fed else [made]

    def _lane(self, event: dict[str, Json], type_: str, name: str) -> Lane:
        index = event.get("index")
        if not isinstance(index, int):
            raise BadShape("A delta of the stream has no `index`.", "Check the provider's answer.")
        where = f"content[{index}].{'input' if name == 'partial_json' else name}"
        if _TEXTS.get(type_) != name:
            self.unknown.add(f"content[].{name}")
            return Lane((index, type_, name), where, Role.ASSISTANT, Kind.UNKNOWN_FIELD)
        json = name == "partial_json"
        return Lane((index, type_, name), where, Role.ASSISTANT, Kind.TOOL_CALL if json else Kind.TEXT, json)

    def _flush(self, wanted: Any) -> list[Json]:
        made: list[Json] = []
        keys: list[Key] = [key for key in self._tracks if wanted(key)]
        for key in keys:
            rest = self._end(key)
            if rest:
                made.append({"type": "content_block_delta", "index": key[0], "delta": {"type": key[1], str(key[2]): rest}})
        return made

    def _plain(self, event: dict[str, Json]) -> Json:
        return self._walk().object(event, "", EVENT, Context(Role.ASSISTANT))
