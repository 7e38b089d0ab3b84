"""A bounded pool of threads for guards over long texts, so that the event loop goes on serving others meanwhile.

Short texts are decided at once on the loop. A full pool refuses, since an exchange that cannot be guarded now does not pass; a policy may
say otherwise (`unguarded`), and then the decision says that nobody looked. Leaves out: what guards do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from affiant.gateway.faults import Refusal

T = TypeVar("T")
AT_ONCE = 1_000
"""Characters up to which guards run on the loop: a few milliseconds at most."""


class GuardPool:
    """Where guards run.

    Args:
        threads: that run at a time.
        waiting: exchanges that may wait for one.
    """

    def __init__(self, threads: int = 2, waiting: int = 64) -> None:
        self._executor = ThreadPoolExecutor(threads, "guards")
        self._most, self._busy = threads + waiting, 0

    async def run(self, chars: int, call: Callable[[], T], instead: Callable[[], T] | None = None) -> T:
        """What `call` gives.

        Args:
            chars: that it looks at.
            instead: what is given where the pool is full and the policy lets pass; None: it does not.

        Raises:
            Refusal: `guards_busy`, the pool is full.
        """
        if chars <= AT_ONCE:
            return call()
        if self._busy >= self._most:
            if instead is not None:
                return instead()
            raise Refusal("guards_busy", retry_after_s=1)
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, call)
        finally:
            self._busy -= 1

    def close(self) -> None:
        """Let go of the threads; what runs is finished."""
        self._executor.shutdown(wait=False, cancel_futures=True)
