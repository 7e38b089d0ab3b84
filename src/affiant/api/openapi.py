"""The OpenAPI document, generated from the route table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from affiant import __version__
from affiant.api.auth import AS_HEADER, COOKIE, CSRF_HEADER
from affiant.api.model import PUBLIC, SIGNED_IN, Field, RouteSpec
from affiant.records import roles

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_ERRORS = {"400": "Bad input; nothing was changed.", "404": "No such thing.", "409": "Not in a state for this.", "503": "Could not look."}


def _schema(fields: dict[str, Field]) -> dict[str, Any]:
    return {
        "type": "object", "additionalProperties": False, "required": [name for name, field in fields.items() if field.required],
        "properties": {name: {"type": field.type, "description": field.meaning} for name, field in fields.items()},
    }  # fmt: skip


def _operation(spec: RouteSpec) -> dict[str, Any]:
    named = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in _PARAMETER.findall(spec.path)]
    asked = [
        {"name": name, "in": "query", "required": field.required, "description": field.meaning, "schema": {"type": field.type}}
        for name, field in spec.query.items()
    ]
    who = {PUBLIC: "Needs no sign-in.", SIGNED_IN: "Needs a sign-in; records decide by role."}.get(
        spec.action, f"Needs `{spec.action}`: {', '.join(roles.who_may(spec.action))}."
    )
    errors = dict(_ERRORS) if spec.action == PUBLIC else _ERRORS | {"401": "Nobody is signed in.", "403": "Not allowed; recorded."}
    operation: dict[str, Any] = {
        "operationId": spec.handler.__name__,
        "summary": spec.summary, "description": who, "parameters": [*named, *asked],
        "security": [] if spec.action == PUBLIC else [{"session": [], "csrf": []}, {"local": []}],
        "responses": {"200": {"description": spec.answer, "content": {spec.gives: {}}}}
        | {code: {"description": text, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
           for code, text in sorted(errors.items())},
    }  # fmt: skip
    if spec.method == "POST" and spec.body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _schema(dict(spec.body))}}}
    elif spec.media:
        operation["requestBody"] = {"required": True, "content": {media: {} for media in spec.media}}
    return operation


def openapi(routes: Iterable[RouteSpec]) -> dict[str, Any]:
    """The document for a route table."""
    paths: dict[str, dict[str, Any]] = {}
    for spec in routes:
        paths.setdefault(_PARAMETER.sub(r"{\1}", spec.path), {})[spec.method.lower()] = _operation(spec)
    text = {"type": "string"}
    fault = {"type": "object", "properties": {"path": text, "text": text}}
    error = {"code": text, "message": text, "next_step": text, "faults": {"type": "array", "items": fault}}
    return {
        "openapi": "3.1.0", "info": {"title": "Affiant", "version": __version__}, "servers": [{"url": "/api/v1"}], "paths": paths,
        "components": {
            "schemas": {"Error": {"type": "object", "properties": {"error": {"type": "object", "properties": error}}}},
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
                "csrf": {"type": "apiKey", "in": "header", "name": CSRF_HEADER, "description": "For mutations with a session."},
                "local": {"type": "http", "scheme": "bearer", "description": f"Over control.sock only; {AS_HEADER} names for whom."},
            },
        },
    }  # fmt: skip
