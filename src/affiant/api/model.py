"""The nouns of the API: who calls, one call, an answer, and a route with what its documentation says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from affiant.api.context import Context
from affiant.kit.errors import BadInput
from affiant.records import LOCAL, Session
from affiant.records.faults import Faults

PUBLIC = ""
"""The action of a route that needs no sign-in."""

SIGNED_IN = "*"
"""The action of a route that needs a sign-in and no particular role."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: `by` is a person's id, or `local`. `session` is None for the local credential."""

    by: str
    roles: tuple[str, ...]
    session: Session | None = None

    @property
    def actor(self) -> str:
        """As the ledger names them."""
        return f"system:{LOCAL}" if self.by == LOCAL else f"person:{self.by}"

    @property
    def only_own(self) -> bool:
        """Whether they see nothing but what belongs to them."""
        return set(self.roles) == {"consumer"}


NOBODY = Caller("", ())


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a body or query: JSON type (`string`, `integer`, `boolean`, `array`, `object`), meaning, whether required."""

    type: str
    meaning: str
    required: bool = False


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "boolean": (bool,), "array": (list,), "object": (dict,), "any": (object,),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """One call, authenticated and read.

    Args:
        context: the rooms below.
        caller: who.
        path: parameters of the path.
        query: parameters of the query, each once.
        body: fields of the JSON body, checked against the route's.
        raw: the body's bytes.
        media: its media type.
    """

    context: Context
    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any] = field(default_factory=dict)
    raw: bytes = b""
    media: str = ""

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number of the query.

        Raises:
            BadInput: not a whole number from 0 to `most`.
        """
        text = self.query.get(name, "")
        if not text:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 16 or int(text) > most:
            raise BadInput(f"`{name}` must be a whole number from 0 to {most}.", "Correct the address.")
        return int(text)


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer that is no JSON: bytes, or an open file that is sent a piece at a time and closed."""

    data: bytes | BinaryIO
    media: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer with a status of its own and cookies: name -> value ("" takes it away)."""

    value: Any
    status: int = 200
    cookies: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Any] | Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """One route.

    Args:
        method: GET or POST.
        path: below `/api/v1`, with `{name}` or `{name:path}` parameters.
        action: of `records.roles`, `SIGNED_IN` or `PUBLIC`.
        handler: does it; a plain function runs in a thread, a coroutine in the event loop.
        summary: one sentence.
        answer: what comes back, one sentence.
        body: fields of the JSON body; None where it takes bytes of `media`.
        query: fields of the query.
        media: media types taken besides JSON.
        own: whether the handler itself limits some callers to what belongs to them.
        max_bytes: most bytes of a body.
        gives: media type of the answer.
    """

    method: str
    path: str
    action: str
    handler: Handler
    summary: str
    answer: str
    body: Mapping[str, Field] | None = field(default_factory=dict)
    query: Mapping[str, Field] = field(default_factory=dict)
    media: tuple[str, ...] = ()
    own: bool = False
    max_bytes: int = 1_000_000
    gives: str = "application/json"


def check_body(fields: Mapping[str, Field], body: Any) -> Mapping[str, Any]:
    """The body, if it has the fields that it must have and no others.

    Raises:
        FaultyInput: every fault.
    """
    faults = Faults("The body")
    if not isinstance(body, dict):
        faults.add("body", "must be a JSON object.")
        faults.stop()
        return {}
    for name in body:
        if name not in fields:
            faults.add(str(name), f"is not a known field; known: {', '.join(sorted(fields)) or 'none'}.")
    for name, wanted in fields.items():
        value = body.get(name)
        if value is None:
            if wanted.required:
                faults.add(name, "is required.")
        elif not isinstance(value, _TYPES[wanted.type]) or (wanted.type == "integer" and isinstance(value, bool)):
            faults.add(name, f"must be of type {wanted.type}.")
    faults.stop()
    return body
