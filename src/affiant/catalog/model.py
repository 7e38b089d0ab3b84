"""The nouns of the catalog: criterion, risk, population, sample rule, control. Frozen values with one canonical form.

Leaves out: how files become these (`load`), what makes a catalog sound (`check`), and how a control is run (assurance).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from affiant.proof import canonical

CATEGORIES: dict[str, str] = {
    "security": "Security",
    "availability": "Availability",
    "processing_integrity": "Processing integrity",
    "confidentiality": "Confidentiality",
    "privacy": "Privacy",
}


@dataclass(frozen=True, slots=True)
class Criterion:
    """One of the Trust Services Criteria by id, in our own words.

    Args:
        id: `CC6.1` …
        category: key of `CATEGORIES`.
        series: `CC6` …
        title: our title.
        paraphrase: our words, never the criterion's.
    """

    id: str
    category: str
    series: str
    title: str
    paraphrase: str


@dataclass(frozen=True, slots=True)
class Risk:
    """What can go wrong in an AI system.

    Args:
        id: lower-case words joined by hyphens.
        title: a few words.
        statement: cause, event and effect in a sentence or two.
        without_control: why no control of this catalog answers it; "" where one does.
    """

    id: str
    title: str
    statement: str
    without_control: str = ""


@dataclass(frozen=True, slots=True)
class Population:
    """Every occurrence that controls which share it are tested on.

    Args:
        name: file name without its ending.
        statement: what one row is.
        query: SQL inside the grammar; gives `idx, ord, at, …` ordered by idx, ord.
        reconcile: SQL that gives rows which do not match an independent count (`what, ours, theirs, …`); "" for none.
        source: what the independent count is; "" where there is no reconciliation.
        boundary: what is left out of the population, one sentence each.
    """

    name: str
    statement: str
    query: str
    reconcile: str = ""
    source: str = ""
    boundary: tuple[str, ...] = ()

    @property
    def query_sha(self) -> str:
        """Hex SHA-256 of the query text, as `population.frozen` carries it."""
        return hashlib.sha256(self.query.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SampleRule:
    """How many rows are drawn from a population of a given size.

    Args:
        name: name in `samples.yaml`.
        title: for which controls it is meant.
        sizes: (largest population, rows); 0 as largest means no bound, 0 as rows means all.
        note: printed on every sample.
    """

    name: str
    title: str
    sizes: tuple[tuple[int, int], ...]
    note: str

    def size_for(self, rows: int) -> int:
        """Rows to draw from a population of `rows`; never more than there are."""
        for largest, n in self.sizes:
            if largest == 0 or rows <= largest:
                return rows if n == 0 else min(n, rows)
        return rows


@dataclass(frozen=True, slots=True)
class Due:
    """An expected occurrence: what is due, how often, how many minutes after the start of that hour, day or month (UTC)."""

    item: str
    every: str
    minute: int


@dataclass(frozen=True, slots=True)
class Why:
    """What a procedure's short code means.

    Args:
        item: 1 deviation, 2 could not test.
        text: a sentence; `{column}` and `{column|time}` stand for the population row's values.
    """

    item: int
    text: str


@dataclass(frozen=True, slots=True)
class Control:
    """One version of a control.

    Args:
        id: `SEC-1.2` …
        version: counts up; a version in force is never edited.
        title: a few words.
        statement: what the company does.
        owner: role that answers for it.
        frequency: how often it operates, in words.
        kind: preventive or detective.
        category: of the criterion listed first; that is the rule.
        criteria: ids, the leading one first.
        risks: ids.
        population: what it is tested on; None is a design gap.
        procedure: SQL that judges each row; "" is a design gap.
        attribute: what is looked at in each row, against which expected value.
        params: integers that the queries name.
        sample: size rule for samples.
        schedule: expected occurrences.
        whys: meaning of each short code.
        limits: ways round it and what it does not show, one sentence each.
        miss: what a deviation means to customers.
        reported: whether it is part of the default reported set; else it is internal.
        implemented: False while nothing writes its events.
        views: digest of the views that its queries read (`proof.views.views_digest`).
    """

    id: str
    version: int
    title: str
    statement: str
    owner: str
    frequency: str
    kind: str
    category: str
    criteria: tuple[str, ...]
    risks: tuple[str, ...]
    population: Population | None
    procedure: str
    attribute: str
    params: Mapping[str, int]
    sample: SampleRule
    schedule: tuple[Due, ...] = ()
    whys: Mapping[str, Why] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    miss: str = ""
    reported: bool = True
    implemented: bool = True
    views: str = ""

    @property
    def queries(self) -> tuple[str, ...]:
        """Text of each query that there is."""
        population = self.population
        texts = (population.query, population.reconcile, self.procedure) if population is not None else (self.procedure,)
        return tuple(text for text in texts if text)

    @property
    def schedule_body(self) -> list[dict[str, str | int]]:
        """The schedule as `control.adopted` carries it."""
        return [{"item": due.item, "every": due.every, "minute": due.minute} for due in self.schedule]

    @property
    def canonical(self) -> bytes:
        """The bytes whose hash the ledger holds: canonical JSON of what decides the result (docs/architecture.md)."""
        population: dict[str, str] = {}
        if self.population is not None:
            population = {"name": self.population.name, "query": self.population.query}
            if self.population.reconcile:
                population["reconcile"] = self.population.reconcile
        sizes = [[largest, n] for largest, n in self.sample.sizes]
        return canonical.dumps(
            {
                "id": self.id, "version": self.version, "statement": self.statement, "population": population,
                "procedure": self.procedure, "params": dict(self.params), "sample": {"rule": self.sample.name, "sizes": sizes},
                "criteria": list(self.criteria), "schedule": self.schedule_body, "views": self.views,
            }
        )  # fmt: skip

    @property
    def sha(self) -> str:
        """Hex SHA-256 of `canonical`."""
        return hashlib.sha256(self.canonical).hexdigest()

    @property
    def adopted_body(self) -> dict[str, object]:
        """Body of the `control.adopted` event that puts this version in force (ref = control id), without the change id."""
        return {"control_version": self.version, "sha": self.sha, "schedule": self.schedule_body}

    @property
    def scheduled(self) -> bool:
        """Whether its population is computed from the schedule, so that it can only be run once it is in force."""
        return bool(self.schedule) and self.population is not None and "expected" in self.population.query


@dataclass(frozen=True)
class Catalog:
    """All of it, by id, in the order of the files' ids.

    Args:
        criteria: criterion id -> criterion.
        risks: risk id -> risk.
        populations: name -> population.
        samples: name -> size rule.
        controls: control id -> control.
        views: bytes of `views.json`, as they travel.
    """

    criteria: Mapping[str, Criterion]
    risks: Mapping[str, Risk]
    populations: Mapping[str, Population]
    samples: Mapping[str, SampleRule]
    controls: Mapping[str, Control]
    views: bytes

    def controls_for(self, criterion: str) -> tuple[Control, ...]:
        """Controls that name a criterion."""
        return tuple(control for control in self.controls.values() if criterion in control.criteria)

    def by_category(self) -> dict[str, tuple[Control, ...]]:
        """Category key -> its controls; every category is there, an empty one too."""
        return {key: tuple(c for c in self.controls.values() if c.category == key) for key in CATEGORIES}

    def uncovered(self) -> tuple[str, ...]:
        """Criteria that no control names."""
        named = {criterion for control in self.controls.values() for criterion in control.criteria}
        return tuple(criterion for criterion in self.criteria if criterion not in named)
