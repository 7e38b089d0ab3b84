"""The root command: lazily imported groups (so that `affiant --help` stays quick) and the one place where errors become exit codes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from affiant.cli.doors import Doors
from affiant.kit.errors import AffiantError

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("affiant.cli.init", "Create a home: one ledger and its records."),
    "serve": ("affiant.cli.serve", "Run gateway, ledger writer and control of a home."),
    "status": ("affiant.cli.status", "Processes, ledger size, anchors and what is due."),
    "doctor": ("affiant.cli.doctor", "Name every fault of a home at once."),
    "apply": ("affiant.cli.apply", "Bring records to what a file declares, as changes."),
    "change": ("affiant.cli.change", "Propose, approve, activate and list changes."),
    "key": ("affiant.cli.key", "Create, list and revoke gateway keys."),
    "person": ("affiant.cli.person", "List people and give out sign-in links."),
    "guard": ("affiant.cli.guard", "What guards decide about texts; protected texts; appeals."),
    "usage": ("affiant.cli.usage", "Import a provider's own count."),
    "ledger": ("affiant.cli.ledger", "Verify, show, prove, export, follow and serve the ledger."),
    "control": ("affiant.cli.control", "Run controls over a period, and put newer versions into force."),
    "catalog": ("affiant.cli.catalog", "Check criteria, risks and controls."),
    "scan": ("affiant.cli.scan", "Find secrets in a tree and its Git history."),
    "affidavit": ("affiant.cli.affidavit", "Build and verify the package handed to an auditor."),
    "witness": ("affiant.cli.witness", "Be an outside cosigner of a ledger."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from affiant import __version__

        click.echo(f"affiant {__version__}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit.")
def root() -> None:
    """Run the controls of an AI system, and let an auditor recompute every management test offline.

    JSON goes to standard output, words to standard error. Exit codes: 0 good, 1 a deviation, finding or lie,
    2 bad input or usage, 3 could not look or not anchored. AFFIANT_HOME names the home where --home is not given.
    """


def main(argv: Sequence[str] | None = None, doors: Doors | None = None) -> int:
    """Run one command and give its exit code; expected errors are one sentence and a next step, never a traceback."""
    try:
        result = root.main(args=list(sys.argv[1:] if argv is None else argv), prog_name="affiant", standalone_mode=False, obj=doors)
    except click.ClickException as error:
        error.show()
        return 2
    except click.exceptions.Abort:
        click.echo("affiant: stopped.", err=True)
        return 130
    except KeyboardInterrupt:
        click.echo("affiant: stopped.", err=True)
        return 130
    except AffiantError as error:
        click.echo(f"affiant: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(
            f"affiant: {where}{error.strerror or error}. Check that the disk has room and that you may read and write there.", err=True
        )
        return 3
    return result if isinstance(result, int) else 0
