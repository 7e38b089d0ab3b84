"""Sign-in with a person and a password, and the landing of a one-time link."""

from __future__ import annotations

from dataclasses import dataclass

from affiant.console.model import Notice


@dataclass(frozen=True, slots=True)
class SignInPage:
    """`sign_in.html`."""

    place: str
    origin: str
    demo: bool
    csrf: str
    next: str = "/"
    person: str = ""
    error: Notice | None = None


@dataclass(frozen=True, slots=True)
class LinkPage:
    """`link.html`: a button, because a link that is only looked at must not be used up."""

    place: str
    origin: str
    demo: bool
    csrf: str
    token: str
