"""OpenAI Embeddings as a provider speaks them: vectors computed from a hash of each input, as numbers or as base64."""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Any

import msgspec

from affiant.testing.simulator import answers
from affiant.testing.simulator.answers import Asked, Said, encode

_DIMENSIONS = 16


class _Request(msgspec.Struct):
    model: str
    input: str | list[str | int | list[int]]
    encoding_format: str = "float"
    dimensions: int = _DIMENSIONS


_decoder = msgspec.json.Decoder(_Request)


class Embeddings:
    """`POST /v1/embeddings`."""

    error = staticmethod(answers.error)
    secret = staticmethod(answers.bearer)

    def read(self, body: bytes) -> Asked:
        request = _decoder.decode(body)
        given: list[Any] = [request.input] if isinstance(request.input, str) else request.input
        if given and all(isinstance(each, int) for each in given):
            given = [given]
        texts = [each if isinstance(each, str) else str(each) for each in given]
        last = texts[-1] if texts else ""
        return Asked(request.model, False, "".join(texts), last, last, most_tokens=0, echo=(texts, request))

    def plain(self, asked: Asked, said: Said) -> bytes:
        texts, request = asked.echo
        data = [
            {"object": "embedding", "index": number, "embedding": _vector(text, request.dimensions, request.encoding_format)}
            for number, text in enumerate(texts)
        ]
        body = {"object": "list", "data": data, "model": asked.model}
        return encode(body | ({"usage": {"prompt_tokens": said.usage[0], "total_tokens": said.usage[0]}} if said.usage else {}))

    def events(self, asked: Asked, said: Said, chunk_chars: int) -> list[bytes]:
        raise AssertionError("embeddings are not streamed")


def _vector(text: str, dimensions: int, encoding: str) -> str | list[float]:
    raw = hashlib.shake_256(text.encode("utf-8", "replace")).digest(dimensions)
    vector = [(byte - 127.5) / 127.5 for byte in raw]
    return base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode() if encoding == "base64" else vector
