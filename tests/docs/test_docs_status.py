"""docs/status.md is honest in form: every capability, a known state, and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from affiant.cli.reference import commands

ROOT = Path(__file__).parents[2]
STATES = {"shown", "partly", "not"}
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/status.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| [A-Z]+-\d+ \|", line)
]
CAPABILITIES = (
    [f"SEC-{n}" for n in range(1, 9)]
    + [f"AV-{n}" for n in range(1, 7)]
    + [f"PI-{n}" for n in range(1, 7)]
    + [f"CO-{n}" for n in range(1, 7)]
    + [f"PR-{n}" for n in range(1, 7)]
    + [f"GOV-{n}" for n in range(1, 4)]
    + [f"LIN-{n}" for n in range(1, 4)]
    + [f"RAI-{n}" for n in range(1, 4)]
    + ["PPL-1"]
    + [f"AUD-{n}" for n in range(14)]
    + [f"OPS-{n}" for n in range(1, 6)]
)


def test_every_capability_has_a_row() -> None:
    """Each id stands there once, in order, with a known state."""
    assert [row[0] for row in ROWS] == CAPABILITIES
    assert {row[2] for row in ROWS} <= STATES


@pytest.mark.parametrize("row", [row for row in ROWS if row[2] != "not"], ids=lambda row: row[0])
def test_what_is_shown_names_a_command_that_exists(row: list[str]) -> None:
    """Each row that claims something names a command of the program, a make target or a test file that is there."""
    named = re.findall(r"`([^`]+)`", row[4])
    assert named, f"{row[0]} names no command"
    for command in named:
        assert exists(command), f"{row[0]}: `{command}` does not exist"


@pytest.mark.parametrize("row", [row for row in ROWS if row[2] == "not"], ids=lambda row: row[0])
def test_what_is_not_there_claims_nothing(row: list[str]) -> None:
    """A row without anything to show names no command."""
    assert "`" not in row[4]


def exists(command: str) -> bool:
    words = command.split()
    if words[0] == "make":
        return re.search(rf"^{re.escape(words[1])}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M) is not None
    if words[0] == "affiant":
        known = {name for name, _ in commands()}
        return any(" ".join(words[:count]) in known for count in range(2, len(words) + 1))
    if words[0] == "pytest":
        return (ROOT / words[1]).exists()
    return words[0] == "GET" and len(words) == 2
