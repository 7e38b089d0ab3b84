"""What a run of a control would come to, without making one: counts and the first findings, in seconds over years of traffic.

The rows stay in the engine (`Evidence.weigh`). Nothing is frozen, drawn or recorded, so nothing can be held against it later; a run
can. Leaves out: runs (`run`).
"""

from __future__ import annotations

from dataclasses import dataclass

from affiant.assurance.evidence import Evidence
from affiant.assurance.period import Period
from affiant.assurance.run import without_population
from affiant.catalog import Control
from affiant.proof.results import Counts, control_result

FIRST = 10


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would come to.

    Args:
        control: id.
        result: as a run's.
        counts: of items.
        reasons: why -> rows, of those that are not met.
        first: (entry, ordinal, why) of the first that are not met, `FIRST` at most.
        note: why there is nothing to count, or what makes the sequence of entries doubtful; "" for neither.
    """

    control: str
    result: str
    counts: Counts
    reasons: tuple[tuple[str, int], ...] = ()
    first: tuple[tuple[int, int, str], ...] = ()
    note: str = ""


def preview(evidence: Evidence, control: Control, period: Period) -> Preview:
    """Look at one control.

    Args:
        evidence: entries to read, in DuckDB.

    Raises:
        BadInput: a query lies outside the grammar, or the procedure does not give one row for each of the population.
        CouldNotLook: the engine is not DuckDB, or has no room.
    """
    early = without_population(evidence, control)
    if early is not None:
        return Preview(control.id, early[0], Counts(0, 0, 0), note=early[1])
    assert control.population is not None
    evidence.prepare(period)
    params = {**control.params, "from_us": period.from_us, "to_us": period.to_us, "end_size": evidence.end_size}
    weighed = evidence.weigh(control.population.query, control.procedure, params, FIRST)
    counts = Counts(weighed.met, weighed.deviations, weighed.could_not_test)
    why: dict[str, int] = {}
    for (_, reason), count in weighed.reasons.items():
        why[reason] = why.get(reason, 0) + count
    return Preview(
        control.id, control_result(counts, not evidence.sequence_fault), counts, tuple(sorted(why.items())),
        tuple((idx, ordinal, reason) for idx, ordinal, _, reason in weighed.found),
        f"Sequence check failed: {evidence.sequence_fault}" if evidence.sequence_fault else "",
    )  # fmt: skip
