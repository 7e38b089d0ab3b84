"""Recomputing several controls over the same tables, in processes side by side.

Leaves out: what one recomputation does (`recompute`).
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Dict, Generator, Iterator, List, Sequence, Tuple

from . import grammar
from .beside import how_many, side_by_side
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


@contextmanager
def opened(shared: Shared) -> "Iterator[Tuple[SqliteEvidence, Leaves]]":
    """Tables and leaves that another process filled, with the computed tables beside them."""
    job = shared.job
    with (
        SqliteEvidence(job.tables(), shared.database, there=True) as evidence,
        closing(Leaves(shared.leaves, job.start, job.end)) as leaves,
    ):
        for name, rows in shared.computed.items():
            evidence.replace(name, rows)
        yield evidence, leaves


def recompute_there(shared: Shared, definition: Definition, recorded: Recorded) -> Outcome:
    """Recompute one control over tables that another process filled; raises as `Recomputation.run`."""
    with opened(shared) as (evidence, leaves):
        return Recomputation(definition, recorded, evidence, leaves.leaves, max_steps=max_steps(shared.entries)).run()


def recompute_all(
    work: "Callable[..., Any]", shared: Shared, controls: "Sequence[Tuple[Any, ...]]", processes: int = 0
) -> "Generator[Callable[[], Any], None, None]":
    """A function for each control, in order, that gives `work(shared, *control)` or raises.

    Args:
        work: a function of a module.
        shared: its first argument.
        controls: its further arguments, for each control.
        processes: how many to use; 0: as many as are good where entries are many, else none besides this one.
    """
    items = [(shared, *control) for control in controls]
    count = min(len(items), how_many(processes) if processes or shared.entries >= MANY_ENTRIES else 1)
    if count <= 1:
        yield from (partial(work, *item) for item in items)
        return
    with side_by_side(count, work, items) as results:
        yield from results
