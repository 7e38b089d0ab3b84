"""Numbers to SVG text: strips of days, stacked bars, areas with bars, the path of an inclusion proof, sparklines.

Pure: no clock, no I/O. The same text stands in console pages and, unchanged, in the affidavit. Nothing here carries a style
attribute: colours and type come from `CHART_CSS` (custom properties with print-safe fallbacks), which a page embeds or links.
Every chart has a `<title>`, and every mark that means something has its own. Leaves out: legends and tables (HTML beside it).

Widths are percentages, so that a chart fills its place at any width without its letters shrinking; heights are pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

STATES = ("good", "deviation", "failed", "untested", "acted", "none", "future")
"""Colour roles of a mark: good (met), deviation, failed (blocked, refused), untested, acted (redacted), none (no occurrence), future."""

CHART_CSS = """\
.chart{display:block;overflow:visible;max-width:100%;font:11px/1 Inter,system-ui,sans-serif;font-variant-numeric:tabular-nums}
.chart text{fill:var(--ink-3,#6b7076)}
.chart .mono{font-family:"JetBrains Mono",ui-monospace,monospace}
.c-good{fill:var(--c-good,#63a085)}
.c-strip-good{fill:var(--c-strip-good,#8fbaa5)}
.c-deviation{fill:var(--c-deviation,#b4531f)}
.c-failed{fill:var(--c-failed,#b44a4a)}
.c-untested{fill:var(--c-untested,#c9cbcd)}
.c-acted{fill:var(--c-acted,#1f6473)}
.c-none{fill:var(--c-none,#efeee9)}
.c-future{fill:none;stroke:var(--c-grid,#dcdad3);stroke-dasharray:2 2}
.c-area{fill:var(--c-area,#b9d3d5)}
.c-area-2{fill:var(--c-acted,#1f6473)}
.c-grid{stroke:var(--c-grid,#e6e4dd);stroke-width:1}
.c-edge{stroke:var(--c-edge,#dcdad3);stroke-width:1.25;fill:none}
.c-edge-path{stroke:var(--c-acted,#1f6473);stroke-width:1.5;fill:none}
.c-node{fill:var(--c-node,#878d94)}
.c-node-path{fill:var(--c-path,#7fb0b5)}
.c-node-far{fill:var(--c-edge,#dcdad3)}
.c-line{stroke:var(--c-acted,#1f6473);stroke-width:1.5;fill:none}
@media print{.chart rect,.chart path,.chart circle{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One mark of a strip.

    Args:
        state: one of `STATES`.
        title: what a reader of this mark must know, such as `14 Oct 2026: 63 met, 2 deviations`.
        href: where the rows behind it are, or "".
    """

    state: str
    title: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a stacked bar: a count (≥ 0), its colour role and what it counts."""

    value: int
    state: str
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A label under an axis; `at` is its place from 0 (left) to 1 (right)."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Sibling:
    """One step of an inclusion path, from the leaf upwards.

    Args:
        hash: hex of the sibling's hash.
        left: whether the sibling stands left of the path.
        leaves: how many entries lie under it.
    """

    hash: str
    left: bool
    leaves: int = 0


@dataclass(frozen=True, slots=True)
class Proof:
    """What the diagram of an inclusion proof shows."""

    index: int
    size: int
    path: tuple[Sibling, ...] = field(default=())
    root_label: str = "signed root"
    leaf_label: str = "this entry"


def number(value: int) -> str:
    """`12345` as `12,345`."""
    return f"{value:,}"


def short_number(value: float) -> str:
    """An axis label: 500, 1.5 k, 12 k, 3.4 M."""
    for limit, unit in ((1_000_000, " M"), (1_000, " k")):
        if value >= limit:
            scaled = value / limit
            return f"{scaled:.0f}{unit}" if scaled >= 10 or scaled == int(scaled) else f"{scaled:.1f}{unit}"
    return f"{value:.0f}"


def day_strip(cells: Sequence[Cell], title: str, *, height: int = 17, ticks: Sequence[Tick] = (), gap: float = 0.18) -> str:
    """A strip of equal marks, one a day (or an hour, a month), oldest first.

    Args:
        cells: the marks, `future` ones last (drawn as one dashed frame); an empty sequence says so.
        title: what the strip shows, read aloud first.
        height: of the marks, px.
        ticks: labels under the strip.
        gap: share of each mark's place left empty; less where the marks are few and wide.
    """
    count = len(cells)
    gap = gap * min(1.0, count / 40)
    body: list[str] = []
    future = 0
    for position, cell in enumerate(cells):
        if cell.state == "future":
            future += 1
            continue
        x, width = 100 * position / count, 100 * (1 - gap) / count
        mark = f'<rect x="{_n(x)}%" width="{_n(width)}%" height="{height}" rx="1.5" class="{_strip_class(_role(cell.state))}">'
        mark += f"<title>{escape(cell.title)}</title></rect>"
        body.append(f'<a href="{escape(cell.href)}">{mark}</a>' if cell.href else mark)
    if future:
        x, width = 100 * (count - future) / count, 100 * (future - gap) / count
        frame = f'<rect x="{_n(x)}%" y="0.5" width="{_n(width)}%" height="{height - 1}" rx="2" class="c-future">'
        body.append(f"{frame}<title>{future} to come</title></rect>")
    if not count:
        body.append(f'<text x="0" y="{height - 4}">nothing to show yet</text>')
    return _svg(height + (18 if ticks else 0), title, "".join(body) + _ticks(ticks, height + 14))


def stacked_bar(parts: Sequence[Part], title: str, *, scale: int = 0, height: int = 10) -> str:
    """A horizontal bar of parts on a common scale.

    Args:
        parts: left to right; zero parts are not drawn.
        title: what the bar shows.
        scale: the value that fills the whole width; the sum of the parts where 0.
        height: px.
    """
    whole = scale or sum(part.value for part in parts)
    x, body = 0.0, []
    for part in parts:
        if part.value <= 0 or whole <= 0:
            continue
        width = 100 * part.value / whole
        drawn = max(width - 0.5, 0.6)
        body.append(
            f'<rect x="{_n(x)}%" width="{_n(drawn)}%" height="{height}" rx="1.5" class="c-{_role(part.state)}">'
            f"<title>{escape(part.title)}</title></rect>"
        )
        x += width
    return _svg(height, title, "".join(body))


def sparkline(values: Sequence[int], title: str, *, height: int = 24) -> str:
    """A line without axes, for a trend beside its figure."""
    if len(values) < 2:
        return _svg(height, title, f'<text x="0" y="{height - 6}">not enough values yet</text>')
    top = max(*values, 1)
    points = " ".join(f"{_n(1000 * i / (len(values) - 1))},{_n(96 - 92 * v / top)}" for i, v in enumerate(values))
    line = f'<polyline points="{points}" class="c-line" vector-effect="non-scaling-stroke"/>'
    return _svg(height, title, _plot("0", "100%", 0, height, line))


@dataclass(frozen=True, slots=True)
class AreaSeries:
    """One area of `area_chart`: a value per step, drawn from the base line (not stacked)."""

    name: str
    values: tuple[int, ...]
    role: str = "area"


def area_chart(
    areas: Sequence[AreaSeries],
    bars: Sequence[int],
    title: str,
    *,
    ticks: Sequence[Tick] = (),
    bar_titles: Sequence[str] = (),
    height: int = 170,
    bars_name: str = "refused",
    bar_height: int = 34,
) -> str:
    """Areas over time, and under them bars on a scale of their own (no hidden multiplier), over the same steps.

    Args:
        areas: first the largest, drawn behind; roles `area` and `area-2`.
        bars: one value a step; empty leaves the band out.
        title: what the chart shows.
        ticks: labels under the time axis.
        bar_titles: hover text of each bar.
        height: of the areas, px.
        bars_name: what the bars count, written beside their scale.
        bar_height: of the band of bars, px.
    """
    steps = max([len(area.values) for area in areas] + [len(bars), 1])
    top = _nice(max([value for area in areas for value in area.values] or [0]))
    body = []
    for share in (0.0, 0.5, 1.0):
        y = 12 + (height - 12) * (1 - share)
        body.append(f'<line x1="8%" x2="100%" y1="{_n(y)}" y2="{_n(y)}" class="c-grid"/>')
        body.append(f'<text x="0" y="{_n(y + 4)}">{short_number(top * share)}</text>')
    shapes = "".join(_area_path(area, steps, top) for area in areas)
    body.append(_plot("8%", "92%", 12, height - 12, shapes))
    below = height
    if bars:
        below = height + 16 + bar_height
        body.append(_bar_band(bars, bar_titles, bars_name, height + 16, bar_height))
    return _svg(below + (20 if ticks else 2), title, "".join(body) + _ticks(ticks, below + 16, left=8.0))


def _bar_band(bars: Sequence[int], titles: Sequence[str], name: str, y: int, height: int) -> str:
    """The band of bars under an area chart, with its own scale."""
    top = max(*bars, 1)
    out = [f'<line x1="8%" x2="100%" y1="{y + height}" y2="{y + height}" class="c-grid"/>']
    out.append(f'<text x="0" y="{y + 8}">{short_number(top)}</text><text x="0" y="{y + height}">0</text>')
    for position, value in enumerate(bars):
        if value <= 0:
            continue
        tall = max(height * value / top, 1.5)
        slot = 92 / len(bars)
        width = min(slot * 0.66, 2.2)
        x = 8 + slot * position + (slot - width) / 2
        words = titles[position] if position < len(titles) else f"{number(value)} {name}"
        out.append(
            f'<rect x="{_n(x)}%" y="{_n(y + height - tall)}" width="{_n(width)}%" height="{_n(tall)}" class="c-failed">'
            f"<title>{escape(words)}</title></rect>"
        )
    return "".join(out)


_LABEL = 64
"""Units that a node's label takes beside it."""


def proof_tree(proof: Proof, title: str) -> str:
    """The path of an inclusion proof: this entry at the bottom, each sibling needed, the signed root on top.

    Long paths show the three lowest and the two highest steps; between them a dotted edge says how many steps are not drawn.
    """
    steps = list(enumerate(proof.path, 1))
    hidden = 0
    if len(steps) > 6:
        hidden, steps = len(steps) - 5, steps[:3] + steps[-2:]
    level, width = 34, 400
    levels = len(steps) + (1 if hidden else 0)
    height = 16 + level * levels + 30
    x, scale = _leaf_x(proof.path, width)
    y, body, nodes = float(height - 30), [], []
    nodes.append(_node(x, y, 7, "c-good", f"Entry {number(proof.index)}"))
    nodes.append(f'<text x="{_n(x)}" y="{_n(y + 20)}" text-anchor="middle">{escape(proof.leaf_label)}</text>')
    for drawn, (step, sibling) in enumerate(steps):
        if hidden and drawn == 3:
            body.append(f'<path d="M{_n(x)} {_n(y)}V{_n(y - level)}" class="c-edge" stroke-dasharray="2 4"/>')
            nodes.append(f'<text x="{_n(x + 10)}" y="{_n(y - level / 2 + 4)}">{hidden} more steps</text>')
            y -= level
        spread = (26 + 9 * drawn) * scale
        parent_x, parent_y = (x - spread if sibling.left else x + spread), y - level
        other_x = parent_x - spread if sibling.left else parent_x + spread
        body.append(f'<path d="M{_n(other_x)} {_n(y)}L{_n(parent_x)} {_n(parent_y)}" class="c-edge"/>')
        body.append(f'<path d="M{_n(x)} {_n(y)}L{_n(parent_x)} {_n(parent_y)}" class="c-edge-path"/>')
        under = f", over {number(sibling.leaves)} entries" if sibling.leaves else ""
        nodes.append(_node(other_x, y, 5, "c-node", f"Sibling {step} of {len(proof.path)}: {sibling.hash}{under}"))
        anchor, label_x = ("end", other_x - 9) if sibling.left else ("start", other_x + 9)
        nodes.append(
            f'<text x="{_n(label_x)}" y="{_n(y + 4)}" text-anchor="{anchor}" class="mono" font-size="10">{escape(sibling.hash[:8])}</text>'
        )
        if drawn < len(steps) - 1:
            nodes.append(_node(parent_x, parent_y, 5, "c-node-path", f"Computed at step {step}"))
        x, y = parent_x, parent_y
    nodes.append(_node(x, y, 7, "c-acted", f"Root of {number(proof.size)} entries"))
    anchor, label_x = ("start", x + 14) if x < width / 2 else ("end", x - 14)
    nodes.append(f'<text x="{_n(label_x)}" y="{_n(y + 4)}" text-anchor="{anchor}">{escape(proof.root_label)}</text>')
    inner = "".join(body) + "".join(nodes)
    return (
        f'<svg class="chart" role="img" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f"<title>{escape(title)}</title>{inner}</svg>"
    )


def _leaf_x(path: Sequence[Sibling], width: int) -> tuple[float, float]:
    """Where the leaf must stand for the whole drawn path with its labels to lie in the middle, and the factor by which it is narrowed."""
    shown = list(path) if len(path) <= 6 else [*path[:3], *path[-2:]]
    x, low, high = 0.0, 0.0, 0.0
    for drawn, sibling in enumerate(shown):
        sign, spread = (-1 if sibling.left else 1), 26 + 9 * drawn
        x += sign * spread
        low, high = min(low, x, x + sign * spread), max(high, x, x + sign * spread)
    scale = min(1.0, (width - 2 * _LABEL) / max(high - low, 1.0))
    return width / 2 - (low + high) / 2 * scale, scale


def _area_path(area: AreaSeries, steps: int, top: float) -> str:
    """One area from the base line, as a step-free polygon over 1000 × 100 units."""
    if not area.values:
        return ""
    last = max(steps - 1, 1)
    points = [f"{_n(1000 * i / last)} {_n(100 - 100 * v / top)}" for i, v in enumerate(area.values)]
    end = _n(1000 * (len(area.values) - 1) / last)
    role = area.role if area.role in ("area", "area-2") else "area"
    return f'<path d="M0 100L{"L".join(points)}L{end} 100Z" class="c-{role}"><title>{escape(area.name)}</title></path>'


def _plot(x: str, width: str, y: float, height: float, inner: str) -> str:
    return f'<svg x="{x}" y="{_n(y)}" width="{width}" height="{_n(height)}" viewBox="0 0 1000 100" preserveAspectRatio="none">{inner}</svg>'


def _ticks(ticks: Sequence[Tick], y: float, left: float = 0.0) -> str:
    out = []
    for tick in ticks:
        at = min(max(tick.at, 0.0), 1.0)
        anchor = "start" if at < 0.04 else "end" if at > 0.96 else "middle"
        out.append(f'<text x="{_n(left + (100 - left) * at)}%" y="{_n(y)}" text-anchor="{anchor}">{escape(tick.text)}</text>')
    return "".join(out)


def _node(x: float, y: float, radius: int, kind: str, title: str) -> str:
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{radius}" class="{kind}"><title>{escape(title)}</title></circle>'


def _svg(height: float, title: str, inner: str) -> str:
    return f'<svg class="chart" role="img" width="100%" height="{_n(height)}"><title>{escape(title)}</title>{inner}</svg>'


def _role(state: str) -> str:
    if state not in STATES:
        raise ValueError(f"{state!r} is no chart state; one of {', '.join(STATES)}.")
    return state


def _strip_class(role: str) -> str:
    return "c-strip-good" if role == "good" else f"c-{role}"


def _nice(value: float) -> float:
    """The next round even number at or above `value`, for the top of an axis whose middle is labelled too."""
    if value <= 4:
        return 4.0
    power = 1.0
    while power * 10 < value:
        power *= 10
    for step in (1, 1.2, 1.4, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10):
        top = step * power
        if top >= value and top % 2 == 0:
            return top
    return 10 * power


def _n(value: float) -> str:
    """A coordinate with at most two decimals."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return text if text != "-0" else "0"
