"""Pages cannot lie: what is written about commands, events and settings is what the program says."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from affiant.cli import root
from affiant.cli.reference import cli_page, commands, events_page, help_of, places_page
from affiant.ledger import REGISTRY

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
AGAIN = "run: python -m affiant.cli.reference docs/reference"
NAMES = [name for name, _ in commands()]


def read(path: str) -> str:
    return (DOCS / path).read_text(encoding="utf-8")


def test_the_command_line_page_is_current() -> None:
    """docs/reference/cli.md is what the program prints."""
    assert read("reference/cli.md") == cli_page(), AGAIN


def test_the_events_page_is_current() -> None:
    """docs/reference/events.md is what the registry declares."""
    page = read("reference/events.md")
    assert page == events_page(), AGAIN
    assert all(f"### `{name}`" in page for name in REGISTRY)


def test_the_places_page_is_current() -> None:
    """docs/reference/places.md is the table that the walk over bodies follows."""
    assert read("reference/places.md") == places_page(), AGAIN


@pytest.mark.parametrize("name", NAMES)
def test_help_is_what_the_page_shows(name: str) -> None:
    """`--help` of each command, asked as a user asks, is the text on the page."""
    done = CliRunner().invoke(root, [*name.split(" ")[1:], "--help"], prog_name="affiant", terminal_width=100)
    assert done.exit_code == 0
    assert done.output.rstrip() == help_of(name)


@pytest.mark.parametrize("name", [name for name in NAMES if name.count(" ")])
def test_each_command_says_what_it_does(name: str) -> None:
    """Every command has a first sentence that ends, and every option a help text."""
    command = dict(commands())[name]
    assert (command.help or "").strip().splitlines()[0].endswith((".", ":", ","))
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.name} has no help"


def test_every_setting_is_documented() -> None:
    """Each environment variable that the program reads stands in docs/operations.md."""
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    read_here = set(re.findall(r'"(AFFIANT_[A-Z_]+)"', text))
    page = read("operations.md")
    assert read_here and not [name for name in sorted(read_here) if f"`{name}`" not in page and name not in page]


def test_every_control_is_documented() -> None:
    """Each control of the shipped catalog has its heading on the page of controls."""
    files = (ROOT / "src/affiant/catalog/library/controls").glob("*.yaml")
    page = read("reference/controls.md")
    assert not [path.stem for path in files if f"## {path.stem}\n" not in page]


def test_decisions_are_listed() -> None:
    """docs/decisions/README.md links every decision, and nothing else."""
    page = read("decisions/README.md")
    linked = set(re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", page))
    assert linked == {path.name for path in (DOCS / "decisions").glob("[0-9]*.md")}


@pytest.mark.parametrize("path", [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CHANGELOG.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Relative links of every page name a file that is there."""
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{path.name} links {target}"
