"""OpenAI Chat Completions, beside its texts."""

from __future__ import annotations

from affiant.gateway.surfaces.model import (
    DEFAULT_MAX_TOKENS,
    Asked,
    Json,
    Reading,
    Surface,
    count,
    flag,
    garbage,
    messages_in,
    named_model,
    usage_of,
)


class _ChatReading(Reading):
    """Chunks. The stream ends with `[DONE]`, which is no event; it is complete once every choice that began has a reason to end."""

    def __init__(self, keep: bool) -> None:
        super().__init__(keep)
        self._begun: set[int] = set()
        self._finished: set[int] = set()

    def note(self, event: Json) -> None:
        if not isinstance(event, dict) or "error" in event or not isinstance(event.get("choices"), list):
            raise garbage("An event of the provider is no chunk.")
        self.usage = usage_of(event.get("usage")) or self.usage
        for choice in event["choices"]:
            index = choice.get("index") if isinstance(choice, dict) else None
            delta = choice.get("delta") if isinstance(choice, dict) else None
            if not isinstance(index, int) or not isinstance(delta, dict):
                raise garbage("A chunk of the provider has a choice without a delta.")
            self._begun.add(index)
            self._text(index, delta.get("content"))
            if choice.get("finish_reason") is not None:
                self._finished.add(index)
        self.complete = bool(self._begun) and self._begun <= self._finished


class Chat(Surface):
    """`POST /v1/chat/completions`."""

    name, path = "chat.completions", "/chat/completions"

    def asked(self, body: dict[str, Json]) -> Asked:
        model = named_model(body)
        messages_in(body)
        most = "max_tokens" if body.get("max_completion_tokens") is None else "max_completion_tokens"
        tokens = count(body, most, DEFAULT_MAX_TOKENS) * count(body, "n", 1, 128)
        options = body.get("stream_options")
        return Asked(model, flag(body, "stream"), tokens, isinstance(options, dict) and options.get("include_usage") is True)

    def sent(self, body: dict[str, Json], asked: Asked) -> dict[str, Json]:
        if not asked.stream:
            return body
        options = body.get("stream_options")
        return {**body, "stream_options": {**(options if isinstance(options, dict) else {}), "include_usage": True}}

    def check(self, body: Json) -> None:
        choices = body.get("choices") if isinstance(body, dict) else None
        if not isinstance(choices, list) or not choices:
            raise garbage("The provider's answer is no chat completion.")
        if not all(isinstance(choice, dict) and isinstance(choice.get("message"), dict) for choice in choices):
            raise garbage("The provider's answer has a choice without a message.")

    def text(self, body: dict[str, Json]) -> str:
        contents = [choice["message"].get("content") for choice in body["choices"]]
        return "\n\n".join(each for each in contents if isinstance(each, str))

    def reading(self, keep: bool) -> Reading:
        return _ChatReading(keep)

    def told(self, event: dict[str, Json], asked: Asked) -> dict[str, Json] | None:
        if asked.wants_usage or "usage" not in event:
            return event
        return {name: value for name, value in event.items() if name != "usage"} if event["choices"] else None


CHAT = Chat()
