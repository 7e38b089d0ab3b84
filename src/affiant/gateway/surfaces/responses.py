"""OpenAI Responses, beside its texts. What builds on state that the provider keeps is refused, because nobody here can read it."""

from __future__ import annotations

from affiant.gateway.codes import Code
from affiant.gateway.faults import Refusal
from affiant.gateway.formats import error_object
from affiant.gateway.surfaces.model import (
    DEFAULT_MAX_TOKENS,
    Asked,
    Json,
    Reading,
    Surface,
    Usage,
    count,
    flag,
    garbage,
    named_model,
    type_of,
    usage_of,
)

_KEPT = ("previous_response_id", "conversation", "prompt")
_ENDS = ("response.completed", "response.incomplete")
_FAILED = ("response.failed", "error")


def _usage(body: Json) -> Usage | None:
    return usage_of(body.get("usage"), "input_tokens", "output_tokens") if isinstance(body, dict) else None


class _ResponsesReading(Reading):
    """Events with a type; the one that completes the response repeats all of it."""

    def note(self, event: Json) -> None:
        type_ = type_of(event)
        if type_ in _FAILED:
            raise garbage("The provider's stream says that it failed.")
        if type_ == "response.output_text.delta":
            self._text(event.get("output_index", 0), event.get("delta"))
        elif type_.endswith(".delta") and isinstance(event.get("delta"), str):
            self.chars += len(event["delta"])
        self.usage = _usage(event.get("response")) or self.usage
        self.ended = type_ in _ENDS


class Responses(Surface):
    """`POST /v1/responses`."""

    name, path, named = "responses", "/responses", True

    def asked(self, body: dict[str, Json]) -> Asked:
        model, given = named_model(body), body.get("input")
        if not isinstance(given, str | list) or not given:
            raise Refusal("request_invalid", "input", "`input` must be a text or a list with at least one item.")
        for name in _KEPT:
            if body.get(name) is not None:
                raise Refusal("state_refused", name)
        if flag(body, "background"):
            raise Refusal("state_refused", "background")
        for number, item in enumerate(given if isinstance(given, list) else ()):
            if not isinstance(item, dict):
                raise Refusal("request_invalid", f"input[{number}]", "An item must be an object.")
            if item.get("type") == "item_reference" or set(item) == {"id"}:
                raise Refusal("state_refused", f"input[{number}]")
        return Asked(model, flag(body, "stream"), count(body, "max_output_tokens", DEFAULT_MAX_TOKENS))

    def check(self, body: Json) -> None:
        if not isinstance(body, dict) or not isinstance(body.get("output"), list):
            raise garbage("The provider's answer is no response.")
        if body.get("status", "completed") not in ("completed", "incomplete"):
            raise garbage("The provider's answer says that it failed.")

    def usage(self, body: dict[str, Json]) -> Usage | None:
        return _usage(body)

    def text(self, body: dict[str, Json]) -> str:
        found = []
        for item in body["output"]:
            content = item.get("content") if isinstance(item, dict) and item.get("type") == "message" else None
            for part in content if isinstance(content, list) else ():
                if isinstance(part, dict) and isinstance(part.get("text"), str):
                    found.append(part["text"])
        return "\n\n".join(found)

    def reading(self, keep: bool) -> Reading:
        return _ResponsesReading(keep)

    def error(self, code: Code, exchange: str, number: int) -> bytes:
        """Both as the format's reference has it, flat, and nested, as its clients look for it."""
        nested = error_object(self.format, code, exchange)
        flat = {"type": "error", "code": code.code, "message": code.text, "param": None, "sequence_number": number}
        return self.frame({**flat, **nested})


RESPONSES = Responses()
