"""The page `docs/reference/controls.md`, made from the catalog: `python -m affiant.catalog.reference` prints it.

A test holds the page to the catalog. Leaves out: criteria and risks that no control names, except as a list.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from affiant.catalog.load import load
from affiant.catalog.model import CATEGORIES, Catalog, Control, SampleRule

_EVERY = {"hour": "every hour", "day": "every day", "month": "every month"}


def controls_page(catalog: Catalog) -> str:
    """The whole page, Markdown."""
    lines = [
        "# Controls",
        "",
        "Made from `src/affiant/catalog/library` by `python -m affiant.catalog.reference`; edit the files there, not this page.",
        "A control's category is that of the criterion listed first. What we run is management's self-test.",
        "",
        "| control | title | category | criteria | owner | how often |",
        "|---|---|---|---|---|---|",
    ]
    for control in catalog.controls.values():
        anchor = control.id.lower().replace(".", "")
        lines.append(
            f"| [{control.id}](#{anchor}) | {control.title} | {CATEGORIES[control.category]} | {', '.join(control.criteria)} "
            f"| {control.owner} | {control.frequency} |"
        )
    for control in catalog.controls.values():
        lines += ["", *_control(control, catalog)]
    lines += ["", "## Sample sizes", "", next(iter(catalog.samples.values())).note if catalog.samples else "", ""]
    lines += [_sizes(rule) for rule in catalog.samples.values()]
    lines += ["", "## Risks that no control answers yet", ""]
    lines += [f"- **{risk.title}.** {risk.statement} {risk.without_control}" for risk in catalog.risks.values() if risk.without_control]
    lines += ["", "## Criteria that no control names yet", "", ", ".join(catalog.uncovered()) + ".", ""]
    return "\n".join(lines)


def _control(control: Control, catalog: Catalog) -> Iterator[str]:
    yield f"## {control.id}"
    yield ""
    yield f"**{control.title}.** {control.statement}"
    yield ""
    yield f"- Version {control.version}, {control.kind}; SHA-256 of its canonical bytes `{control.sha}`"
    yield f"- Criteria: {', '.join(f'{name} ({catalog.criteria[name].title})' for name in control.criteria)}"
    yield f"- Risks: {', '.join(catalog.risks[name].title.lower() for name in control.risks)}"
    yield f"- Looked at in each row: {control.attribute}"
    if control.params:
        yield "- Parameters: " + ", ".join(f"`{name}` = {value:,}" for name, value in sorted(control.params.items()))
    if control.schedule:
        listed = (f"{due.item}, {_EVERY[due.every]} at minute {due.minute:,}" for due in control.schedule)
        yield "- Expected occurrences (UTC): " + "; ".join(listed)
    yield f"- Sample rule: {control.sample.name}"
    yield f"- What a miss means: {control.miss}"
    yield from _testing(control)


def _testing(control: Control) -> Iterator[str]:
    population = control.population
    if population is None:
        return
    yield ""
    yield f"Population `{population.name}`: {population.statement}"
    yield ""
    yield from (f"- {sentence}" for sentence in population.boundary)
    if population.source:
        yield f"- Compared with {population.source}; what does not match is listed beside."
    yield ""
    yield "What it does not show, and ways round it:"
    yield ""
    yield from (f"- {sentence}" for sentence in control.limits)
    yield ""
    yield "| code | item | meaning |"
    yield "|---|---|---|"
    for code, why in control.whys.items():
        text = why.text.replace("|time", "").replace("|", "\\|")
        yield f"| `{code}` | {'deviation' if why.item == 1 else 'could not test'} | {text} |"
    for label, query in (("Population", population.query), ("Reconciliation", population.reconcile), ("Procedure", control.procedure)):
        if query:
            yield ""
            yield f"<details><summary>{label} query</summary>"
            yield ""
            yield "```sql"
            yield query.rstrip()
            yield "```"
            yield ""
            yield "</details>"


def _sizes(rule: SampleRule) -> str:
    parts = []
    for largest, n in rule.sizes:
        rows = "all" if n == 0 else str(n)
        parts.append(f"up to {largest:,} rows: {rows}" if largest else f"more: {rows}" if len(rule.sizes) > 1 else rows)
    return f"- `{rule.name}` ({rule.title.lower()}): {'; '.join(parts)}"


if __name__ == "__main__":
    sys.stdout.write(controls_page(load()))
