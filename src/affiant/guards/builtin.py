"""The detectors that every process has: built once, shared, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from affiant.guards.detectors import pii, secrets
from affiant.guards.injection import Cascade
from affiant.guards.quality import Asked, Quality
from affiant.guards.scan import Detector, Found, Scanner
from affiant.guards.toolbox import Toolbox

DETECTORS: tuple[Detector, ...] = (*secrets.DETECTORS, *pii.DETECTORS)


class Form:
    """Quality of answers of which nothing in particular was asked."""

    def __init__(self) -> None:
        self._quality = Quality()

    def check(self, text: str, context: str = "", finish: str = "") -> Sequence[Found]:
        """What is wrong with it; `context` is where its numbers may come from, `finish` why the provider stopped."""
        found = self._quality.check(text, Asked(context=context, finish=finish))
        return [Found(each.start, each.end, f"QUALITY/{each.code}", each.score_ppm, f"quality/{each.code}") for each in found]


@lru_cache(maxsize=1)
def scanner() -> Scanner:
    """The built-in detectors as one scan."""
    return Scanner(DETECTORS)


def without_models(scan: Scanner) -> Toolbox:
    """What needs no weights: the scan, the rules against injection, the form of answers."""
    return Toolbox(scan, injection=Cascade(), quality=Form())


@lru_cache(maxsize=1)
def built_in() -> Toolbox:
    """The same with a scan of this process's own."""
    return without_models(scanner())
