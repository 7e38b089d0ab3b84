"""The look: contrast in both themes, one style sheet, vendored files with their licences, no outside address."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from console_factory import PAGES, shell

from affiant.console.render import render
from affiant.console.words import STATES
from affiant.kit.charts import CHART_CSS

STATIC = files("affiant.console") / "static"
CSS = (STATIC / "app.css").read_text()
COLOURS = {name: (light, dark) for name, light, dark in re.findall(r"--([a-z0-9-]+):light-dark\((#[0-9a-f]{6}),(#[0-9a-f]{6})\)", CSS)}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


TEXT = ("ink", "ink-2", "ink-3", "accent", "good", "deviation", "failed", "acted", "quiet")


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_contrast(theme: int) -> None:
    """Every colour of text has a contrast of at least 4.5:1 on every ground that it stands on, in both themes."""
    pairs = [(text, ground) for text in TEXT for ground in ("paper", "card", "sunk")]
    pairs += [("accent", "wash"), ("ink", "wash"), ("ink-2", "line-2"), ("on-accent", "accent"), ("on-accent", "accent-2")]
    pairs += [("deviation", "deviation-wash"), ("ink", "failed-wash"), ("ink", "deviation-wash")]
    for text, ground in pairs:
        assert contrast(COLOURS[text][theme], COLOURS[ground][theme]) >= 4.5, (text, ground)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_fields_can_be_seen(theme: int) -> None:
    """The edge of a field has a contrast of at least 3:1 to what it stands on."""
    for ground in ("paper", "card"):
        assert contrast(COLOURS["field"][theme], COLOURS[ground][theme]) >= 3


def test_style_sheet_carries_the_charts_rules() -> None:
    """The console's one style sheet holds the rules that the affidavit embeds, word for word."""
    assert CHART_CSS.strip() in CSS


def test_every_tone_and_shape_is_drawn() -> None:
    """Each tone of a state has a colour, and each shape a drawing."""
    parts = (files("affiant.console") / "templates" / "parts.html").read_text()
    for state in STATES.values():
        assert f".t-{state.tone}{{" in CSS
        assert f'state.shape == "{state.shape}"' in parts


def test_vendored_files_lie_beside_their_licences() -> None:
    """Fonts and htmx are served from here, each with its licence."""
    names = {entry.name for entry in STATIC.iterdir()} | {entry.name for entry in (STATIC / "fonts").iterdir()}
    assert {"inter-latin-wght-normal.woff2", "inter-OFL.txt", "jetbrains-mono-latin-400-normal.woff2", "jetbrains-mono-OFL.txt"} <= names
    assert {"htmx-2.0.11.min.js", "htmx-LICENSE.txt"} <= names


@pytest.mark.parametrize("template", PAGES)
def test_page_renders_from_plain_data_without_outside_addresses(template: str) -> None:
    """Every template renders from its page object alone, loads nothing from elsewhere, and marks a demonstration."""
    active, make = PAGES[template]
    text = render(template, make(), shell(active) if active else None)
    for address in re.findall(r'(?:src|href|action)="([^"]+)"', text):
        assert address.startswith(("/", "#")), address
    assert "Demonstration" in text and 'style="' not in text and "undefined" not in text


@pytest.mark.parametrize("template", [name for name, (active, _) in PAGES.items() if active])
def test_no_stamp_outside_a_demonstration(template: str) -> None:
    """A home that is no demonstration carries no stamp."""
    active, make = PAGES[template]
    assert "Demonstration" not in render(template, make(), shell(active, demo=False))
