"""Writes `docs/reference/`: the command line as `--help` prints it, the event types as the registry declares them, and the
places of bodies as guards walk them.

`python -m affiant.cli.reference docs/reference` writes the files; a test holds them to the program. Leaves out: prose.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from affiant.cli.main import root
from affiant.guards.places import markdown
from affiant.ledger.registry import REGISTRY

_WIDTH = 100
_AGAIN = "Written by `python -m affiant.cli.reference docs/reference`; do not edit."


def commands(command: click.Command = root, name: str = "affiant") -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name, groups before what is in them."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for part in command.list_commands(context):
            inner = command.get_command(context, part)
            assert inner is not None
            yield from commands(inner, f"{name} {part}")


def help_of(name: str) -> str:
    """What `NAME --help` prints, 100 columns wide."""
    context = click.Context(root, info_name="affiant", terminal_width=_WIDTH, help_option_names=["-h", "--help"])
    for part in name.split(" ")[1:]:
        group = context.command
        assert isinstance(group, click.Group)
        command = group.get_command(context, part)
        assert command is not None
        context = click.Context(command, info_name=part, parent=context, terminal_width=_WIDTH)
    return context.command.get_help(context).rstrip()


def cli_page() -> str:
    """`docs/reference/cli.md`."""
    lines = ["# Command line", "", _AGAIN, ""]
    for name, _ in commands():
        lines += [f"{'#' * min(name.count(' ') + 2, 4)} `{name}`", "", "```text", help_of(name), "```", ""]
    return "\n".join(lines)


def events_page() -> str:
    """`docs/reference/events.md`."""
    lines = [
        "# Event types",
        "",
        _AGAIN,
        "",
        "Fields with a trailing `?` may be omitted. *Carried*: the last one per `ref` is repeated as ",
    ]
    lines[-1] += "`state.carried` when a period opens, unless one of the types after it came later."
    room = ""
    for event in sorted(REGISTRY.values(), key=lambda event: event.owner):
        if event.owner != room:
            room = event.owner
            lines += ["", f"## Written by {room}"]
        lines += ["", f"### `{event.name}`", "", event.meaning, ""]
        facts = [f"version {event.version}", f"retention {event.retention}"]
        if event.carried:
            facts.append("carried" + (f", ended by {', '.join(f'`{name}`' for name in event.ended_by)}" if event.ended_by else ""))
        if event.sealed:
            facts.append(f"sealed: {', '.join(event.sealed)}")
        lines += [" · ".join(facts), "", "| field | meaning |", "|---|---|"]
        lines += [f"| `{name}` | {meaning} |" for name, meaning in event.fields.items()]
    return "\n".join(lines) + "\n"


def places_page() -> str:
    """`docs/reference/places.md`."""
    said = (
        "What the gateway does with each place of a request, an answer and an event of a stream, surface by surface.\n"
        "*Guarded*: inspected, and rewritten where the policy says so. *Flagged*: inspected, never rewritten; a redaction becomes a flag,\n"
        "a block blocks. *Withheld*: left out where it would repeat what was changed. *Passed uninspected*: counted in the event.\n"
        "*Refused*: nothing of it goes on."
    )
    return "\n".join(["# Places", "", _AGAIN, "", said, "", markdown().rstrip(), ""])


def main(argv: list[str]) -> int:
    """Write the pages into a folder."""
    if len(argv) != 1:
        sys.stderr.write("usage: python -m affiant.cli.reference FOLDER\n")
        return 2
    folder = Path(argv[0])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cli.md").write_text(cli_page(), encoding="utf-8")
    (folder / "places.md").write_text(places_page(), encoding="utf-8")
    (folder / "events.md").write_text(events_page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
