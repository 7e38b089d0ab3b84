"""Runs jobs when they are due. What was missed stays missed: a late run counts for its own hour, day or month, never for an earlier one.

Which due times were taken and which were done is kept in `HOME/derived/jobs.json`; without that file each job starts with its next due
time. Where nodes share records a job is done by the node that takes its due time first (`records.jobs`), unless each does it for itself.
What was taken and not done, because its process or node died, is begun again while its window is open, and says so. A job that fails is
done: it writes `job.run` with ok = 0 and what to do, and stops no other. Leaves out: threads and processes; jobs are coroutines of control.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from affiant.kit.errors import AffiantError
from affiant.ledger import Draft
from affiant.operations.keep import keep_json, kept_json
from affiant.operations.schedule import Schedule
from affiant.records.jobs import MAX_TRIES, JobBook, Taken

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
    """How one run of a job ended.

    Args:
        told: whether it becomes an event of its own.
    """

    job: str
    due_us: int
    ok: bool
    note: str
    told: bool = True

    def draft(self) -> Draft:
        """As an event."""
        body: dict[str, str | int] = {"due": self.due_us, "ok": int(self.ok)}
        if self.note:
            body["note"] = self.note[:MAX_NOTE]
        return Draft("job.run", body, ref=self.job, actor="system:operations")


class FileBook:
    """Due times that one node took and did, in a derived file: unreadable, it is the same as none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._tries: dict[str, int] = {}

    def last(self, first: dict[str, int]) -> dict[str, int]:
        """As `JobBook.last`."""
        self._load()
        self._last = {name: self._last.get(name, due_us) for name, due_us in first.items()}
        self._done = {name: self._done.get(name, due_us) for name, due_us in self._last.items()}
        return dict(self._done)

    def take(self, due: dict[str, int]) -> Taken:
        """As `JobBook.take`; nobody else asks, so each is had that was not begun too often."""
        tries = {name: self._tries.get(name, 1) + 1 if self._last[name] == due_us else 1 for name, due_us in due.items()}
        mine = {name: count for name, count in tries.items() if count <= MAX_TRIES}
        self._tries |= mine
        self._last |= {name: due[name] for name in mine}
        self._keep()
        return Taken(mine, frozenset(due.keys() - mine.keys()))

    def renew(self) -> None:
        """As `JobBook.renew`; nobody else waits for it."""

    def done(self, due: Iterable[tuple[str, int]]) -> None:
        """As `JobBook.done`."""
        self._done |= dict(due)
        self._keep()

    def _keep(self) -> None:
        keep_json(self._path, {"v": 1, "last": self._last, "done": self._done, "tries": self._tries})

    def _load(self) -> None:
        data = kept_json(self._path)
        if data is None:
            return
        try:
            found = [{str(name): int(value) for name, value in data.get(part, {}).items()} for part in ("last", "done", "tries")]
        except (ValueError, AttributeError, TypeError):
            return
        self._last, self._done, self._tries = found


class Scheduler:
    """Remembers which due time each job needs no more.

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
        self._begun: set[tuple[str, int]] = set()
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

    def take(self, now_us: int, ready: bool = True) -> list[tuple[Job, int, int]]:
        """What is due and to be done here, each with its due time and which try of it this is. It is marked as taken before its run.

        Args:
            ready: whether this node would serve; one that would not leaves to the others what one of them does.

        Raises:
            AffiantError: what nodes share cannot be reached.
        """
        pending = [(job, due_us) for job, due_us in self.due(now_us) if ready or job.name not in self._shared]
        mine: dict[str, int] = {}
        for book, names in self._books:
            due = {job.name: due_us for job, due_us in pending if job.name in names}
            if due:
                taken = book.take(due)
                mine |= taken.mine
                self._begun |= {(name, due[name]) for name in taken.mine}
                self._last |= {name: due[name] for name in (*taken.mine, *taken.over)}
        return [(job, due_us, mine[job.name]) for job, due_us in pending if job.name in mine]

    @property
    def busy(self) -> bool:
        """Whether something was taken that is not done."""
        return bool(self._begun)

    def renew(self) -> None:
        """Keep what was taken from being taken over by another node. Blocking.

        Raises:
            AffiantError: what nodes share cannot be reached.
        """
        for book, _ in self._books:
            book.renew()

    def done(self, outcomes: Iterable[Outcome]) -> None:
        """What came of these is durable: nobody needs to do them again. Blocking.

        Raises:
            AffiantError: what nodes share cannot be reached; some may be done again.
        """
        due = [(outcome.job, outcome.due_us) for outcome in outcomes]
        for book, names in self._books:
            of_book = [(name, due_us) for name, due_us in due if name in names]
            if of_book:
                book.done(of_book)
        self._begun -= set(due)

    async def run_due(self, now_us: int) -> list[Outcome]:
        """Take what is due and run it, one after another."""
        outcomes = [await run_job(*taken) for taken in self.take(now_us)]
        self.done(outcomes)
        return outcomes


async def run_job(job: Job, due_us: int, number: int = 1) -> Outcome:
    """Run one job; a surprise in it is its outcome and stops no other.

    Args:
        number: which try of that due time it is; from the second on it is told, whether the job is quiet or not.
    """
    again = f"Begun {number} times, not finished before. " if number > 1 else ""
    try:
        note = await job.run(due_us)
    except AffiantError as error:
        return Outcome(job.name, due_us, False, f"{again}{error}")
    except Exception as error:
        return Outcome(job.name, due_us, False, f"{again}{type(error).__name__}: {error}")
    return Outcome(job.name, due_us, True, f"{again}{note}".strip(), not job.quiet or number > 1)
