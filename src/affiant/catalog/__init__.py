"""Criteria, risks, populations and controls as plain files, and their loader.

`load()` reads them, `check()` names every fault. The library beside this file is data that a company forks and extends.
"""

from pathlib import Path
from typing import Any

from affiant.catalog.load import LIBRARY, Fault, load
from affiant.catalog.model import CATEGORIES, Catalog, Control, Criterion, Due, Population, Risk, SampleRule, Why

__all__ = [
    "CATEGORIES",
    "LIBRARY",
    "Catalog",
    "Control",
    "Criterion",
    "Due",
    "Fault",
    "Population",
    "Risk",
    "SampleRule",
    "Why",
    "check",
    "load",
]


def check(directory: Path | None = None) -> dict[str, Any]:
    """Every fault of a catalog at once; see `faults.check`. Its SQL parser is loaded only here, so that loading a catalog is quick."""
    from affiant.catalog.faults import check as find

    return find(directory)
