"""Limits: a worker spends slices that control leases to it, so that all workers together never exceed one.

Requests cost one. Tokens are reserved before forwarding (input estimate plus the most that may be answered) and settled
after: what was not used goes back into this worker's slice of the same window. Leaves out: who sums up slices (control).
"""

from __future__ import annotations

import asyncio
import time

from affiant.gateway.contact import Contact
from affiant.gateway.faults import Refusal
from affiant.gateway.tables import Tables
from affiant.kit.errors import CouldNotLook
from affiant.records.snapshot import SHARE, KeySnap, LimitSnap

DRY_S = 1.0
"""A limit that was used up is asked about again after this time: another node may have given back what it did not use."""


class _Purse:
    """A worker's slice of one limit for one subject in one window."""

    __slots__ = ("dry_until_s", "have", "lock")

    def __init__(self) -> None:
        self.have = 0
        self.dry_until_s = float("-inf")
        self.lock = asyncio.Lock()

    @property
    def dry(self) -> bool:
        """Whether the limit was used up a moment ago."""
        return time.monotonic() < self.dry_until_s


class Spent:
    """What one exchange reserved; `settle` gives back what it did not use."""

    __slots__ = ("_purses", "_reserved")

    def __init__(self, purses: list[_Purse], reserved: int) -> None:
        self._purses, self._reserved = purses, reserved

    def settle(self, used: int) -> None:
        """Give back the difference, or owe it (a purse may go below zero)."""
        for purse in self._purses:
            purse.have += self._reserved - used
        self._purses, self._reserved = [], 0


class Limits:
    """All limits as one worker spends them."""

    def __init__(self, contact: Contact) -> None:
        self._contact = contact
        self._purses: dict[tuple[str, str, int], _Purse] = {}

    async def reserve(self, tables: Tables, key: KeySnap, route: str, tokens: int, now_us: int) -> Spent | None:
        """Take one request and `tokens` from every limit that applies; None where no token limit does.

        Raises:
            Refusal: a limit is used up, or cannot be checked.
        """
        if not tables.limits:
            return None
        taken: list[tuple[_Purse, int]] = []
        purses: list[_Purse] = []
        try:
            for scope, subject in (
                (f"key:{key.id}", f"key:{key.id}"), ("key:*", f"key:{key.id}"), (f"tenant:{key.tenant}", f"tenant:{key.tenant}"),
                ("tenant:*", f"tenant:{key.tenant}"), (f"route:{route}", f"route:{route}"), ("route:*", f"route:{route}"), ("all", "all"),
            ):  # fmt: skip
                for limit in tables.limits.get(scope, ()):
                    cost = 1 if limit.unit == "requests" else tokens
                    purse = await self._take(limit, subject, cost, now_us)
                    taken.append((purse, cost))
                    if limit.unit != "requests":
                        purses.append(purse)
        except Refusal:
            for purse, cost in taken:
                purse.have += cost
            raise
        return Spent(purses, tokens) if purses else None

    async def _take(self, limit: LimitSnap, subject: str, cost: int, now_us: int) -> _Purse:
        window_us = max(1, limit.window_s) * 1_000_000
        window = now_us // window_us
        purse = self._purses.get((limit.id, subject, window))
        if purse is None:
            self._forget_old(limit.id, subject, window)
            purse = self._purses[(limit.id, subject, window)] = _Purse()
        while purse.have < cost:
            if purse.dry:
                raise self._used_up(limit, now_us)
            async with purse.lock:
                missing = cost - purse.have
                if missing <= 0 or purse.dry:
                    continue
                try:
                    granted = await self._contact.lease(limit.id, subject, window, max(missing, limit.value // SHARE), missing)
                except CouldNotLook as error:
                    raise Refusal("limits_unavailable") from error
                purse.have += granted
                if granted < missing:
                    purse.dry_until_s = time.monotonic() + DRY_S
        purse.have -= cost
        return purse

    @staticmethod
    def _used_up(limit: LimitSnap, now_us: int) -> Refusal:
        window_us = max(1, limit.window_s) * 1_000_000
        wait_s = -(-(window_us - now_us % window_us) // 1_000_000)
        code = "rate_limited" if limit.unit == "requests" else "tokens_limited"
        return Refusal(code, detail=f"Limit: {limit.id}.", retry_after_s=max(1, wait_s))

    def _forget_old(self, limit: str, subject: str, window: int) -> None:
        self._purses.pop((limit, subject, window - 1), None)
        if len(self._purses) > 10_000:
            self._purses.clear()
