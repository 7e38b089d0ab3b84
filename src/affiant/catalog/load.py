"""Reads a catalog: a folder of plain files that a company forks and extends.

    criteria/*.yaml   risks/*.yaml   populations/*.yaml   controls/*.yaml   samples.yaml   views.json

What a company's own folder lacks of criteria, samples and views comes from the library shipped here. Each fault names its
file and what to do. Leaves out: whether queries lie inside the grammar and everything is covered (`check`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from affiant.catalog.model import CATEGORIES, Catalog, Control, Criterion, Due, Population, Risk, SampleRule, Why
from affiant.kit.errors import BadInput
from affiant.proof import grammar
from affiant.proof.errors import Malformed
from affiant.proof.views import views_digest

LIBRARY = Path(__file__).parent / "library"
_CONTROL_ID = re.compile(r"[A-Z]{2,4}-[0-9]+\.[0-9]+")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_RISK_ID = re.compile(r"[a-z][a-z0-9-]*")
_MINUTES = {"hour": 60, "day": 24 * 60, "month": 28 * 24 * 60}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a catalog: where, what, and what to do."""

    file: str
    text: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.file}: {self.text} {self.next_step}"


class _Bad(Exception):
    def __init__(self, text: str, next_step: str) -> None:
        super().__init__(text)
        self.text, self.next_step = text, next_step


@dataclass
class Reading:
    """A catalog under construction and the faults met so far."""

    directory: Path
    faults: list[Fault] = field(default_factory=list)
    criteria: dict[str, Criterion] = field(default_factory=dict)
    risks: dict[str, Risk] = field(default_factory=dict)
    populations: dict[str, Population] = field(default_factory=dict)
    samples: dict[str, SampleRule] = field(default_factory=dict)
    controls: dict[str, Control] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    views: bytes = b""

    def catalog(self) -> Catalog:
        """What has been read."""
        return Catalog(self.criteria, self.risks, self.populations, self.samples, dict(sorted(self.controls.items())), self.views)


def load(directory: Path | None = None) -> Catalog:
    """Read a catalog.

    Args:
        directory: a company's own folder; the shipped library by default.

    Raises:
        BadInput: the folder or one of its files cannot be read; all faults are named.
    """
    reading = read(directory)
    if reading.faults:
        first, more = reading.faults[0], len(reading.faults) - 1
        also = f" ({more} more: `affiant catalog check`)" if more else ""
        raise BadInput(f"{first.file}: {first.text}{also}", first.next_step)
    return reading.catalog()


def read(directory: Path | None = None) -> Reading:
    """Read a catalog and collect faults instead of stopping at the first.

    Raises:
        BadInput: there is no such folder.
    """
    directory = LIBRARY if directory is None else Path(directory)
    if not directory.is_dir():
        raise BadInput(f"There is no catalog folder {directory}.", "Name a folder with controls/, risks/ and populations/.")
    reading = Reading(directory)
    _each(reading, _own_or_shipped(directory, "criteria"), _read_criteria)
    _each(reading, sorted((directory / "risks").glob("*.yaml")), _read_risks)
    _each(reading, [_shipped_file(directory, "samples.yaml")], _read_samples)
    _each(reading, sorted((directory / "populations").glob("*.yaml")), _read_population)
    _each(reading, sorted((directory / "controls").glob("*.yaml")), _read_control)
    reading.views = _shipped_file(directory, "views.json").read_bytes()
    for control_id, control in reading.controls.items():
        reading.controls[control_id] = _with_views(control, reading.views)
    return reading


def _with_views(control: Control, views: bytes) -> Control:
    """The control with the digest of the views that it reads; `check` names what cannot be read."""
    try:
        words = frozenset[str]().union(*(grammar.check(text).words for text in control.queries))
        return replace(control, views=views_digest(views, words))
    except Malformed:
        return control


def _own_or_shipped(directory: Path, folder: str) -> list[Path]:
    return sorted((directory / folder).glob("*.yaml")) or sorted((LIBRARY / folder).glob("*.yaml"))


def _shipped_file(directory: Path, name: str) -> Path:
    own = directory / name
    return own if own.is_file() else LIBRARY / name


def _each(reading: Reading, paths: list[Path], parse: Callable[[Reading, str, Any], None]) -> None:
    for path in paths:
        name = f"{path.parent.name}/{path.name}"
        try:
            parse(reading, name, yaml.safe_load(path.read_text(encoding="utf-8")))
        except _Bad as bad:
            reading.faults.append(Fault(name, bad.text, bad.next_step))
        except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
            place = getattr(error, "problem_mark", None)
            line = f" in line {place.line + 1}" if place is not None else ""
            reading.faults.append(Fault(name, f"It cannot be read as YAML{line}.", "Correct its indentation and quotes."))


def _get(raw: Any, key: str, kind: type, default: Any = None) -> Any:
    """A field of a mapping, of the kind that it must have."""
    if not isinstance(raw, dict):
        raise _Bad("It is not a mapping of names to values.", "Compare it with a file of the shipped library.")
    value = raw.get(key, default)
    if value is None:
        raise _Bad(f"It has no `{key}`.", f"Add `{key}:`.")
    if type(value) is not kind:
        raise _Bad(f"`{key}` is not a {kind.__name__}.", f"Write `{key}` as in the shipped library.")
    return _text(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    """Without blank ends; a text of several lines ends in one line break, so that its hash does not hang on the YAML style."""
    bare = value.strip()
    return bare + "\n" if "\n" in bare else bare


def _only(raw: dict[str, Any], *known: str) -> None:
    unknown = sorted(set(raw) - set(known))
    if unknown:
        raise _Bad(f"It has an unknown field `{unknown[0]}`.", f"Fields are: {', '.join(known)}.")


def _texts(raw: Any, key: str) -> tuple[str, ...]:
    values = _get(raw, key, list, [])
    if not all(isinstance(value, str) for value in values):
        raise _Bad(f"`{key}` has an item that is no text.", "Quote each item.")
    return tuple(" ".join(value.split()) for value in values)


def _items(raw: Any, key: str) -> Iterator[dict[str, Any]]:
    for value in _get(raw, key, list, []):
        if not isinstance(value, dict):
            raise _Bad(f"`{key}` has an item that is no mapping.", "Write each as a list of `name: value`.")
        yield value


def _line(raw: Any, key: str, default: str | None = None) -> str:
    """A text whose line breaks are only for reading."""
    return " ".join(str(_get(raw, key, str, default)).split())


def _read_criteria(reading: Reading, file: str, raw: Any) -> None:
    for item in _items(raw, "criteria"):
        criterion = Criterion(
            _line(item, "id"), _line(item, "category"), _line(item, "series"), _line(item, "title"), _line(item, "paraphrase")
        )
        if criterion.category not in CATEGORIES:
            raise _Bad(f"{criterion.id} has the unknown category {criterion.category}.", f"Use one of {', '.join(CATEGORIES)}.")
        if criterion.id in reading.criteria:
            raise _Bad(f"{criterion.id} is there twice.", "Remove one.")
        reading.criteria[criterion.id] = criterion


def _read_risks(reading: Reading, file: str, raw: Any) -> None:
    for item in _items(raw, "risks"):
        _only(item, "id", "title", "statement", "without_control")
        risk = Risk(_line(item, "id"), _line(item, "title"), _line(item, "statement"), _line(item, "without_control", ""))
        if not _RISK_ID.fullmatch(risk.id):
            raise _Bad(f"The risk id {risk.id!r} has a wrong form.", "Use lower-case words joined by hyphens.")
        if risk.id in reading.risks:
            raise _Bad(f"The risk {risk.id} is there twice.", "Remove one.")
        reading.risks[risk.id] = risk
        reading.files[f"risk:{risk.id}"] = file


def _read_samples(reading: Reading, file: str, raw: Any) -> None:
    note = _line(raw, "note")
    rules = _get(raw, "rules", dict)
    for name, rule in rules.items():
        sizes = []
        for pair in _get(rule, "sizes", list):
            if not (isinstance(pair, list) and len(pair) == 2 and all(type(n) is int and n >= 0 for n in pair)):
                raise _Bad(f"The sizes of {name} are no pairs of numbers.", "Write [largest population, rows]; 0 as rows means all.")
            sizes.append((pair[0], pair[1]))
        bounds = [largest for largest, _ in sizes]
        if not sizes or bounds[-1] != 0 or 0 in bounds[:-1] or bounds[:-1] != sorted(set(bounds[:-1])):
            raise _Bad(f"The sizes of {name} do not rise to an open end.", "Let the last pair begin with 0.")
        reading.samples[str(name)] = SampleRule(str(name), _line(rule, "title"), tuple(sizes), note)


def _read_population(reading: Reading, file: str, raw: Any) -> None:
    name = Path(file).stem
    _only(raw, "statement", "query", "reconcile", "source", "boundary")
    if not _NAME.fullmatch(name):
        raise _Bad("Its file name is no population name.", "Use lower-case letters, digits and underscores.")
    population = Population(
        name, _line(raw, "statement"), _get(raw, "query", str), _get(raw, "reconcile", str, ""), _line(raw, "source", ""),
        _texts(raw, "boundary"),
    )  # fmt: skip
    if population.reconcile and not population.source:
        raise _Bad("It has a reconciliation and no `source`.", "Say what the independent count is.")
    reading.populations[name] = population


def _schedule(raw: Any) -> tuple[Due, ...]:
    found: list[Due] = []
    for item in _items(raw, "schedule"):
        due = Due(_line(item, "item"), _line(item, "every"), _get(item, "minute", int, 0))
        if due.every not in _MINUTES or not 0 <= due.minute < _MINUTES[due.every]:
            raise _Bad(f"The schedule has {due.item} every {due.every!r} at minute {due.minute}.", "Use hour, day or month.")
        if any((due.every, due.minute) == (other.every, other.minute) for other in found):
            raise _Bad(f"Two items of the schedule are due in minute {due.minute}.", "An occurrence is known by its due time: move one.")
        found.append(due)
    return tuple(found)


def _whys(raw: Any) -> dict[str, Why]:
    found = {}
    for code, why in _get(raw, "whys", dict, {}).items():
        item = _get(why, "item", int, 1)
        if item not in (1, 2) or not _NAME.fullmatch(str(code)):
            raise _Bad(f"The reason {code} has the item {item}.", "Use 1 for a deviation, 2 for could not test.")
        found[str(code)] = Why(item, _line(why, "text"))
    return found


def _read_control(reading: Reading, file: str, raw: Any) -> None:
    _only(
        raw, "id", "version", "title", "statement", "owner", "frequency", "kind", "criteria", "risks", "population", "procedure",
        "attribute", "params", "sample", "schedule", "whys", "limits", "miss", "reported", "implemented",
    )  # fmt: skip
    control_id = _line(raw, "id")
    if not _CONTROL_ID.fullmatch(control_id):
        raise _Bad(f"The control id {control_id!r} has a wrong form.", "Use capitals, a number, a point and a number: SEC-1.2.")
    if control_id in reading.controls:
        raise _Bad(f"{control_id} is there twice.", f"See {reading.files[control_id]}.")
    criteria = _texts(raw, "criteria")
    unknown = [criterion for criterion in criteria if criterion not in reading.criteria]
    if unknown:
        raise _Bad(f"{control_id} names the unknown criterion {unknown[0]}.", "Use an id of criteria/tsc.yaml.")
    population_name = _line(raw, "population", "")
    if population_name and population_name not in reading.populations:
        raise _Bad(f"{control_id} names the unknown population {population_name}.", f"Add populations/{population_name}.yaml.")
    params = _get(raw, "params", dict, {})
    if any(type(value) is not int or not _NAME.fullmatch(str(name)) for name, value in params.items()):
        raise _Bad(f"A parameter of {control_id} is no integer.", "Parameters are integers; write durations in their unit.")
    rule = _line(raw, "sample")
    if rule not in reading.samples:
        raise _Bad(f"{control_id} names the unknown sample rule {rule}.", f"Use one of {', '.join(reading.samples)}.")
    reading.controls[control_id] = Control(
        control_id, _get(raw, "version", int), _line(raw, "title"), _line(raw, "statement"), _line(raw, "owner"),
        _line(raw, "frequency"), _line(raw, "kind"), reading.criteria[criteria[0]].category if criteria else "security", criteria,
        _texts(raw, "risks"), reading.populations.get(population_name), _get(raw, "procedure", str, ""), _line(raw, "attribute", ""),
        dict(params), reading.samples[rule], _schedule(raw), _whys(raw), _texts(raw, "limits"), _line(raw, "miss", ""),
        _get(raw, "reported", bool, True), _get(raw, "implemented", bool, True),
    )  # fmt: skip
    reading.files[control_id] = file
