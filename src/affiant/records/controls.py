"""Which control versions are in force. Expected occurrences are counted from the event that adopted a version.

Leaves out: the catalog, which control files it holds, and their hashes (the caller passes them in).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from affiant.ledger import Draft
from affiant.records.faults import Faults
from affiant.records.fields import id_fault
from affiant.records.model import Adopted
from affiant.records.unit import Unit

_SHA = re.compile(r"[0-9a-f]{64}")
_EVERY = ("hour", "day", "month")
SHIPPED = "system:catalog"
"""Actor of the adoptions that come with a new home."""

Wanted = tuple[str, int, str, list[dict[str, Any]]]


def adopt(unit: Unit, wanted: Sequence[Wanted], actor: str = SHIPPED) -> tuple[str, ...]:
    """Write `control.adopted` for each control whose version, hash or schedule differs from what is in force.

    Args:
        actor: who puts them into force, as the ledger's actor.

    Raises:
        FaultyInput: a malformed entry; nothing was adopted.
    """
    faults = Faults("The control list")
    for number, (control, version, sha, schedule) in enumerate(wanted):
        _check(f"[{number}]", control, version, sha, schedule, faults)
    faults.stop()
    now = {each.id: each for each in unit.store.controls()}
    adopted = []
    for control, version, sha, schedule in wanted:
        entry = Adopted(control, version, sha, tuple(schedule), unit.now_us)
        known = now.get(control)
        if known is not None and (known.version, known.sha, known.schedule) == (entry.version, entry.sha, entry.schedule):
            continue
        unit.store.put_control(entry)
        body = {"control_version": version, "sha": sha, "schedule": schedule}
        unit.emit(Draft("control.adopted", body, ref=control, actor=actor))
        adopted.append(control)
    return tuple(adopted)


def _check(where: str, control: str, version: int, sha: str, schedule: list[dict[str, Any]], faults: Faults) -> None:
    if problem := id_fault(control):
        faults.add(f"{where}.id", problem)
    if type(version) is not int or version < 1:
        faults.add(f"{where}.version", "must be a whole number of at least 1.")
    if not _SHA.fullmatch(sha):
        faults.add(f"{where}.sha", "must be a hex SHA-256.")
    for entry in schedule:
        if entry.get("every") not in _EVERY or type(entry.get("minute")) is not int or not entry.get("item"):
            faults.add(f"{where}.schedule", f"{entry} must be {{item, every: hour|day|month, minute}}.")
