"""Outputs of an answer that arrives in events, so that they can be checked like those of a whole one.

Takes events of Chat Completions, Responses and Messages as the caller gets them, pseudonyms undone. A call is whole when its event says
so, the answer's own text with the end of the stream. What is held at a time has a bound; an output beyond it is dropped and told as
too long. Leaves out: what is checked (`structured`), and what follows from it (gateway).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from affiant.guards.quality.schema import Expected
from affiant.guards.structured import CUSTOM_CALL, Output, outputs_of

MAX_HELD = 1_000_000
"""Characters of outputs under way that are held at a time."""
MAX_OPEN = 512
"""Calls under way at a time; beyond it the earliest counts as whole."""
_MAX_NAME = 256
_ENDS = ("response.completed", "response.incomplete")
_ARGUMENTS, _INPUT, _ITEM = "response.function_call_arguments.", "response.custom_tool_call_input.", "response.output_item."
_SAID = {"function_call": "arguments", CUSTOM_CALL: "input"}

Json = Any
_Key = tuple[int, int]


@dataclass(slots=True)
class _Open:
    """An output under way: `tool` is "" of a text, `value` what a call has where no piece of its arguments comes, `custom` of free text."""

    tool: str = ""
    value: Json = None
    pieces: list[str] = field(default_factory=list)
    held: int = 0
    lost: bool = False
    custom: bool = False


class Arriving:
    """The outputs of one streamed answer.

    Args:
        expected: what was asked of them; the others are not kept.
    """

    def __init__(self, expected: Expected) -> None:
        self._looks_at_calls, self._looks_at_text = expected.of_calls, expected.of_text
        self._open: dict[_Key, _Open] = {}
        self._texts: dict[int, _Open] = {}
        self._seen: set[int] = set()  # choices with no text to check, of Responses items that ended
        self._whole: list[Output] = []
        self._held = 0

    @property
    def waiting(self) -> bool:
        """Whether an output is whole and was not taken yet."""
        return bool(self._whole)

    def note(self, event: Json) -> None:
        """Take one event as it is released."""
        type_ = str(event.get("type", ""))
        if isinstance(event.get("choices"), list):
            for choice in event["choices"]:
                if isinstance(choice, dict) and isinstance(choice.get("index"), int):
                    self._choice(choice)
        elif type_.startswith("content_block_"):
            self._block(type_, event)
        elif type_.startswith("response."):
            self._item(type_, event)

    def take(self) -> list[Output]:
        """What is whole, once."""
        taken, self._whole = self._whole, []
        self._held = sum(each.held for each in (*self._open.values(), *self._texts.values()))
        return taken

    def finish(self) -> None:
        """The stream is at its end: so is everything in it."""
        self._end(lambda _: True)
        for index, text in self._texts.items():
            if (text.pieces or text.lost) and index not in self._seen:
                self._whole.append(_output(text))
        self._texts = {}

    # -- each format

    def _choice(self, choice: Json) -> None:
        index, delta = choice["index"], choice.get("delta")
        if not isinstance(delta, dict):
            delta = {}
        self._text(index, delta.get("content"))
        listed = delta.get("tool_calls")
        calls = [(place, each) for place, each in enumerate(listed if isinstance(listed, list) else ()) if isinstance(each, dict)]
        named = [(each.get("index", place), each.get(kind), kind) for place, each in calls for kind in ("function", "custom")]
        for number, told, kind in [*named, (-1, delta.get("function_call"), "function")]:
            if isinstance(told, dict) and isinstance(number, int):
                custom = kind == "custom"
                self._call((index, number), told.get("name"), told.get("input" if custom else "arguments"), custom=custom)
                self._seen.add(index)
        if delta.get("refusal"):
            self._seen.add(index)
        if choice.get("finish_reason") is not None:
            self._end(lambda key: key[0] == index)

    def _block(self, type_: str, event: Json) -> None:
        index = event.get("index")
        if not isinstance(index, int):
            return
        block, delta = event.get("content_block"), event.get("delta")
        if type_ == "content_block_start" and isinstance(block, dict):
            if block.get("type") == "tool_use":
                self._call((index, 0), block.get("name"), None, block.get("input"))
            elif block.get("type") == "text":
                self._text(0, block.get("text"))
        elif type_ == "content_block_delta" and isinstance(delta, dict):
            if delta.get("type") == "text_delta":
                self._text(0, delta.get("text"))
            elif delta.get("type") == "input_json_delta" and (index, 0) in self._open:
                self._call((index, 0), None, delta.get("partial_json"))
        elif type_ == "content_block_stop":
            self._end(lambda key: key[0] == index)

    def _item(self, type_: str, event: Json) -> None:
        index, item = event.get("output_index"), event.get("item")
        if type_ in _ENDS:
            self._rest(event.get("response"))
        elif type_ == "response.output_text.delta":
            self._text(-1, event.get("delta"))
        elif not isinstance(index, int) or index in self._seen:
            return
        elif type_ in (f"{_ARGUMENTS}delta", f"{_INPUT}delta"):
            self._call((index, 0), None, event.get("delta"), custom=type_.startswith(_INPUT))
        elif type_.startswith((_ARGUMENTS, _INPUT)):
            self._told(index, event, True, type_.startswith(_INPUT))
        elif type_.startswith(_ITEM) and isinstance(item, dict) and item.get("type") in _SAID:
            self._told(index, item, type_.endswith(".done"), item["type"] == CUSTOM_CALL)

    def _told(self, index: int, call: dict[str, Json], done: bool, custom: bool) -> None:
        """A call as an event tells it: its name, and with its end the whole of its arguments, which pieces may have brought before."""
        before = self._open.get((index, 0))
        self._call((index, 0), None if before is not None and before.tool else call.get("name"), None, custom=custom)
        under_way = self._open.get((index, 0))
        if done and under_way is not None and under_way.tool:
            if not under_way.pieces:
                self._call((index, 0), None, call.get("input" if custom else "arguments"), custom=custom)
            self._seen.add(index)
            self._end(lambda key: key[0] == index)

    def _rest(self, response: Json) -> None:
        """What the last event of a response holds, of items that no event of their own ended."""
        listed = response.get("output") if isinstance(response, dict) else None
        for index, item in enumerate(listed if isinstance(listed, list) else ()):
            if self._looks_at_calls and index not in self._seen and isinstance(item, dict) and item.get("type") in _SAID:
                self._open.pop((index, 0), None)
                self._whole += outputs_of({"output": [item]})

    # -- what all share

    def _call(self, key: _Key, name: Json, arguments: Json, value: Json = None, custom: bool = False) -> None:
        if not self._looks_at_calls:
            return
        if key not in self._open:
            if len(self._open) >= MAX_OPEN:
                earliest = next(iter(self._open))
                self._end(lambda each: each == earliest)
            self._open[key] = _Open(value=value)
        under_way = self._open[key]
        under_way.custom = under_way.custom or custom
        if isinstance(name, str):
            under_way.tool = (under_way.tool + name)[:_MAX_NAME]
        if isinstance(arguments, str) and arguments and self._hold(under_way, len(arguments)):
            under_way.pieces.append(arguments)

    def _text(self, index: int, text: Json) -> None:
        if self._looks_at_text and isinstance(text, str) and text:
            under_way = self._texts.setdefault(index, _Open())
            if self._hold(under_way, len(text)):
                under_way.pieces.append(text)

    def _hold(self, under_way: _Open, chars: int) -> bool:
        """Whether there is room for so many characters more; an output for which there is none is dropped, but for its name."""
        if not under_way.lost and self._held + chars <= MAX_HELD:
            self._held += chars
            under_way.held += chars
            return True
        self._held -= under_way.held
        under_way.held, under_way.lost, under_way.pieces = 0, True, []
        return False

    def _end(self, which: Callable[[_Key], bool]) -> None:
        for key in [key for key in self._open if which(key)]:
            whole = self._open.pop(key)
            if whole.tool:  # a call without a name is none of those that were asked
                self._whole.append(_output(whole))


def _output(whole: _Open) -> Output:
    text = None if whole.lost or (not whole.pieces and isinstance(whole.value, dict)) else "".join(whole.pieces)
    return Output(text, whole.value, whole.tool, None, whole.lost, whole.custom)
