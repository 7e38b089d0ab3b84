"""Places of OpenAI Embeddings: request and answer. Leaves out: the walk (`walk`)."""

from __future__ import annotations

from affiant.guards.places.rules import IDENTIFIER, NUMBER, TEXT, WORD, How, Rule, Shape, fields, of

REQUEST = Shape(
    "request",
    {
        "input": Rule(How.TEXT, tokens=True), "model": IDENTIFIER, "dimensions": NUMBER, "encoding_format": WORD, "user": TEXT,
    },
)  # fmt: skip
ANSWER = Shape(
    "answer",
    {
        **fields(WORD, "object"), "model": IDENTIFIER, "usage": NUMBER,
        "data": of(Shape("embedding", {
            "object": WORD, "index": NUMBER, "embedding": Rule(How.OPAQUE, tokens=True, note="vector"),
        })),
    },
)  # fmt: skip
