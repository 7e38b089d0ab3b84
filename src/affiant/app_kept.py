"""Rows of control runs, kept in `derived/runs/` for pages. Disposable: they are made again from the entries (`app_runs`).

Leaves out: making them, so that control needs no analytic engine to read them.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from affiant.kit.errors import BadInput
from affiant.kit.home import Home


class KeptRun(msgspec.Struct, frozen=True, array_like=True):
    """Rows of one run, as pages show them; `limits` are (key, text, value, whole) of what the same entries do not show."""

    control: str
    freeze: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int, ...], ...]
    items: tuple[tuple[int, str], ...]
    unmatched_columns: tuple[str, ...]
    unmatched: tuple[tuple[str | int, ...], ...]
    limits: tuple[tuple[str, str, int, int], ...]


def kept_path(home: Home, freeze: str) -> Path:
    """Where the rows of a frozen population lie.

    Raises:
        BadInput: no freeze id.
    """
    if not freeze.replace("_", "").isalnum():
        raise BadInput(f"{freeze!r} is no freeze id.", "It is in the `population.frozen` entry.")
    return home.derived / "runs" / f"{freeze}.msgpack"
