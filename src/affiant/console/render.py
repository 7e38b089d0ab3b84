"""Page objects to HTML: one environment, StrictUndefined and autoescape, with the formats of `words` as globals.

A template gets exactly `page` (and `shell` for signed-in pages): what is not in the dataclass is an error, not a blank.
"""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from affiant.console import words
from affiant.console.model import Shell

_environment = Environment(
    loader=PackageLoader("affiant.console", "templates"),
    undefined=StrictUndefined,
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.globals.update(
    number=words.number,
    figure=words.figure,
    when=words.when,
    exact=words.exact,
    day=words.day,
    groups=words.groups,
    demo_state=words.STATES["could_not_test"],
)
THEMES = ("system", "light", "dark")


def svg(text: str) -> Markup:
    """Chart text from `kit.charts`, which escapes what it is given."""
    return Markup(text)  # noqa: S704


def render(template: str, page: Any, shell: Shell | None = None, theme: str = "system") -> str:
    """HTML of one page.

    Args:
        template: file name under `templates/`.
        page: the `…Page` of that template.
        shell: the frame, for signed-in pages.
        theme: system, light or dark.
    """
    return _environment.get_template(template).render(page=page, shell=shell, theme=theme)
