"""Answers of any size go from an application into a file as they come; what is cut short is said, and an error is no file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from affiant.app_asgi import call_app
from affiant.kit.errors import CouldNotLook

PIECES = [b"a" * 70_000, b"", b"b" * 70_000, b"c"]


async def _pieces(request: Request) -> Response:
    def pieces() -> Iterator[bytes]:
        yield from PIECES

    await request.body()
    return StreamingResponse(pieces(), media_type="application/octet-stream")


async def _refused(request: Request) -> Response:
    return PlainTextResponse("not for you", 403)


async def _cut(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


APP = Starlette(routes=[Route("/pieces", _pieces, methods=["POST"]), Route("/refused", _refused, methods=["POST"])])


def test_a_streamed_answer_arrives_whole() -> None:
    """Into a file, or as bytes where no file is given; a plain answer too."""
    into = BytesIO()
    assert asyncio.run(call_app(APP, "POST", "/pieces", {}, b"asked", into)) == (200, b"")
    assert into.getvalue() == b"".join(PIECES)
    assert asyncio.run(call_app(APP, "POST", "/pieces", {}, b"asked")) == (200, b"".join(PIECES))


def test_an_error_is_given_and_not_written() -> None:
    """The file stays empty, and the words of the refusal come back."""
    into = BytesIO()
    assert asyncio.run(call_app(APP, "POST", "/refused", {}, b"", into)) == (403, b"not for you")
    assert into.getvalue() == b""


def test_an_answer_that_ends_early_is_no_answer() -> None:
    """Half a package is an error, never a short file that looks like one."""
    with pytest.raises(CouldNotLook, match="ended early"):
        asyncio.run(call_app(_cut, "POST", "/", {}, b"", BytesIO()))
