"""What commands share: the home option, JSON out, words out, periods in, and the worst of several exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from affiant.cli.doors import Doors
from affiant.kit.errors import AffiantError, BadInput
from affiant.kit.home import Home, open_home

HOME_ENV = "AFFIANT_HOME"
F = TypeVar("F", bound=Callable[..., Any])

GOOD, FINDING, USAGE, UNSEEN = 0, 1, 2, 3
_WORST = {USAGE: 3, FINDING: 2, UNSEEN: 1, GOOD: 0}


def home_option(function: F) -> F:
    """`--home D`, default AFFIANT_HOME."""
    return click.option(
        "--home",
        "home",
        type=click.Path(file_okay=False, path_type=Path),
        envvar=HOME_ENV,
        metavar="D",
        help=f"The home (default: {HOME_ENV}).",
    )(function)


def need_home(root: Path | None) -> Home:
    """The home that was named.

    Raises:
        BadInput: none was named; NotFound: there is none there.
    """
    if root is None:
        raise BadInput("No home was named.", f"Give --home D, or set {HOME_ENV}.")
    return open_home(root)


def doors_of(ctx: click.Context) -> Doors:
    """What `app` handed in."""
    doors = ctx.find_object(Doors)
    if doors is None:
        raise AffiantError("This command needs the whole program.", "Run `affiant` or `python -m affiant`.")
    return doors


def out(value: object) -> None:
    """One JSON value on one line of standard output."""
    sys.stdout.write(json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """One line for a person on standard error."""
    click.echo(text, err=True)


def worst(codes: Iterable[int]) -> int:
    """Of several exit codes the one that counts: 2 > 1 > 3 > 0."""
    return max(codes, key=lambda code: _WORST.get(code, 3), default=GOOD)


def moment_us(text: str, what: str = "time") -> int:
    """An instant in µs UTC from `YYYY-MM-DD` (its first moment) or ISO 8601 with `Z` or an offset.

    Raises:
        BadInput: neither.
    """
    try:
        if len(text) == 10:
            return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * 1_000_000
        value = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        value = None
    if value is None or value.tzinfo is None:
        raise BadInput(f"{text!r} is no {what}.", "Write YYYY-MM-DD, or an instant such as 2026-03-01T00:00:00Z.")
    return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def period_us(text: str) -> tuple[int, int]:
    """`A..B` as half-open µs: UTC dates are both inclusive, instants half-open.

    Raises:
        BadInput: not two of the same kind, or empty.
    """
    first, separator, last = text.partition("..")
    if not separator or (len(first) == 10) != (len(last) == 10):
        raise BadInput(f"{text!r} is no period.", "Write A..B with two dates (both inclusive) or two instants (half-open).")
    begin, end = moment_us(first), moment_us(last)
    if len(last) == 10:
        end += 86_400_000_000
    if begin >= end:
        raise BadInput(f"The period {text} is empty.", "Write the earlier end first.")
    return begin, end


def when(at_us: int) -> str:
    """An instant for people."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).strftime("%Y-%m-%d %H:%M:%S UTC")


def table(rows: list[list[str]]) -> str:
    """Columns for people; the first row is the head."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def default_port() -> int:
    """The gateway's port: AFFIANT_PORT, else 8080."""
    text = os.environ.get("AFFIANT_PORT", "8080")
    if not text.isdigit() or int(text) > 65_535:
        raise BadInput(f"AFFIANT_PORT is {text!r}.", "Set a number from 0 to 65535.")
    return int(text)
