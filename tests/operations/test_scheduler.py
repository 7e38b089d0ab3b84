"""The scheduler: once per due time, nothing made up afterwards, one failure stops nobody."""

import asyncio
import json
import signal
import subprocess
import sys
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


_DIES = """
import asyncio, os, signal, sys
from pathlib import Path
from affiant.operations import Every, FileBook, Job, Schedule, Scheduler

async def run(due_us):
    print(f"began {due_us}", flush=True)
    if sys.argv[3] == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"

now_us = int(sys.argv[2])
job = Job("a", Schedule(Every.HOUR, 5), run, quiet=True)
scheduler = Scheduler([job], FileBook(Path(sys.argv[1])), now_us)
for outcome in asyncio.run(scheduler.run_due(now_us)):
    print(outcome.ok, outcome.told, outcome.note)
"""


def _process(path: Path, minute: int, how: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _DIES, str(path), str(START + minute * 60_000_000), how], capture_output=True, text=True, check=False
    )
    assert done.returncode == (0 if how == "works" else -signal.SIGKILL), done.stderr
    return done.stdout.splitlines()


def _known(path: Path) -> None:
    """A home that did the job the hour before."""
    book = FileBook(path)
    book.last({"a": 0})
    book.take({"a": START - 55 * 60_000_000})
    book.done([("a", START - 55 * 60_000_000)])


def test_what_a_killed_process_had_taken_is_done_by_the_next_and_says_so(tmp_path: Path) -> None:
    """Killed twice in the middle, it is begun a third time within its window; done once, it is not begun again."""
    path, due_us = tmp_path / "jobs.json", START + 5 * 60_000_000
    _known(path)
    assert _process(path, 0, "works") == []
    assert _process(path, 6, "dies") == [f"began {due_us}"]
    assert _process(path, 7, "dies") == [f"began {due_us}"]
    assert _process(path, 8, "works") == [f"began {due_us}", "True True Begun 3 times, not finished before. done"]
    assert _process(path, 9, "works") == []
    assert _process(path, 66, "works")[1] == "True False done"


def test_work_that_kills_whoever_does_it_is_given_up(tmp_path: Path) -> None:
    """After three tries of one due time it is missed; the next due time is another matter."""
    path = tmp_path / "jobs.json"
    _known(path)
    for minute in (6, 7, 8):
        assert len(_process(path, minute, "dies")) == 1
    assert _process(path, 9, "works") == []
    assert len(_process(path, 66, "works")) == 2


def test_what_was_not_finished_is_not_made_up_for_after_its_window(tmp_path: Path) -> None:
    """Begun in one hour and not finished, it stays missed in the next, whose own run is a first try."""
    path = tmp_path / "jobs.json"
    _known(path)
    _process(path, 6, "dies")
    assert _process(path, 61, "works") == []
    assert _process(path, 66, "works") == [f"began {START + HOUR + 5 * 60_000_000}", "True False done"]


def test_a_memory_from_before_says_nothing_about_what_was_not_finished(tmp_path: Path) -> None:
    """A file without what was done: what it says was taken is not begun again."""
    path = tmp_path / "jobs.json"
    path.write_text(json.dumps({"v": 1, "last": {"a": START + 5 * 60_000_000}}))
    assert _process(path, 6, "works") == []
    assert len(_process(path, 66, "works")) == 2
