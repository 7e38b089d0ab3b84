"""Small derived files that are rewritten often: in place, without a rename, so that keeping them costs no flush of the disk.

A write cut short leaves bytes that are no JSON; readers take that for no file, which derived files may be at any time.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def keep_json(path: Path, value: object) -> None:
    """Write a JSON value over what was there; padded with spaces to whole KiB, never truncated.

    Raises:
        OSError: the file cannot be written.
    """
    data = json.dumps(value, separators=(",", ":")).encode()
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        size = max(os.fstat(handle).st_size, -(-len(data) // 1024) * 1024)
        os.pwrite(handle, data.ljust(size), 0)
    finally:
        os.close(handle)


def kept_json(path: Path) -> Any:
    """What was kept, None if there is nothing readable."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
