"""Scripts: how a caller tells the simulator to misbehave.

A script is named in the header `x-simulator-script`, in a model name `script-NAME`, or in the last user message as
`[[sim:NAME]]`; several are joined with commas, an argument follows a colon: `[[sim:slow:20,chunks:3]]`.

| name | what the caller gets |
|---|---|
| `429` or `429:N` | 429 with `Retry-After: N` (default 1) |
| `500` or any `5NN`, `4NN` | that status with an error body |
| `flaky:N` | 500 on every Nth request of this account, else a good answer |
| `hang` | headers never come; the connection stays open |
| `drop` | the connection is cut after half of the answer |
| `drop-first` | the connection is cut before any byte |
| `garbage` | 200 with bytes that are no JSON (or no event) |
| `slow:MS` | MS milliseconds before each chunk (plain answers: once) |
| `chunks:N` | N characters of content a chunk (default 24) |
| `bytes:N` | the stream is written in pieces of N bytes, whatever lies at the border |
| `words:N` | an answer of N words |
| `pii`, `secret`, `leak` | planted personal data, a planted credential, the system prompt read aloud |
| `tool` | besides its text, a call of the first tool that the request offers |
| `nousage` | no usage numbers |
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARK = re.compile(r"\[\[sim:([a-z0-9:,-]{1,120})\]\]")
_FAULTS = ("hang", "drop", "drop-first", "garbage")
_PLANTS = ("pii", "secret", "leak")


@dataclass(frozen=True, slots=True)
class Script:
    """One request's script, read.

    Args:
        status: HTTP status to give instead of an answer, 0 for an answer.
        retry_after_s: value of Retry-After with a 429.
        flaky: every how many-th request fails, 0 never.
        fault: hang, drop, drop-first, garbage or "".
        slow_ms: pause before each chunk.
        chunk_chars: characters of content a chunk.
        piece_bytes: size of the pieces that a stream is written in, 0 for one write a chunk.
        words: words of the answer, 0 for the usual one.
        plants: what to plant in the answer.
        usage: whether usage is reported.
        tool: whether a tool is called.
    """

    status: int = 0
    retry_after_s: int = 1
    flaky: int = 0
    fault: str = ""
    slow_ms: int = 0
    chunk_chars: int = 24
    piece_bytes: int = 0
    words: int = 0
    plants: tuple[str, ...] = ()
    usage: bool = True
    tool: bool = False


PLAIN = Script()


def read_script(header: str, model: str, text: str, default: Script = PLAIN) -> Script:
    """The script of a request: header before model name before message; without any, the default."""
    source = header
    if not source and model.startswith("script-"):
        source = model[7:]
    if not source and "[[sim:" in text:
        found = _MARK.findall(text)
        source = found[-1] if found else ""
    return _parse(source, default) if source else default


def _parse(source: str, default: Script) -> Script:
    values = {name: getattr(default, name) for name in Script.__slots__}
    for item in source.split(","):
        name, _, argument = item.strip().partition(":")
        number = int(argument) if argument.isdigit() else 0
        if name.isdigit() and 400 <= int(name) < 600:
            values["status"] = int(name)
            values["retry_after_s"] = number if argument else 1
        elif name in _FAULTS:
            values["fault"] = name
        elif name in _PLANTS:
            values["plants"] = (*values["plants"], name)
        elif name == "flaky":
            values["flaky"] = number
        elif name == "slow":
            values["slow_ms"] = number
        elif name == "chunks":
            values["chunk_chars"] = max(1, number)
        elif name == "bytes":
            values["piece_bytes"] = max(1, number)
        elif name == "words":
            values["words"] = number
        elif name == "tool":
            values["tool"] = True
        elif name == "nousage":
            values["usage"] = False
    return Script(**values)
