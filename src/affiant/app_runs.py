"""What reads the whole ledger: control runs, their kept rows, packages. Called in the analytics child, or by a command that is alone.

Rows of each run are kept in `derived/runs/` for pages; a missing file is made again from the entries that the freeze names.
Leaves out: when to run (`app_work`), how rows are shown (`app_findings`).
"""

from __future__ import annotations

import os
import shutil
from typing import Any, BinaryIO

from affiant.affidavit import build, missing_runs
from affiant.app_analytics import Append, Verb
from affiant.app_kept import Contents, kept_path, write_contents
from affiant.assurance import (
    ControlRun,
    Evidence,
    Frozen,
    Items,
    Period,
    given_seed,
    management_seed,
    not_shown,
    opening_of,
    parse_instant,
    run_control,
    run_line,
)
from affiant.catalog import Catalog, load
from affiant.kit.clock import open_clock
from affiant.kit.errors import CouldNotLook, NotFound
from affiant.kit.home import Home
from affiant.kit.keyring import open_keyring
from affiant.ledger import LedgerReader, signing_key
from affiant.ledger.opening import reading

DAY_US = 86_400_000_000
Limits = tuple[tuple[str, str, int, int], ...]


def end_size(reader: LedgerReader, as_of_us: int) -> int:
    """Entries that a run may read: those under the newest signed checkpoint, or under the last one before an instant.

    Raises:
        CouldNotLook: no checkpoint is that old.
    """
    if not as_of_us:
        return reader.checkpoint().size
    sizes = [head.size for head in reader.checkpoints() if 0 < head.at_us < as_of_us]
    if not sizes:
        raise CouldNotLook("No kept checkpoint is older than that instant.", "Give a later --as-of.")
    return max(sizes)


def run_controls(home: Home, arguments: dict[str, Any], append: Append) -> list[dict[str, Any]]:
    """Run controls; each run is three entries. Gives one line a control (interfaces: stable).

    Args:
        arguments: `controls` (ids; none: all), `period` (`A..B`; "" for the days from the current period's first up to today),
            `as_of` (instant or ""), `principal`, `seed` (an auditor's own, or "").
    """
    with reading(home) as reader:
        return _run_controls(home, reader, arguments, append)


def _run_controls(home: Home, reader: LedgerReader, arguments: dict[str, Any], append: Append) -> list[dict[str, Any]]:
    catalog = load()
    period = Period.parse(arguments["period"]) if arguments["period"] else current_days(reader, open_clock().now_us())
    names = arguments["controls"] or list(catalog.controls)
    unknown = [name for name in names if name not in catalog.controls]
    if unknown:
        raise NotFound(f"There is no control {unknown[0]}.", f"Controls are: {', '.join(catalog.controls)}.")
    size = end_size(reader, parse_instant(arguments["as_of"]) if arguments["as_of"] else 0)
    view_from = min(opening_of(reader, period.from_us), size)
    now_us = open_clock().now_us()
    seed_of = given_seed(arguments["seed"], "auditor-chosen") if arguments.get("seed") else management_seed
    lines = []
    with Evidence(reader, size, view_from=view_from, views=catalog.views) as evidence:
        limits = _limits(evidence, catalog, period)
        for name in names:
            run = run_control(
                evidence, catalog.controls[name], period, append, principal=arguments["principal"], now_us=now_us, seed_of=seed_of
            )
            keep(home, run, run.frozen.id if run.frozen else "", limits)
            lines.append(run_line(run) | {"run": run.id})
    return lines


def _limits(evidence: Evidence, catalog: Catalog, period: Period) -> Limits:
    return tuple((each.key, each.text, each.value, each.whole) for each in not_shown(evidence, catalog, period))


def keep(home: Home, run: ControlRun, freeze: str, limits: Limits) -> None:
    """Keep a run's rows for pages, under its freeze id.

    Raises:
        CouldNotLook: there is no room for them.
    """
    frozen = run.frozen
    if frozen is None or not freeze or not isinstance(run.items, Items):
        return
    path = kept_path(home, freeze)
    temporary = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            write_contents(file, _contents(run.control.id, freeze, frozen, run.items, limits, file))
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CouldNotLook(f"{path} cannot be written: {error.strerror}.", "Make room in the home, then open the page.") from error


def _contents(control: str, freeze: str, frozen: Frozen, items: Items, limits: Limits, file: BinaryIO) -> Contents:
    """Write the blocks; gives what is said of them."""
    rows, judged = frozen.rows.copied(file), items.judged.copied(file)
    tallies = tuple(tuple((item, why, count) for (item, why), count in sorted(block.items())) for block in items.tallies)
    days = tuple((day, met, deviating, untested) for day, (met, deviating, untested) in items.days.items())
    return Contents(
        2, control, freeze, frozen.columns, len(frozen.rows), tuple(rows), tuple(judged), tallies, days, frozen.unmatched_columns,
        frozen.unmatched, limits,
    )  # fmt: skip


def rebuild_rows(home: Home, arguments: dict[str, Any], append: Append) -> str:
    """Make the kept rows of a freeze again, and check that they are the ones that were frozen.

    Raises:
        NotFound: no such freeze. CouldNotLook: the catalog no longer holds the version that was run.
    """
    freeze = str(arguments["freeze"])
    with reading(home) as reader:
        return _rebuild_rows(home, reader, freeze)


def _rebuild_rows(home: Home, reader: LedgerReader, freeze: str) -> str:
    catalog = load()
    found = next((event for index in reader.find(freeze) if (event := reader.event(index)).type == "population.frozen"), None)
    if found is None:
        raise NotFound(f"There is no frozen population {freeze}.", "See `affiant control list`.")
    body = found.body
    control = _control(catalog, body["control"])
    period = Period(body["from"], body["to"])
    with Evidence(reader, body["end_size"], view_from=opening_of(reader, period.from_us), views=catalog.views) as evidence:
        run = run_control(evidence, control, period, None, sampled=False)
        if run.frozen is None or run.frozen.root != body["root"]:
            raise CouldNotLook(f"The catalog's {control.id} gives other rows than those frozen as {freeze}.", "Run the control again.")
        keep(home, run, freeze, _limits(evidence, catalog, period))
    return freeze


def _control(catalog: Catalog, name: str) -> Any:
    control = catalog.controls.get(name)
    if control is None:
        raise CouldNotLook(f"The catalog has no control {name}.", "Use the catalog that was adopted.")
    return control


def missing(home: Home, arguments: dict[str, Any], append: Append) -> list[str]:
    """Adopted controls without a run for exactly a period."""
    period = Period.parse(arguments["period"])
    with reading(home) as reader:
        return missing_runs(reader, period.from_us, period.to_us)


def build_package(home: Home, arguments: dict[str, Any], append: Append) -> str:
    """Build the affidavit of a period; its making is an entry. Gives the path of a file, to be taken away before the next is built."""
    period = Period.parse(arguments["period"])
    folder = home.derived / "packages"
    shutil.rmtree(folder, ignore_errors=True)  # what nobody took: its process ended before
    folder.mkdir()
    path = folder / "package.affidavit"
    with reading(home) as reader:
        built = build(
            home, reader, signing_key(home, open_keyring(home)), load(), period.from_us, period.to_us, path, arguments["principal"],
            open_clock().now_us(), arguments.get("mode", "auto"),
        )  # fmt: skip
    append([built.draft])
    return str(path)


def current_days(reader: LedgerReader, now_us: int) -> Period:
    """The days since the newest period, or else the ledger, began, up to today.

    Today is left out, since what is due today may still happen; on the first day it is what there is.
    """
    begun = reader.event(0).at_us
    for _, event in reader.of_types("period.opened"):
        begun = max(begun, int(event.body.get("from", 0)))
    first, today = begun - begun % DAY_US, now_us - now_us % DAY_US
    return Period(first, today if first < today else now_us)


VERBS: dict[str, Verb] = {"run": run_controls, "rebuild": rebuild_rows, "missing": missing, "package": build_package}
