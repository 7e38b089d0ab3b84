"""Criteria, risks, populations and controls as plain files, and their loader.

`load()` reads them, `check()` names every fault. The library beside this file is data that a company forks and extends.
"""

from affiant.catalog.check import check
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
