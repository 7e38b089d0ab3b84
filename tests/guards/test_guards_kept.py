"""The compiled scan is kept beside a home: used where it fits, made again where it does not, never trusted where it is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from affiant.guards.builtin import scanner
from affiant.weights.keptscan import FILE, kept_scanner

TEXT = "Write to dana@example.org, card 4111 1111 1111 1111, key AKIAIOSFODNN7EXAMPLE."


def _none(_: str) -> None:
    raise AssertionError("nothing had to be told")


def test_a_second_start_does_not_compile(tmp_path: Path) -> None:
    """It finds the same."""
    first, second = kept_scanner(tmp_path, _none), kept_scanner(tmp_path, _none)
    assert first.compiled and not second.compiled
    assert second.find(TEXT) == first.find(TEXT) == scanner().find(TEXT)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("damage", ["cut", "flipped", "other patterns", "other machine"])
def test_what_does_not_fit_is_made_again(damage: str, tmp_path: Path) -> None:
    """And put right for the next start."""
    good = scanner().database
    kept_scanner(tmp_path, _none)
    data = bytearray((tmp_path / FILE).read_bytes())
    if damage == "cut":
        del data[-100:]
    elif damage == "flipped":
        data[len(data) // 2] ^= 1
    elif damage == "other machine":
        data[20] ^= 1
    else:
        place = bytes(data).index(good[:32])
        data[place] ^= 1
    (tmp_path / FILE).write_bytes(data)
    again = kept_scanner(tmp_path, _none)
    assert again.compiled and again.find(TEXT) == scanner().find(TEXT)
    assert not kept_scanner(tmp_path, _none).compiled


def test_where_it_cannot_be_kept_that_is_said(tmp_path: Path) -> None:
    """Guards work all the same."""
    told: list[str] = []
    made = kept_scanner(tmp_path / "none", told.append)
    assert made.find(TEXT) and len(told) == 1 and "Make it writable" in told[0]
