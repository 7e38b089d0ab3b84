"""What went wrong, in the product's look, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """`error.html`."""

    status: int
    title: str
    text: str
    next_step: str
    origin: str
    demo: bool
    reference: str = ""
