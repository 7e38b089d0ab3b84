"""The two formats that providers and callers speak, and an error in each of them.

A provider's `kind` names its format. Leaves out: which surface belongs to which (`surfaces`), and the codes themselves (`codes`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from affiant.gateway.codes import Code

_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    405: "invalid_request_error", 413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error",
}  # fmt: skip


class Format(StrEnum):
    """Whose conventions hold: headers, errors, lists."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


def error_object(format_: Format, code: Code, exchange: str, param: str | None = None, detail: str = "") -> dict[str, Any]:
    """An error before encoding.

    Args:
        exchange: id, which Anthropic's shape repeats as `request_id`.
    """
    message = f"{code.text} {detail}" if detail else code.text
    if format_ is Format.OPENAI:
        return {"error": {"message": message, "type": code.type, "param": param, "code": code.code}}
    error = {"type": _TYPES.get(code.status, "api_error"), "message": message, "code": code.code, "param": param}
    return {"type": "error", "error": error, "request_id": exchange}


def error_body(format_: Format, code: Code, exchange: str, param: str | None = None, detail: str = "") -> bytes:
    """The JSON of an error."""
    return msgspec.json.encode(error_object(format_, code, exchange, param, detail))
