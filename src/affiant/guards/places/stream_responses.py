"""Events of OpenAI Responses. One lane a text of an output item; texts that later events repeat whole are replaced by what was released.

Any event whose type ends in `.delta` carries pieces of texts, known or not; what was held comes as one more of them before the lane
ends. Sequence numbers stay without gaps.
"""

from __future__ import annotations

from typing import Any

from affiant.guards.model import Kind, Role
from affiant.guards.places.responses import EVENT
from affiant.guards.places.stream import Key, Lane, StreamPlaces
from affiant.guards.places.walk import BadShape, Context, Uninspected

Json = Any
_INDICES = ("output_index", "content_index", "summary_index", "command_index")
_JSON = ("response.function_call_arguments", "response.mcp_call_arguments")
_CALLS = (*_JSON, "response.custom_tool_call_input", "response.code_interpreter_call_code", "response.shell_call_command")
_RESULTS = ("response.shell_call_output_content",)
_TEXTS = (
    "response.output_text", "response.refusal", "response.reasoning_text", "response.reasoning_summary_text", "response.audio.transcript",
)  # fmt: skip
_OPAQUE = ("response.audio",)
_ENDS = ("response.completed", "response.failed", "response.incomplete", "error")
_ADDED = {"response.content_part.added": "part", "response.reasoning_summary_part.added": "part"}
_PARTS = {
    "output_text": "response.output_text", "refusal": "response.refusal", "reasoning_text": "response.reasoning_text",
    "summary_text": "response.reasoning_summary_text",
}  # fmt: skip


class ResponsesStream(StreamPlaces):
    """Places of one streamed response."""

    _repeats = True
    _shift = 0

    def event(self, event: Json) -> list[Json]:
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            raise BadShape("An event of the stream is no object with a `type`.", "Check the provider's answer.")
        event = {name: value for name, value in event.items() if name != "obfuscation"}
        type_ = event["type"]
        if type_.endswith(".delta") and "delta" in event:
            return self._delta(event, type_.removesuffix(".delta"))
        before = self._flush(self._ended_by(event, type_))
        begun = self._seed(event, type_)
        made = self._plain(event)
        self._ended.pop(begun, None)
        return [*before, self._numbered(made)]

    def finish(self) -> list[Json]:
        return self._flush(list(self._tracks))

    # -- deltas

    def _delta(self, event: dict[str, Json], prefix: str) -> list[Json]:
        delta = event["delta"]
        if prefix in _OPAQUE:
            if not any(one.where == prefix for one in self.uninspected):
                self.uninspected.append(Uninspected(prefix, "audio"))
            made = self._plain({name: value for name, value in event.items() if name != "delta"})
            return [self._numbered({**made, "delta": delta})]
        pieces = delta if isinstance(delta, dict) else {"": delta}
        texts = {name: text for name, text in pieces.items() if isinstance(text, str)}
        fed = {name: self._feed(self._lane(event, prefix, name), text, event) if text else text for name, text in texts.items()}
        if any(texts.values()) and not any(fed.values()):
            self._shift -= 1
            return []
        made = self._enveloped({name: value for name, value in event.items() if name != "delta"}, self._plain)
        return [self._numbered({**made, "delta": {**pieces, **fed} if isinstance(delta, dict) else fed.get("", delta)})]

    def _lane(self, event: dict[str, Json], prefix: str, name: str) -> Lane:
        indices = [event.get(index, -1) for index in _INDICES]
        if not all(isinstance(index, int) for index in indices):
            raise BadShape("A delta of the stream has an index that is no number.", "Check the provider's answer.")
        kind, role = Kind.UNKNOWN_FIELD, Role.ASSISTANT
        if prefix in _CALLS:
            kind = Kind.TOOL_CALL
        elif prefix in _RESULTS:
            kind, role = Kind.TOOL_RESULT, Role.TOOL
        elif prefix in _TEXTS:
            kind = Kind.TEXT
        else:
            self.unknown.add(prefix)
        where = f"output[{indices[0]}]" + "".join(
            f".{index.removesuffix('_index')}[{n}]" for index, n in zip(_INDICES[1:], indices[1:], strict=True) if n >= 0
        )
        return Lane((prefix, name, *indices), f"{where}.{prefix.rpartition('.')[2]}", role, kind, prefix in _JSON)

    def _seed(self, event: dict[str, Json], type_: str) -> str:
        """A part that is added with text in it: the text is the beginning of the lane that follows. Gives it."""
        part = event.get(_ADDED.get(type_, ""))
        if not isinstance(part, dict):
            return ""
        prefix = _PARTS.get(str(part.get("type")))
        name = "refusal" if prefix == "response.refusal" else "text"
        if prefix is None or not isinstance(part.get(name), str) or not part[name]:
            return ""
        template = {name: value for name, value in event.items() if name != "part"}
        released = self._feed(self._lane(event, prefix, ""), part[name], {**template, "type": f"{prefix}.delta", "delta": ""})
        self._ended[part[name]] = released
        return str(part[name])

    # -- ends

    def _ended_by(self, event: dict[str, Json], type_: str) -> list[Key]:
        """Lanes that an event ends: of its own text, of its part, of its item, or all."""
        if type_ in _ENDS:
            return list(self._tracks)
        if not type_.endswith(".done"):
            return []
        prefix = type_.removesuffix(".done")
        whole = prefix in ("response.output_item", "response.content_part", "response.reasoning_summary_part")
        ended = []
        for key in self._tracks:
            same = all(event[name] == mine for name, mine in zip(_INDICES, key[2:], strict=True) if name in event)
            if same and (whole or key[0] == prefix):
                ended.append(key)
        return ended

    def _flush(self, keys: list[Key]) -> list[Json]:
        made: list[Json] = []
        for key in keys:
            last = self._tracks[key].last
            rest = self._end(key)
            if not rest:
                continue
            self._shift += 1
            event = {**last, "delta": {str(key[1]): rest} if key[1] else rest}
            if "logprobs" in event:
                event["logprobs"] = []
            made.append(event)
        return self._renumbered(made)

    # -- numbers

    _sent = -1

    def _numbered(self, event: Json) -> Json:
        number = event.get("sequence_number")
        if not isinstance(number, int):
            return event
        self._sent = number + self._shift
        return event if not self._shift else {**event, "sequence_number": self._sent}

    def _renumbered(self, events: list[Json]) -> list[Json]:
        """Events that are put in take the next numbers."""
        made = []
        for event in events:
            numbered = isinstance(event.get("sequence_number"), int)
            self._sent += numbered
            made.append({**event, "sequence_number": self._sent} if numbered else event)
        return made

    def _plain(self, event: dict[str, Json]) -> dict[str, Json]:
        return self._walk().object(event, "", EVENT, Context(Role.ASSISTANT))
