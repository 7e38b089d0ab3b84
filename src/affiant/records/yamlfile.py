"""YAML as configuration means it: texts, lists, mappings and null; nothing turns into a date, float or boolean by its looks.

A key that stands twice is refused. Leaves out: what fields mean (`fields`, `content`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from affiant.kit.errors import BadInput, NotFound

MAX_BYTES = 4_000_000
_KEPT_TAGS = frozenset({"tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"})


class _Loader(yaml.SafeLoader):
    """SafeLoader whose plain scalars stay text (except null) and whose mappings refuse a repeated key or an alias."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(None, None, "aliases are not supported", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = getattr(key, "value", None)
            if not isinstance(name, str):
                raise yaml.MarkedYAMLError(None, None, "a key must be text", key.start_mark)
            if name in seen:
                raise yaml.MarkedYAMLError(None, None, f"the key `{name}` stands twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if tag in _KEPT_TAGS]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str | bytes, name: str) -> Any:
    """The value that a YAML (or JSON) text holds.

    Raises:
        BadInput: not YAML, a repeated key, an alias, or over-large.
    """
    if len(text) > MAX_BYTES:
        raise BadInput(f"{name} has more than {MAX_BYTES} bytes.", "Split it.")
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with fewer tags
    except (yaml.YAMLError, UnicodeError, RecursionError, ValueError) as error:
        raise BadInput(f"{name} cannot be read: {' '.join(str(error).split())}.", "Correct the YAML.") from error


def load_yaml(path: Path) -> Any:
    """The value in a YAML file.

    Raises:
        NotFound: no such file.
        BadInput: as `parse_yaml`.
    """
    try:
        return parse_yaml(path.read_bytes(), path.name)
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
