"""OpenAI Embeddings, beside their texts. They have no streams, and an answer of theirs is no text."""

from __future__ import annotations

from affiant.gateway.faults import Refusal
from affiant.gateway.surfaces.model import Asked, Json, Surface, Usage, counted, flag, garbage, named_model


class Embeddings(Surface):
    """`POST /v1/embeddings`."""

    name, path, judged = "embeddings", "/embeddings", False

    def asked(self, body: dict[str, Json]) -> Asked:
        model, given = named_model(body), body.get("input")
        if not isinstance(given, str | list) or not given:
            raise Refusal("request_invalid", "input", "`input` must be a text, or a list of texts or tokens.")
        if flag(body, "stream"):
            raise Refusal("request_invalid", "stream", "Embeddings are not streamed.")
        return Asked(model, False, 0)

    def check(self, body: Json) -> None:
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, list) or not data or not all(isinstance(each, dict) and "embedding" in each for each in data):
            raise garbage("The provider's answer holds no embeddings.")

    def usage(self, body: dict[str, Json]) -> Usage | None:
        usage = body.get("usage")
        tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        return (tokens, 0) if counted(tokens) else None

    def text(self, body: dict[str, Json]) -> str:
        return ""


EMBEDDINGS = Embeddings()
