"""The table of places: surface by surface what is guarded, flagged, withheld, passed uninspected or refused.

Made from the descriptions that the walk follows, so that it cannot say otherwise than the program does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from affiant.guards.places import chat, embeddings, messages, responses, walk
from affiant.guards.places.rules import How, Rule, Shape

GUARDED, FLAGGED, WITHHELD, UNINSPECTED, REFUSED = "guarded", "flagged", "withheld", "passed uninspected", "refused"
REQUESTS: dict[str, Shape] = {
    "chat.completions": chat.REQUEST, "responses": responses.REQUEST, "messages": messages.REQUEST, "embeddings": embeddings.REQUEST,
}  # fmt: skip
ANSWERS: dict[str, Shape] = {
    "chat.completions": chat.ANSWER, "responses": responses.ANSWER, "messages": messages.ANSWER, "embeddings": embeddings.ANSWER,
}  # fmt: skip
STREAMS: dict[str, Shape] = {"chat.completions": chat.CHUNK_HEAD, "responses": responses.EVENT, "messages": messages.EVENT}
_TREATMENTS = {
    How.TEXT: (GUARDED, ""), How.JSON: (GUARDED, "JSON in a string: each string, telling key and long number in it"),
    How.URL: (GUARDED, "percent-encoding undone"), How.FREE: (GUARDED, "each string, telling key and long number below"),
    How.KEYS: (GUARDED, "keys and values"), How.IDENTIFIER: (FLAGGED, "must match elsewhere: read, never rewritten"),
    How.WORD: (FLAGGED, "of a fixed vocabulary: read where it is no plain word, never rewritten"),
    How.MEDIA: (UNINSPECTED, "text in data URLs and base64 is guarded"), How.OPAQUE: (UNINSPECTED, ""),
    How.LOGPROBS: (WITHHELD, "tokens, alternatives and bytes are read; withheld where they or the text changed, and on streams"),
}  # fmt: skip
_DELTAS = (
    ("chat.completions", "choices.delta"), ("chat.completions", "choices.delta.tool_calls.function.arguments"), ("responses", "delta"),
    ("messages", "delta"),
)  # fmt: skip
_PROTOCOL = "numbers, switches and words of a fixed vocabulary"
_EVERYWHERE = (
    ("any other field", GUARDED, "unknown fields are read as text and named in the event; refused where the route is strict"),
    (f"nested deeper than {walk.MAX_DEPTH} levels", REFUSED, ""),
    (f"more than {walk.MAX_PARTS:,} strings", REFUSED, ""),
    ("numbers of more than 40 digits", REFUSED, ""),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One place.

    Args:
        surface: of the wire format.
        direction: `request`, `answer` or `stream` (an event of it).
        place: path; items of lists have the path of their list.
        treatment: one of the five.
        note: what else to know.
    """

    surface: str
    direction: str
    place: str
    treatment: str
    note: str = ""


def _rows(shape: Shape, path: str, seen: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    for name, rule in shape.fields.items():
        place = f"{path}.{name}" if path else name
        variants = [(variant, type_) for type_, variant in shape.variants.items() if name in variant.fields]
        yield from _rule(rule, place, seen)
        for variant, type_ in variants:
            yield from _rule(variant.fields[name], f"{place} (type {type_})", seen)


def _rule(rule: Rule, place: str, seen: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    treatment, note = _TREATMENTS[rule.how]
    if rule.note in ("number or switch", "vector"):
        note = f"{rule.note}: long numbers are read" if treatment == FLAGGED else rule.note
    elif rule.note:
        note = rule.note
    if rule.tokens and rule.how is How.TEXT:
        note = "lists of tokens pass uninspected"
    if rule.how is not How.WORD or rule.shape is None:
        yield place, treatment, note
    if rule.shape is not None and rule.shape.name not in seen:
        yield from _rows(rule.shape, place, (*seen, rule.shape.name))


def _made() -> Iterator[Row]:
    for surface, place in _DELTAS:
        yield Row(surface, "stream", place, GUARDED, "each string of a delta has a lane by its path; arguments as JSON; known or not")
    for direction, shapes in (("request", REQUESTS), ("answer", ANSWERS), ("stream", STREAMS)):
        for surface, shape in shapes.items():
            rows: Iterable[tuple[str, str, str]] = (*_rows(shape, "", ()), *_EVERYWHERE)
            for place, treatment, note in rows:
                yield Row(surface, direction, place, treatment, note)


TABLE: tuple[Row, ...] = tuple(_made())


def markdown(rows: Iterable[Row] = TABLE) -> str:
    """The table for people: one section a surface and direction, places of the same treatment together."""
    lines: list[str] = []
    groups: dict[tuple[str, str], dict[tuple[str, str], dict[str, None]]] = {}
    for row in rows:
        protocol = row.note.startswith(("number or switch", "of a fixed vocabulary"))
        place, note = (_PROTOCOL, "read where they are long or no plain words, never rewritten") if protocol else (row.place, row.note)
        groups.setdefault((row.surface, row.direction), {}).setdefault((row.treatment, note), {})[place] = None
    for (surface, direction), treatments in groups.items():
        lines += [f"### `{surface}`: {direction}", "", "| treatment | places | note |", "|---|---|---|"]
        for (treatment, note), places in sorted(treatments.items()):
            lines.append(f"| {treatment} | {', '.join(place if ' ' in place else f'`{place}`' for place in places)} | {note} |")
        lines.append("")
    return "\n".join(lines)
