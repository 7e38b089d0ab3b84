"""A provider's whole answer as it may be released: the same JSON, only its texts guarded and pseudonyms undone.

Every string below `choices` is looked at, arguments of tool calls as the JSON that they are. Token-by-token `logprobs` are
withheld where a text was changed, because they repeat it. Leaves out: streams (`streaming`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from affiant.gateway.faults import LinkFault
from affiant.guards import AnswerGuard

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
SKIPPED = frozenset(
    (
        "id",
        "object",
        "model",
        "system_fingerprint",
        "service_tier",
        "created",
        "usage",
        "index",
        "finish_reason",
        "role",
        "type",
        "logprobs",
    )
)
MAX_DEPTH = 48

Json = Any


class Reply:
    """One answer.

    Args:
        raw: body as the provider sent it.

    Raises:
        LinkFault: it is no chat completion.
    """

    def __init__(self, raw: bytes) -> None:
        try:
            body = _decode(raw)
        except (msgspec.DecodeError, RecursionError):
            raise LinkFault("garbage", "The provider's answer is no JSON.", 200) from None
        if not isinstance(body, dict) or not isinstance(body.get("choices"), list) or not body["choices"]:
            raise LinkFault("garbage", "The provider's answer is no chat completion.", 200)
        for choice in body["choices"]:
            if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
                raise LinkFault("garbage", "The provider's answer has a choice without a message.", 200)
        self.body: dict[str, Json] = body
        self.raw = raw

    def usage(self) -> tuple[int, int] | None:
        """Tokens in and out, as the provider counts them; None where it does not."""
        return usage_of(self.body.get("usage"))

    def guard(self, guard: AnswerGuard) -> bytes:
        """The bytes to release; look at `guard.blocked` afterwards."""
        body = self.body
        for name in body:
            if name != "choices" and name not in SKIPPED:
                walk(body, name, guard, 0)
        walk(body, "choices", guard, 0)
        if not guard.changed:
            return self.raw
        for choice in body["choices"]:
            if choice.get("logprobs") is not None:
                choice["logprobs"] = None
        return _encode(body)

    def text(self) -> str:
        """Content of all choices, as it came."""
        contents = [choice["message"].get("content") for choice in self.body["choices"]]
        return "\n\n".join(each for each in contents if isinstance(each, str))

    def text_chars(self) -> int:
        """Characters of content, for an estimate where usage is missing."""
        return sum(len(c["message"].get("content") or "") for c in self.body["choices"] if isinstance(c["message"].get("content"), str))


def usage_of(usage: Json) -> tuple[int, int] | None:
    """(tokens in, tokens out) of a usage object; None if it is none."""
    if not isinstance(usage, dict):
        return None
    tokens_in, tokens_out = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not isinstance(tokens_in, int) or not isinstance(tokens_out, int) or not (0 <= tokens_in < 2**40 and 0 <= tokens_out < 2**40):
        return None
    return tokens_in, tokens_out


def walk(holder: Any, key: str | int, guard: AnswerGuard, depth: int) -> None:
    """Guard every string below `holder[key]`, in place.

    Raises:
        LinkFault: the answer is nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise LinkFault("garbage", "The provider's answer is nested too deeply.", 200)
    value = holder[key]
    if isinstance(value, str):
        if not value:
            return
        if key == "arguments" and guard_arguments(holder, guard):
            return
        holder[key] = guard.text(value)
    elif isinstance(value, dict):
        media = "transcript" in value  # audio: its data is not inspected
        for name in list(value):
            if name not in SKIPPED and not (media and name == "data"):
                walk(value, name, guard, depth + 1)
    elif isinstance(value, list):
        for number in range(len(value)):
            walk(value, number, guard, depth + 1)


def guard_arguments(holder: dict[str, Json], guard: AnswerGuard) -> bool:
    """Guard the strings inside arguments of a tool call; False where they are no JSON, to be guarded as text."""
    try:
        opened = [_decode(holder["arguments"])]
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return False
    if not isinstance(opened[0], (dict, list)):
        return False
    before = _encode(opened)
    _every(opened, 0, guard, 0)
    if _encode(opened) != before:
        holder["arguments"] = _encode(opened[0]).decode()
    return True


def _every(holder: Any, key: str | int, guard: AnswerGuard, depth: int) -> None:
    """As `walk`, but inside arguments no name is special."""
    if depth > MAX_DEPTH:
        raise LinkFault("garbage", "The provider's answer is nested too deeply.", 200)
    value = holder[key]
    if isinstance(value, str):
        holder[key] = guard.text(value) if value else value
    elif isinstance(value, dict):
        for name in list(value):
            _every(value, name, guard, depth + 1)
            renamed = guard.text(name) if len(name) > 6 else name
            if renamed != name:
                value[renamed] = value.pop(name)
    elif isinstance(value, list):
        for number in range(len(value)):
            _every(value, number, guard, depth + 1)
