"""Streams: however an answer is cut into events, the client gets what redacting the whole gives, and nothing else tells the rest."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from tests.guards.places_bodies import CANARY, SAFE, Redactor, leaks, redacted

from affiant.guards.model import Kind
from affiant.guards.places import BadShape, stream
from affiant.kit.errors import BadInput

Event = dict[str, Any]
TEXT = f"Ask {CANARY} about it, d, dana and {CANARY}."
ARGUMENTS = json.dumps({"to": CANARY, CANARY: [1, {"q": f'say "{CANARY}"\n'}], "n": 12345678901, "é": True})


def _cut(text: str, sizes: list[int]) -> list[str]:
    pieces, place = [], 0
    for size in sizes:
        if place >= len(text):
            break
        pieces.append(text[place : place + size])
        place += size
    return [*pieces, text[place:]] if text[place:] or not pieces else pieces


def _run(surface: str, events: list[Event], redactor: Redactor | None = None) -> list[Event]:
    """All events that come out; what goes in is not altered."""
    places = stream(surface, redactor or Redactor())
    before = copy.deepcopy(events)
    out = [made for event in events for made in places.event(event)] + places.finish()
    assert events == before and places.open == 0
    return out


# -- chat completions


def _chunk(delta: Event, index: int = 0, finish: str | None = None, **more: Any) -> Event:
    choice = {"index": index, "delta": delta, "finish_reason": finish, **more}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": [choice]}


def _chat(pieces: list[str], name: str, index: int = 0) -> list[Event]:
    """The chunks of one text at a place of a delta."""
    made = [_chunk({"role": "assistant", "content": ""}, index)]
    if name in ("arguments", "custom"):
        inner: Event = {"id": "call_1", "type": "function", "function": {"name": "send", "arguments": ""}}
        if name == "custom":
            inner = {"id": "call_1", "type": "custom", "custom": {"name": "c", "input": ""}}
        made.append(_chunk({"tool_calls": [{"index": 0, **inner}]}, index))
    for piece in pieces:
        delta: Event = {
            "arguments": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]},
            "custom": {"tool_calls": [{"index": 0, "custom": {"input": piece}}]},
            "function_call": {"function_call": {"arguments": piece}}, "audio": {"audio": {"transcript": piece}},
            "deep": {"details": [{"type": "x", "index": 0, "summary": piece}]},
        }.get(name, {name: piece})  # fmt: skip
        logprobs = {"content": [{"token": piece, "bytes": list(piece.encode()), "logprob": -1.0, "top_logprobs": []}], "refusal": None}
        made.append(_chunk(delta, index, logprobs=logprobs))
    made.append(_chunk({}, index, "stop"))
    return made


def _gather(value: Any, into: dict[str, str], path: str = "") -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            _gather(item, into, f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            _gather(item, into, path)
    elif isinstance(value, str):
        into[path] = into.get(path, "") + value


def _chat_texts(events: list[Event]) -> dict[tuple[int, str], str]:
    texts: dict[tuple[int, str], str] = {}
    for event in events:
        for choice in event["choices"]:
            found: dict[str, str] = {}
            _gather(choice["delta"], found)
            for path, text in found.items():
                key = (choice["index"], path)
                texts[key] = texts.get(key, "") + text
    return texts


CHAT = {
    "content": ".content", "refusal": ".refusal", "reasoning_content": ".reasoning_content", "custom": ".tool_calls.custom.input",
    "audio": ".audio.transcript", "new_field": ".new_field", "deep": ".details.summary",
}  # fmt: skip


@pytest.mark.parametrize("name", CHAT)
@pytest.mark.parametrize("size", [1, 3, 7, 200])
def test_a_text_of_a_chat_stream_is_released_as_the_whole_is(name: str, size: int) -> None:
    """Every text of a delta, known or not; tokens with probabilities are withheld; the finish reason comes last."""
    from openai.types.chat import ChatCompletionChunk

    out = _run("chat.completions", _chat(_cut(TEXT, [size] * len(TEXT)), name))
    assert _chat_texts(out)[(0, CHAT[name])] == redacted(TEXT)
    assert not leaks(out) and not any(choice.get("logprobs") for event in out for choice in event["choices"])
    assert [choice["finish_reason"] for event in out for choice in event["choices"]].index("stop") == len(out) - 1
    for event in out:
        if name != "custom":  # which the package's chunks do not know yet
            ChatCompletionChunk.model_validate(event)


@pytest.mark.parametrize("name", ["arguments", "function_call"])
@pytest.mark.parametrize("size", [1, 2, 5, 11, 400])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_arguments_of_a_chat_stream_stay_valid_json(name: str, size: int, ascii_only: bool) -> None:
    """Cut inside of keys, strings and escapes; telling keys and long numbers are read too."""
    arguments = json.dumps(json.loads(ARGUMENTS), ensure_ascii=ascii_only).replace("@", "\\u0040")
    out = _run("chat.completions", _chat(_cut(arguments, [size] * len(arguments)), name))
    path = ".tool_calls.function.arguments" if name == "arguments" else ".function_call.arguments"
    assert json.loads(_chat_texts(out)[(0, path)]) == json.loads(ARGUMENTS.replace(CANARY, SAFE))
    assert not leaks(out)


def test_choices_do_not_mix() -> None:
    """Two choices, interleaved piece by piece, are two texts."""
    first, second = (_chat(list(TEXT), "content", index) for index in (0, 1))
    out = _run("chat.completions", [event for pair in zip(first, second, strict=True) for event in pair])
    texts = _chat_texts(out)
    assert texts[(0, ".content")] == texts[(1, ".content")] == redacted(TEXT)


def test_a_last_chunk_with_text_comes_in_order() -> None:
    """Text, what was held, and only then the finish reason."""
    out = _run("chat.completions", [_chunk({"content": "a "}), _chunk({"content": "b dana"}, finish="length")])
    assert _chat_texts(out)[(0, ".content")] == "a b dana"
    assert [event["choices"][0]["finish_reason"] for event in out] == [None, None, None, "length"]


def test_each_tool_call_ends_where_the_next_begins() -> None:
    """So that a client that takes the next call's first piece as the end of the one before has all of it."""
    calls = [
        _chunk({"tool_calls": [{"index": n, "id": f"call_{n}", "type": "function", "function": {"name": "f", "arguments": ""}}]})
        for n in (0, 1)
    ]
    pieces = [_chunk({"tool_calls": [{"index": n, "function": {"arguments": '{"a": "x dana'}}]}) for n in (0, 1)]
    ends = [_chunk({"tool_calls": [{"index": n, "function": {"arguments": '"}'}}]}) for n in (0, 1)]
    out = _run("chat.completions", [calls[0], pieces[0], calls[1], pieces[1], ends[1], _chunk({}, finish="tool_calls")])
    order = [
        (call["index"], call.get("function", {}).get("arguments")) for event in out for choice in event["choices"]
        for call in choice["delta"].get("tool_calls", [])
    ]  # fmt: skip
    assert order == [(0, ""), (0, '{"a": "x '), (0, "dana"), (1, ""), (1, '{"a": "x '), (1, 'dana"}')]
    names = _chat_texts(_run("chat.completions", [calls[0], pieces[0], ends[0], _chunk({}, finish="stop")]))
    assert names[(0, ".tool_calls.function.name")] == "f"


def test_the_official_accumulator_reads_the_stream() -> None:
    """The package's own stream state gives a whole completion with the redacted texts."""
    from openai.lib.streaming.chat import ChatCompletionStreamState
    from openai.types.chat import ChatCompletionChunk

    events = [*_chat(list(TEXT), "content")[:-1], *_chat(list(ARGUMENTS), "arguments")[1:]]
    state: Any = ChatCompletionStreamState()
    for event in _run("chat.completions", events):
        state.handle_chunk(ChatCompletionChunk.model_validate(event))
    message = state.get_final_completion().choices[0].message
    assert message.content == redacted(TEXT)
    assert json.loads(message.tool_calls[0].function.arguments) == json.loads(ARGUMENTS.replace(CANARY, SAFE))


def test_other_places_of_a_chunk() -> None:
    """A name, unknown fields of chunk and choice, annotations, an error; usage passes; sound is counted."""
    redactor = Redactor()
    places = stream("chat.completions", redactor)
    events: list[Event] = [
        _chunk({"tool_calls": [{"index": 0, "id": f"call {CANARY}", "function": {"name": CANARY, "arguments": ""}}]}),
        _chunk(
            {"annotations": [{"type": "url_citation", "url_citation": {"title": CANARY, "url": "u", "start_index": 0, "end_index": 1}}]}
        ),
        _chunk({"audio": {"id": "audio_1", "data": "UklGRgD/gA=="}}, odd=[CANARY]),
        {**_chunk({"content": "x"}), "novel": {"deep": CANARY}, "obfuscation": CANARY},
        {"error": {"message": CANARY}, "choices": []},
        _chunk({}, finish="stop"),
        {"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 1}},
    ]
    out = [made for event in events for made in places.event(event)]
    assert [part.text for part in redactor.looked if CANARY in part.text] == [f"call {CANARY}"]
    out[0]["choices"][0]["delta"]["tool_calls"][0]["id"] = "seen"
    assert not leaks(out) and json.dumps(out).count(SAFE) == 5 and out[-1]["usage"] == {"prompt_tokens": 1}
    assert places.unknown == {"choices[].odd", "novel"} and [one.what for one in places.uninspected] == ["audio"]


# -- responses


def _response(texts: dict[str, str], sizes: list[int]) -> list[Event]:
    """All events of a response with these texts, cut alike."""
    said, refused, thought, summary = texts["text"], texts["refusal"], texts["reasoning"], texts["summary"]
    arguments, free, code, command = texts["arguments"], texts["input"], texts["code"], texts["command"]
    done = {"status": "completed"}
    tokens = [{"token": said, "logprob": -1.0, "bytes": list(said.encode("utf-8", "surrogatepass")), "top_logprobs": []}]
    items: list[Event] = [
        {"type": "reasoning", "id": "i0", "summary": [{"type": "summary_text", "text": summary}],
         "content": [{"type": "reasoning_text", "text": thought}]},
        {"type": "message", "id": "i1", "role": "assistant", **done, "content": [
            {"type": "output_text", "text": said, "annotations": [], "logprobs": tokens}, {"type": "refusal", "refusal": refused}]},
        {"type": "function_call", "id": "i2", "call_id": "call_1", "name": "send", "arguments": arguments, **done},
        {"type": "custom_tool_call", "id": "i3", "call_id": "call_2", "name": "c", "input": free},
        {"type": "code_interpreter_call", "id": "i4", "container_id": "c1", "code": code, "outputs": None, **done},
        {"type": "mcp_call", "id": "i5", "name": "t", "server_label": "desk", "arguments": arguments, "output": command},
    ]  # fmt: skip
    response: Event = {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "m-1", "output": [], "parallel_tool_calls": True,
        "tool_choice": "auto", "tools": [], "status": "in_progress", "instructions": "be kind",
    }  # fmt: skip
    events: list[Event] = [{"type": "response.created", "response": response}]

    def texted(prefix: str, text: str, place: Event, name: str = "text", **more: Any) -> None:
        for piece in _cut(text, sizes):
            events.append({"type": f"{prefix}.delta", **place, "delta": piece, **more})
        events.append({"type": f"{prefix}.done", **place, name: text, **more})

    for number, item in enumerate(items):
        empty = {name: ([] if isinstance(value, list) else "") if name in ("content", "summary", "arguments", "input", "code") else value
                 for name, value in item.items() if name != "output"}  # fmt: skip
        place: Event = {"item_id": item["id"], "output_index": number}
        events.append({"type": "response.output_item.added", "output_index": number, "item": empty})
        if number == 0:
            texted("response.reasoning_summary_text", summary, {**place, "summary_index": 0})
            part = item["summary"][0]
            events.append({"type": "response.reasoning_summary_part.done", **place, "summary_index": 0, "part": part})
            texted("response.reasoning_text", thought, {**place, "content_index": 0})
        elif number == 1:
            for index, part in enumerate(item["content"]):
                at = {**place, "content_index": index}
                blank = {name: "" if name in ("text", "refusal") else [] if name == "logprobs" else value for name, value in part.items()}
                events.append({"type": "response.content_part.added", **at, "part": blank})
                if index == 0:
                    texted("response.output_text", said, at, logprobs=tokens)
                else:
                    texted("response.refusal", refused, at, "refusal")
                events.append({"type": "response.content_part.done", **at, "part": part})
        elif number in (2, 5):
            prefix = "response.function_call_arguments" if number == 2 else "response.mcp_call_arguments"
            texted(prefix, arguments, place, "arguments")
        elif number == 3:
            texted("response.custom_tool_call_input", free, place, "input")
        else:
            texted("response.code_interpreter_call_code", code, place, "code")
        events.append({"type": "response.output_item.done", "output_index": number, "item": item})
    events.append({"type": "response.completed", "response": {**response, "status": "completed", "output": items}})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _check_response(out: list[Event]) -> None:
    """Deltas add up to what `done` says, and both to what the last event repeats; numbers have no gaps."""
    assert [event["sequence_number"] for event in out] == list(range(len(out)))
    sums: dict[tuple[Any, ...], str] = {}
    for event in out:
        prefix, _, what = event["type"].rpartition(".")
        key = (prefix, event.get("output_index"), event.get("content_index"))
        if what == "delta":
            sums[key] = sums.get(key, "") + event["delta"]
        elif what == "done" and prefix.rpartition(".")[2] not in ("output_item", "content_part", "reasoning_summary_part"):
            text = next(event[name] for name in ("text", "refusal", "arguments", "input", "code") if name in event)
            assert sums.get(key, "") == text, key
    items = out[-1]["response"]["output"]
    for event in out:
        if event["type"] == "response.output_item.done":
            assert items[event["output_index"]] == event["item"]
    assert (
        items[1]["content"][0]["text"] == sums[("response.output_text", 1, 0)]
        and items[2]["arguments"] == sums[("response.function_call_arguments", 2, None)]
    )


@pytest.mark.parametrize("size", [1, 4, 9, 500])
def test_a_response_stream_and_all_its_repetitions_are_released_alike(size: int) -> None:
    """Every kind of text, cut alike; each later whole text says what the deltas said; the official types accept each event."""
    from openai.types.responses import ResponseStreamEvent

    names = ("text", "refusal", "reasoning", "summary", "input", "code", "command")
    out = _run("responses", _response({**dict.fromkeys(names, TEXT), "arguments": ARGUMENTS}, [size] * 500))
    _check_response(out)
    assert not leaks(out)
    items = out[-1]["response"]["output"]
    assert items[1]["content"][0]["text"] == items[3]["input"] == items[5]["output"] == redacted(TEXT)
    assert json.loads(items[2]["arguments"]) == json.loads(ARGUMENTS.replace(CANARY, SAFE))
    assert not items[1]["content"][0]["logprobs"]
    adapter: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    for event in out:
        adapter.validate_python(event)


def test_events_of_a_response_that_nobody_classified() -> None:
    """A new kind of delta has lanes of its own; unknown events are read; sound passes and is counted; an error is read."""
    place = {"output_index": 0, "item_id": "i0"}
    events: list[Event] = [
        *({"type": "response.novel_text.delta", **place, "delta": piece} for piece in TEXT),
        {"type": "response.novel_text.done", **place, "text": TEXT},
        *({"type": "response.shell_call_output_content.delta", **place, "command_index": 0, "delta": {"stdout": c}}
          for c in TEXT),
        {"type": "response.shell_call_output_content.done", **place, "command_index": 0, "output": [{"stdout": TEXT, "stderr": ""}]},
        {"type": "response.novel", "said": [CANARY], "deep": {CANARY: CANARY}},
        {"type": "response.audio.delta", "delta": "UklGRg=="},
        {"type": "response.output_text.annotation.added", **place, "annotation": {"type": "url_citation", "title": CANARY, "url": "u"}},
        {"type": "response.output_text.delta", **place, "content_index": 0, "delta": "x dana", "obfuscation": CANARY},
        {"type": "response.incomplete",
         "response": {"output": [{"type": "message", "content": [{"type": "output_text", "text": "x dana"}]}]}},
        {"type": "error", "message": CANARY, "code": "x"},
    ]  # fmt: skip
    redactor = Redactor()
    out = _run("responses", events, redactor)
    assert not leaks(out)
    said = "".join(event["delta"] for event in out if event["type"] == "response.novel_text.delta")
    assert said == redacted(TEXT) == next(event["text"] for event in out if event["type"] == "response.novel_text.done")
    shown = "".join(event["delta"]["stdout"] for event in out if event["type"] == "response.shell_call_output_content.delta")
    assert shown == redacted(TEXT)
    assert {lane.kind for lane in redactor.lanes} == {Kind.UNKNOWN_FIELD, Kind.TOOL_RESULT, Kind.TEXT}
    assert [event["delta"] for event in out if event["type"] == "response.output_text.delta"] == ["x ", "dana"]


def test_a_part_that_begins_with_text_is_the_lane_s_beginning() -> None:
    """A value that is cut between the event that adds a part and its first delta does not get out."""
    place = {"output_index": 0, "item_id": "i0", "content_index": 0}
    added = {"type": "response.content_part.added", **place, "part": {"type": "output_text", "text": f"a {CANARY[:9]}", "annotations": []}}
    events = [added, {"type": "response.output_text.delta", **place, "delta": CANARY[9:]},
              {"type": "response.output_text.done", **place, "text": f"a {CANARY}"}]  # fmt: skip
    out = _run("responses", events)
    assert out[0]["part"]["text"] + out[1]["delta"] == f"a {SAFE}" == out[-1]["text"] and not leaks(out)


# -- messages


def _message(texts: dict[str, str], sizes: list[int]) -> list[Event]:
    events: list[Event] = [{"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "content": [], "stop_reason": None, "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1}}}]  # fmt: skip
    blocks: list[tuple[Event, str, str, str]] = [
        ({"type": "thinking", "thinking": "", "signature": ""}, "thinking_delta", "thinking", texts["thinking"]),
        ({"type": "text", "text": "", "citations": None}, "text_delta", "text", texts["text"]),
        ({"type": "tool_use", "id": "toolu_1", "name": "send", "input": {}}, "input_json_delta", "partial_json", texts["input"]),
    ]
    for index, (block, type_, name, text) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        for piece in _cut(text, sizes):
            events.append({"type": "content_block_delta", "index": index, "delta": {"type": type_, name: piece}})
        if index == 0:
            events.append({"type": "content_block_delta", "index": index, "delta": {"type": "signature_delta", "signature": "c2ln"}})
        if index == 1:
            citation = {"type": "char_location", "cited_text": CANARY, "document_index": 0, "document_title": CANARY,
                        "start_char_index": 0, "end_char_index": 1, "file_id": None}  # fmt: skip
            events.append({"type": "content_block_delta", "index": index, "delta": {"type": "citations_delta", "citation": citation}})
        events.append({"type": "content_block_stop", "index": index})
    usage = {"output_tokens": 9, "input_tokens": 1}
    events.append({"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": CANARY}, "usage": usage})
    return [*events, {"type": "message_stop"}]


def _message_texts(out: list[Event]) -> dict[tuple[int, str], str]:
    texts: dict[tuple[int, str], str] = {}
    for event in out:
        if event["type"] == "content_block_delta":
            for name, text in event["delta"].items():
                if name in ("text", "thinking", "partial_json", "novel"):
                    texts[(event["index"], name)] = texts.get((event["index"], name), "") + text
    return texts


@pytest.mark.parametrize("size", [1, 4, 9, 500])
def test_a_message_stream_is_released_as_the_whole_is(size: int) -> None:
    """Text, thinking and input of tools; citations and the stop sequence are read; what was held comes before the block stops."""
    out = _run("messages", _message({"thinking": TEXT, "text": TEXT, "input": ARGUMENTS}, [size] * 500))
    texts = _message_texts(out)
    assert texts[(0, "thinking")] == texts[(1, "text")] == redacted(TEXT) and not leaks(out)
    assert json.loads(texts[(2, "partial_json")]) == json.loads(ARGUMENTS.replace(CANARY, SAFE))
    stops = {event["index"]: place for place, event in enumerate(out) if event["type"] == "content_block_stop"}
    assert all(place < stops[event["index"]] for place, event in enumerate(out) if event["type"] == "content_block_delta")
    types = pytest.importorskip("anthropic.types")
    adapter = TypeAdapter(types.RawMessageStreamEvent)
    for event in out:
        adapter.validate_python(event)


def test_events_of_a_message_that_nobody_classified() -> None:
    """A new kind of delta has a lane; a block may begin with text or hold results; other events and errors are read."""
    events: list[Event] = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": f"a {CANARY[:5]}"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": CANARY[5:]}},
        *({"type": "content_block_delta", "index": 1, "delta": {"type": "novel_delta", "novel": piece}} for piece in TEXT),
        {"type": "content_block_start", "index": 2, "content_block": {"type": "web_search_tool_result", "tool_use_id": "t", "content": [
            {"type": "web_search_result", "title": CANARY, "url": f"https://example.com/?q={CANARY}", "encrypted_content": "gAAA"}]}},
        {"type": "novel", "said": CANARY}, {"type": "ping"}, {"type": "error", "error": {"type": "overloaded_error", "message": CANARY}},
    ]  # fmt: skip
    out = _run("messages", events)
    assert not leaks(out) and out[0]["content_block"]["text"] == "a " and list(out[0]["content_block"]) == ["type", "text"]
    texts = _message_texts(out)
    assert texts[(0, "text")] == SAFE and texts[(1, "novel")] == redacted(TEXT)


# -- any cut

_WORDS = st.lists(st.sampled_from([CANARY, CANARY[:8], "d", "dana", " ", "é", "😀", '"', "\\", "\n", "{", "x" * 30, "\u2028"]), max_size=8)
_TEXT = _WORDS.map("".join)
_SIZES = st.lists(st.integers(1, 12), max_size=80)
_VALUES = st.recursive(
    _TEXT | st.none() | st.integers(-99, 99) | st.just(12345678901),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


def _safe(value: Any) -> Any:
    if isinstance(value, dict):
        return {redacted(name): _safe(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_safe(item) for item in value]
    return redacted(value) if isinstance(value, str) else value


@settings(max_examples=60, deadline=None)
@given(_TEXT, st.dictionaries(_TEXT, _VALUES, max_size=3), _SIZES, st.booleans(), st.sampled_from([None, 1]))
def test_any_cut_gives_what_the_whole_gives(
    text: str, value: dict[str, Any], sizes: list[int], ascii_only: bool, indent: int | None
) -> None:
    """In each surface, of texts and of JSON, at any place, inside of escapes too."""
    arguments = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    out = _run("chat.completions", _chat(_cut(text, sizes), "content"))
    assert _chat_texts(out).get((0, ".content"), "") == redacted(text)
    out = _run("chat.completions", _chat(_cut(arguments, sizes), "arguments"))
    assert json.loads(_chat_texts(out)[(0, ".tool_calls.function.arguments")]) == _safe(value)
    out = _run("messages", _message({"thinking": text, "text": text, "input": arguments}, sizes))
    texts = _message_texts(out)
    assert texts.get((1, "text"), "") == redacted(text) and json.loads(texts[(2, "partial_json")]) == _safe(value) and not leaks(out)
    names = ("text", "refusal", "reasoning", "summary", "input", "code", "command")
    out = _run("responses", _response({**dict.fromkeys(names, text or "x"), "arguments": arguments}, sizes))
    _check_response(out)
    assert json.loads(out[-1]["response"]["output"][2]["arguments"]) == _safe(value) and not leaks(out)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='"\\u0123dDcC89{}[],: 1e+-né😀\n', max_size=40), _SIZES)
def test_broken_json_comes_through_the_same_however_it_is_cut(text: str, sizes: list[int]) -> None:
    """And nothing is raised."""
    whole = _chat_texts(_run("chat.completions", _chat([text], "arguments")))
    pieces = _chat_texts(_run("chat.completions", _chat(_cut(text, sizes), "arguments")))
    assert whole == pieces


# -- bad input


@pytest.mark.parametrize(
    ("surface", "event"),
    [
        ("chat.completions", []), ("chat.completions", {"choices": {}}), ("chat.completions", {"choices": [{"index": "a", "delta": {}}]}),
        ("chat.completions", {"choices": [{"index": 0, "delta": "x"}]}), ("responses", "x"), ("responses", {"x": 1}),
        ("messages", {"type": 1}),
        ("messages", {"type": "content_block_delta", "index": None, "delta": {"type": "text_delta", "text": "x"}}),
        ("responses", {"type": "response.output_text.delta", "output_index": "a", "delta": "x"}),
        ("chat.completions", {"choices": [{"index": 0, "delta": {"a": [[[[[[[[[[[[[[[[[["x"]]]]]]]]]]]]]]]]]]}}]}),
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused(surface: str, event: Any) -> None:
    """With an error of the product's own."""
    with pytest.raises(BadShape):
        stream(surface, Redactor()).event(event)


def test_a_stream_of_too_many_texts_is_refused() -> None:
    """Lanes are bounded."""
    places = stream("chat.completions", Redactor())
    with pytest.raises(BadShape, match="texts at once"):
        for number in range(1000):
            places.event(_chunk({"content": "dana"}, number))
    with pytest.raises(BadInput, match="no streams"):
        stream("embeddings", Redactor())


_FIELDS = st.sampled_from(
    [
        "type",
        "index",
        "delta",
        "choices",
        "content",
        "tool_calls",
        "function",
        "arguments",
        "text",
        "content_block",
        "part",
        "item",
        "response",
        "output",
        "output_index",
        "logprobs",
        "usage",
        "name",
        "error",
        "sequence_number",
    ]
)
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.just(CANARY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_FIELDS, inner, max_size=4),
    max_leaves=12,
)
_TYPES = st.sampled_from([
    "response.output_text.delta", "response.output_text.done", "content_block_start", "content_block_delta", "content_block_stop",
    "response.content_part.added", "response.completed", "message_delta", "x.delta",
])  # fmt: skip
_EVENTS = st.lists(st.tuples(_TYPES, st.dictionaries(_FIELDS, _ANY, max_size=4)), max_size=4)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["chat.completions", "responses", "messages"]), _EVENTS)
def test_any_events_give_events_or_a_refusal(surface: str, events: list[tuple[str, Event]]) -> None:
    """Nothing but `BadShape` is raised."""
    places = stream(surface, Redactor())
    try:
        for type_, event in events:
            places.event({"type": type_, **event})
        places.finish()
    except BadShape:
        return
