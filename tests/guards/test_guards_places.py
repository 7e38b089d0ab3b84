"""Places: every string of every format is read, nothing that was redacted is left anywhere, and the body stays what it was."""

from __future__ import annotations

import base64
import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from tests.guards.places_bodies import ANSWERS, CANARY, LOGPROBS, REQUESTS, SAFE, Redactor, change, leaks, redacted

from affiant.guards.model import Kind, Role
from affiant.guards.places import SURFACES, TABLE, BadShape, FixedPlace, Row, markdown, parts, put, read, rewrite, stream
from affiant.guards.places.table import FLAGGED, GUARDED, REFUSED, UNINSPECTED, WITHHELD
from affiant.kit.errors import BadInput

BODIES = [(surface, False, body) for surface, body in REQUESTS.items()] + [(surface, True, body) for surface, body in ANSWERS.items()]
IDS = [f"{surface}-{'answer' if answer else 'request'}" for surface, answer, _ in BODIES]
Path = tuple[str | int, ...]


def _strings(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _strings(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _strings(item, (*path, number))


def _with(body: Any, path: Path, value: Any) -> Any:
    made = copy.deepcopy(body)
    holder = made
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return made


# -- the leak table: every row of the product's own table, as an object and in lists

ROWS = [
    row for row in TABLE
    if row.direction != "stream" and not row.place.startswith(("any other", "nested deeper", "more than", "numbers of"))
]  # fmt: skip
EVENTS = [row for row in TABLE if row.direction == "stream" and not row.place.startswith(("any other", "nested", "more", "numbers of"))]


def _planted(row: Row, lists: bool, value: Any) -> dict[str, Any]:
    made: Any = value
    for place, step in enumerate(reversed(row.place.split("."))):
        name, _, variant = step.partition(" (type ")
        made = {name: made, **({"type": variant.rstrip(")")} if variant else {})}
        if lists and place < row.place.count("."):
            made = [made]
    assert isinstance(made, dict)
    return made


@pytest.mark.parametrize("treatment", [GUARDED, FLAGGED, WITHHELD, UNINSPECTED])
@pytest.mark.parametrize("lists", [False, True], ids=["objects", "lists"])
def test_every_place_of_the_table_is_treated_as_it_says(treatment: str, lists: bool) -> None:
    """A canary in each place is redacted, flagged and kept, withheld, or redacted where it is readable after all."""
    rows = [row for row in ROWS if row.treatment == treatment]
    assert len(rows) > 3
    for row in rows:
        answer = row.direction == "answer"
        value: Any = [{"token": CANARY, "bytes": None, "logprob": 0.0}] if treatment == WITHHELD else f"x {CANARY}"
        body = _planted(row, lists, value)
        before = copy.deepcopy(body)
        made, _ = rewrite(body, row.surface, change, answer)
        opened = read(body, row.surface, answer)
        assert body == before, row
        flagged = [part.text for number, part in enumerate(opened.parts) if number in opened.fixed]
        if treatment == FLAGGED:
            assert made is body and any(CANARY in text for text in flagged), row
        elif treatment == UNINSPECTED and row.note:
            opaque = made is body and not any(part.text for part in opened.parts)
            assert opaque or not leaks(made), row
        else:
            assert not leaks(made) and (SAFE in json.dumps(made) or treatment == WITHHELD), row


@pytest.mark.parametrize("surface", ["chat.completions", "responses", "messages"])
def test_every_place_of_an_event_is_treated_as_the_table_says(surface: str) -> None:
    """As above, through a stream; deltas are cut in two."""
    rows = [row for row in EVENTS if row.surface == surface]
    assert len(rows) > 8
    for row in rows:
        redactor = Redactor()
        places = stream(surface, redactor)
        out: list[Any] = []
        for text in [CANARY[:7], CANARY[7:]] if "delta" in row.note else [f"x {CANARY}"]:
            event = _event(row, [{"token": text, "logprob": 0.0}] if row.treatment == WITHHELD else text)
            out += places.event(event)
        out += places.finish()
        if row.treatment == FLAGGED:
            assert any(CANARY in part.text for part in redactor.looked), row
        elif row.treatment == UNINSPECTED and row.note.startswith("encrypted"):
            assert CANARY in json.dumps(out), row
        else:
            assert not leaks(out) and (SAFE in json.dumps(out) or row.treatment == WITHHELD), row


def _event(row: Row, value: Any) -> dict[str, Any]:
    if row.place == "choices.delta":
        return {"choices": [{"index": 0, "delta": {"content": value}}]}
    if row.place.endswith("function.arguments"):
        return {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": value}}]}}]}
    if row.place == "delta":
        more = {"delta": {"type": "text_delta", "text": value}, "type": "content_block_delta", "index": 0}
        return more if row.surface == "messages" else {"type": "response.output_text.delta", "delta": value}
    if row.place.endswith(")"):
        name, _, type_ = row.place.partition(" (type ")
        return {"type": type_.rstrip(")"), name: value}
    made = _planted(row, False, value)
    return made if "choices" in made or row.surface == "chat.completions" else {"type": "novel", **made}


@pytest.mark.parametrize("row", [row for row in ROWS if row.treatment == GUARDED and "." not in row.place], ids=str)
def test_whole_objects_in_place_of_a_text_are_read(row: Row) -> None:
    """A place that holds a text guards an object of unknown form in its stead: values, keys and long numbers."""
    answer = row.direction == "answer"
    body = {row.place: {"type": "no such type", "odd": [{CANARY: 1}, {"x": {"id": CANARY, "n": [CANARY]}}]}}
    made, _ = rewrite(body, row.surface, change, answer)
    assert not leaks(made)


# -- whole bodies


@pytest.mark.parametrize(("surface", "answer", "body"), BODIES, ids=IDS)
def test_a_canary_in_any_string_of_a_whole_body_does_not_get_out(surface: str, answer: bool, body: dict[str, Any]) -> None:
    """Each string leaf in turn; identifiers and words of the protocol are flagged instead, encrypted fields pass."""
    for path in _strings(body):
        planted = _with(body, path, f"see {CANARY}")
        opened = read(planted, surface, answer)
        made, _ = rewrite(planted, surface, change, answer)
        fixed = [part.text for number, part in enumerate(opened.parts) if number in opened.fixed]
        if leaks(made):
            encrypted = path[-1] in ("signature", "encrypted_content", "encrypted_index", "data")
            assert f"see {CANARY}" in fixed or encrypted, path
        else:
            assert put(planted, surface, tuple(_redacted(opened.parts)), answer) == made


def _redacted(all_parts: Any) -> Any:
    return [type(part)(part.where, part.role, part.kind, change(part)) for part in all_parts]


@pytest.mark.parametrize(("surface", "answer", "body"), BODIES, ids=IDS)
def test_what_is_not_changed_is_the_same_object(surface: str, answer: bool, body: dict[str, Any]) -> None:
    """Reading and writing back gives the very body; one changed branch leaves its neighbours shared."""
    opened = read(body, surface, answer)
    assert put(body, surface, opened.parts, answer) is body
    assert not opened.unknown, opened.unknown
    if surface == "chat.completions" and not answer:
        planted = _with(body, ("messages", 0, "content"), CANARY)
        made, _ = rewrite(planted, surface, change)
        assert (
            made["messages"][0]["content"] == SAFE and made["messages"][1] is planted["messages"][1] and made["tools"] is planted["tools"]
        )
        assert planted["messages"][0]["content"] == CANARY


def test_what_writing_back_leaves_out_is_told_although_no_part_changes() -> None:
    """Tokens of a form that is not known have no part; whoever writes only changed parts back would let them pass."""
    body = {"messages": [{"role": "user", "content": "hi"}], "logprobs": CANARY}
    odd = {"input": [{"content": [{"text": "hi", "logprobs": CANARY}]}]}
    assert not read(body, "chat.completions").withheld
    opened = read(odd, "responses")
    assert opened.withheld and not leaks(put(odd, "responses", opened.parts))


def _valid(surface: str, answer: bool, body: dict[str, Any]) -> None:
    """Hold a body against the official package's types, to the last item."""
    from openai.types import CreateEmbeddingResponse, EmbeddingCreateParams
    from openai.types.chat import ChatCompletion
    from openai.types.chat.chat_completion_message_param import ChatCompletionMessageParam
    from openai.types.chat.chat_completion_tool_union_param import ChatCompletionToolUnionParam
    from openai.types.responses import Response, ResponseInputItemParam
    from openai.types.responses.tool_param import ToolParam

    if answer:
        if surface == "messages":
            types = pytest.importorskip("anthropic.types")
            TypeAdapter(types.Message).validate_python(body)
        else:
            kinds = {"chat.completions": ChatCompletion, "responses": Response, "embeddings": CreateEmbeddingResponse}
            kinds[surface].model_validate(body)
        return
    if surface == "embeddings":
        TypeAdapter(EmbeddingCreateParams).validate_python(body)
    elif surface == "messages":
        types = pytest.importorskip("anthropic.types")
        _each(types.MessageParam, body["messages"])
        _each(types.ToolParam, body["tools"])
    elif surface == "responses":
        _each(ResponseInputItemParam, body["input"])
        _each(ToolParam, body["tools"])
    else:
        _each(ChatCompletionMessageParam, body["messages"])
        _each(ChatCompletionToolUnionParam, body["tools"])


def _each(kind: Any, items: list[Any]) -> None:
    adapter = TypeAdapter(kind)
    for item in items:
        json.dumps(adapter.dump_python(adapter.validate_python(item), warnings=False), default=list)


@pytest.mark.parametrize(("surface", "answer", "body"), BODIES, ids=IDS)
def test_a_redacted_body_is_still_valid_for_the_official_package(surface: str, answer: bool, body: dict[str, Any]) -> None:
    """Every text of a valid body rewritten at once leaves a valid body."""
    _valid(surface, answer, body)
    made, _ = rewrite(body, surface, lambda part: part.text + "x" if part.text and not part.text.isdigit() else part.text, answer)
    assert (made != body) == (surface != "embeddings" or not answer)
    _valid(surface, answer, made)


# -- places within strings


def test_arguments_keep_their_form_where_nothing_changed() -> None:
    """Duplicate keys, spacing, number forms and escapes stay; only the changed literal is written anew, escaped."""
    arguments = '{ "a" : "x\\u0040y", "a":1.50e3 ,"mail":"dana\\u002ewhitfield@example.com","q": "' + CANARY + '" ,"n":[ ]}'
    body = {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": arguments}}]}]}
    made, _ = rewrite(body, "chat.completions", lambda part: part.text.replace(CANARY, 'a"\\\n\ud800é'))
    text = made["messages"][0]["tool_calls"][0]["function"]["arguments"]
    assert text.startswith('{ "a" : "x\\u0040y", "a":1.50e3 ,"mail":"a\\"\\\\\\n\\ud800é","q": "a\\"') and text.endswith(' ,"n":[ ]}')
    assert json.loads(text)["q"] == 'a"\\\n\ud800é'


@pytest.mark.parametrize(
    "arguments",
    [
        json.dumps({"a": [{"b": CANARY}]}), json.dumps({CANARY: 1}), json.dumps({"a": json.dumps({"b": json.dumps({"c": CANARY})})}),
        json.dumps({"a": CANARY}).replace("@", "\\u0040"), json.dumps([CANARY]), json.dumps(CANARY),
        f'{{"a": "{CANARY}', f'{{"a": {CANARY}}}',
        f"{{'a': '{CANARY}'}}", f'{{"a": "x", "a": "{CANARY}", "a": "y"}}', CANARY, f'{{"a": "x"}} {CANARY}', "[" * 5000 + f'"{CANARY}"',
        '{"a": "data:text/plain;base64,' + base64.b64encode(CANARY.encode()).decode() + '"}',
    ],
    ids=range(14),
)  # fmt: skip
def test_arguments_of_any_form_are_read(arguments: str) -> None:
    """Nested, escaped, keyed, broken, duplicate, hopelessly deep: the canary does not stay."""
    for surface, body in (
        ("chat.completions", {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}]}),
        ("responses", {"input": [{"type": "function_call", "name": "f", "arguments": arguments}]}),
    ):
        made, _ = rewrite(body, surface, change)
        assert not leaks(made), made
        before = json.dumps(body)
        if _is_json(arguments):
            text = made["messages"][0]["tool_calls"][0]["function"]["arguments"] if "messages" in made else made["input"][0]["arguments"]
            assert _is_json(text)
        assert json.dumps(body) == before


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def test_a_long_number_is_read_and_written_as_a_number_where_it_still_is_one() -> None:
    """In arguments and free objects; a number of the protocol is flagged and stays."""
    body = {
        "seed": 4111111111111111, "metadata": {"card": 4111111111111111},
        "messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": '{"card": 4111111111111111, "n": 7}'}}]}],
    }  # fmt: skip
    opened = read(body, "chat.completions")
    assert {part.where for number, part in enumerate(opened.parts) if number in opened.fixed} == {"seed"}
    for new, written, value in (("[CARD]", '{"card": "[CARD]", "n": 7}', "[CARD]"), ("400000", '{"card": 400000, "n": 7}', 400000)):
        made, _ = rewrite(body, "chat.completions", lambda part, new=new: part.text.replace("4111111111111111", new))  # type: ignore[misc]
        assert made["messages"][0]["tool_calls"][0]["function"]["arguments"] == written
        assert made["metadata"]["card"] == value and made["seed"] == 4111111111111111


@pytest.mark.parametrize(
    ("url", "media"),
    [
        ("data:text/plain;base64,{b64}", None), ("data:;base64,{b64}", None), ("data:text/csv;charset=utf-8;base64,{b64}", None),
        ("DATA:application/json;base64,{b64}", None), ("data:text/plain,{raw}", None), ("data:text/plain,{percent}", None),
        ("data:image/svg+xml;base64,{b64}", None), ("data:application/octet-stream;base64,{b64}", None), ("data:,{raw}", None),
        ("data:text/plain;base64,{nopad}", None), ("data:text/plain;base64,{utf16}", None), ("data:text/plain;base64,{bom}", None),
        ("data:image/png;base64,iVBORw0KGgo=", Kind.IMAGE), ("data:application/pdf;base64,JVBERi0xLjcKJeLjz9M=", Kind.FILE),
        ("data:audio/wav;base64,UklGRgD/gA==", Kind.AUDIO), ("data:text/plain;base64,@@@", Kind.FILE),
    ],
)  # fmt: skip
def test_text_in_data_urls_is_read_and_the_rest_is_counted(url: str, media: Kind | None) -> None:
    """Textual media types are opened in each of their forms; pictures, sound and documents pass uninspected and say so."""
    raw = CANARY.encode()
    b64 = base64.b64encode(raw).decode()
    value = url.format(
        b64=b64, raw=CANARY, percent=CANARY.replace("@", "%40"), nopad=b64.rstrip("="),
        utf16=base64.b64encode(CANARY.encode("utf-16")).decode(), bom=base64.b64encode(b"\xef\xbb\xbf" + raw).decode(),
    )  # fmt: skip
    body = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": value}}]}]}
    opened = read(body, "chat.completions")
    made, _ = rewrite(body, "chat.completions", change)
    url_made = made["messages"][0]["content"][0]["image_url"]["url"]
    if media is None:
        assert not leaks(made) and not opened.uninspected and url_made != value and url_made.lower().startswith("data:")
        if "utf16" in url:
            assert base64.b64decode(url_made.partition(",")[2]).decode("utf-16") == SAFE
    else:
        assert [one.what for one in opened.uninspected] == [media.value] and made is body and opened.parts[-1].kind is media


def test_a_text_that_looks_like_base64_is_still_read() -> None:
    """Plain text in a file's data, and plain text of a document whose letters happen to be base64."""
    for body in (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_data": "abcdefgh"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "text", "data": "abcdefgh"}}]}]},
    ):
        surface = "messages" if "document" in json.dumps(body) else "chat.completions"
        assert "abcdefgh" in [part.text for part in parts(body, surface)]


def test_tokens_and_vectors() -> None:
    """Tokenized input passes uninspected and says so, text beside it is read; a vector is no text."""
    opened = read({"model": "m", "input": [[1, 2, 3], [4]]}, "embeddings")
    assert [one.what for one in opened.uninspected] == ["tokens", "tokens"]
    assert [one.where for one in read({"input": [1, 2]}, "embeddings").uninspected] == ["input"]
    assert read(ANSWERS["embeddings"], "embeddings", answer=True).uninspected == ()
    made, _ = rewrite({"input": ["a", CANARY]}, "embeddings", change)
    assert made["input"] == ["a", SAFE]


@pytest.mark.parametrize("where", ["content", "token", "split", "bytes", "alternative", "refusal", "strange", "beside"])
def test_logprobs_are_withheld_when_they_tell_what_the_text_does_not(where: str) -> None:
    """In the text, in one token, over tokens, in bytes, over alternatives, in a form that is not known."""
    logprobs = copy.deepcopy(LOGPROBS)
    content: Any = logprobs["content"]
    message = {"role": "assistant", "content": "hi"}
    half, rest = CANARY[:7], CANARY[7:]
    if where == "content":
        message["content"] = CANARY
    elif where == "token":
        content[0]["token"] = CANARY
    elif where == "split":
        content[0]["token"], content[1]["token"] = half, rest
    elif where == "bytes":
        content[0]["bytes"] = list(CANARY.encode())
    elif where == "alternative":
        content[0]["top_logprobs"] = [{"token": half, "logprob": -1.0}]
        content[1]["top_logprobs"] = [{"token": rest, "logprob": -1.0}]
    elif where == "refusal":
        logprobs["refusal"] = [{"token": CANARY, "logprob": -1.0}]
    elif where == "strange":
        content[0]["said"] = CANARY
    else:
        logprobs["beside"] = [CANARY]
    body = {"choices": [{"index": 0, "message": message, "logprobs": logprobs}]}
    made, _ = rewrite(body, "chat.completions", change, answer=True)
    assert made["choices"][0]["logprobs"] is None and not leaks(made)
    plain = {"choices": [{"index": 0, "message": {"content": "ac"}, "logprobs": LOGPROBS}]}
    assert rewrite(plain, "chat.completions", change, answer=True)[0] is plain


def test_keys_are_read_renamed_and_never_merged_or_recorded() -> None:
    """Two keys that become the same stay two; paths name a telling key by its place."""
    body = {"metadata": {CANARY: "a", f"x {CANARY}": "b", SAFE: "c", "plain": "d"}}
    opened = read(body, "chat.completions")
    assert not any(CANARY in part.where for part in opened.parts) and "metadata.plain" in [part.where for part in opened.parts]
    made, _ = rewrite(body, "chat.completions", change)
    assert sorted(made["metadata"].values()) == ["a", "b", "c", "d"] and not leaks(made)


def test_roles_and_kinds_follow_the_body() -> None:
    """Who wrote a part, and what it is, as guards ask it."""
    told = {part.text: (part.role, part.kind) for part in parts(REQUESTS["messages"], "messages")}
    assert told["be kind"] == (Role.SYSTEM, Kind.TEXT) and told["plain"][0] is Role.DOCUMENT and told["sends"][1] is Kind.TOOL_DEFINITION
    assert told["sent"] == (Role.TOOL, Kind.TOOL_RESULT) and told["b"] == (Role.ASSISTANT, Kind.TOOL_CALL)
    told = {part.text: (part.role, part.kind) for part in parts(REQUESTS["responses"], "responses")}
    assert told["found"][0] is Role.DOCUMENT and told["be brief"][0] is Role.SYSTEM and told["files"] == (Role.TOOL, Kind.TOOL_RESULT)
    told = {part.text: (part.role, part.kind) for part in parts(REQUESTS["chat.completions"], "chat.completions")}
    assert told['a"b'] == (Role.TOOL, Kind.TOOL_RESULT) and told["be brief"][0] is Role.SYSTEM and told["hello"][0] is Role.USER
    told = {part.text: (part.role, part.kind) for part in parts(ANSWERS["responses"], "responses", answer=True)}
    assert told["be kind"][0] is Role.SYSTEM and told["red"][0] is Role.USER and told["hi"][0] is Role.ASSISTANT


def test_unknown_fields_are_named() -> None:
    """At any level; one whose name is no name is not repeated."""
    body = {"model": "m", "odd": 1, "messages": [{"role": "user", "content": "x", "new_thing": {"a": "b"}, CANARY: "y"}]}
    opened = read(body, "chat.completions")
    assert opened.unknown == {"odd", "messages[0].new_thing", "message: a key that is no name"}
    assert {part.kind for part in opened.parts if "new_thing" in part.where} == {Kind.UNKNOWN_FIELD}


# -- bad input


def _nested(depth: int) -> Any:
    value: Any = CANARY
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "no JSON object"), ("x", "no JSON object"), ({"messages": [{"role": "user", "x": _nested(70)}]}, "levels deep"),
        ({"metadata": {"n": 10**41}}, "40 digits"), ({"stop": ["x"] * 20_001}, "20,000 strings"),
    ],
)  # fmt: skip
def test_bodies_beyond_the_limits_are_refused(body: Any, says: str) -> None:
    """With a sentence that says what to do."""
    with pytest.raises(BadShape, match=says) as refused:
        read(body, "chat.completions")
    assert refused.value.next_step


def test_parts_of_another_body_are_not_written() -> None:
    """Too few, too many, in another order, or an identifier changed."""
    body = {"model": "m", "messages": [{"role": "user", "content": "a", "name": "b"}]}
    mine = parts(body, "chat.completions")
    for wrong in (mine[:-1], (*mine, mine[0]), (mine[0], mine[2], mine[1])):
        with pytest.raises(BadInput):
            put(body, "chat.completions", wrong)
    with pytest.raises(FixedPlace, match="model"):
        put(body, "chat.completions", (type(mine[0])("model", mine[0].role, mine[0].kind, "other"), *mine[1:]))
    with pytest.raises(BadInput, match="no surface"):
        read({}, "telegrams")


@pytest.mark.parametrize("bad", ["\ud800", "a\udfffb", "\udce9" * 50, "\x00", "\ufeff"])
def test_lone_surrogates_and_odd_characters_pass_through(bad: str) -> None:
    """Reading and writing back is the identity on them, inside of JSON too."""
    text = f"{bad} {CANARY}"
    body = {"messages": [{"role": "user", "content": text, "tool_calls": [{"function": {"arguments": json.dumps({"a": text})}}]}]}
    assert put(body, "chat.completions", parts(body, "chat.completions")) is body
    made, _ = rewrite(body, "chat.completions", change)
    assert made["messages"][0]["content"] == f"{bad} {SAFE}"
    assert json.loads(made["messages"][0]["tool_calls"][0]["function"]["arguments"]) == {"a": f"{bad} {SAFE}"}


_NAME = st.text(max_size=8) | st.sampled_from(["type", "content", CANARY])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text(max_size=8) | st.just(CANARY),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAME, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(BODIES), _JSON, st.randoms(use_true_random=False))
def test_any_json_anywhere_is_read_or_refused(case: Any, value: Any, rng: random.Random) -> None:
    """Whatever stands in a place: nothing is raised but `BadShape`, nothing leaks but what is flagged, nothing unchanged is rewritten."""
    surface, answer, body = case
    path = rng.choice(list(_strings(body)))
    planted = _with(body, path, value)
    try:
        opened = read(planted, surface, answer)
        made, _ = rewrite(planted, surface, change, answer)
    except BadShape:
        return
    if "logprobs" not in path:  # of an unknown form they are withheld
        assert put(planted, surface, opened.parts, answer) == planted
    fixed = any(CANARY in part.text for number, part in enumerate(opened.parts) if number in opened.fixed)
    encrypted = path[-1] in ("signature", "encrypted_content", "encrypted_index", "data")
    assert fixed or encrypted or not leaks(made)


@settings(max_examples=200, deadline=None)
@given(_JSON, st.booleans())
def test_json_in_a_string_is_read_like_json(value: Any, spaced: bool) -> None:
    """What was redacted in the string is what redacting the value gives."""
    text = json.dumps(value, indent=1 if spaced else None)
    if not isinstance(value, (dict, list)):
        return
    body = {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": text}}]}]}
    made, _ = rewrite(body, "chat.completions", change)
    new = made["messages"][0]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(new) == json.loads(redacted(text)) or CANARY.encode().decode() not in new


@pytest.mark.parametrize(
    "hostile",
    ["x" * 3_000_000, '{"a":' * 400_000, '"' * 1_000_000, '{"a": "' + "\\" * 3_000_000, "[" * 2_000_000,
        " " * 3_000_000 + "x", "[1," * 100_000],
    ids=range(7),
)  # fmt: skip
def test_large_hostile_arguments_are_read_or_refused(hostile: str) -> None:
    """Without a recursion error, and with no more parts than the limit."""
    body = {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": hostile + CANARY}}]}]}
    try:
        made, _ = rewrite(body, "chat.completions", change)
    except BadShape as refused:
        assert "tokens" in str(refused)
        return
    assert not leaks(made["messages"][0]["tool_calls"][0]["function"]["arguments"][-100:])


# -- the table


def test_the_table_names_every_surface_and_direction() -> None:
    """Rows for requests and answers of the four formats, of each treatment, and the limits that refuse."""
    assert {(row.surface, row.direction) for row in TABLE} == {(surface, way) for surface in SURFACES for way in ("request", "answer")} | {
        (surface, "stream") for surface in SURFACES if surface != "embeddings"
    }
    assert {row.treatment for row in TABLE} == {GUARDED, FLAGGED, WITHHELD, UNINSPECTED, REFUSED}
    text = markdown()
    for words in ("### `chat.completions`: request", "`messages.content.text`", "any other field", "refused"):
        assert words in text, words
    assert len(text) < 90_000
