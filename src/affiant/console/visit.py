"""One visit to a page: who, in which session, with which form; and the frame that the page stands in.

A visit exists only after the session, the role and (for forms) the CSRF token were checked: `routes` makes them, pages use them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from affiant.console import words
from affiant.console.context import Context
from affiant.console.index import Index
from affiant.console.model import Head, MenuGroup, MenuItem, Notice, Shell
from affiant.console.queries import Queries
from affiant.console.render import THEMES, render
from affiant.console.security import THEME_COOKIE, Cookies
from affiant.kit.errors import AffiantError
from affiant.records.model import Session
from affiant.records.roles import may

ROLE_WORDS = {"compliance": "compliance manager", "developer": "model developer", "privacy": "privacy officer"}
_NEXT_THEME = {"system": ("dark", "Dark"), "dark": ("light", "Light"), "light": ("system", "As system")}
NOTICES = {
    "ran": Notice("Controls ran.", "Each run is an entry of its own; results below are from it."),
    "proposed": Notice("Proposed.", "Another person approves it next; nothing has changed yet."),
    "approved": Notice("Approved.", "It takes effect when somebody activates it."),
    "activated": Notice("In force.", "Every worker in contact decides from it within two seconds."),
    "rejected": Notice("Rejected.", "Nothing changed."),
    "appealed": Notice("Appealed.", "Another person decides; what was decided then stays as it is."),
    "decided": Notice("Decided.", "It is an entry. No policy changed by it: propose a change where it should."),
    "revoked": Notice("Revocation asked for.", "Every worker in contact refuses the key within two seconds."),
}
_MENU: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    ("", (("Today", "/", "control.read"), ("Exchanges", "/exchanges", "exchange.read"))),
    ("Audit", (("Controls", "/controls", "control.read"), ("Populations", "/populations", "population.read"))),
    ("AI system", (("Changes", "/changes", "change.read"), ("Guards", "/guards", "record.read"))),
    ("Settings", (("Keys and people", "/people", "key.read"), ("Ledger", "/ledger", "ledger.read"))),
)


@dataclass(slots=True)
class Visit:
    """What a page works with.

    Args:
        request: as it came.
        context: the rooms below.
        session: of the person who asks.
        queries: questions over the index, caught up for this visit.
        behind: entries that the index still lacks.
        form: fields of the form sent, each once.
        cookies: the console's cookies.
    """

    request: Request
    context: Context
    session: Session
    queries: Queries
    behind: int
    cookies: Cookies
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def now_us(self) -> int:
        """Wall time of the visit."""
        return self.context.clock.now_us()

    def may(self, action: str) -> bool:
        """Whether this person's roles allow an action."""
        return may(self.session.roles, action)

    def query(self, name: str) -> str:
        """A parameter of the address, trimmed; "" if absent."""
        return self.request.query_params.get(name, "").strip()[:200]

    def offset(self) -> int:
        """Where a list starts."""
        text = self.query("offset")
        return min(int(text), 10**9) if text.isascii() and text.isdigit() else 0

    def page(self, template: str, page: Any, active: str, status: int = 200) -> Response:
        """The answer: a page in its frame."""
        return HTMLResponse(render(template, page, self.shell(active), theme_of(self.request)), status)

    def back(self, path: str, done: str = "") -> Response:
        """After a form: look at `path`, with the words for what was done."""
        mark = "&" if "?" in path else "?"
        return RedirectResponse(f"{path}{mark}done={done}" if done else path, 303)

    def shell(self, active: str) -> Shell:
        """The frame."""
        theme = theme_of(self.request)
        following, word = _NEXT_THEME[theme]
        path = self.request.url.path + (f"?{self.request.url.query}" if self.request.url.query else "")
        notice = NOTICES.get(self.query("done"))
        if self.behind and notice is None:
            notice = Notice(
                "Lists are catching up.",
                f"{words.number(self.behind)} newer entries are not counted on this page yet; reload it.",
                "deviation",
            )
        return Shell(
            self.context.origin,
            self.context.origin,
            self.context.demo,
            self.session.person,
            role_words(self.session.roles),
            self.session.csrf,
            path if self.request.method == "GET" else active,
            following,
            word,
            self._menu(active),
            self.head(),
            notice,
        )

    def head(self) -> Head:
        """Where the ledger stands."""
        try:
            size = words.count(self.context.reader.size, "entry", "entries")
        except AffiantError as error:
            return Head("Ledger: could not look", error.message)
        anchors = self.queries.anchors(1)
        if not anchors:
            return Head(size, "no outside anchor yet")
        return Head(size, f"anchored {words.near(anchors[0].at, self.now_us)} by {anchors[0].witness}")

    def _counts(self) -> dict[str, str]:
        """Figures beside the menu: controls, frozen populations, and changes that wait for a person."""
        waiting = 0
        if self.may("change.read"):
            waiting = sum(len(self.context.records.changes(state)) for state in ("proposed", "approved"))
        counts = {"/controls": len(self.context.catalog.controls), "/populations": self.queries.count_freezes(), "/changes": waiting}
        return {href: words.number(count) for href, count in counts.items() if count}

    def _menu(self, active: str) -> tuple[MenuGroup, ...]:
        groups, counts = [], self._counts()
        for title, items in _MENU:
            seen = tuple(MenuItem(text, href, href == active, counts.get(href, "")) for text, href, action in items if self.may(action))
            if seen:
                groups.append(MenuGroup(title, seen))
        return tuple(groups)


Handler = Callable[[Visit], Response] | Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Spec:
    """One route of a signed-in person.

    Args:
        path: Starlette path.
        method: GET or POST.
        action: what its visitor must be allowed to do.
        handler: the page or form; a plain function runs in a thread.
    """

    path: str
    method: str
    action: str
    handler: Handler


def theme_of(request: Request) -> str:
    """The theme that this browser asked for."""
    theme = request.cookies.get(THEME_COOKIE, "system")
    return theme if theme in THEMES else "system"


def role_words(roles: tuple[str, ...]) -> str:
    """Roles as people say them."""
    return ", ".join(ROLE_WORDS.get(role, role) for role in roles)


def catch_up(context: Context, index: Index) -> int:
    """Bring the index up to the ledger within its time budget; entries still missing.

    Raises:
        CouldNotLook: the ledger is out of reach.
    """
    reader = context.reader

    def read(start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        begin = max(start, reader.begin)  # what was pruned is in no list
        return enumerate(reader.entries(begin, max(begin, stop)), begin)

    return index.catch_up(reader.size, read)
