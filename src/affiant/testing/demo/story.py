"""What the invented company does in those days, at moments of the history: ordinary changes, and three real deviations.

The deviations are made by doing them, never by writing events: an emergency change approved by its own author; a provider key that
somebody uses beside the gateway; a day on which the scheduler stood still (the history leaves the ticks of that day out).
Leaves out: traffic.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from affiant.operations.wire import Wire
from affiant.testing.demo.control import Control
from affiant.testing.demo.layout import OUTSIDE_ACCOUNT, Layout

DAY_US = 86_400_000_000
SETTLE_S = 0.4
"""Real seconds in which every worker has the newest snapshot: an hour passes at once here, and a change takes a moment."""
SCHEDULER_DOWN = 0.46
"""Share of the history after which the scheduler stands still for a day."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happens once.

    Args:
        share: when, as a share of the whole history.
        hour: at which hour of that day (UTC).
        act: does it.
    """

    share: float
    hour: int
    act: Callable[[], Awaitable[None]]


class Story:
    """The company's acts, through control's API as its people.

    Args:
        control: control of the home.
        simulator: base URL of the provider.
        layout: for the credential that somebody uses beside the gateway.
        keys: gateway key id -> secret; keys made on the way are added.
    """

    def __init__(self, control: Control, simulator: str, layout: Layout, keys: dict[str, str]) -> None:
        self._control = control
        self._simulator = simulator
        self._layout = layout
        self._keys = keys
        self._imported: set[int] = set()

    def moments(self) -> list[Moment]:
        """Everything that happens, in order."""
        return [
            Moment(0.04, 9, self._partner_key),
            Moment(0.11, 13, self._web_chain),
            Moment(0.19, 10, self._new_model_version),
            Moment(0.27, 15, self._tighter_limit),
            Moment(0.36, 17, self._emergency),
            Moment(0.52, 8, self._outside_use),
            Moment(0.55, 20, self._outside_use),
            Moment(0.58, 11, self._revoke_partner_key),
            Moment(0.63, 16, self._somebody_leaves),
            Moment(0.71, 9, self._policy_change),
            Moment(0.8, 14, self._enforce_search),
            Moment(0.88, 10, self._rejected_change),
            Moment(0.95, 11, self._trial_key),
            Moment(0.985, 15, self._waiting_change),
        ]

    # -- ordinary work

    async def _change(self, kind: str, target: str, content: Mapping[str, object], author: str, approver: str, **more: object) -> str:
        proposal = {"kind": kind, "target": target, "content": content, **more}
        change = str((await self._control.post("/changes", proposal, author))["id"])
        await self._control.post(f"/changes/{change}/approve", {}, approver)
        await self._control.post(f"/changes/{change}/activate", {}, approver)
        await asyncio.sleep(SETTLE_S)
        return change

    async def _partner_key(self) -> None:
        wanted = {"owner": "luca.moretti", "tenant": "northwind", "models": ["web-helper"]}
        made = await self._control.post("/keys", wanted, "jonas.vik")
        self._keys["partner"] = made["secret"]
        self._keys["partner.id"] = made["key_id"]

    async def _revoke_partner_key(self) -> None:
        await self._control.post(f"/keys/{self._keys['partner.id']}/revoke", {"why": "the pilot with the partner ended"}, "jonas.vik")

    async def _web_chain(self) -> None:
        content = {"models": ["sky-swift", "sky-large-1", "hb-scribe-mini"], "policy": "open-web", "mode": "enforce", "label": "internal"}
        await self._change("route", "web-helper", content, "luca.moretti", "jonas.vik")

    async def _new_model_version(self) -> None:
        content = {"provider": "skyline", "upstream": "large-1", "version": "2026-09-30", "approved_by": "tomas.berg"}
        await self._change("model", "sky-large-1", content, "priya.nair", "tomas.berg")

    async def _tighter_limit(self) -> None:
        await self._change("limit", "", {"scope": "all", "unit": "requests", "window": 60, "value": 480}, "otto.klein", "mara.lind")

    async def _somebody_leaves(self) -> None:
        await self._control.post("/people/sofia.reyes/leave", {}, "mara.lind")

    async def _policy_change(self) -> None:
        guards = {
            "sanitize": {"action": "flag"}, "pii": {"action": "redact", "how": "mask"},
            "injection": {"action": "block"}, "output": {"action": "redact", "how": "mask"},
        }  # fmt: skip
        await self._change("policy", "open-web", {"guards": guards}, "hanna.wolf", "mara.lind")

    async def _enforce_search(self) -> None:
        content = {"models": ["sky-large-1", "hb-scribe-2"], "policy": "open-web", "mode": "enforce", "label": "internal"}
        await self._change("route", "staff-search", content, "priya.nair", "jonas.vik")

    async def _rejected_change(self) -> None:
        content = {
            "kind": "openai", "base_url": f"{self._simulator}/skyline/v1",
            "secret_ref": f"file:{self._layout.secret_of('skyline').resolve()}",
            "region": "us", "network": "private", "labels": ["public", "internal", "confidential"],
        }  # fmt: skip
        change = await self._control.post("/changes", {"kind": "provider", "target": "skyline", "content": content}, "luca.moretti")
        await self._control.post(f"/changes/{change['id']}/reject", {"why": "skyline has no contract for confidential text"}, "hanna.wolf")

    async def _trial_key(self) -> None:
        """A key for a trial that ends nine days after the history does."""
        ends = datetime.fromtimestamp(time.time() + 9 * 86_400, UTC).strftime("%Y-%m-%d")
        wanted = {"owner": "luca.moretti", "tenant": "northwind", "models": ["web-helper"], "expires": ends}
        await self._control.post("/keys", wanted, "jonas.vik")

    async def _waiting_change(self) -> None:
        """A change that still waits for its second person when the history ends."""
        content = {"models": ["hb-scribe-2", "hb-scribe-mini"], "policy": "help-desk", "mode": "enforce", "label": "confidential"}
        reason = "back to hb-scribe-2 first, now that it answers again"
        proposal = {"kind": "route", "target": "support-chat", "content": content, "reason": reason}
        await self._control.post("/changes", proposal, "priya.nair")

    # -- deviations

    async def _emergency(self) -> None:
        """Mara proposes, approves and activates her own change in the middle of an outage."""
        content = {"models": ["hb-scribe-mini", "hb-scribe-2"], "policy": "help-desk", "mode": "enforce", "label": "confidential"}
        reason = "hb-scribe-2 answers with errors since 16:40; nobody else could be reached"
        await self._change("route", "support-chat", content, "mara.lind", "mara.lind", emergency=True, reason=reason)

    async def _outside_use(self) -> None:
        """Somebody calls the provider with a key of their own, past the gateway."""
        secret = self._layout.secret_of(OUTSIDE_ACCOUNT).read_text(encoding="utf-8").strip()
        wire = Wire(self._simulator)
        for number in range(7):
            body = json.dumps({"model": "scribe-2", "messages": [{"role": "user", "content": f"Quick test {number} from my laptop"}]})
            await wire.request("POST", "/harbor/v1/chat/completions", {"authorization": f"Bearer {secret}"}, body.encode())
        await wire.close()

    # -- the providers' own counts

    async def import_usage(self, days: list[int]) -> None:
        """Import the providers' counts of whole days (yyyymmdd) that were not imported yet."""
        wanted = [day for day in days if day not in self._imported]
        if not wanted:
            return
        query = "&".join(f"day={day}" for day in wanted)
        wire = Wire(self._simulator)
        reply = await wire.request("GET", f"/usage?{query}&held=harbor-main,skyline-main", {})
        await wire.close()
        self._imported.update(wanted)
        if reply.body.count(b"\n") > 1:
            await self._control.call("POST", "/api/v1/usage", reply.body, "otto.klein", "text/csv")


def day_number(at_us: int) -> int:
    """yyyymmdd of an instant."""
    moment = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    return moment.year * 10_000 + moment.month * 100 + moment.day
