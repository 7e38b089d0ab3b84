"""Recomputing several controls over the same tables, in processes side by side.

Leaves out: what one recomputation does (`recompute`).
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from . import grammar
from .beside import side_by_side
from .rebuild import Leaves
from .recompute import Definition, Outcome, Recomputation, Recorded
from .scan import Job
from .views import Row, SqliteEvidence

MANY_ENTRIES = 300_000
STEPS_AN_ENTRY = 2_000


def max_steps(entries: int) -> int:
    """How many instructions a query over so many entries may take."""
    return grammar.MAX_STEPS + STEPS_AN_ENTRY * entries


@dataclass(frozen=True)
class Shared:
    """What recomputations of one moment share: tables and leaves on disk, rows of the computed tables."""

    job: Job
    database: str
    leaves: str
    computed: Dict[str, List[Row]]

    @property
    def entries(self) -> int:
        return self.job.end - self.job.start


def recompute_there(shared: Shared, definition: Definition, recorded: Recorded) -> Outcome:
    """Recompute one control over tables that another process filled; raises as `Recomputation.run`."""
    job = shared.job
    with (
        SqliteEvidence(job.tables(), shared.database, there=True) as evidence,
        closing(Leaves(shared.leaves, job.start, job.end)) as leaves,
    ):
        for name, rows in shared.computed.items():
            evidence.replace(name, rows)
        return Recomputation(definition, recorded, evidence, leaves.leaves, max_steps=max_steps(shared.entries)).run()


def recompute_all(shared: Shared, controls: "Sequence[Tuple[Definition, Recorded]]", processes: int) -> Iterator[Any]:
    """A function for each control, in order, that gives its `Outcome` or raises; the work is done side by side where it is long."""
    if processes <= 1 or shared.entries < MANY_ENTRIES:
        for definition, recorded in controls:
            yield lambda definition=definition, recorded=recorded: recompute_there(shared, definition, recorded)
        return
    items = [(shared, definition, recorded) for definition, recorded in controls]
    yield from side_by_side(min(processes, len(controls)), recompute_there, items)
