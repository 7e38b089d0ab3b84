"""The scheduler: once per due time, nothing made up afterwards, one failure stops nobody."""

import asyncio
from pathlib import Path

from affiant.kit.errors import CouldNotLook
from affiant.operations import Every, FileBook, Job, Schedule, Scheduler

HOUR = 3_600_000_000
START = 1_795_564_800_000_000  # 2026-11-25T00:00:00Z


class Recorder:
    def __init__(self) -> None:
        self.ran: list[tuple[str, int]] = []

    def job(self, name: str, every: Every = Every.HOUR, minute: int = 5, fails: bool = False) -> Job:
        async def run(due_us: int) -> str:
            self.ran.append((name, due_us))
            if fails:
                raise CouldNotLook("No answer.", "Look again.")
            return "done"

        return Job(name, Schedule(every, minute), run)


def test_runs_each_due_time_once(tmp_path: Path) -> None:
    """A job runs once per due time however often it is asked, also after a restart."""
    seen = Recorder()
    path = tmp_path / "jobs.json"
    scheduler = Scheduler([seen.job("a")], FileBook(path), START)

    async def run() -> None:
        for minute in range(0, 130, 10):
            await scheduler.run_due(START + minute * 60_000_000)
        await Scheduler([seen.job("a")], FileBook(path), START + 130 * 60_000_000).run_due(START + 130 * 60_000_000)

    asyncio.run(run())
    assert seen.ran == [("a", START + h * HOUR + 5 * 60_000_000) for h in (0, 1, 2)]


def test_missed_times_stay_missed_and_a_late_run_counts_for_its_own_window(tmp_path: Path) -> None:
    """After 40 days without a scheduler only today's daily job runs, for today."""
    seen = Recorder()
    path = tmp_path / "jobs.json"
    first = Scheduler([seen.job("daily", Every.DAY, 60)], FileBook(path), START)
    asyncio.run(first.run_due(START + 2 * HOUR))
    later = START + 40 * 24 * HOUR + 9 * HOUR
    second = Scheduler([seen.job("daily", Every.DAY, 60)], FileBook(path), later)
    asyncio.run(second.run_due(later))
    asyncio.run(second.run_due(later + HOUR))
    assert seen.ran == [("daily", START + HOUR), ("daily", START + 40 * 24 * HOUR + HOUR)]


def test_a_new_home_starts_with_the_next_due_time(tmp_path: Path) -> None:
    """What was due before the first start is not run."""
    seen = Recorder()
    scheduler = Scheduler([seen.job("daily", Every.DAY, 60)], FileBook(tmp_path / "jobs.json"), START + 2 * HOUR)
    asyncio.run(scheduler.run_due(START + 3 * HOUR))
    assert seen.ran == []


def test_a_failing_job_is_an_outcome_and_stops_no_other(tmp_path: Path) -> None:
    """A job that fails gives ok = 0 with what to do, and the next job still runs."""
    seen = Recorder()
    scheduler = Scheduler([seen.job("bad", fails=True), seen.job("good")], FileBook(tmp_path / "jobs.json"), START)
    outcomes = asyncio.run(scheduler.run_due(START + HOUR - 1))
    assert [(o.job, o.ok, o.note) for o in outcomes] == [("bad", False, "No answer. Look again."), ("good", True, "done")]
    draft = outcomes[0].draft()
    assert draft.type == "job.run" and draft.ref == "bad" and draft.body["ok"] == 0 and "Look again" in draft.body["note"]


def test_an_unreadable_memory_is_the_same_as_none(tmp_path: Path) -> None:
    """A damaged jobs file costs at most what was due before the start."""
    path = tmp_path / "jobs.json"
    path.write_bytes(b"{]")
    seen = Recorder()
    asyncio.run(Scheduler([seen.job("a")], FileBook(path), START).run_due(START + HOUR))
    assert seen.ran == []
    asyncio.run(Scheduler([seen.job("a")], FileBook(path), START).run_due(START + 6 * 60_000_000))
    assert len(seen.ran) == 1
