"""Opening balances: what a period's first entries say of every live record that a view reads (docs/decisions/0005-carried-state.md).

Leaves out: who opens a period and when.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from affiant.kit.errors import BadInput, Conflict, LedgerFault
from affiant.ledger.envelope import Draft, Event
from affiant.ledger.reader import LedgerReader
from affiant.ledger.registry import REGISTRY
from affiant.proof.canonical import dumps
from affiant.proof.hashes import leaf_hash, root_of

_ACTOR = "system:ledger"


@dataclass(frozen=True, slots=True)
class _Live:
    """The last event of a type about a record, and where it came from."""

    of: str
    of_version: int
    ref: str
    tenant: str
    origin: int
    origin_at: int
    body: dict[str, Any]

    def draft(self) -> Draft:
        body = {
            "of": self.of, "of_version": self.of_version, "origin": self.origin, "origin_at": self.origin_at, "body": self.body,
        }  # fmt: skip
        return Draft("state.carried", body, ref=self.ref, tenant=self.tenant, actor=_ACTOR)


def _live_of(index: int, event: Event) -> _Live:
    if event.type == "state.carried":
        raw = event.body
        return _Live(raw["of"], raw["of_version"], event.ref, event.tenant, raw["origin"], raw["origin_at"], raw["body"])
    return _Live(event.type, event.version, event.ref, event.tenant, index, event.at_us, event.body)


def live_records(reader: LedgerReader, before_us: int) -> list[_Live]:
    """Live records as the entries with at < before_us leave them, in the order of their last events."""
    carried = {name for name, kind in REGISTRY.items() if kind.carried}
    ends: dict[str, list[str]] = {}
    for name in carried:
        for end in REGISTRY[name].ended_by:
            ends.setdefault(end, []).append(name)
    live: dict[tuple[str, str], _Live] = {}
    for index, event in reader.of_types(*sorted(carried | set(ends) | {"state.carried"})):
        if event.type in ends:
            if event.at_us < before_us:
                for name in ends[event.type]:
                    live.pop((name, event.ref), None)
            continue
        record = _live_of(index, event)
        if record.origin_at < before_us and record.of in carried:
            known = live.get((record.of, record.ref))
            if event.type != "state.carried":
                live.pop((record.of, record.ref), None)
                live[record.of, record.ref] = record
            elif known is None and not _ended_since(reader, record, ends, before_us):
                live[record.of, record.ref] = record
    return sorted(live.values(), key=lambda record: record.origin)


def _ended_since(reader: LedgerReader, record: _Live, ends: dict[str, list[str]], before_us: int) -> bool:
    """Whether the record that an earlier opening balance carries has an ending between its origin and `before_us`."""
    return any(
        record.origin < index and record.of in ends.get(event.type, ()) and event.at_us < before_us
        for index in reader.find(record.ref)
        for event in (reader.event(index),)
    )


def carried_root(bodies: list[dict[str, Any]]) -> bytes:
    """RFC 9162 root over the canonical JSON of the bodies of `state.carried` entries, in order."""
    return root_of(leaf_hash(dumps(body)) for body in bodies)


def period_open_drafts(reader: LedgerReader, name: str, from_us: int) -> list[Draft]:
    """What opens a period: `period.opened`, then one `state.carried` for each record live at `from_us`. Append them in one call.

    Raises:
        BadInput: no name.
        Conflict: a period of that name was opened.
    """
    if not name:
        raise BadInput("A period needs a name.", "Use the dates that it covers, such as 2026-Q3.")
    if any(event.body.get("name") == name for _, event in reader.of_types("period.opened")):
        raise Conflict(f"The period {name} was opened before.", "Use another name.")
    carried = [record.draft() for record in live_records(reader, from_us)]
    body = {"name": name, "from": from_us, "carried": len(carried), "root": carried_root([draft.body for draft in carried]).hex()}
    return [Draft("period.opened", body, actor=_ACTOR), *carried]


def check_opening(reader: LedgerReader, index: int, event: Event, size: int) -> None:
    """Check that a period's opening balance follows at once and is the one announced.

    Raises:
        LedgerFault: it is not.
    """
    count = int(event.body.get("carried", -1))
    if count < 0 or index + 1 + count > size:
        raise LedgerFault(f"Entry {index} announces {count} carried entries; the ledger ends before.", "Run `affiant ledger show`.")
    bodies = []
    for position in range(index + 1, index + 1 + count):
        carried = reader.event(position)
        if carried.type != "state.carried":
            raise LedgerFault(f"Entry {position} is {carried.type}; a carried entry of entry {index} was due.", "Look at both.")
        bodies.append(carried.body)
    if carried_root(bodies).hex() != event.body.get("root"):
        raise LedgerFault(f"The carried entries behind entry {index} give another root than it announces.", "Look at them.")
