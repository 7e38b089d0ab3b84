"""What is fuzzed of the guards: bodies and events of every surface, JSON in strings, placeholders in any form."""

from __future__ import annotations

import json
from typing import Any

from tests.guards.places_bodies import ANSWERS, CANARY, REQUESTS, Redactor, change

from affiant.guards.places import SURFACES, parts, put, rewrite, stream
from affiant.guards.quality.grammar import LARK, REGEX, grammar
from affiant.guards.quality.schema import SchemaRefused
from affiant.guards.redact import Pseudonyms, Restorer, placeholder

_SECRET = b"fuzz"
_STREAMED = [surface for surface in SURFACES if surface != "embeddings"]


def _json(data: bytes) -> Any:
    """What UTF-8 bytes hold; of bytes alone `json` would take some for UTF-16."""
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError):
        return None


def _clean(text: str) -> bool:
    """Whether it is JSON, and no string or key in it holds the canary."""
    left = [json.loads(text)]
    while left:
        value = left.pop()
        if isinstance(value, str) and CANARY in value:
            return False
        left += [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return True


def body(data: bytes) -> None:
    """A body is read and written back the same, and after redaction has the canary only where it is fixed or encrypted."""
    value = _json(data)
    for surface in SURFACES:
        for answer in (False, True):
            if isinstance(value, dict):
                found = parts(value, surface, answer)
                put(value, surface, found, answer)
                rewrite(value, surface, change, answer)


def guided(data: bytes) -> None:
    """A grammar, then a NUL, then a text: refused with a code, or the text is judged, the same each time."""
    told, _, text = data.decode("utf-8", "replace").partition("\0")
    for syntax in (LARK, REGEX):
        seen = set()
        for _ in range(2):
            try:
                seen.add(grammar(syntax, told).fault(text))
            except SchemaRefused as refused:
                assert refused.code, "a refusal without a code"
                seen.add(refused.code)
        assert len(seen) == 1, "a grammar judges in two ways"


def arguments(data: bytes) -> None:
    """Arguments of a tool call, whole and one character at a time, lose the canary, and stay JSON where they were."""
    text = data.decode("utf-8", "replace")
    call = {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": text}}]}]}
    made = rewrite(call, "chat.completions", change)[0]["messages"][0]["tool_calls"][0]["function"]["arguments"]
    valid = _json(text.encode()) is not None
    assert not valid or _clean(made), "redacted arguments"
    places = stream("messages", Redactor())
    events = [{"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": char}} for char in text]
    out = [one for event in [*events, {"type": "content_block_stop", "index": 0}] for one in places.event(event)]
    joined = "".join(event["delta"]["partial_json"] for event in out if event["type"] == "content_block_delta")
    assert not valid or _clean(joined), "streamed arguments"


def events(data: bytes) -> None:
    """Events of each surface: lines of JSON."""
    for surface in _STREAMED:
        places = stream(surface, Redactor())
        for line in data.split(b"\n")[:50]:
            places.event(_json(line))
        places.finish()


def restored(data: bytes) -> None:
    """A text in two pieces is restored as the whole is."""
    cut, text = data[:1], data[1:].decode("utf-8", "replace")
    place = cut[0] % (len(text) + 1) if cut else 0

    def names() -> Pseudonyms:
        made = Pseudonyms((), _SECRET)
        made.assign("EMAIL", "d", CANARY)
        made.assign("PHONE", "14155550132", "+1 (415) 555-0132", shape=True)
        return made

    restorer = Restorer(names())
    assert restorer.feed(text[:place]) + restorer.feed(text[place:]) + restorer.finish() == names().restore(text), "pieces differ"


_NAME = placeholder(_SECRET, "EMAIL", "d")
BODIES = tuple(json.dumps(value).encode() for value in [*REQUESTS.values(), *ANSWERS.values()])
ARGUMENTS = tuple(
    json.dumps(value).encode()
    for value in ({"to": CANARY, "n": 12345678901}, [CANARY, {CANARY: [1.5e3, None]}], {"a": json.dumps({"b": CANARY})})
)
EVENTS = (
    b'{"choices":[{"index":0,"delta":{"content":"x dana","tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}\n'
    b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
    b'{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\""}}\n'
    b'{"type":"content_block_stop","index":0}',
    b'{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"x dana"}\n'
    b'{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"x dana"}',
)
TEXTS = tuple(
    f"\x07a {form} b".encode() for form in (_NAME, _NAME[1:-1], _NAME.lower(), f"%5B{_NAME[1:-1]}%5D", f"\\u005b{_NAME[1:-1]}\\u005d")
)
WORDS = (
    CANARY.encode(),
    b'"type":',
    b'"content":',
    b'"arguments":',
    b'"index":0',
    b"\\u0040",
    b"\\ud83d",
    b"data:text/plain;base64,",
    b"[",
    b"{",
    b"}",
)
FORMS = (_NAME.encode(), b"[EMAIL_", b"%5B", b"%5D", b"\\u005b", b"\\u005d", b"555", b"+1", b"-")
GRAMMARS = (
    b'start: sum\nsum: item | sum "+" item\nitem: INT | "(" sum ")"\n%import common.INT\n%ignore / +/\x001+(2+3)',
    b'start: "a"~2..3 /b+/ -> x\n// c\nt[lazy]: T*\n_T: "\\x41"i\x00aab',
    b"\\d{4}-(0[1-9]|1[0-2])\x002026-11",
)
LARK_WORDS = (
    b"start:",
    b"%import ",
    b"%ignore ",
    b"~2..3",
    b"->",
    b"[",
    b"]",
    b"(",
    b")",
    b"|",
    b"&",
    b"\x00",
    b'"',
    b"/",
    b"//",
    b": ",
    b"(?i)",
    b"\\p{L}",
)
