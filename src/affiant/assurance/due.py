"""What needs a person, by what becomes unfixable first: one list over all controls.

Computed from the same evidence as results; `final` items become permanent deviations at their time. Leaves out: who is told, and how.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from affiant.assurance.evidence import Evidence
from affiant.assurance.period import DAY_US, Period, parse_instant
from affiant.catalog import Catalog

HOUR_US = 3_600_000_000
LATE_US = 600_000_000
NOTICE_DAYS = 14
USAGE_LATE_DAYS = 2


@dataclass(frozen=True, slots=True)
class DueItem:
    """One thing that needs a person.

    Args:
        ref: control it belongs to; "" for none.
        text: what it is.
        owner: role or person.
        consequence: what happens if nobody acts.
        at_us: when, µs.
        final: whether it cannot be repaired after `at_us`.
        overdue: whether that time is past.
        about: id of the record or entry where it is acted on; "" for none.
    """

    ref: str
    text: str
    owner: str
    consequence: str
    at_us: int
    final: bool = False
    overdue: bool = False
    about: str = ""


_PROBES = """
SELECT x.item AS item, x.due AS due, x.to_us AS ends
FROM expected x
WHERE x.control = 'AUD-4.1' AND x.due + :late_us < :now_us AND x.to_us > :now_us
  AND NOT EXISTS (SELECT 1 FROM probe_opened o INNER JOIN pledge g ON g.opened_idx = o.idx AND g.ok = 1
                  WHERE o.probe = x.item AND o.due = x.due)
ORDER BY due, item
"""
_CHANGES = """
SELECT p.change_id AS change_id, p.kind AS kind, p.target AS target, p.author AS author, p.at AS since_us, p.emergency AS emergency,
       CASE WHEN EXISTS (SELECT 1 FROM change_approved a WHERE a.change_id = p.change_id AND a.approver <> p.author)
            THEN 1 ELSE 0 END AS approved
FROM change_proposed p
WHERE p.bootstrap = 0
  AND NOT EXISTS (SELECT 1 FROM change_rejected r WHERE r.change_id = p.change_id)
  AND NOT EXISTS (SELECT 1 FROM change_activated v WHERE v.change_id = p.change_id)
ORDER BY since_us, change_id
"""
_EMERGENCIES = """
SELECT v.change_id AS change_id, v.kind AS kind, v.target AS target, v.author AS author, v.at AS since_us
FROM change_activated v
WHERE v.emergency = 1 AND v.bootstrap = 0
  AND NOT EXISTS (SELECT 1 FROM change_approved a WHERE a.change_id = v.change_id AND a.digest = v.digest AND a.approver <> v.author)
ORDER BY since_us, change_id
"""
_KEYS = """
SELECT k.key_id AS key_id, k.owner AS owner, MAX(k.expires) AS expires
FROM key_created k
WHERE k.expires > :now_us AND k.expires <= :notice_us
  AND NOT EXISTS (SELECT 1 FROM key_revoke_requested r WHERE r.key_id = k.key_id)
GROUP BY k.key_id, k.owner
ORDER BY expires, key_id
"""
_LEAVERS = """
SELECT k.key_id AS key_id, g.person AS person, MIN(g.at) AS since_us
FROM person_left g
INNER JOIN key_created k ON k.owner = g.person AND k.idx < g.idx
WHERE (k.expires = 0 OR k.expires > :now_us) AND NOT EXISTS (SELECT 1 FROM key_revoke_requested r WHERE r.key_id = k.key_id)
GROUP BY k.key_id, g.person
ORDER BY since_us, key_id
"""
_REVOCATIONS = """
SELECT r.key_id AS key_id, MIN(r.at) AS since_us
FROM key_revoke_requested r
WHERE NOT EXISTS (SELECT 1 FROM key_revoked v WHERE v.key_id = r.key_id)
GROUP BY r.key_id
ORDER BY since_us, key_id
"""
_LAST_ANCHOR = "SELECT COALESCE(MAX(a.checkpoint_at), 0) AS since_us FROM anchor_cosigned a ORDER BY since_us"
_COMMITMENTS = """
SELECT COUNT(*) AS n
FROM commitment_control c
WHERE c.control = 'AV-1.1' AND c.per_million > 0
  AND c.idx = (SELECT MAX(s.idx) FROM commitment_set s WHERE s.commitment = c.commitment)
ORDER BY n
"""


def due(evidence: Evidence, catalog: Catalog, now_us: int, period: Period | None = None) -> list[DueItem]:
    """What needs a person now, soonest and final first.

    Args:
        evidence: up to now.
        catalog: names owners.
        now_us: wall time.
        period: the audit window that is open, where one is.
    """
    start = now_us - now_us % DAY_US
    evidence.prepare(Period(start, start + DAY_US))
    params = {
        "now_us": now_us, "late_us": LATE_US, "notice_us": now_us + NOTICE_DAYS * DAY_US, "from_us": start, "to_us": start + DAY_US,
        "end_size": evidence.end_size,
    }  # fmt: skip
    items = [
        *_probe_items(evidence, catalog, params), *_change_items(evidence, catalog, params), *_key_items(evidence, catalog, params),
        *_anchor_items(evidence, now_us), *_usage_items(evidence, catalog, now_us), *_adoption_items(evidence, catalog, now_us),
    ]  # fmt: skip
    if period is not None and now_us < period.to_us <= now_us + NOTICE_DAYS * DAY_US:
        items.append(
            DueItem("", f"The period {period} ends", "compliance manager", "what was not done in it stays undone", period.to_us, True)
        )
    return sorted(items, key=lambda item: (not item.final, item.at_us, item.ref, item.text))


def _rows(evidence: Evidence, text: str, params: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    columns, rows = evidence.query(text, params)
    return (dict(zip(columns, row, strict=True)) for row in rows)


def _owner(catalog: Catalog, control: str) -> str:
    known = catalog.controls.get(control)
    return known.owner if known is not None else "compliance manager"


def _probe_items(evidence: Evidence, catalog: Catalog, params: Mapping[str, int]) -> Iterator[DueItem]:
    for row in _rows(evidence, _PROBES, params):
        text = f"The probe {row['item']} was due and has not been performed today"
        yield DueItem("AUD-4.1", text, _owner(catalog, "AUD-4.1"), "becomes a permanent deviation", row["ends"], True, False, row["item"])


def _change_items(evidence: Evidence, catalog: Catalog, params: Mapping[str, int]) -> Iterator[DueItem]:
    owner = _owner(catalog, "PI-5.1")
    for row in _rows(evidence, _CHANGES, params):
        what = f"Change {row['change_id']} to {row['kind']} {row['target']} by {row['author']}"
        if row["approved"]:
            yield DueItem(
                "PI-5.1", f"{what} is approved and not in force", owner, "waits to be activated", row["since_us"], about=row["change_id"]
            )
        else:
            yield DueItem(
                "PI-5.1", f"{what} waits for a second person", owner, "cannot come into force", row["since_us"], about=row["change_id"]
            )
    for row in _rows(evidence, _EMERGENCIES, params):
        text = f"Emergency change {row['change_id']} to {row['kind']} {row['target']} came into force on {row['author']}'s word alone"
        yield DueItem("PI-5.1", text, owner, "needs a second person's review", row["since_us"], False, True, row["change_id"])


def _key_items(evidence: Evidence, catalog: Catalog, params: Mapping[str, int]) -> Iterator[DueItem]:
    owner = _owner(catalog, "SEC-1.2")
    for row in _rows(evidence, _LEAVERS, params):
        text = f"{row['person']} left and still holds the key {row['key_id']}"
        yield DueItem("SEC-1.2", text, owner, "is a deviation after one minute", row["since_us"] + 60_000_000, True, True, row["key_id"])
    for row in _rows(evidence, _REVOCATIONS, params):
        text = f"The revocation of the key {row['key_id']} is not confirmed"
        yield DueItem("SEC-1.2", text, owner, "is a deviation after two seconds", row["since_us"] + 2_000_000, True, True, row["key_id"])
    for row in _rows(evidence, _KEYS, params):
        yield DueItem("SEC-1.2", f"The key {row['key_id']} expires", row["owner"], "stops working", row["expires"], about=row["key_id"])


def _anchor_items(evidence: Evidence, now_us: int) -> Iterator[DueItem]:
    last = int(evidence.query(_LAST_ANCHOR, {})[1][0][0])
    since = last or evidence.first_at_us
    if now_us - since >= 2 * HOUR_US:
        hours = (now_us - since) // HOUR_US
        text = f"No witness has cosigned for {hours:,} hours" if last else "No witness has cosigned this ledger"
        yield DueItem("", text, "operator", "hours without an outside anchor cannot be made good", since + HOUR_US, True, True)


def _usage_items(evidence: Evidence, catalog: Catalog, now_us: int) -> Iterator[DueItem]:
    """Provider days that are over and have no imported count, within the last thirty days: one item a provider."""
    control = catalog.controls.get("PI-6.1")
    if control is None or control.population is None:
        return
    today = now_us - now_us % DAY_US
    period = Period(today - 30 * DAY_US, today - (USAGE_LATE_DAYS - 1) * DAY_US)
    evidence.prepare(period)
    params = {**control.params, "from_us": period.from_us, "to_us": period.to_us, "end_size": evidence.end_size}
    days: dict[str, list[int]] = {}
    for row in _rows(evidence, control.population.reconcile, params):
        if row["what"] == "no_count":
            days.setdefault(row["provider"], []).append(row["day"])
    for provider, missing in sorted(days.items()):
        first = min(missing)
        day = f"{first // 10000}-{first // 100 % 100:02d}-{first % 100:02d}"
        text = f"{len(missing)} days of {provider} have no imported count, the first {day}"
        at = parse_instant(day)
        yield DueItem("PI-6.1", text, control.owner, "those days stay unreconciled", at + USAGE_LATE_DAYS * DAY_US, False, True, provider)


def _adoption_items(evidence: Evidence, catalog: Catalog, now_us: int) -> Iterator[DueItem]:
    for control in catalog.controls.values():
        adopted = evidence.adopted(control.id)
        if control.implemented and (adopted is None or adopted[1].get("sha") != control.sha):
            text = f"Version {control.version} of {control.id} is in the catalog and not in force"
            yield DueItem(control.id, text, "compliance manager", "the control is not tested until it is adopted", now_us, about=control.id)
    linked = "AV-1.1" in catalog.controls and not int(evidence.query(_COMMITMENTS, {})[1][0][0])
    if linked:
        text = "No commitment with a threshold is linked to AV-1.1"
        yield DueItem("AV-1.1", text, "compliance manager", "minutes served cannot be tested", now_us, about="AV-1.1")
