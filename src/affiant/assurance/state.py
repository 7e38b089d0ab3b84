"""Where controls stand, by category, with honest denominators. Leaves out: what is due next (`due`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from affiant.assurance.model import ControlRun
from affiant.catalog import CATEGORIES, Catalog
from affiant.proof.results import CONTROL_RESULTS


@dataclass(frozen=True, slots=True)
class CategoryState:
    """Controls of one category by result.

    Args:
        key: of `catalog.CATEGORIES`.
        title: of the category.
        counts: control result -> number of controls; every result is there.
        not_run: controls of the catalog without a run.
        total: all controls of the category; the counts and `not_run` add up to it.
        uncovered: criteria of the category that no control names.
    """

    key: str
    title: str
    counts: dict[str, int]
    not_run: int
    total: int
    uncovered: tuple[str, ...]


def control_state(catalog: Catalog, results: Iterable[tuple[str, str]]) -> list[CategoryState]:
    """State of every category; nothing is left out of a denominator.

    Args:
        catalog: controls and criteria.
        results: (control id, control result) of the newest run of each control; others count as not run.
    """
    by_control = dict(results)
    uncovered = set(catalog.uncovered())
    states = []
    for key, controls in catalog.by_category().items():
        counts = dict.fromkeys(CONTROL_RESULTS, 0)
        for control in controls:
            result = by_control.get(control.id)
            if result is not None:
                counts[result] = counts.get(result, 0) + 1
        missing = tuple(c.id for c in catalog.criteria.values() if c.category == key and c.id in uncovered)
        states.append(CategoryState(key, CATEGORIES[key], counts, len(controls) - sum(counts.values()), len(controls), missing))
    return states


def results_of(runs: Sequence[ControlRun]) -> list[tuple[str, str]]:
    """(control id, result) of runs."""
    return [(run.control.id, run.result) for run in runs]
