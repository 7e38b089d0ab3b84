"""A run once more on another engine: what the ledger says of its rows, items and unmatched rows, held against what comes out there.

Nothing is written. Leaves out: recalculation by an outsider from a package (`proof`), which trusts no catalog of ours.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from affiant.assurance.elsewhere import Elsewhere
from affiant.assurance.evidence import Evidence, opening_of
from affiant.assurance.period import Period
from affiant.assurance.run import run_control
from affiant.catalog import Catalog
from affiant.kit.errors import BadInput, NotFound
from affiant.ledger import LedgerReader

NEVER = sys.maxsize


@dataclass(frozen=True, slots=True)
class Recalculated:
    """What came of it.

    Args:
        run: id of the run that was recalculated; `control` its control.
        engine: the engine used.
        rows: of the population, as recalculated.
        differs: names of what is not as the ledger says; none where all is equal.
        unseen: why it could not be recalculated; "" where it was.
    """

    run: str
    control: str
    engine: str
    rows: int = 0
    differs: tuple[str, ...] = ()
    unseen: str = ""


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A run as the ledger tells it."""

    id: str
    ran: dict[str, Any]
    frozen: dict[str, Any] | None

    @property
    def scope(self) -> tuple[int, int, int]:
        return self.ran["end_size"], self.ran["from"], self.ran["to"]


def recalculate(reader: LedgerReader, catalog: Catalog, runs: Sequence[str], engine: str | Elsewhere) -> Iterator[Recalculated]:
    """Recalculate runs, in order of what they read.

    Args:
        runs: ids; none: the newest run of each control.

    Raises:
        NotFound: there is no such run.
        CouldNotLook: the engine cannot be reached.
    """
    found = [_run(reader, ref) for ref in runs] if runs else _newest(reader)
    kind = engine.kind if isinstance(engine, Elsewhere) else engine
    found.sort(key=lambda each: (each.scope, each.ran["control"]))
    for (end, begin, until), group in groupby(found, key=lambda each: each.scope):
        period = Period(begin, until)
        view_from = min(opening_of(reader, begin), end)
        # Parquet is read where it has been made, and not made here: the process that serves the home may be making it.
        with Evidence(reader, end, engine, view_from, catalog.views, due_at=NEVER) as evidence:
            for each in group:
                yield _once_more(evidence, catalog, period, each, kind)


def _once_more(evidence: Evidence, catalog: Catalog, period: Period, recorded: _Recorded, kind: str) -> Recalculated:
    name = str(recorded.ran["control"])
    control = catalog.controls.get(name)
    if control is None or control.sha != recorded.ran["sha"]:
        return Recalculated(recorded.id, name, kind, unseen="The catalog holds another version of the control than the one that was run.")
    run = run_control(evidence, control, period, None, sampled=False)
    if run.frozen is None or recorded.frozen is None:
        same = run.frozen is None and recorded.frozen is None and run.result == recorded.ran["result"]
        return Recalculated(recorded.id, name, kind, differs=() if same else ("population",))
    told = {
        "rows": recorded.frozen["rows"], "root": recorded.frozen["root"], "unmatched": recorded.frozen["unmatched"],
        "unmatched_root": recorded.frozen["unmatched_root"],
        **{key: recorded.ran[key] for key in ("items_root", "met", "deviations", "could_not_test", "result")},
    }  # fmt: skip
    body = run.drafts[-1].body
    again = {
        "rows": len(run.frozen.rows), "root": run.frozen.root, "unmatched": len(run.frozen.unmatched),
        "unmatched_root": run.frozen.unmatched_root,
        **{key: body[key] for key in ("items_root", "met", "deviations", "could_not_test", "result")},
    }  # fmt: skip
    return Recalculated(recorded.id, name, kind, len(run.frozen.rows), tuple(key for key, value in told.items() if again[key] != value))


def _run(reader: LedgerReader, ref: str) -> _Recorded:
    for index in reader.find(ref):
        event = reader.event(index)
        if event.type == "procedure.run" and event.ref == ref:
            return _Recorded(ref, dict(event.body), _frozen(reader, str(event.body.get("freeze", ""))))
    raise NotFound(f"There is no run {ref}.", "Name the `run` that `affiant control run` printed.")


def _newest(reader: LedgerReader) -> list[_Recorded]:
    newest: dict[str, str] = {event.body["control"]: event.ref for _, event in reader.of_types("procedure.run")}
    if not newest:
        raise BadInput("No control has been run yet.", "Run `affiant control run --all --period A..B` first.")
    return [_run(reader, ref) for ref in newest.values()]


def _frozen(reader: LedgerReader, ref: str) -> dict[str, Any] | None:
    events = (reader.event(index) for index in reader.find(ref)) if ref else ()
    return next((dict(event.body) for event in events if event.type == "population.frozen"), None)
