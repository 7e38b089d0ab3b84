"""What a place in a wire format is, and what is done with it: the vocabulary of the four formats' descriptions.

A `Shape` describes one kind of JSON object by its keys; one shape holds the keys of all variants of a union, because in each of
the formats a key means the same in every variant that has it. Where that fails, `Variant` says what a `type` changes.
A key that a shape does not have is an unknown field: everything below it is read as text. Leaves out: the formats (`chat`,
`responses`, `messages`, `embeddings`) and the walk over a body (`walk`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from affiant.guards.model import Kind, Role
from affiant.kit.errors import BadInput


class BadShape(BadInput):
    """A body that cannot be read to its end within the limits."""

    code = "bad_shape"


class How(StrEnum):
    """How strings at a place are handled."""

    TEXT = "text"  # read and rewritten
    JSON = "json"  # a string that is JSON itself: each string in it is read and rewritten
    URL = "url"  # read with percent-encoding undone, rewritten
    FREE = "free"  # every string, telling key and long number below is read and rewritten
    KEYS = "keys"  # as FREE, and every key of the object itself is read
    IDENTIFIER = "identifier"  # must match elsewhere: read, never rewritten
    WORD = "word"  # of a fixed vocabulary: read where it is no plain word, never rewritten
    MEDIA = "media"  # data URL or base64: read and rewritten where it decodes to text, else passed uninspected
    OPAQUE = "opaque"  # passed uninspected
    LOGPROBS = "logprobs"  # tokens and their alternatives: read, withheld as a whole where anything changes


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done at one place.

    Args:
        how: with strings; objects follow `shape`, lists hand the rule to their items, numbers are read where they are long.
        shape: of objects; None: everything below is handled as `How.FREE`.
        role: who wrote it, where it differs from what surrounds it.
        kind: what it is, where it differs from what surrounds it.
        media: for `MEDIA` and `OPAQUE`, as what it is counted when it passes uninspected.
        tokens: whether a list of integers here is tokenized text, which nobody can read without the tokenizer.
        note: said in the table.
    """

    how: How
    shape: Shape | None = None
    role: Role | None = None
    kind: Kind | None = None
    media: Kind = Kind.FILE
    tokens: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """What a value of `type` changes for its object.

    Args:
        role: who wrote what is in it.
        kind: what it is.
        fields: keys that mean something else in it.
    """

    role: Role | None = None
    kind: Kind | None = None
    fields: Mapping[str, Rule] = field(default_factory=dict)


@dataclass(slots=True)
class Shape:
    """One kind of object.

    Args:
        name: for the table.
        fields: key -> rule. Filled by the format's module, since shapes contain each other.
        variants: value of `type` -> what it changes.
        roles: whether `role` says who wrote the rest.
    """

    name: str
    fields: dict[str, Rule] = field(default_factory=dict)
    variants: dict[str, Variant] = field(default_factory=dict)
    roles: bool = False


ROLES = {
    "system": Role.SYSTEM, "developer": Role.SYSTEM, "user": Role.USER, "assistant": Role.ASSISTANT, "tool": Role.TOOL,
    "function": Role.TOOL,
}  # fmt: skip

TEXT, JSON, URL, FREE = Rule(How.TEXT), Rule(How.JSON), Rule(How.URL), Rule(How.FREE)
IDENTIFIER, WORD, LOGPROBS = Rule(How.IDENTIFIER), Rule(How.WORD), Rule(How.LOGPROBS)
NUMBER = Rule(How.WORD, note="number or switch")
METADATA = Rule(How.KEYS)
ENCRYPTED = Rule(How.OPAQUE, note="encrypted or signed by the provider")
IMAGE = Rule(How.MEDIA, media=Kind.IMAGE)
AUDIO = Rule(How.MEDIA, media=Kind.AUDIO)
FILE = Rule(How.MEDIA, media=Kind.FILE)
UNKNOWN = Rule(How.FREE, kind=Kind.UNKNOWN_FIELD)


def fields(rule: Rule, names: str | Iterable[str]) -> dict[str, Rule]:
    """The same rule for several keys."""
    return dict.fromkeys(names.split() if isinstance(names, str) else names, rule)


def of(shape: Shape, how: How = How.TEXT, *, role: Role | None = None, kind: Kind | None = None, note: str = "") -> Rule:
    """Objects of a shape, or a string in their place."""
    return Rule(how, shape, role, kind, note=note)
