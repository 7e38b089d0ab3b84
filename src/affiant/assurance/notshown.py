"""What the evidence of a period does not show, computed from the evidence itself and printed beside every result.

Leaves out: what no computation can find (that an entry was true when written; see docs/threats.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from affiant.assurance.evidence import Evidence
from affiant.assurance.period import Period
from affiant.catalog import Catalog

HOUR_US = 3_600_000_000
_RECONCILED = "PI-6.1"
_COUNTS = """
SELECT COALESCE(SUM(CASE WHEN o.uninspected > 0 THEN 1 ELSE 0 END), 0) AS uninspected,
       COALESCE(SUM(CASE WHEN o.mode <> 'enforce' THEN 1 ELSE 0 END), 0) AS unenforced,
       COALESCE(SUM(CASE WHEN o.overlap > 0 THEN 1 ELSE 0 END), 0) AS overlapping, COUNT(*) AS exchanges
FROM exchange_opened o
WHERE o.at >= :from_us AND o.at < :to_us
ORDER BY exchanges
"""
_BESIDE = """
SELECT 'interrupted' AS what, COUNT(*) AS n FROM exchange_interrupted i WHERE i.at >= :from_us AND i.at < :to_us
UNION ALL
SELECT 'unrecorded', COALESCE(SUM(u.refusals), 0) FROM exchange_unrecorded u WHERE u.last_us >= :from_us AND u.first_us < :to_us
UNION ALL
SELECT 'lost', COALESCE(SUM(g.events), 0) FROM ledger_gap g WHERE g.last_us >= :from_us AND g.first_us < :to_us
UNION ALL
SELECT 'stale', COALESCE(SUM(s.refused + s.cut), 0) FROM gateway_stale s WHERE s.last_us >= :from_us AND s.first_us < :to_us
ORDER BY what
"""
_ANCHORS = """
SELECT DISTINCT a.checkpoint_at AS signed_us FROM anchor_cosigned a WHERE a.checkpoint_at >= :from_us AND a.checkpoint_at < :to_us
ORDER BY signed_us
"""
_USAGE = """
SELECT COALESCE(SUM(u.requests), 0) AS requests
FROM provider_usage u
INNER JOIN (SELECT DISTINCT x.day AS day FROM expected x WHERE x.control = 'PI-6.1' AND x.item = 'day') d ON d.day = u.day
WHERE u.idx = (SELECT MAX(v.idx) FROM provider_usage v WHERE v.provider = u.provider AND v.account = u.account AND v.day = u.day)
ORDER BY requests
"""


@dataclass(frozen=True, slots=True)
class NotShown:
    """One limit of the evidence.

    Args:
        key: stable name.
        text: what is not shown.
        value: how many.
        whole: out of how many; 0 where there is no whole.
    """

    key: str
    text: str
    value: int
    whole: int = 0


def not_shown(evidence: Evidence, catalog: Catalog, period: Period) -> list[NotShown]:
    """The computed limits of a period's evidence; a value of 0 says that it was looked for and not found."""
    evidence.prepare(period)
    params = {"from_us": period.from_us, "to_us": period.to_us, "end_size": evidence.end_size}
    uninspected, unenforced, overlapping, exchanges = evidence.query(_COUNTS, params)[1][0]
    beside: dict[str, int] = dict(evidence.query(_BESIDE, params)[1])
    bypass, uncounted, counted = _usage(evidence, catalog, params)
    hours, without = _hours_without_anchor(evidence, period, params)
    found = [
        NotShown("bypass", "Calls by the providers' count that did not pass the gateway", bypass, counted),
        NotShown("no_count", "Provider days without an imported count", uncounted),
        NotShown("unanchored", "Hours without an outside anchor", without, hours),
        NotShown("uninspected", "Exchanges with a part that was not inspected", int(uninspected), int(exchanges)),
        NotShown("unenforced", "Exchanges in the modes watch and warn, which are not enforced", int(unenforced), int(exchanges)),
        NotShown("interrupted", "Exchanges interrupted when a process ended: whether the caller was answered is not known",
                 int(beside["interrupted"]), int(exchanges)),
        NotShown("unrecorded", "Refusals while nothing could be recorded, counted and not listed", int(beside["unrecorded"])),
    ]  # fmt: skip
    optional = (
        NotShown("overlap", "Exchanges on routes set to overlap, opened before their entry was durable", int(overlapping), int(exchanges)),
        NotShown("lost", "Events lost under a fail-open policy", int(beside["lost"])),
        NotShown("stale", "Calls refused or cut by workers out of contact", int(beside["stale"])),
    )
    found += [limit for limit in optional if limit.value]
    if evidence.sequence_fault:
        found.append(NotShown("sequence", f"Sequence check failed: {evidence.sequence_fault}", 1))
    return found


def _usage(evidence: Evidence, catalog: Catalog, params: dict[str, int]) -> tuple[int, int, int]:
    """(requests beyond what passed the gateway, provider days without a count, all requests counted)."""
    control = catalog.controls.get(_RECONCILED)
    if control is None or control.population is None or not control.population.reconcile:
        return 0, 0, 0
    columns, rows = evidence.query(control.population.reconcile, {**control.params, **params})
    beyond = uncounted = 0
    for row in rows:
        cells = dict(zip(columns, row, strict=True))
        if cells["what"] == "no_count":
            uncounted += 1
        else:
            beyond += max(0, int(cells["theirs"]) - int(cells["at_most"]))
    return beyond, uncounted, int(evidence.query(_USAGE, params)[1][0][0])


def _hours_without_anchor(evidence: Evidence, period: Period, params: dict[str, int]) -> tuple[int, int]:
    """(whole hours of the period that have passed, those in which no checkpoint was cosigned)."""
    end = min(period.to_us, evidence.last_at_us)
    begin = max(period.from_us, evidence.first_at_us)
    first, last = -(-begin // HOUR_US), end // HOUR_US
    anchored = {int(at) // HOUR_US for (at,) in evidence.query(_ANCHORS, params)[1]}
    hours = range(first, last)
    return len(hours), sum(1 for hour in hours if hour not in anchored)
