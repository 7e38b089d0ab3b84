"""Samples: how many rows, which seed, which rows. The draw is the verifier's own (`proof.draw`); anyone can redraw it.

A seed must not be knowable before the population is frozen. What each kind is worth: a management-chosen one shows only that the
draw was not changed afterwards; an auditor's own, that management could not choose; a witness's first cosignature of the checkpoint
of size freeze + 1, that nobody could, if the witness is not the company's. Leaves out: freezing (`run`).
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Protocol

from affiant.assurance.model import SEED_KINDS, Sample, Seed
from affiant.catalog import SampleRule
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.ledger import Draft
from affiant.proof.draw import METHOD, Drawing
from affiant.proof.population import parse_row

MAX_SAMPLE = 1_000
_AT_ONCE = 4_096
SeedOf = Callable[[int | None], Seed]
"""(index of the `population.frozen` entry, None where the run is not recorded) -> seed; called after the freeze."""


class Cosigned(Protocol):
    """A cosigned head, as `ledger.Anchor`."""

    @property
    def size(self) -> int:
        """Tree size."""
        ...

    @property
    def witness(self) -> str:
        """Name of the witness."""
        ...

    @property
    def note(self) -> bytes:
        """The note with log signature and cosignature."""
        ...


def management_seed(_: int | None) -> Seed:
    """A random seed of this machine, made when it is called."""
    return Seed(os.urandom(16).hex(), "management-chosen")


def given_seed(text: str, kind: str) -> SeedOf:
    """A seed that a person entered.

    Raises:
        BadInput: it is empty or of an unknown kind.
    """
    if not text or kind not in SEED_KINDS[:2]:
        raise BadInput("A seed is a text, marked management-chosen or auditor-chosen.", "Enter one after the population was frozen.")
    return lambda _: Seed(text, kind)


def witness_seed(anchors: Callable[[], Iterable[Cosigned]], witness: str) -> SeedOf:
    """A witness's first cosignature of the checkpoint of size freeze + 1.

    Args:
        anchors: cosigned heads that the home keeps; asked after the freeze.
        witness: name of the witness, one that returns its first cosignature again when asked.
    """

    def seed(index: int | None) -> Seed:
        if index is None:
            raise BadInput("A witness's seed needs a recorded freeze.", "Run the control with a ledger to write to.")
        for anchor in anchors():
            if anchor.size == index + 1 and anchor.witness == witness:
                for line in anchor.note.decode("utf-8").splitlines():
                    mark, _, rest = line.partition(" ")
                    name, _, signature = rest.partition(" ")
                    if mark == "—" and name == witness:
                        base64.b64decode(signature, validate=True)
                        return Seed(signature, "witness")
        raise CouldNotLook(
            f"{witness} has not cosigned the checkpoint of size {index + 1}.",
            "Ask for a checkpoint and its cosignature right after the freeze.",
        )

    return seed


def draw_sample(
    sample_id: str, freeze: str, seed: Seed, rows: Iterable[bytes], count: int, rule: SampleRule, n: int | None = None
) -> tuple[Sample, Draft]:
    """Draw from a frozen population, and the event that records it.

    Args:
        sample_id: new id.
        freeze: freeze id.
        seed: chosen after the freeze.
        rows: 48-byte rows of the population, read once.
        count: how many there are.
        rule: says how many, unless `n` does.
        n: how many; an auditor's own number.
    """
    if n is not None and n < 1:
        raise BadInput(f"A sample of {n} rows is none.", "Ask for at least one.")
    wanted = min(rule.size_for(count) if n is None else n, count, MAX_SAMPLE)
    drawing, waiting = Drawing(seed.text.encode(), wanted), iter(rows)
    while some := list(islice(waiting, _AT_ONCE)):
        drawing.add(some)
    drawn = [parse_row(row) for row in drawing.drawn()]
    keys = tuple((idx, ord_) for idx, _, ord_ in drawn)
    body = {
        "freeze": freeze, "seed": seed.text, "seed_kind": seed.kind, "method": METHOD, "n": len(keys),
        "rows": [{"idx": idx, "ord": ord_} for idx, ord_ in keys],
    }  # fmt: skip
    note = f"{rule.title}. {rule.note}" if n is None else rule.note
    return Sample(sample_id, seed, len(keys), keys, note), Draft("sample.drawn", body, ref=sample_id)
