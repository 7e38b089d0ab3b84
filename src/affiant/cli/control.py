"""`affiant control …`: run controls, look ahead, recalculate runs elsewhere, list what is in force, put newer versions into force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from affiant.cli.session import as_option, session
from affiant.cli.shared import FINDING, GOOD, UNSEEN, home_option, moment_us, need_home, out, period_us, say, table, when, worst
from affiant.kit.errors import BadInput, NotFound

ENGINES = ("sqlite", "duckdb", "spark", "postgres")
_CODES = {"deviations noted": FINDING, "design gap": FINDING, "not tested": UNSEEN}


@click.group("control")
def command() -> None:
    """Run controls over a period, look ahead, recalculate runs, list controls, and put newer versions into force."""


@command.command("run")
@click.argument("control", required=False, metavar="[ID]")
@click.option("--all", "every", is_flag=True, help="Every control in the catalog.")
@click.option("--period", required=True, metavar="A..B", help="UTC dates, both inclusive, or instants, half-open.")
@click.option("--as-of", default="", metavar="T", help="Read entries up to the last checkpoint before this instant only.")
@click.option("--seed", default=None, metavar="TEXT", help="The auditor's own seed for the samples (default: this machine chooses one).")
@home_option
@as_option
@click.pass_context
def run(
    ctx: click.Context, control: str | None, every: bool, period: str, as_of: str, seed: str | None, home: Path | None, person: str
) -> int:
    """Run one control, or all, over the entries of a period: freeze the population, draw a sample, judge every row.

    Prints one JSON line a control. The run is itself an entry. What we run is management's own test. Exit code 1 where deviations
    are noted, 3 where something could not be tested. A seed given with --seed is recorded as auditor-chosen: let the auditor name it
    when the entries to be tested exist.
    """
    if (control is None) == (not every):
        raise BadInput("Nothing or too much was named.", "Give the id of one control, or --all.")
    period_us(period)
    body: dict[str, Any] = {"period": period, "as_of": as_of}
    if seed is not None:
        body["seed"] = seed
    if control:
        body["controls"] = [control]
    with session(ctx, need_home(home), person) as api:
        lines = api.post("/controls/run", body)["runs"]
    for line in lines:
        out(line)
        rows, untested = line["population"]["rows"], line["could_not_test"]
        deviations = rows - line["met"] - untested  # the list may be cut
        say(f"{line['control']:<8} {line['result']} · {rows} rows, {deviations} deviations, {untested} could not be tested")
    return worst(_CODES.get(line["result"], GOOD) for line in lines)


@command.command("preview")
@click.argument("control", required=False, metavar="[ID]")
@click.option("--all", "every", is_flag=True, help="Every control in the catalog.")
@click.option("--period", required=True, metavar="A..B", help="UTC dates, both inclusive, or instants, half-open.")
@click.option("--as-of", default="", metavar="T", help="Read entries up to the last checkpoint before this instant only.")
@home_option
def preview_command(control: str | None, every: bool, period: str, as_of: str, home: Path | None) -> int:
    """Say what a run would come to, in seconds: counts, reasons and the first entries that are not met.

    Prints one JSON line a control. No run is made and nothing is recorded, so it is no evidence. Reads only, and may run while the
    home is served. Exit codes as those of `run`.
    """
    from affiant.assurance import Evidence, Period, opening_of, preview, size_as_of
    from affiant.catalog import load
    from affiant.ledger.opening import reading

    if (control is None) == (not every):
        raise BadInput("Nothing or too much was named.", "Give the id of one control, or --all.")
    catalog, span = load(), Period(*period_us(period))
    if control and control not in catalog.controls:
        raise NotFound(f"There is no control {control}.", f"Controls are: {', '.join(catalog.controls)}.")
    codes = []
    with reading(need_home(home)) as reader:
        size = size_as_of(reader, moment_us(as_of)) if as_of else reader.checkpoint().size
        with Evidence(reader, size, view_from=min(opening_of(reader, span.from_us), size), views=catalog.views) as evidence:
            for each in [catalog.controls[control]] if control else catalog.controls.values():
                found = preview(evidence, each, span)
                counts = found.counts
                out({
                    "control": found.control, "result": found.result, "rows": counts.rows, "met": counts.met,
                    "deviations": counts.deviations, "could_not_test": counts.could_not_test,
                    "reasons": [{"why": why, "rows": rows} for why, rows in found.reasons],
                    "first": [{"idx": idx, "ord": ordinal, "why": why} for idx, ordinal, why in found.first], "note": found.note,
                })  # fmt: skip
                untested = f"{counts.could_not_test} could not be tested"
                say(f"{found.control:<8} {found.result} · {counts.rows} rows, {counts.deviations} deviations, {untested}")
                codes.append(_CODES.get(found.result, GOOD))
    say("No run was made. `affiant control run` makes one.")
    return worst(codes)


@command.command("recalculate")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--engine", type=click.Choice(ENGINES), default="sqlite", show_default=True, help="What answers the queries.")
@click.option("--at", "where", default="", metavar="URL", help="Spark's sc://host:port or PostgreSQL's URL; or env:NAME, file:PATH.")
@click.option(
    "--parquet", default="", metavar="PLACE", help="Where Spark finds a copy of HOME/derived/parquet, such as s3a://bucket/parquet."
)
@home_option
def recalculate_command(runs: tuple[str, ...], engine: str, where: str, parquet: str, home: Path | None) -> int:
    """Ask the same queries again of another engine, and compare with what the ledger says of a run.

    Rows, items, unmatched rows and the result must be the ones that were recorded. Takes the newest run of each control, or those
    named. Reads only, and may run while the home is served. PostgreSQL is given the entries' columns in temporary tables; Spark
    is sent those that no Parquet holds yet. Exit code 1 where something differs, 3 where it could not be looked at.
    """
    from affiant.assurance import Elsewhere, recalculate
    from affiant.catalog import load
    from affiant.ledger.opening import reading

    if (engine in ("spark", "postgres")) != bool(where) or (parquet and engine != "spark"):
        raise BadInput("The engine and its place do not go together.", "Give --at with spark and postgres only, --parquet with spark only.")
    codes = []
    with reading(need_home(home)) as reader:
        for each in recalculate(reader, load(), runs, Elsewhere(engine, where, parquet) if where else engine):
            out({
                "control": each.control, "run": each.run, "engine": each.engine, "rows": each.rows,
                "equal": not each.differs and not each.unseen, "differs": list(each.differs), "unseen": each.unseen,
            })  # fmt: skip
            found = each.unseen or (f"differs in {', '.join(each.differs)}" if each.differs else "equal")
            say(f"{each.control:<8} {found} · {each.rows} rows")
            codes.append(UNSEEN if each.unseen else FINDING if each.differs else GOOD)
    return worst(codes)


@command.command("adopt")
@click.argument("controls", nargs=-1, metavar="[ID]...")
@click.option("--all", "every", is_flag=True, help="Every control whose shipped version is not the one in force.")
@home_option
@click.option("--as", "person", required=True, metavar="PERSON", help="The person who puts them into force (compliance or admin).")
@click.pass_context
def adopt(ctx: click.Context, controls: tuple[str, ...], every: bool, home: Path | None, person: str) -> None:
    """Put the control versions that this program ships into force, after an upgrade.

    A control whose shipped version is not the one in force is not tested. What was expected before is still judged by the version
    that was in force then. `affiant doctor` names the controls that differ. Adopting the same version again changes nothing.
    """
    if bool(controls) == every:
        raise BadInput("Nothing or too much was named.", "Give ids of controls, or --all.")
    with session(ctx, need_home(home), person) as api:
        done = api.post("/controls/adopt", {"controls": list(controls)})
    out(done)
    for each in done["adopted"]:
        say(f"{each['id']:<8} version {each['version']} is in force from here")
    if not done["adopted"]:
        say("Each of them was in force in this version already.")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="JSON to standard output.")
@home_option
@as_option
@click.pass_context
def list_command(ctx: click.Context, as_json: bool, home: Path | None, person: str) -> None:
    """List controls in force with the result of their latest run."""
    with session(ctx, need_home(home), person) as api:
        found = api.get("/controls")
    if as_json:
        out(found)
        return
    rows = [["control", "version", "in force since", "latest result", "run at"]]
    for each in found["controls"]:
        latest = each["latest"] or {}
        run_at = when(latest["at"]) if latest else ""
        rows.append([each["id"], str(each["version"]), when(each["adopted_us"]), latest.get("result", "never run"), run_at])
    click.echo(table(rows))
