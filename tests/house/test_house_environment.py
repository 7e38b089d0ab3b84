"""The command that `tools/environment` puts into an environment."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_command_runs_only_where_it_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that a command starts (`spawn`) reads the command's file again under another name: it must not run the command again."""
    shim = tmp_path / "affiant"
    text = runpy.run_path(str(ROOT / "tools" / "environment.py"), run_name="read")["SHIM"]
    shim.write_text(text.format(python=sys.executable), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["affiant", "--version"])
    runpy.run_path(str(shim), run_name="__mp_main__")
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(shim), run_name="__main__")
    assert ended.value.code in (0, None)
