"""An apply file: read whole, every fault at once, before anything is touched. Schema: docs and `interfaces`.

Sections: people, keys, providers, models, routes, policies, limits, commitments, protected; each a list of records with `id` (a limit
may leave it out). Leaves out: the comparison with what is in force (`apply`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from affiant.records.content import read_content
from affiant.records.detectors import Judge, no_judge, note_faults
from affiant.records.faults import Faults
from affiant.records.fields import Fields
from affiant.records.model import NO_TENANT, Content
from affiant.records.network import Resolve

SECTIONS = {
    "people": "person", "providers": "provider", "policies": "policy", "models": "model", "routes": "route", "limits": "limit",
    "commitments": "commitment", "protected": "protected",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """A governed record in the file; `awaits` is the person named to confirm it."""

    path: str
    kind: str
    id: str
    content: Content
    awaits: str


@dataclass(frozen=True, slots=True)
class KeyItem:
    """A key in the file."""

    path: str
    id: str
    owner: str
    tenant: str
    scope: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A file without faults of its own; names may still lead nowhere."""

    items: tuple[Item, ...]
    keys: tuple[KeyItem, ...]


def read_document(raw: Any, faults: Faults, resolve: Resolve, judge: Judge = no_judge) -> Document:
    """Read the whole file, noting every fault. Meaningful only if none was noted."""
    if not isinstance(raw, dict):
        faults.add("file", f"must be a mapping of sections: {', '.join((*SECTIONS, 'keys'))}.")
        return Document((), ())
    for name in raw:
        if name != "keys" and name not in SECTIONS:
            faults.add(str(name), f"is not a section; known: {', '.join((*SECTIONS, 'keys'))}.")
    items: list[Item] = []
    seen: dict[tuple[str, str], str] = {}
    for section, kind in SECTIONS.items():
        for number, entry in enumerate(_section(raw, section, faults)):
            path = f"{section}[{number}]"
            record, content = read_content(kind, entry, path, faults, resolve, with_id=True)
            note_faults(content, path, faults, judge)
            awaits = entry.get("approved_by") if kind == "model" and isinstance(entry, dict) else ""
            _once(seen, kind, record, path, faults)
            items.append(Item(path, kind, record, content, awaits if isinstance(awaits, str) else ""))
    keys = []
    for number, entry in enumerate(_section(raw, "keys", faults)):
        path = f"keys[{number}]"
        key = _read_key(Fields(entry, path, faults))
        _once(seen, "key", key.id, path, faults)
        keys.append(key)
    return Document(tuple(items), tuple(keys))


def _section(raw: dict[str, Any], name: str, faults: Faults) -> list[Any]:
    value = raw.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        faults.add(name, "must be a list.")
        return []
    return value


def _once(seen: dict[tuple[str, str], str], kind: str, record: str, path: str, faults: Faults) -> None:
    if record and seen.setdefault((kind, record), path) != path:
        faults.add(path, f"`{record}` stands at {seen[(kind, record)]} already.")


def _read_key(fields: Fields) -> KeyItem:
    key = KeyItem(
        fields.path, fields.id("id"), fields.id("owner", person=True), fields.tenant("tenant", NO_TENANT),
        tuple(fields.texts("models", ids=True)),
    )  # fmt: skip
    if not key.scope:
        fields.fault("models", "must name at least one route or model, or `*`.")
    fields.done()
    return key
