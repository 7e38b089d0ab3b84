"""Recomputing several controls over the same tables, in processes side by side.

Leaves out: what one recomputation does (`recompute`).
"""

from __future__ import annotations

import multiprocessing
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from . import grammar
from .rebuild import Leaves
from .recompute import Definition, Outcome, Recomputation, Recorded
from .views import Row, SqliteEvidence, Views

MANY_ENTRIES = 300_000
STEPS_AN_ENTRY = 2_000


@dataclass(frozen=True)
class Shared:
    """What recomputations of one moment share: tables and leaves on disk, rows of the computed tables."""

    database: str
    leaves: str
    start: int
    end: int
    views: bytes
    wanted: Tuple[str, ...]
    computed: Dict[str, List[Row]]

    @property
    def max_steps(self) -> int:
        return grammar.MAX_STEPS + STEPS_AN_ENTRY * (self.end - self.start)


def recompute_there(shared: Shared, definition: Definition, recorded: Recorded) -> Outcome:
    """Recompute one control over tables that another process filled; raises as `Recomputation.run`."""
    views = Views.parse(shared.views).only(shared.wanted)
    with SqliteEvidence(views, shared.database, there=True) as evidence, closing(Leaves(shared.leaves, shared.start, shared.end)) as leaves:
        for name, rows in shared.computed.items():
            evidence.replace(name, rows)
        return Recomputation(definition, recorded, evidence, leaves.leaf, max_steps=shared.max_steps).run()


def recompute_all(shared: Shared, controls: "Sequence[Tuple[Definition, Recorded]]", processes: int) -> Iterator[Any]:
    """A function for each control, in order, that gives its `Outcome` or raises; the work is done side by side where it is long."""
    if processes <= 1 or shared.end - shared.start < MANY_ENTRIES:
        for definition, recorded in controls:
            yield lambda definition=definition, recorded=recorded: recompute_there(shared, definition, recorded)
        return
    with multiprocessing.get_context("spawn").Pool(min(processes, len(controls))) as pool:
        for result in [pool.apply_async(recompute_there, (shared, definition, recorded)) for definition, recorded in controls]:
            yield result.get
