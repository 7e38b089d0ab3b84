"""`affiant serve`: run a home until Ctrl-C."""

from __future__ import annotations

from pathlib import Path

import click

from affiant.cli.shared import default_port, doors_of, home_option, need_home


@click.command("serve")
@home_option
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N", help="Gateway worker processes.")
@click.option(
    "--gateway-port",
    type=click.IntRange(0, 65_535),
    default=None,
    metavar="P",
    help="Gateway port; 0: any free (default: AFFIANT_PORT, else 8080).",
)
@click.option(
    "--console-port",
    type=click.IntRange(0, 65_535),
    default=8081,
    show_default=True,
    metavar="Q",
    help="Console and API port; 0: any free.",
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address on which the gateway listens.")
@click.option("--console-host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address on which the console listens.")
@click.pass_context
def command(
    ctx: click.Context, home: Path | None, workers: int, gateway_port: int | None, console_port: int, host: str, console_host: str
) -> None:
    """Run gateway, ledger writer and control of a home.

    Prints one JSON line when ready, with URLs and process ids. Ctrl-C stops in order (workers finish what they answer, the
    ledger writer ends last); a second Ctrl-C ends everything at once.
    """
    port = default_port() if gateway_port is None else gateway_port
    doors_of(ctx).serve(
        need_home(home).root, workers=workers, gateway_port=port, console_port=console_port, host=host, console_host=console_host
    )
