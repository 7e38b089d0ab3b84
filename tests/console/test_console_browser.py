"""The console in a real browser: signing in, every page on two widths and in both colour schemes, nothing blocked, nothing cut off."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from affiant.kit.home import open_home
from affiant.ledger import LedgerReader
from affiant.testing.world import World

sync_api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)"),
]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
WIDTHS = {"wide": (1360, 900), "narrow": (390, 844)}
CUT_OFF = """() => {
  const edge = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= edge) return [];
  return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > edge + 1)
    .slice(0, 3).map(e => e.outerHTML.slice(0, 120));
}"""
PALE = """() => {
  const parts = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const shade = c => { const [r, g, b] = parts(c).slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                       return .2126 * r + .7152 * g + .0722 * b; };
  const back = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor, p = parts(c);
                      if (c.startsWith('rgb') && (p.length < 4 || p[3] === 1)) return c; }
                      return getComputedStyle(document.body).backgroundColor; };
  const found = [];
  for (const e of document.querySelectorAll('main *, header *, nav *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    if (!own || e.closest('svg') || style.visibility !== 'visible' || box.width < 2 || box.height < 2) continue;
    if (!style.color.startsWith('rgb(') || !back(e).startsWith('rgb')) continue;
    const [a, b] = [shade(style.color), shade(back(e))].sort((x, y) => y - x), ratio = (a + .05) / (b + .05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} ${e.tagName}.${e.className} ${e.textContent.trim().slice(0, 40)}`);
  }
  return [...new Set(found)].slice(0, 5);
}"""


@dataclass
class Visit:
    """A signed-in page of a browser, and what the browser complained of."""

    page: Any
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("browser"), workers=1) as served:
        served.chat("Write to ana.ruiz@example.com")
        served.chat("hello", key="nobody")
        day = time.strftime("%Y-%m-%d", time.gmtime())
        served.cli("control", "run", "--all", "--period", f"{day}..{day}", "--as", "ann", check=False)
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as player:
        started = player.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


def visit(browser: Any, world: World, width: str = "wide", scheme: str = "light") -> Visit:
    """Sign in with a fresh one-time link, as a person does: open it and press the button."""
    wide, high = WIDTHS[width]
    page = browser.new_context(viewport={"width": wide, "height": high}, color_scheme=scheme, base_url=world.console).new_page()
    page.set_default_timeout(10_000)
    seen = Visit(page)
    page.on("console", lambda message: seen.complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("requestfailed", lambda request: seen.complaints.append(f"{request.url} {request.failure}") if _blocked(request) else None)
    page.goto(json.loads(world.cli("person", "link", "ann", "--json").stdout)["url"])
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/")
    return seen


def _blocked(request: Any) -> bool:
    """Whether a request failed for another reason than that the page was left meanwhile."""
    return "ERR_ABORTED" not in str(request.failure)


def paths(world: World) -> list[str]:
    reader = LedgerReader(open_home(world.home))
    freezes = [event.ref for _, event in reader.of_types("population.frozen")]
    exchanges = [event.ref for _, event in reader.of_types("exchange.opened", "exchange.refused")]
    return [
        "/", "/exchanges", "/controls", "/controls/PI-5.1", "/controls/AUD-4.1", "/populations", "/changes", "/people", "/ledger",
        "/guards", "/entries/0", f"/populations/{freezes[-1]}", *(f"/exchanges/{each}" for each in exchanges),
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_are_readable_and_complain_of_nothing(browser: Any, world: World, width: str, scheme: str) -> None:
    """No page is wider than its window, has text too pale to read (WCAG 2.2 AA, 1.4.3), or makes the browser complain."""
    seen = visit(browser, world, width, scheme)
    for path in paths(world):
        answer = seen.page.goto(path)
        assert answer.status == 200, path
        assert seen.page.evaluate(CUT_OFF) == [], path
        assert seen.page.evaluate(PALE) == [], path
    assert seen.complaints == []
    seen.page.context.close()


def test_without_signing_in_every_page_leads_to_the_door(browser: Any, world: World) -> None:
    """A browser without a session sees no page, only where to sign in."""
    page = browser.new_context(base_url=world.console).new_page()
    for path in paths(world):
        page.goto(path)
        assert "ana.ruiz" not in page.content() and page.get_by_role("navigation").count() == 0, path
        assert page.get_by_text("sign in", exact=False).count() > 0, path
    page.context.close()


def test_a_reader_gets_from_today_to_the_rows_behind_a_figure(browser: Any, world: World) -> None:
    """By links alone: Today, the controls, one control, its population, an entry with its proof."""
    seen = visit(browser, world)
    page = seen.page
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Controls").click()
    page.get_by_role("link", name="PI-5.1").first.click()
    assert page.url.endswith("/controls/PI-5.1") and page.get_by_role("heading", level=1).inner_text().startswith("Changes")
    page.locator("main a[href^='/populations/']").first.click()
    page.locator("main a[href^='/entries/']").first.click()
    assert page.get_by_text("Proof", exact=False).count() > 0
    assert seen.complaints == []
    page.context.close()


def test_the_keyboard_reaches_everything(browser: Any, world: World) -> None:
    """Tab moves through visible links with a visible focus, beginning with a way past the navigation."""
    seen = visit(browser, world)
    page = seen.page
    page.goto("/controls")
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("""() => { const e = document.activeElement, s = getComputedStyle(e), b = e.getBoundingClientRect();
            return [e.tagName, (e.textContent || e.getAttribute('aria-label') || '').trim().slice(0, 30),
                    b.width > 0 && b.height > 0 && (s.outlineStyle !== 'none' || s.boxShadow !== 'none')]; }""")
        )
    assert reached[0][:2] == ["A", "Skip to content"], reached[0]
    assert all(visible for _, _, visible in reached), reached
    page.context.close()
