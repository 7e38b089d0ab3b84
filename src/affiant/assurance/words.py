"""Sentences for people: why a row is not met, and where a population ends. Leaves out: what the rows are (`run`)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from affiant.assurance.period import Period, instant_text
from affiant.catalog import Control, Population

_PLACE = re.compile(r"\{([a-z0-9_]+)(\|time)?\}")


def why_text(control: Control, code: str, values: Mapping[str, Any]) -> str:
    """The sentence for a short code, with the row's values in their places; the code itself where the catalog has no sentence."""
    why = control.whys.get(code)
    if why is None:
        return code

    def value(match: re.Match[str]) -> str:
        found = values.get(match[1], match[0])
        if match[2] and type(found) is int:
            return instant_text(found)
        return str(found) if found != "" else "(none)"

    return _PLACE.sub(value, why.text)


def boundary(
    population: Population, period: Period, view_from: int, end_size: int, sequence_fault: str, unmatched: Sequence[Any], versions: int
) -> tuple[str, ...]:
    """What a frozen population covers, in sentences; complete is never claimed alone.

    Args:
        population: its catalog item.
        period: of the run.
        view_from: first entry read.
        end_size: entries with a lower index were read.
        sequence_fault: what is wrong with a producer's numbers; "" for nothing.
        unmatched: rows of the reconciliation.
        versions: control versions in force within the entries read.
    """
    entries = "no entries" if end_size == view_from else f"the entries {view_from:,} to {end_size - 1:,}"
    lines = [
        f"From {instant_text(period.from_us)} to {instant_text(period.to_us)} (the end is not part of it), UTC; read from {entries}.",
        f"Sequence check failed: {sequence_fault}" if sequence_fault else "Each producer's numbers follow one another without a gap.",
    ]
    if population.reconcile:
        count = "nothing unmatched" if not unmatched else f"{len(unmatched):,} unmatched, listed beside"
        lines.append(f"Compared with {population.source}: {count}.")
    else:
        lines.append("There is no independent count to compare this population with.")
    if versions > 1:
        lines.append(f"{versions} versions of the control were in force in these entries; all rows are judged by the newest.")
    return (*lines, *population.boundary)
