"""Slices of limits for the nodes that share records: what PostgreSQL has leased of each limit, for each subject and window.

One function leases many slices in one round trip; a row is locked while it is counted, so that the sum of what nodes lease never exceeds
the limit, but for what they say they let through on an advance: that is counted whatever the limit. A slice lasts as long as its window.
Leaves out: what a node does with a slice (`leases`), when it asks (`granting`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from affiant.kit.postgres import PostgresDatabase

FORGET_EVERY_S = 60.0
_SQL = "SELECT given FROM lease_slices(?, ?, ?, ?, ?, ?, ?) ORDER BY number"


@dataclass(frozen=True, slots=True)
class Ask:
    """One slice that a node wants.

    Args:
        limit: its id.
        subject: whose use is counted; "-" where a limit counts all alike.
        window: unix seconds // length of the window.
        value: of the limit.
        debt: let through on an advance, and counted by nobody yet; below zero: given back.
        want: how much more.
        over_s: unix seconds after which nobody asks for this window.
    """

    limit: str
    subject: str
    window: int
    value: int
    debt: int
    want: int
    over_s: int


class Slices:
    """The table `slices`.

    Args:
        database: that the nodes share.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._forgot_s = float("-inf")

    def lease(self, asks: Sequence[Ask], now_s: int) -> list[int]:
        """Lease what there is; gives for each ask its debt and as much of what it wants as the limit has.

        Raises:
            CouldNotLook, NoRoom, BadInput: PostgreSQL did not answer. If it leased all the same, those slices stay unused.
        """
        if time.monotonic() - self._forgot_s > FORGET_EVERY_S:
            self._database.of_limits("DELETE FROM slices WHERE over_s < ?", (now_s,))
            self._forgot_s = time.monotonic()
        order = sorted(range(len(asks)), key=lambda place: (asks[place].limit, asks[place].subject, asks[place].window))
        rows = [asks[place] for place in order]  # all nodes lock in the same order, and so wait for one another, never in a circle
        columns = (
            [each.limit for each in rows], [each.subject for each in rows], [each.window for each in rows], [each.value for each in rows],
            [each.debt for each in rows], [each.want for each in rows], [each.over_s for each in rows],
        )  # fmt: skip
        given = [int(row[0]) for row in self._database.of_limits(_SQL, columns)]
        return [amount for _, amount in sorted(zip(order, given, strict=True))]
