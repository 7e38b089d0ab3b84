"""Runs jobs when they are due. What was missed stays missed: a late run counts for its own hour, day or month, never for an earlier one.

Last runs are kept in `HOME/derived/jobs.json`; without that file each job starts with its next due time. Where nodes share records a
job is done by the node that takes its due time first (`records.jobs`), unless each does it for itself. A job that fails writes `job.run`
with ok = 0 and what to do, and stops no other. Leaves out: threads and processes; jobs are coroutines of control.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from affiant.kit.errors import AffiantError
from affiant.ledger import Draft
from affiant.operations.keep import keep_json, kept_json
from affiant.operations.schedule import Schedule
from affiant.records.jobs import JobBook

MAX_NOTE = 500


@dataclass(frozen=True, slots=True)
class Job:
    """Scheduled work.

    Args:
        name: `ref` of its `job.run` events.
        schedule: when it is due.
        quiet: whether its success is told by events of its own, so that only failures become `job.run`.
        apart: whether it may take long and nothing waits for it; its next run waits for this one.
        each_node: whether every node does it for itself, about itself.
        run: does it for a due time (µs) and says what it did, "" for nothing to say; events that it wrote are its own matter.
    """

    name: str
    schedule: Schedule
    run: Callable[[int], Awaitable[str]]
    quiet: bool = False
    apart: bool = False
    each_node: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run of a job ended."""

    job: str
    due_us: int
    ok: bool
    note: str
    quiet: bool = False

    def draft(self) -> Draft:
        """As an event."""
        body: dict[str, str | int] = {"due": self.due_us, "ok": int(self.ok)}
        if self.note:
            body["note"] = self.note[:MAX_NOTE]
        return Draft("job.run", body, ref=self.job, actor="system:operations")


class FileBook:
    """Due times that one node took, in a derived file: unreadable, it is the same as none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: dict[str, int] = {}

    def last(self, first: dict[str, int]) -> dict[str, int]:
        """As `JobBook.last`."""
        kept = self._load()
        self._last = {name: kept.get(name, due_us) for name, due_us in first.items()}
        return dict(self._last)

    def take(self, due: dict[str, int]) -> set[str]:
        """As `JobBook.take`; nobody else asks, so each is had."""
        self._last.update(due)
        keep_json(self._path, {"v": 1, "last": self._last})
        return set(due)

    def _load(self) -> dict[str, int]:
        data = kept_json(self._path)
        if data is None:
            return {}
        try:
            return {str(name): int(due) for name, due in data["last"].items()}
        except (ValueError, KeyError, AttributeError, TypeError):
            return {}


class Scheduler:
    """Remembers which due time each job ran for last.

    Args:
        jobs: in the order in which they run when several are due.
        own: where this node keeps its last runs.
        now_us: wall time of the start; what was due before it is not run unless its window is still open and it was seen before.
        shared: where all nodes take what one of them does; None where there is one.
    """

    def __init__(self, jobs: Sequence[Job], own: FileBook, now_us: int, shared: JobBook | None = None) -> None:
        self._jobs = tuple(jobs)
        self._shared = {job.name for job in jobs if shared is not None and not job.each_node}
        self._books: list[tuple[JobBook, set[str]]] = [(own, {job.name for job in jobs} - self._shared)]
        if shared is not None:
            self._books.append((shared, self._shared))
        first = {job.name: job.schedule.latest_due(now_us) for job in jobs}
        self._last: dict[str, int] = {}
        for book, names in self._books:
            self._last |= book.last({name: due_us for name, due_us in first.items() if name in names})

    def due(self, now_us: int) -> list[tuple[Job, int]]:
        """Jobs with a due time since their last run whose window is still open; older due times are gone for good."""
        found = []
        for job in self._jobs:
            due_us = job.schedule.latest_due(now_us)
            if due_us > self._last[job.name] and now_us < job.schedule.end_of_window(due_us):
                found.append((job, due_us))
        return found

    def take(self, now_us: int, ready: bool = True) -> list[tuple[Job, int]]:
        """What is due, marked as run: a due time is marked before its run, so that a crash does not repeat it.

        Args:
            ready: whether this node would serve; one that would not leaves to the others what one of them does.
        """
        pending = [(job, due_us) for job, due_us in self.due(now_us) if ready or job.name not in self._shared]
        had: set[str] = set()
        for book, names in self._books:
            due = {job.name: due_us for job, due_us in pending if job.name in names}
            if due:
                had |= book.take(due)
                self._last.update(due)  # also what another node has taken
        return [(job, due_us) for job, due_us in pending if job.name in had]

    async def run_due(self, now_us: int) -> list[Outcome]:
        """Take what is due and run it, one after another."""
        return [await run_job(job, due_us) for job, due_us in self.take(now_us)]


async def run_job(job: Job, due_us: int) -> Outcome:
    """Run one job; a surprise in it is its outcome and stops no other."""
    try:
        note = await job.run(due_us)
    except AffiantError as error:
        return Outcome(job.name, due_us, False, str(error))
    except Exception as error:
        return Outcome(job.name, due_us, False, f"{type(error).__name__}: {error}")
    return Outcome(job.name, due_us, True, note, job.quiet)
