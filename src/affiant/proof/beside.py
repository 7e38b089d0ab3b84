"""Worker processes for long work. One that dies (killed, or out of memory) is said to have died; nothing waits for it for ever.

Leaves out: what they do (`scan`, `side`).
"""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Any, Callable, Iterator, Optional, Sequence, Tuple

from .errors import CouldNotLook

MOST_BY_ITSELF = 8
# Windows waits for no more than 63 things at once.
MOST = 61


def how_many(asked: int) -> int:
    """Processes to use where `asked` are wanted; 0: one a core, up to `MOST_BY_ITSELF`, since each takes memory."""
    return min(asked, MOST) if asked else min(os.cpu_count() or 1, MOST_BY_ITSELF)


@contextmanager
def side_by_side(
    count: int, work: Callable[..., Any], items: Sequence[Tuple[Any, ...]], begin: "Optional[Callable[..., None]]" = None, *given: Any
) -> "Iterator[Iterator[Callable[[], Any]]]":
    """Begins at once; gives for each item, in order, a function that waits for `work(*item)` and gives its value or raises.

    Args:
        count: how many processes.
        work: a function of a module; called in another process.
        items: its arguments.
        begin: called with `given` in each process first.
    """
    # `spawn` is the same on every system and takes nothing of this process along.
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), begin, given)
    try:
        waiting = deque(_submitted(pool, work, item) for item in items)
        yield (partial(_result, waiting.popleft()) for _ in items)
    finally:
        # Who stops early has found what he wanted: what has not begun is left.
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def no_circles() -> "Iterator[None]":
    """Work that makes many things, none of which refers to itself: Python need not look for such circles meanwhile."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


def _submitted(pool: ProcessPoolExecutor, work: Callable[..., Any], item: Tuple[Any, ...]) -> "Future[Any]":
    try:
        return pool.submit(work, *item)
    except BrokenProcessPool:
        raise _ended() from None


def _result(waiting: "Future[Any]") -> Any:
    try:
        return waiting.result()
    except BrokenProcessPool:
        raise _ended() from None


def _ended() -> CouldNotLook:
    return CouldNotLook("A process of the verifier was ended from outside.", "Is there enough memory? Try again.")
