"""What the console asks about control runs, answered from kept rows and from the ledger's newest entries.

Rows of a run lie in `derived/runs/`; where they are missing they are made again from the entries (in the analytics child), never
replaced by an empty list. Called in threads. Leaves out: running controls (`app_work`), pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from affiant.app_kept import KeptRun, kept_path, open_kept
from affiant.catalog import Catalog
from affiant.console import DayItems, DueItem, Item, NotShown, RowsOf, Table
from affiant.kit.clock import Clock
from affiant.kit.errors import CouldNotLook
from affiant.kit.home import Home
from affiant.ledger import Anchors, LedgerReader
from affiant.records import Records

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
ANCHOR_DUE_US = 2 * HOUR_US
RUN_DUE_US = 35 * DAY_US
_KEPT_IN_MEMORY = 8
_WHERE = {
    "bypass": "/controls/PI-6.1", "no_count": "/controls/PI-6.1", "uninspected": "/exchanges?uninspected=1",
    "unenforced": "/exchanges?mode=not_enforced", "interrupted": "/exchanges",
}  # fmt: skip
"""Where the rows behind a limit are listed."""


class LedgerFindings:
    """Answers the console's questions about one home.

    Args:
        rebuild: makes the kept rows of a freeze again; blocks.
    """

    def __init__(
        self,
        home: Home,
        reader: LedgerReader,
        catalog: Catalog,
        records: Records,
        anchors: Anchors,
        clock: Clock,
        rebuild: Callable[[str], None],
    ) -> None:
        self._home, self._reader, self._catalog, self._records, self._anchors, self._clock = home, reader, catalog, records, anchors, clock
        self._rebuild = rebuild
        self._kept: dict[str, KeptRun] = {}

    def _run(self, freeze: str) -> KeptRun:
        found = self._kept.get(freeze)
        if found is not None:
            return found
        path = kept_path(self._home, freeze)
        for attempt in (0, 1):
            try:
                found = open_kept(path)
                break
            except (OSError, msgspec.DecodeError) as error:
                if attempt:
                    raise CouldNotLook(f"The rows of {freeze} cannot be read: {error}.", "Run the control again.") from error
                self._rebuild(freeze)
        assert found is not None
        if len(self._kept) >= _KEPT_IN_MEMORY:
            self._kept.pop(next(iter(self._kept)))
        self._kept[freeze] = found
        return found

    def days(self, control: str, freeze: str) -> Sequence[DayItems]:
        """Items by UTC day."""
        return [DayItems(day // DAY_US, *counts) for day, *counts in self._run(freeze).contents.days]

    def rows(self, freeze: str, item: int | None, why: str, offset: int, limit: int) -> RowsOf:
        """A page of rows with item results; `limit` 0 gives all."""
        run = self._run(freeze)
        items = tuple(Item(int(row[0]), int(row[1]), found, code, row[2:]) for row, found, code in run.page(item, why, offset, limit))
        contents = run.contents
        return RowsOf(contents.columns[2:], items, run.count(item, why), Table(contents.unmatched_columns, contents.unmatched))

    # -- what is due

    def due(self, now_us: int) -> Sequence[DueItem]:
        """What needs a person, by what becomes unfixable first."""
        found = [*self._probes_due(now_us), *self._usage_due(now_us), *self._anchors_due(now_us), *self._runs_due(now_us)]
        return sorted(found, key=lambda item: (not (item.final and not item.overdue), item.at_us))

    def _probes_due(self, now_us: int) -> Iterator[DueItem]:
        """Occurrences of today that nothing shows yet: once their day is over they are deviations for good."""
        today = now_us - now_us % DAY_US
        adopted = {each.id: each.at_us for each in self._records.adopted_controls()}
        opened = {
            (str(e.body.get("probe")), int(e.body.get("due", 0))) for _, e in self._reader.of_types("probe.opened") if e.at_us >= today
        }
        for control in self._catalog.controls.values():
            if control.id not in adopted or control.id != "AUD-4.1":
                continue
            for each in control.schedule:
                due_us = today + each.minute * 60_000_000
                if each.every == "day" and adopted[control.id] <= due_us <= now_us and (each.item, due_us) not in opened:
                    yield DueItem(
                        control.id, f"Probe {each.item} was not performed yet today", control.owner, "becomes a permanent deviation",
                        today + DAY_US, final=True, href=f"/controls/{control.id}",
                    )  # fmt: skip

    def _usage_due(self, now_us: int) -> Iterator[DueItem]:
        """Providers whose own count of yesterday is not here."""
        yesterday = datetime.fromtimestamp((now_us - DAY_US) // 1_000_000, UTC).strftime("%Y%m%d")
        begun = {record.id: record.at_us for record in self._records.records("provider")}
        counted = {event.ref for _, event in self._reader.of_types("provider.usage") if str(event.body.get("day")) == yesterday}
        for provider, at_us in sorted(begun.items()):
            if provider not in counted and at_us < now_us - now_us % DAY_US - DAY_US:
                yield DueItem(
                    "PI-6.1", f"{provider}'s own count of yesterday is not imported", "operator", "yesterday stays unreconciled",
                    now_us - now_us % DAY_US + DAY_US, href="/controls/PI-6.1",
                )  # fmt: skip

    def _anchors_due(self, now_us: int) -> Iterator[DueItem]:
        newest = max((anchor.at_us for anchor in self._anchors.all()), default=0)
        if not self._home.witnesses:
            yield DueItem(
                "",
                "No witness cosigns this ledger",
                "admin",
                "nobody outside can tell a rewritten history",
                now_us,
                overdue=True,
                href="/ledger",
            )
        elif now_us - newest > ANCHOR_DUE_US:
            yield DueItem(
                "", "No outside anchor for more than two hours", "operator", "newer entries could be rewritten unnoticed",
                (newest or now_us) + ANCHOR_DUE_US, overdue=True, href="/ledger",
            )  # fmt: skip

    def _runs_due(self, now_us: int) -> Iterator[DueItem]:
        """Controls that were not run for more than a month."""
        last: dict[str, int] = {}
        for _, event in self._reader.of_types("procedure.run"):
            last[str(event.body.get("control"))] = event.at_us
        for each in self._records.adopted_controls():
            due_us = last.get(each.id, each.at_us) + RUN_DUE_US
            if due_us < now_us:
                yield DueItem(
                    each.id,
                    f"{each.id} was not run for more than a month",
                    "compliance manager",
                    "its state is not known",
                    due_us,
                    overdue=True,
                )

    # -- what is not shown

    def not_shown(self, from_us: int, to_us: int) -> Sequence[NotShown]:
        """Limits of the evidence, as figures: those of the newest run's entries, or before any run what the ledger counts."""
        newest = self._newest_freeze()
        if newest:
            return [
                NotShown(text, value, whole, _WHERE.get(key, "/ledger")) for key, text, value, whole in self._run(newest).contents.limits
            ]
        if to_us <= from_us:
            return ()
        hours = range(from_us // HOUR_US, -(-to_us // HOUR_US))
        anchored = {anchor.at_us // HOUR_US for anchor in self._anchors.all() if from_us <= anchor.at_us < to_us}
        return [NotShown("Hours without an outside anchor", len(hours) - len(anchored), len(hours), "/ledger")]

    def _newest_freeze(self) -> str:
        freeze = ""
        for _, event in self._reader.of_types("procedure.run"):
            freeze = str(event.body.get("freeze", "")) or freeze
        return freeze
