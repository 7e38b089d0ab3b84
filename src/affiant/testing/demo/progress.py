"""One line on a terminal that says how far the demonstration is; plain lines where there is no terminal. Leaves out: colour."""

from __future__ import annotations

import sys
import time


class Progress:
    """Writes to standard error. `step` names what happens now; `show` updates within a step."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._start = time.monotonic()
        self._last = 0.0
        self._width = 0

    def step(self, text: str) -> None:
        """Something begins."""
        self._put(text)
        if not self._terminal:
            sys.stderr.write("\n")
        sys.stderr.flush()

    def show(self, done: int, total: int, text: str) -> None:
        """Something goes on; at most ten times a second."""
        now = time.monotonic()
        if not self._terminal or (now - self._last < 0.1 and done < total):
            return
        self._last = now
        filled = 24 * done // max(1, total)
        self._put(f"[{'█' * filled}{'·' * (24 - filled)}] {100 * done // max(1, total):3d} %  {text}")
        sys.stderr.flush()

    def end(self, text: str) -> None:
        """The last line of a step, which stays."""
        self._put(f"{text} ({time.monotonic() - self._start:.1f} s since the start)")
        sys.stderr.write("\n")
        sys.stderr.flush()
        self._width = 0

    def _put(self, text: str) -> None:
        if self._terminal:
            sys.stderr.write("\r" + text.ljust(self._width))
            self._width = len(text)
        else:
            sys.stderr.write(text)
