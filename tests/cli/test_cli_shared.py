"""What commands share: periods, instants, and the worst of several exit codes."""

from __future__ import annotations

import pytest

from affiant.cli.init import parse_witness
from affiant.cli.shared import moment_us, period_us, worst
from affiant.kit.errors import BadInput

DAY = 86_400_000_000
JAN1 = 1_767_225_600_000_000


def test_dates_are_both_inclusive() -> None:
    """A..B with dates covers both days."""
    assert period_us("2026-01-01..2026-01-31") == (JAN1, JAN1 + 31 * DAY)
    assert period_us("2026-01-01..2026-01-01") == (JAN1, JAN1 + DAY)


def test_instants_are_half_open() -> None:
    """A..B with instants excludes the second one, to the microsecond."""
    assert period_us("2026-01-01T00:00:00Z..2026-01-01T00:00:00.000001Z") == (JAN1, JAN1 + 1)
    assert moment_us("2026-01-01T01:00:00+01:00") == JAN1


@pytest.mark.parametrize(
    "text",
    ["", "2026-01-01", "2026-01-01..", "2026-02-01..2026-01-01", "2026-01-01..2026-01-02T00:00:00Z",
     "2026-01-01T00:00:00..2026-01-02T00:00:00",
     "2026-13-01..2026-13-02", "a..b", "2026-01-01T00:00:00Z..2026-01-01T00:00:00Z"],
)  # fmt: skip
def test_bad_periods_are_refused(text: str) -> None:
    """Anything else says what to write."""
    with pytest.raises(BadInput, match="Write"):
        period_us(text)


def test_the_worst_exit_code_wins() -> None:
    """Mixed outcomes: 2 over 1 over 3 over 0."""
    assert [worst(codes) for codes in ([], [0, 0], [0, 3], [3, 1], [1, 3, 2])] == [0, 0, 3, 1, 2]


def test_a_witness_is_named_by_key_and_address() -> None:
    """The name is the key's own; a name in front is allowed."""
    vkey = "w.example+1a2b3c4d+BAAA="
    for text in (f"{vkey}@http://localhost:1/", f"w.example={vkey}@http://localhost:1"):
        witness = parse_witness(text)
        assert (witness.name, witness.vkey, witness.url) == ("w.example", vkey, "http://localhost:1")


@pytest.mark.parametrize("text", ["", "x", "a+b@http://h", "a+b+c", "a+b+c@ftp://h"])
def test_a_bad_witness_is_refused(text: str) -> None:
    """Anything else says what to write."""
    with pytest.raises(BadInput, match="--witness"):
        parse_witness(text)
