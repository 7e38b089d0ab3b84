"""The words for results, and how item results become a control result. One precedence, written once.

Leaves out: unmatched rows of a reconciliation, which are shown beside a result and never folded into it.
"""

from __future__ import annotations

from dataclasses import dataclass

NOT_IMPLEMENTED = "not implemented"
DESIGN_GAP = "design gap"
DEVIATIONS = "deviations noted"
NOT_TESTED = "not tested"
NO_OCCURRENCE = "no occurrence in period"
NO_DEVIATIONS = "no deviations noted"
CONTROL_RESULTS = (NOT_IMPLEMENTED, DESIGN_GAP, DEVIATIONS, NOT_TESTED, NO_OCCURRENCE, NO_DEVIATIONS)
ITEM_RESULTS = ("met", "deviation", "could not test")


@dataclass(frozen=True)
class Counts:
    """How many items a procedure found met, deviating and untestable."""

    met: int
    deviations: int
    could_not_test: int

    @property
    def rows(self) -> int:
        return self.met + self.deviations + self.could_not_test


def control_result(counts: Counts, sequence_good: bool = True) -> str:
    """Result of a control that has a producer, a procedure and a criterion.

    Args:
        counts: of item results.
        sequence_good: whether producers' sequences have no gap in the range.
    """
    if counts.deviations:
        return DEVIATIONS
    if counts.could_not_test or not sequence_good:
        return NOT_TESTED
    return NO_DEVIATIONS if counts.rows else NO_OCCURRENCE
